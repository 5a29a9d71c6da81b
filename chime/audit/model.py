"""The audit trail as it is shown, signed and examined."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from chime.clock import DAY
from chime.errors import Invalid, Sentence

FEWEST_DAYS = 365
"""No trail is kept for less than a year: DPDP asks for a year of logs."""
USUAL_DAYS, MOST_DAYS = 3 * 365, 36_500
CHECKPOINT_EVERY = 1_000
"""Rows"""
CHECKPOINT_AFTER = 10 * 60_000
"""Milliseconds that a row stands without a signature at most"""
LATEST = 2**62
INSTALLATION = "installation"
"""The name of control.db's own trail"""


class Result(StrEnum):
    DONE = "done"
    DENIED = "denied"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the trail."""

    sequence: int
    at: int
    actor_kind: str
    actor_id: str | None
    actor_name: str
    on_behalf: str
    session_id: str
    address: str
    agent_hash: str
    action: str
    object_kind: str
    object_id: str
    result: Result
    details: dict[str, Any]
    hash: bytes


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows; empty takes all. `action` ends in a dot for all of its kind (`member.`). `since` and `until` are
    moments; `until` itself is left out."""

    action: str = ""
    actor_id: str = ""
    object_kind: str = ""
    object_id: str = ""
    result: str = ""
    since: int | None = None
    until: int | None = None

    @property
    def takes_all(self) -> bool:
        return self == Filter()


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What was signed, and when."""

    size: int
    at: int
    note: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What an examination found. `rows` are those there, `size` those that ever were; `head` is the root over all of
    them. `proven` is how many a signature stands for; `first_bad` the first row that is not what it was: the row
    that betrays itself, else the first one after the last checkpoint that still holds. `anchors`: how many checkpoints
    that were kept elsewhere were compared with the rows."""

    ok: bool
    rows: int
    size: int
    head: str
    proven: int
    first_bad: int | None = None
    reason: str = ""
    checked_at: int = 0
    seconds: float = 0.0
    anchors: int = 0


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """Why no checkpoint is signed any more, and since when."""

    at: int
    reason: str
    first_bad: int | None = None


def checked_days(text: str) -> int:
    """How many days to keep the trail, from a form. Raises Invalid."""
    plain = text.strip()
    if not (plain.isascii() and plain.isdigit() and len(plain) < 9) or not FEWEST_DAYS <= int(plain) <= MOST_DAYS:
        raise Invalid.field("days", Sentence("A number of days from %(fewest)s to %(most)s.",
                                             fewest=FEWEST_DAYS, most=MOST_DAYS))
    return int(plain)


def kept_since(now: int, days: int) -> int:
    """Rows from before this moment may go."""
    return now - max(days, FEWEST_DAYS) * DAY
