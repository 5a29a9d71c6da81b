"""What was set aside, told to people: the place and reason of a rejected event, of a parked delivery. The journal is
asked for the field and number; nothing of what the item said is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from chime.db import Db
from chime.inbound.model import Parked, Rejected, SetAside, ending, entry_and_change
from chime.inbound.slices import events_at, events_of
from chime.security.crypto import context
from chime.whatsapp import Event, Scan, scan
from chime.whatsapp.events import Unreadable
from chime.workspaces import Control, Workspace

_WORDS = {
    "NoChannel": "The number was not connected to this workspace.",
    "NotFound": "The journal holds no such event.",
    "CannotRead": "It could not be read: {detail}.",
}
_OTHER = "Chime could not apply it ({detail})."


async def described(workspace: Workspace, rows: Sequence[Rejected]) -> list[SetAside]:
    """These rows with what the journal knows of them. A body is read once for all its items."""
    bodies: dict[int, tuple[int, Scan, list[Event]]] = {}
    found = []
    for row in rows:
        if row.journal_id not in bodies:
            bodies[row.journal_id] = await _body(workspace.journal_db, row.journal_id)
        received_at, scanned, events = bodies[row.journal_id]
        event = next(iter(events_at(events, row.path)), None)
        place = entry_and_change(row.path)
        change = next((one for one in scanned.changes if (one.entry, one.change) == place), None)
        cause, _, kind = row.reason.partition(": ")
        detail = _detail(cause, event)
        found.append(SetAside(
            id=row.id, state=row.state, received_at=received_at or row.at, journal_id=row.journal_id, path=row.path,
            field=change.field if change else "", number=ending(change.phone_number_id if change else None),
            kind=kind, cause=cause, detail=detail, reason=_WORDS.get(cause, _OTHER).format(detail=detail),
            tries=row.tries, tried_at=row.tried_at, dismissed_by=row.dismissed_by, dismissal=row.dismissal))
    return found


async def _body(journal: Db, journal_id: int) -> tuple[int, Scan, list[Event]]:
    rows = await journal.rows("SELECT received_at, body FROM webhook_body WHERE id = ?", journal_id)
    if not rows:
        return 0, Scan(body=b"", recognised=False), []
    received_at, body = rows[0]
    return received_at, scan(body), await events_of(body)


def _detail(cause: str, event: Event | None) -> str:
    """What a person can make of the exception that stopped an event: the parser's words, else its name."""
    if cause == "CannotRead":
        return event.reason if isinstance(event, Unreadable) else "its shape is not known"
    return "" if cause in _WORDS else cause


async def parked(control: Control, *, since: int = 0, after: str = "", limit: int) -> list[Parked]:
    """Deliveries that are nobody's, in the order they came, with the events in each."""
    rows = await control.db.rows(
        "SELECT id, received_at, field, phone_number_id, reason, body_sealed FROM parked_delivery "
        "WHERE released_at IS NULL AND id > ? AND received_at >= ? ORDER BY id LIMIT ?", after, since, limit)
    found = []
    for parked_id, received_at, field, number, reason, sealed in rows:
        body = control.keys.parked.unseal(sealed, context("parked_delivery", parked_id))
        found.append(Parked(id=parked_id, received_at=received_at, field=field, number=ending(number), reason=reason,
                            events=len(await events_of(body))))
        await asyncio.sleep(0)
    return found


async def parked_events(control: Control, *, since: int = 0) -> int:
    """How many events are in all the deliveries that are nobody's."""
    total, after = 0, ""
    while page := await parked(control, since=since, after=after, limit=16):
        total += sum(one.events for one in page)
        after = page[-1].id
    return total
