"""What is asked, saved and answered, and the words for what goes wrong. Pure."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec

from chime.errors import Invalid
from chime.security.crypto import digest

LONGEST = 8_000
LONGEST_NAME = 80
MOST_SAVED = 200
MOST_SHOWN = 500
# By the problem that `chime.db.questions` names.
WORDS = {
    "empty": "Write a question first: it begins with SELECT.",
    "syntax": "This is not understood here.",
    "table": "There is no such view. The list beside shows those there are.",
    "column": "No view asked here has such a column.",
    "twice": "More than one view has this column: write the view’s name before it.",
    "function": "This function is not there, or cannot be used here.",
    "name": "Only the views can be asked.",
    "denied": "Only questions can be asked: SELECT, and nothing that changes or opens something.",
    "many": "One question at a time: leave out what follows the first semicolon.",
    "parameter": "Only the parameters :from and :to are known.",
    "time": "This takes longer than five seconds. Ask for fewer days, or for less at once.",
    "memory": "This needs more memory than a question may have. Ask for less at once.",
    "broken": "This cannot be worked out.",
}


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """A saved question. Shared ones are for everybody who may ask."""

    id: str
    name: str
    sql: str
    is_shared: bool
    owner_id: str
    owner_name: str
    created_at: int
    updated_at: int


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed. Days as `2026-11-21`, the last one included; empty for none."""

    sql: str = ""
    first_day: str = ""
    last_day: str = ""
    name: str = ""


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """What `:from` and `:to` stand for: texts as the views have them."""

    since: str | None
    until: str | None

    @property
    def values(self) -> dict[str, str | None]:
        return {"from": self.since, "to": self.until}


def checked(wish: Wish) -> Period:
    """Raises Invalid naming every field that does not fit."""
    wrong: list[tuple[str, str]] = []
    if len(wish.sql) > LONGEST:
        wrong.append(("sql", "Write at most 8,000 characters."))
    first, last = _day(wish.first_day, "first_day", wrong), _day(wish.last_day, "last_day", wrong)
    if first and last and last < first:
        wrong.append(("last_day", "This is before the first day."))
    if wrong:
        raise Invalid(wrong)
    # Without a choice everything: the views' texts stand between these.
    return Period(since=first.isoformat() if first else "0000", until=_after(last) if last else "9999")


def _after(day: date) -> str:
    return "9999" if day == date.max else (day + timedelta(days=1)).isoformat()


def _day(text: str, field: str, wrong: list[tuple[str, str]]) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        wrong.append((field, "Write a day, as in 2026-11-21."))
        return None


def name_from(text: str) -> str:
    """Raises Invalid."""
    name = " ".join(text.split())
    if not 1 <= len(name) <= LONGEST_NAME:
        raise Invalid.field("name", "Give a name of at most 80 characters.")
    return name


def fingerprint(sql: str) -> str:
    """What the trail says of a question: its words may hold a customer's, so it keeps a hash of them."""
    return digest(sql.encode("utf-8", "replace")).hex()
