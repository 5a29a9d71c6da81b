"""A workspace as one file, asked for in the dashboard: agreed to by a second person, made beside the work, fetched
once.

The passphrase is needed when it is asked for and never again: what it opens is made at that moment, and the file's own
key waits sealed in the row of the file until it is made, and goes with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec

from chime import approvals, exports
from chime.approvals import Approval, Ending, StandsNoMore, State
from chime.clock import as_datetime
from chime.errors import ChimeError, Conflict, NotFound
from chime.handover.model import Header
from chime.handover.packing import Lock, Package, need_room, packed
from chime.handover.requesting import lock_of
from chime.jobs import Work
from chime.security.permissions import SYSTEM, Actor
from chime.workspaces import DiskNearlyFull

SECONDS_BETWEEN_NOTES = 1.0
_MEDIA_TYPE = "application/octet-stream"


class Ended(ChimeError):
    """Somebody ended it while it ran."""


async def run(work: Work, approval_id: str) -> None:
    """Make it, if it is to be made."""
    async with work.workspace.write(SYSTEM) as tx:
        sealed = await tx.value("SELECT key_sealed FROM export_file WHERE id = ?", approval_id)
        row = await approvals.begin(tx, approval_id) if sealed else None
    if row is None:
        return
    key = work.workspace.vault.open(sealed, table="export_file", row=approval_id, column="key").reveal()
    lock = lock_of(row.parameters, bytes.fromhex(key))
    try:
        await _make(work, row, lock)
    except (Ended, StandsNoMore):
        return
    except (DiskNearlyFull, Conflict):
        await _fail(work, row)


async def _make(work: Work, row: Approval, lock: Lock) -> None:
    workspace, control = work.workspace, work.control
    record = await control.workspace(workspace.id)
    if record is None:
        raise NotFound("there is no such workspace")
    await approvals.must_stand(control.db, workspace, row, work.clock.real_now())
    async with packed(control, workspace, record, now=work.clock.real_now()) as package:
        need_room(workspace.folder, package.size, "for the file")
        written = await exports.folder(workspace, lock.key).write(row.id, _content(work, row, package, lock))
    # Whoever was removed while it ran gets no file.
    await approvals.must_stand(control.db, workspace, row, work.clock.real_now())
    header = msgspec.json.decode(lock.header, type=Header)
    name = f"{record.slug}-{as_datetime(row.requested_at):%Y-%m-%d}.chime"
    async with workspace.write(_on_behalf(row)) as tx:
        await tx.execute("UPDATE export_file SET filename = ?, media_type = ?, size = ? WHERE id = ?", name,
                         _MEDIA_TYPE, written.size, row.id)
        await approvals.finish(tx, row.id, with_file=True, done=0)
        await tx.audit("workspace.exported", "workspace", record.id, export_id=header.export_id, size=written.size)


async def _content(work: Work, row: Approval, package: Package, lock: Lock) -> AsyncIterator[bytes]:
    pieces, noted = package.content(lock), 0.0
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece
        now = work.clock.monotonic()
        if now - noted >= SECONDS_BETWEEN_NOTES:
            noted = now
            await _note(work, row, package)


async def _note(work: Work, row: Approval, package: Package) -> None:
    """Write down how far it is. Raises Ended when somebody ended it."""
    async with work.workspace.ingest("export") as tx:
        goes_on = await approvals.advance(tx, row.id, done=package.done, total=max(package.size, package.done))
        tx.publish("approval", row.id)
    if not goes_on:
        raise Ended("it was ended while it ran")


def _on_behalf(row: Approval) -> Actor:
    return msgspec.structs.replace(SYSTEM, on_behalf=row.person_id or "")


async def _fail(work: Work, row: Approval) -> None:
    async with work.workspace.write(_on_behalf(row)) as tx:
        current = await approvals.found(tx, row.id)
        if current.ended_at is None:
            await approvals.end(tx, current, State.FAILED, Ending.STORAGE)
