"""What is typed and shown here: durations, the question after a conversation, a rating."""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from chime.errors import Invalid

MOST_MINUTES = 60 * 24 * 60
_DURATION = re.compile(r"(?:(\d{1,5})\s*h(?:ours?)?)?\s*(?:(\d{1,6})\s*(?:m|min|minutes?)?)?", re.IGNORECASE)
SCORES = (5, 4, 3, 2, 1)
STARS = {score: "★" * score + "☆" * (5 - score) for score in SCORES}


class NotAsked(StrEnum):
    """Why nobody asked how it was."""

    WINDOW_CLOSED = "window_closed"
    TEMPLATE_GONE = "template_gone"
    RECENT = "recent"
    OPTED_OUT = "opted_out"
    REFUSED = "refused"


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """Whether and how one number asks. Without a template nobody is asked once the reply window is closed."""

    channel_id: str
    is_on: bool = False
    question: str = ""
    thanks: str = ""
    every_days: int = 30
    template_name: str = ""
    template_language: str = ""

    @property
    def template(self) -> str:
        """As a form chooses it."""
        return f"{self.template_name}/{self.template_language}" if self.template_name else ""


class Rating(msgspec.Struct, frozen=True):
    """An answer to one of our questions."""

    satisfaction_id: str
    score: int


def read_minutes(text: str) -> int | None:
    """`45`, `2h`, `1h 30`, `1:30`; None for nothing typed. Raises Invalid."""
    text = text.strip()
    if not text:
        return None
    found = _DURATION.fullmatch(re.sub(r"^(\d+):(\d\d)$", r"\1h \2", text))
    minutes = int(found[1] or 0) * 60 + int(found[2] or 0) if found else -1
    if not 0 <= minutes <= MOST_MINUTES:
        raise Invalid.field("minutes", "Write a time like 30, 45 min or 2h 30; 0 switches it off.")
    return minutes


def write_minutes(minutes: int | None) -> str:
    """The same back again."""
    if not minutes:
        return "" if minutes is None else "0"
    hours, rest = divmod(minutes, 60)
    return " ".join(([f"{hours}h"] if hours else []) + ([f"{rest} min"] if rest else []))
