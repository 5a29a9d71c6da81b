"""What can be exported, as whom it is frozen: kind, filters, columns, masking, and how many rows at most. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from chime.clock import DAY, as_datetime, from_rfc3339
from chime.errors import Invalid

JOB = "exports.run"
# A workspace as one file is fetched as exports are; handover has the body.
WORKSPACE_JOB = "handover.run"
QUERY_JOB = "data_queries.export"
WITH_FILES = frozenset({JOB, WORKSPACE_JOB, QUERY_JOB})
# What a request may grow by between the count that people saw and its run.
SLACK = 10
LEAST_SLACK = 100
END_OF_TIME = 253_370_764_799_000


class Kind(StrEnum):
    CONTACTS = "contacts_export"
    CONVERSATIONS = "conversations_export"
    SUBJECT = "subject_export"


class Format(StrEnum):
    CSV = "csv"
    JSON = "jsonl"


CONTACT_COLUMNS = ("id", "name", "profile_name", "phone", "username", "user_id", "tags", "marketing_consent",
                   "consent_at", "consent_source", "consent_evidence", "owner", "created_at", "updated_at")
# The custom fields follow, each in a column of its own; `reference` stands last.
FIELD = "field."
MESSAGE_COLUMNS = ("id", "conversation_id", "contact_id", "contact_name", "contact_phone", "number", "at", "direction",
                   "type", "status", "author", "text", "content", "file_id", "file_name", "file_type", "file_size",
                   "reactions", "edited_at", "deleted_at", "error", "wamid")
REFERENCE = "reference"


class Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters of an approved export. `since` and `until` are moments; `ceiling` the most rows it may have."""

    format: Format = Format.CSV
    columns: tuple[str, ...] = ()
    masked: bool = False
    expected: int = 0
    ceiling: int = 0
    tag_id: str = ""
    consent: str = ""
    state: str = ""
    channel_id: str = ""
    since: int = 0
    until: int = END_OF_TIME
    contact_id: str = ""

    @property
    def parameters(self) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody chose, from a form or by script. Dates are days, the last one included, in UTC."""

    format: str = "csv"
    tag_id: str = ""
    marketing_consent: str = ""
    state: str = ""
    channel_id: str = ""
    first_day: str = ""
    last_day: str = ""
    masked: bool = False
    reason: str = ""


def frozen_from(asked: Asked, *, columns: tuple[str, ...], masked: bool) -> Frozen:
    """What will run, but for its size. Raises Invalid naming every field that does not fit."""
    wrong: list[tuple[str, str]] = []
    if asked.format not in set(Format):
        wrong.append(("format", "Choose CSV or JSON."))
    if asked.marketing_consent not in ("", "unknown", "opted_in", "opted_out"):
        wrong.append(("marketing_consent", "Choose one of the list."))
    if asked.state not in ("", "open", "closed"):
        wrong.append(("state", "Choose one of the list."))
    since, until = _day(asked.first_day, "first_day", wrong), _day(asked.last_day, "last_day", wrong)
    if since is not None and until is not None and until < since:
        wrong.append(("last_day", "This is before the first day."))
    if wrong:
        raise Invalid(wrong)
    return Frozen(format=Format(asked.format), columns=columns, masked=masked, tag_id=asked.tag_id,
                  consent=asked.marketing_consent, state=asked.state, channel_id=asked.channel_id, since=since or 0,
                  until=END_OF_TIME if until is None else until + DAY)


def _day(text: str, field: str, wrong: list[tuple[str, str]]) -> int | None:
    if not text:
        return None
    try:
        return from_rfc3339(f"{text}T00:00:00Z")
    except (ValueError, OverflowError):
        wrong.append((field, "Write a day, as in 2026-11-21."))
        return None


def sized(frozen: Frozen, rows: int) -> Frozen:
    """With the number of rows there are now, and the most there may be when it runs."""
    return msgspec.structs.replace(frozen, expected=rows, ceiling=rows + max(LEAST_SLACK, rows // SLACK))


def filename(kind: str, frozen: Frozen, slug: str, at: int) -> str:
    """What the file is called on the disk of whoever fetches it; nothing of a customer is in it."""
    what = {Kind.CONTACTS: "contacts", Kind.CONVERSATIONS: "conversations"}.get(Kind(kind), "person")
    ending = "zip" if kind == Kind.SUBJECT else frozen.format.value
    return f"{slug}-{what}-{as_datetime(at):%Y-%m-%d}.{ending}"
