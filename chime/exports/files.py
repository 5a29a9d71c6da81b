"""The files that exports made: fetched once, and removed when their approval has ended, however it did."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from chime import approvals
from chime.approvals import Approval, State
from chime.clock import MINUTE
from chime.db import Db
from chime.errors import Conflict, Forbidden, NotFound
from chime.exports.model import WITH_FILES
from chime.exports.run import folder
from chime.security.permissions import SYSTEM, Actor, Permission
from chime.workspaces import Transaction, Workspace

# A fetch that is under way reads on although the name is gone; this is for one that is just about to open it.
FETCH_BEGINS_WITHIN = MINUTE


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """A file on its way out. Its key is nowhere but here."""

    row: Approval
    filename: str
    media_type: str
    size: int
    key: bytes


async def fetch(workspace: Workspace, control: Db, approval_id: str, *, asker: approvals.Requester, actor: Actor,
                now: int) -> Fetched:
    """The one fetch. When this returns it is on disk that it was fetched, and the key is gone from the row. Raises
    NotFound, Conflict, Forbidden, StandsNoMore."""
    row = await approvals.approval(workspace.db, approval_id)
    if row is None or row.job not in WITH_FILES:
        raise NotFound("There is no such export.")
    if not approvals.is_whose(row, asker):
        raise Conflict("Only whoever asked for an export can fetch it.")
    if row.state is not State.READY:
        raise Conflict("This file is not here: it can be fetched once, within a day after it is ready.")
    requester = await approvals.must_stand(control, workspace, row, now)
    async with workspace.write(actor) as tx:
        filename, media_type, size, masked, sealed = await _file(tx, approval_id)
        # A key of the same person may be allowed less than they are, and they less than when it was made.
        for one in (requester, actor):
            if not one.may(Permission(row.permission)) or not (masked or one.sees_numbers):
                raise Forbidden("You may not have this file as it is; ask for another.")
        await approvals.take(tx, approval_id)
        key = workspace.vault.open(sealed, table="export_file", row=approval_id, column="key").reveal()
    return Fetched(row=row, filename=filename, media_type=media_type, size=size, key=bytes.fromhex(key))


async def _file(tx: Transaction, approval_id: str) -> tuple[str, str, int, int, bytes]:
    rows = await tx.rows("SELECT filename, media_type, size, masked, key_sealed FROM export_file WHERE id = ? "
                         "AND length(key_sealed) > 0", approval_id)
    if not rows:
        raise Conflict("This file is not here any more.")
    found: tuple[str, str, int, int, bytes] = rows[0]
    return found


async def content(workspace: Workspace, fetched: Fetched) -> AsyncIterator[bytes]:
    """Its bytes; afterwards it is removed, also when whoever fetched it went away in the middle."""
    try:
        async for part in folder(workspace, fetched.key).read(fetched.row.id):
            yield part
    finally:
        await remove(workspace, fetched.row.id)


async def remove(workspace: Workspace, export_id: str) -> None:
    """Nobody can read it any more; take it off the disk too."""
    folder(workspace, b"\0" * 32).remove(export_id)
    async with workspace.write(SYSTEM) as tx:
        if await tx.execute("UPDATE export_file SET removed_at = ? WHERE id = ? AND removed_at IS NULL",
                            tx.audited_at, export_id):
            await tx.audit("export.removed", "approval", export_id)


async def left_over(db: Db, now: int) -> list[str]:
    """Files whose approval has ended."""
    rows = await db.rows(
        "SELECT export_file.id FROM export_file JOIN approval ON approval.id = export_file.id "
        "WHERE export_file.removed_at IS NULL AND approval.ended_at IS NOT NULL "
        "AND (approval.state <> 'downloaded' OR approval.ended_at < ?) LIMIT 100", now - FETCH_BEGINS_WITHIN)
    return [row[0] for row in rows]
