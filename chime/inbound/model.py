"""The words of the delivery proof: the account of what came in, what was set aside, what a replay found.

Pure: knows no database. Promise: nothing here holds a customer's words or a whole number, so all of it may be printed,
exported and logged.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

import msgspec

from chime.clock import DAY, HOUR, from_rfc3339
from chime.errors import Invalid

_AGO = re.compile(r"(\d{1,5})([dh])")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_PLACE = re.compile(r"entry\.(\d+)(?:\.changes\.(\d+))?")


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What came in and what became of it, in events. `difference` counts each event that is missing on one side, so
    two faults never make up for each other; it must be 0."""

    received: int = 0
    applied: int = 0
    duplicate: int = 0
    rejected: int = 0
    parked: int = 0
    waiting: int = 0
    difference: int = 0

    def plus(self, other: Account) -> Account:
        return Account(**{name: getattr(self, name) + getattr(other, name) for name in FIGURES})


FIGURES = Account.__struct_fields__


class DayAccount(Account, frozen=True, kw_only=True):
    """The account of what was received on one day. `day` is its midnight, UTC."""

    day: int


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """Bodies of one finished day that follow each other in the journal, counted once and kept."""

    first_id: int
    last_id: int
    day: int
    received: int
    applied: int
    duplicate: int
    rejected: int
    checksum: bytes
    computed_at: int
    removed_at: int | None = None
    """Since when the bodies are not kept any more; then the sum is all there is."""

    @property
    def account(self) -> DayAccount:
        return DayAccount(day=self.day, received=self.received, applied=self.applied, duplicate=self.duplicate,
                          rejected=self.rejected)


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """A count. `summaries_of` is when the oldest summary it used was made, None when every body was looked at;
    `changed_summaries` are kept days that no longer are what they were when they were summed up."""

    total: Account
    days: tuple[DayAccount, ...]
    counted_at: int
    since: int = 0
    summaries_of: int | None = None
    changed_summaries: int = 0

    @property
    def ok(self) -> bool:
        return self.total.difference == 0 and self.changed_summaries == 0


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """The row of an event that could not be applied. `settled_at`: a retry put it into effect."""

    id: str
    journal_id: int
    path: str
    reason: str
    at: int
    settled_at: int | None
    tries: int
    tried_at: int | None
    dismissed_at: int | None
    dismissed_by: str
    dismissal: str

    @property
    def state(self) -> str:
        if self.settled_at is not None:
            return "settled"
        return "open" if self.dismissed_at is None else "dismissed"


class SetAside(msgspec.Struct, frozen=True, kw_only=True):
    """A rejected event as people and scripts see it: where it stands in the journal, and why it is not in effect.
    `number` is the end of the phone number id it was for; `cause` is the name of what stopped it, `detail` what more
    is known of that, `reason` says both in words."""

    id: str
    state: str
    received_at: int
    journal_id: int
    path: str
    field: str
    number: str
    kind: str
    cause: str
    detail: str
    reason: str
    tries: int
    tried_at: int | None
    dismissed_by: str
    dismissal: str


# Why a delivery is parked.
NOBODYS = "nobody claimed this number"
OF_ANOTHER_APP = "signed by an app that is not this number's"


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that is no workspace's. `number` is the end of the phone number id it was for."""

    id: str
    received_at: int
    field: str
    number: str
    reason: str
    events: int

    @property
    def of_another_app(self) -> bool:
        return self.reason == OF_ANOTHER_APP


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """What retention took away: deliveries whose effects are older than one moment, messages older than another."""

    deliveries_before: int = 0
    messages_before: int = 0


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One place where the live file is not what the journal says. `journal_id` is None for what the journal does not
    know at all; `column` is `missing`, `unexpected` or the column that differs."""

    what: str
    column: str
    journal_id: int | None = None
    path: str = ""


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay found. `recognised` counts, by rule, what legally differs; `left_out` the differences beyond the
    first ones."""

    ok: bool
    bodies: int
    compared: int
    differences: tuple[Difference, ...] = ()
    left_out: int = 0
    recognised: dict[str, int] = {}
    milliseconds: int = 0


class Task(StrEnum):
    """What can be asked to be done in the background."""

    COUNT = "account"
    REPLAY = "replay"


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """How far the newest count or replay came, and what the newest finished one found."""

    kind: Task
    state: str
    asked_at: int
    done: int
    total: int
    finished_at: int | None
    result: dict[str, Any] | None = None

    @property
    def under_way(self) -> bool:
        return self.state in ("asked", "running")

    @property
    def percent(self) -> int:
        return min(100, self.done * 100 // self.total) if self.total else 0


def since_moment(text: str, now: int) -> int:
    """The moment `7d`, `24h`, `2026-11-01` or an RFC 3339 time stands for. Raises Invalid naming `since`."""
    ago = _AGO.fullmatch(text)
    if ago:
        return now - int(ago[1]) * (DAY if ago[2] == "d" else HOUR)
    try:
        return from_rfc3339(f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text)
    except (ValueError, OverflowError) as error:
        raise Invalid.field("since", "A time such as 2026-11-01, 2026-11-01T08:00:00Z, 7d or 24h.") from error


def day_of(at: int) -> int:
    """The midnight, UTC, of the day a moment belongs to."""
    return at - at % DAY


def ending(number: str | None) -> str:
    """What may be shown of a phone number id."""
    return number[-4:] if number else ""


def entry_and_change(path: str) -> tuple[int, int]:
    """Which entry and change of the body an event's path leads through; -1 for none."""
    match = _PLACE.match(path)
    if match is None:
        return -1, -1
    return int(match[1]), int(match[2]) if match[2] else -1
