"""Every text goes through the catalogue, and times read as the person writes them."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from chime import resources
from chime.clock import DAY, HOUR, MINUTE
from chime.errors import Forbidden, Invalid, Sentence
from chime.web import language
from tests.support.world import World

ROOT = Path(__file__).resolve().parents[2]
NOW = 1_795_258_800_000  # 2026-11-21 11:00 UTC


def test_the_list_of_texts_is_what_the_texts_are() -> None:
    done = subprocess.run([sys.executable, "tools/messages.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _marked() -> bytes:
    """A language in which every text stands between marks, so that one that bypasses the catalogue is seen."""
    with (ROOT / "chime" / "locale" / "chime.pot").open("rb") as file:
        source = read_po(file)
    marked = Catalog(locale="eo")
    for message in source:
        if isinstance(message.id, tuple):
            marked.add(message.id, [f"⟦{part}⟧" for part in message.id])
        elif message.id:
            marked.add(message.id, f"⟦{message.id}⟧")
    compiled = io.BytesIO()
    write_mo(compiled, marked)
    return compiled.getvalue()


@pytest.fixture
def marked_language(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = _marked()
    monkeypatch.setattr(resources, "catalogue_files", lambda: {"eo.mo": compiled})
    language.catalogue.cache_clear()


async def test_a_page_in_another_language_has_no_english_left(world: World, marked_language: None) -> None:
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE user SET locale = 'eo' WHERE email = 'alice@example.com'")
    alice = await world.session("alice")
    page = (await alice.get("/w/acme/inbox")).text
    body = re.sub(r"<(script|template|svg)\b.*?</\1>", "", page.split("<body", 1)[1], flags=re.S)
    texts = {text.strip() for text in re.findall(r">([^<>]*[A-Za-z]{3}[^<>]*)<", body)}
    english = {text for text in texts if "⟦" not in text and text not in {"Alice", "Acme", "alice@example.com"}}
    allowed = {text for text in english if re.fullmatch(r"[A-Z][a-z]+|Ctrl|Shift|Enter|Esc|Alt", text)
               and text in {"Shift", "Enter", "Esc", "Alt", "Ctrl", "Space", "Tab"}}
    assert english - allowed == set()


async def test_an_error_is_told_in_the_readers_language(world: World, marked_language: None) -> None:
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE user SET locale = 'eo' WHERE email = 'alice@example.com'")
    alice = await world.session("alice")
    answer = await alice.get("/w/acme/inbox/01m7y0zsa0agfp1re6fer8fmp8")
    assert answer.status_code == 404
    assert "⟦There is no such conversation.⟧" in answer.text


def test_times_read_as_people_write_them() -> None:
    berlin = language.Reader("de", "Europe/Berlin", NOW)
    assert berlin.clock_time(NOW) == "12:00"
    assert language.Reader("en", "America/New_York", NOW).clock_time(NOW) == "6:00\u00a0AM"
    assert language.Reader("en", "no such zone", NOW).clock_time(NOW) == "11:00\u00a0AM"
    for folder in ("America", "x" * 300):  # as a cookie may say
        assert language.Reader("en", folder, NOW).clock_time(NOW) == "11:00\u00a0AM"
    assert language.Reader("no such language", "", NOW).day_label(NOW) == "Today"


def test_days_are_the_readers_own() -> None:
    """23:30 in Auckland is not the day it is in London."""
    at = NOW - 2 * HOUR
    assert language.Reader("en", "UTC", NOW).day_label(at) == "Today"
    assert language.Reader("en", "Pacific/Auckland", NOW).day_label(at) == "Yesterday"
    assert language.Reader("en", "UTC", NOW).day_label(NOW - 3 * DAY) == "Wednesday"
    assert "2026" in language.Reader("en", "UTC", NOW).day_label(NOW - 30 * DAY)


@pytest.mark.parametrize(("amount", "written"), [
    ((115_000, "INR"), "₹0.115"), ((18_500_000, "USD"), "$18.50"), ((3_000_000, "JPY"), "¥3"),
    ((3_000_000, "it's"), "3 it's"), ((1_234_500_000, "<b>'"), "1,234.5 <b>'"), ((0, "''"), "0 ''"),
    ((1, "usd"), "0.000001 usd"), ((15_000_000, ""), "15"),
])
def test_money_is_of_its_currency(amount: tuple[int, str], written: str) -> None:
    assert language.Reader("en", "UTC", NOW).money(amount) == written


def test_a_sentence_with_values_reads_as_the_language_wants_it() -> None:
    said = Sentence("A note has at most %(most)s characters.", most=10_000)
    assert said == "A note has at most 10,000 characters." == language.catalogue("en").gettext(said)
    assert language.catalogue("es").gettext(said) == "Una nota tiene como máximo 10.000 caracteres."
    assert Forbidden(said).said is said and type(str(Forbidden(said))) is str
    assert Invalid.field("text", said).errors[0].message is said


def test_durations_name_what_matters() -> None:
    reader = language.Reader("en", "UTC", NOW)
    assert reader.duration(3 * HOUR + 12 * MINUTE) == "3 h 12 min"
    assert reader.duration(2 * DAY + 5 * HOUR) == "2 d 5 h"
    assert reader.duration(40 * 1000) == "0 min"
