"""A workspace as operators see it, how a list of them is asked for, and the rules of what they type. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from chime.clock import MINUTE
from chime.errors import Invalid
from chime.workspaces.quotas import Quota

# What comes in is applied within moments; later than this somebody should look.
LATE = MINUTE
MEGABYTE = 1_000_000
LONGEST_REASON = 300
# Field of the form, field of the quota, how many of it a unit of the form is, the most that makes sense.
_LIMITS = (("megabytes", "bytes", MEGABYTE, 100_000_000), ("messages", "messages", 1, 100_000_000),
           ("members", "members", 1, 100_000), ("numbers", "numbers", 1, 10_000))


class Sort(StrEnum):
    """By what a list stands in order: names by the alphabet, of figures the greatest first."""

    NAME = "name"
    SIZE = "size"
    MESSAGES = "messages"
    WEBHOOK = "webhook"
    LAG = "lag"
    MEMBERS = "members"
    NUMBERS = "numbers"


class Which(StrEnum):
    """Which of them."""

    ALL = "all"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    ATTENTION = "attention"


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One workspace. What was measured is as of `measured_at`; None before the first look. `waiting` deliveries of
    WhatsApp are stored and not applied yet, the first since `waiting_since`. `faults` the doctor
    found in its numbers. `place` is where it stands in the list."""

    id: str
    slug: str
    name: str
    state: str
    created_at: int
    copied_from: str | None
    suspended_at: int | None
    suspension_reason: str
    measured_at: int | None
    database_bytes: int
    journal_bytes: int
    media_bytes: int
    bytes: int
    messages: int
    webhook_at: int | None
    waiting: int
    waiting_since: int | None
    trouble: str
    faults: int
    members: int
    numbers: int
    most_bytes: int | None
    most_messages: int | None
    most_members: int | None
    most_numbers: int | None
    place: int

    @property
    def is_full(self) -> bool:
        return self.most_bytes is not None and self.bytes >= self.most_bytes

    @property
    def is_copy(self) -> bool:
        """Of another workspace, as of a moment: it sends nothing, and goes by itself."""
        return self.state == "muted" and self.copied_from is not None

    @property
    def waits_to_go_live(self) -> bool:
        """It came in a file from another server, and answers nobody yet."""
        return self.state == "muted" and self.copied_from is None

    def lag(self, now: int) -> int:
        """How long the oldest delivery has waited to be applied."""
        return 0 if self.waiting_since is None else max(0, now - self.waiting_since)

    def is_late(self, now: int) -> bool:
        return self.state == "active" and self.lag(now) > LATE


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """One day of a workspace, of UTC."""

    day: str
    bytes: int
    received: int
    sent: int

    @property
    def messages(self) -> int:
        return self.received + self.sent


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """All workspaces together."""

    workspaces: int
    suspended: int
    bytes: int
    messages: int


def quota_from(fields: Mapping[str, str]) -> Quota:
    """Empty fields are no limit. Raises Invalid naming every field that is no number."""
    found: dict[str, int] = {}
    wrong = []
    for field, name, unit, most in _LIMITS:
        text = fields.get(field, "").strip()
        if not text:
            continue
        if text.isascii() and text.isdigit() and len(text) < 12 and 1 <= int(text) <= most:
            found[name] = int(text) * unit
        else:
            wrong.append((field, "Write a whole number of at least 1, or leave it empty for no limit."))
    if wrong:
        raise Invalid(wrong)
    return Quota(**found)


def quota_fields(one: Shown) -> dict[str, str]:
    """The quota as its form shows it."""
    held = {"bytes": one.most_bytes, "messages": one.most_messages, "members": one.most_members,
            "numbers": one.most_numbers}
    return {field: str(-(-(held[name] or 0) // unit)) if held[name] else "" for field, name, unit, _ in _LIMITS}


def reason_from(text: str) -> str:
    """Why a workspace is suspended, in words for its people. Raises Invalid."""
    reason = " ".join(text.split())
    if not reason:
        raise Invalid.field("reason", "Write why: the people of the workspace read it.")
    if len(reason) > LONGEST_REASON:
        raise Invalid.field("reason", "Write at most 300 characters.")
    return reason
