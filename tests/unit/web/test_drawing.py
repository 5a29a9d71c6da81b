"""What templates write is escaped as markupsafe does it, and a row drawn once is drawn again for anybody who is to see
another."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import StrictUndefined
from jinja2.exceptions import UndefinedError
from markupsafe import Markup, escape

from chime import resources
from chime.clock import Clock
from chime.ids import Ids
from chime.inbox.model import Status
from chime.phone import Phone
from chime.web import pages
from chime.web.language import Reader
from chime.web.static_files import StaticFiles

NOON = 1_795_348_800_000  # 2026-11-22T12:00Z, a Sunday
ROW: dict[str, Any] = {
    "id": "01m8", "at": NOON, "address": "/w/acme/inbox/01m8?v=all&at=1", "doubted": "", "title": "Bob <b>", "sign": "",
    "is_deleted": False, "text": "Is the \"blue\" one in stock?", "kind": "text", "is_unread": True,
    "is_selected": False, "is_pinned": False, "more": "", "when": NOON}
CALL = "{% from 'inbox/_row.html' import conversation_row %}{{ conversation_row(" + ", ".join(ROW) + ") }}"


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.binary(), st.dates(),
                 st.text().map(Markup), st.sampled_from(Status), st.lists(st.text()),
                 st.from_regex("[0-9]{6,15}").map(Phone)))
def test_it_writes_what_markupsafe_writes(value: Any) -> None:
    assert pages._written(value) == str(escape(value))


def test_what_is_not_known_is_still_an_error() -> None:
    with pytest.raises(UndefinedError):
        pages._written(StrictUndefined(name="titel"))


@pytest.fixture(scope="module")
def shop() -> pages.Pages:
    return pages.Pages(StaticFiles(), Clock(), Ids(), b"k" * 32, demo=False, live_position=str, has_space=bool)


def drawn(shop: pages.Pages, language: str = "en", zone: str = "UTC", now: int = NOON, **others: Any) -> str:
    token = pages._reader.set(Reader(language, zone, now))
    try:
        return shop._environment(language).from_string(CALL).render(ROW | others)
    finally:
        pages._reader.reset(token)


def test_a_row_is_drawn_once_for_the_same_values(shop: pages.Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_rows", {})
    first = drawn(shop)
    assert "Bob &lt;b&gt;" in first and "&amp;at=1" in first and "Is the &#34;blue&#34; one" in first
    assert drawn(shop) == first and len(pages._rows) == 1


@pytest.mark.parametrize("name, other", [
    ("id", "01m9"), ("at", 1), ("address", "/w/globex"), ("doubted", "01mm"), ("title", "Eve"), ("sign", "check"),
    ("is_deleted", True), ("text", "No."), ("kind", ""), ("is_unread", False), ("is_selected", True),
    ("is_pinned", True), ("more", Markup("<i>3</i>")), ("when", NOON - 3_600_000), ("title", Markup("Bob <b>"))])
def test_whatever_is_another_gives_another_row(shop: pages.Pages, name: str, other: Any) -> None:
    told = {"text": ""} if name == "kind" else {}
    assert drawn(shop, **told) != drawn(shop, **(told | {name: other}))


def test_readers_of_another_language_zone_or_day_have_their_own(shop: pages.Pages) -> None:
    mine = drawn(shop, sign="check")
    assert drawn(shop, "es", sign="check") != mine != drawn(shop, zone="Asia/Kolkata", sign="check")
    assert drawn(shop, now=NOON + 86_400_000, sign="check") != mine


def test_there_are_never_more_than_so_many(shop: pages.Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_DRAWN", 3)
    monkeypatch.setattr(pages, "_rows", {})
    for number in range(10):
        drawn(shop, title=f"Customer {number}")
        assert len(pages._rows) <= 3


def test_nothing_in_a_row_asks_who_reads_it() -> None:
    """A row is drawn for whoever comes first, so masking is done before: a filter that looks at the reader's rights
    would show one person's sight to the next."""
    source = resources.template_source("inbox/_row.html") or ""
    assert "macro conversation_row(" in source
    assert re.findall(r"\|\s*(\w+)", source) == ["initials", "known_as", "to_the_minute", "full_when", "short_when"]


@pytest.mark.parametrize("name", ["icon", "conversation_row", *sorted(pages._SAID_ONCE)])
def test_what_is_drawn_once_has_its_name_for_itself(name: str) -> None:
    """Macros are known by their names: another of the same name would be drawn once as well."""
    sources = [resources.template_source(file) or "" for file in resources.template_names()]
    assert sum(len(re.findall(rf"macro\s+{name}\(", source)) for source in sources) == 1
