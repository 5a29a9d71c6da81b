"""Readings of personal data as rows of the trail: who saw what, not what it said.

`read` is for what is shown: the row follows within half a second and the answer waits for nothing; the same person
seeing the same thing again within the hour leaves no second row, or every message that comes in would. `read_first` is
for what leaves: the row is on disk before the data is (a file saved, a part of the list taken by a script).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from chime.workspaces import Record

if TYPE_CHECKING:
    from chime.web.here import Here


class Reading(StrEnum):
    """What can be read."""

    CONTACT = "contact.opened"
    CONTACTS = "contacts.listed"
    CONVERSATION = "conversation.opened"
    FILE_SHOWN = "media.shown"
    FILE_SAVED = "media.downloaded"
    NUMBER_SEARCH = "contacts.searched_by_number"


# Of these each is a row: what was asked or taken differs every time.
EACH = frozenset({Reading.CONTACTS, Reading.NUMBER_SEARCH})


def read(here: Here, reading: Reading, object_id: str = "", **details: Any) -> None:
    """The reader of this request is shown this. Raises Unavailable when it can't be written down."""
    records, now = here.workspace.records, here.services.clock.real_now()
    what = (here.actor.kind, here.actor.id or "", reading.value, object_id)
    if reading in EACH or not records.lately.was_done(what, now):
        records.soon(_record(here, reading, object_id, details))
        records.lately.do(what, now)


async def read_first(here: Here, reading: Reading, object_id: str = "", **details: Any) -> None:
    """They get this: write it down before. Raises Unavailable."""
    await here.workspace.records.first(_record(here, reading, object_id, details))


def _record(here: Here, reading: Reading, object_id: str, details: dict[str, Any]) -> Record:
    return Record(actor=here.actor, action=reading.value, object_id=object_id, details=details,
                  object_kind=reading.value.partition(".")[0].removesuffix("s"))
