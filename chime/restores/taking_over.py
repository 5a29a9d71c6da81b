"""A copy takes its workspace's place, step by step; each may be done twice.

The workspace is closed to everybody but webhooks, which go on into its journal. Until the exchange everything can be
left as it was; the exchange itself is one rename, so at any moment the workspace is its old self or its new one. Its
journal is never replaced: it knows what was sent, refused and forgotten, and what came in since, which is applied once
more before anybody is let in. The replaced file stays in the copy's folder, and is looked at like any other copy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from chime import erasure, support
from chime.clock import MINUTE
from chime.db import Key, StorageUnavailable
from chime.db.rekey import change_key, fits
from chime.errors import Conflict
from chime.inbox import Why
from chime.log import Log
from chime.restores import exchange, holding
from chime.restores.carrying import carry
from chime.restores.copying import take_keys
from chime.restores.model import ACTIVE, KEPT_ASIDE, MUTED, RESTORING, Means, Restore, Step
from chime.restores.steps import note
from chime.restores.unnamed import remove_unnamed
from chime.security.permissions import SYSTEM
from chime.workspaces.presence import alone
from chime.workspaces.registry import workspace_folder

# A send that is on its way has to come to its end first.
LONGEST_WAIT = 90.0
PATIENCE = 2 * MINUTE
_log = Log("restores")


async def close(means: Means, row: Restore) -> None:
    """Nobody is in it any more, nothing of it runs."""
    async with means.control.write(SYSTEM) as tx:
        if await tx.value("SELECT state FROM workspace WHERE id = ?", row.workspace_id) not in (ACTIVE, RESTORING):
            raise Conflict("the workspace was suspended or erased meanwhile")
        await tx.execute("UPDATE workspace SET state = ? WHERE id IN (?, ?)", RESTORING, row.workspace_id, row.copy_id)
        await take_keys(tx, means, row)
        await support.end_all(tx, workspace_id=row.workspace_id, reason="restore")
        await tx.audit("workspace.closed", "workspace", row.workspace_id, workspace_id=row.workspace_id)
    means.end_streams(row.workspace_id)
    means.end_streams(row.copy_id)
    for workspace_id in (row.workspace_id, row.copy_id):
        async with means.registry.closed(workspace_id, seconds=LONGEST_WAIT):
            pass  # whoever worked in it is done
    await _done(means, row, Step.CLOSED)


async def carry_over(means: Means, row: Restore) -> None:
    """What must not be rolled back. Of a file that can't be read any more nothing can be carried; the journal and
    control.db know the most important of it."""
    keys = await means.control.workspace_keys(row.workspace_id)
    found = {"carried": 0}
    async with means.registry.use(row.copy_id) as copy:
        if copy.db.key != keys.workspace_files[0]:
            await change_key(copy.db, keys.workspace_files[0])
        try:
            async with means.registry.use(row.workspace_id) as current:
                found = {"carried": 1, **await carry(copy, current)}
        except StorageUnavailable as error:
            if await _may_be_read_later(means, row, keys.workspace_files[0]):
                raise
            _log.error("restore.nothing_carried", error, workspace_id=row.workspace_id)
    await _done(means, row, Step.CARRIED, found)


async def _may_be_read_later(means: Means, row: Restore, key: Key) -> bool:
    """A disk may be slow or full for a moment, and what is not carried then is gone: so it is tried for a while."""
    path = workspace_folder(means.data_dir, row.workspace_id) / "workspace.db"
    whole = await asyncio.to_thread(fits, path, key) if path.exists() else False
    return whole and means.clock.real_now() - row.asked_at < PATIENCE


async def link_files(means: Means, row: Restore) -> None:
    """The stored files that the replaced state will go on showing."""
    original, copy = (workspace_folder(means.data_dir, one) for one in (row.workspace_id, row.copy_id))
    await asyncio.to_thread(exchange.link_aside, original, copy)
    await _done(means, row, Step.LINKED)


async def unite_files(means: Means, row: Restore) -> None:
    """The workspace gets the stored files of that moment besides its own; the copy lays its state ready."""
    original, copy = (workspace_folder(means.data_dir, one) for one in (row.workspace_id, row.copy_id))
    keys = await means.control.workspace_keys(row.workspace_id)
    async with means.registry.closed(row.copy_id):
        with alone(means.data_dir):
            await asyncio.to_thread(exchange.lay_ready, original, copy, keys.workspace_files[0])
    await _done(means, row, Step.UNITED)


async def swap(means: Means, row: Restore) -> None:
    """The exchange. Webhooks wait for it."""
    original, copy = (workspace_folder(means.data_dir, one) for one in (row.workspace_id, row.copy_id))
    keys = await means.control.workspace_keys(row.workspace_id)
    async with means.registry.closed(row.workspace_id, seconds=LONGEST_WAIT):
        with alone(means.data_dir):
            await asyncio.to_thread(exchange.swap, original, copy, keys.workspace_files)
    await _done(means, row, Step.SWAPPED)


async def hold(means: Means, row: Restore) -> None:
    async with means.registry.use(row.workspace_id) as workspace:
        found = await holding.hold(workspace, row.id, Why.WAITED)
        scheduled = await holding.ask_again(workspace)
    await _done(means, row, Step.HELD, found | {"scheduled": scheduled})


async def forget(means: Means, row: Restore) -> None:
    """Who was forgotten is again; the files of the replaced state stay in the copy's folder alone."""
    async with means.registry.use(row.workspace_id) as workspace:
        forgotten = await erasure.reapply(workspace, means.control)
        await remove_unnamed(workspace)
    await _done(means, row, Step.FORGOTTEN, {"forgotten": forgotten})


async def catch_up(means: Means, row: Restore) -> None:
    """What came in since then takes effect; what Chime answers to it by itself is held too, for it did so before."""
    async with means.registry.use(row.workspace_id) as workspace:
        await means.catch_up(workspace)
        again = await holding.hold(workspace, row.id, Why.WRITTEN_AGAIN)
        consents = await holding.recall_consents(workspace)
    await _done(means, row, Step.CAUGHT_UP, {"written_again": again["held"], "consents": consents})


async def let_in(means: Means, row: Restore) -> None:
    """The workspace is open again; the copy shows what was replaced, for some days."""
    async with means.registry.use(row.workspace_id) as workspace, workspace.write(SYSTEM) as tx:
        if not await tx.value("SELECT 1 FROM audit_event WHERE object_kind = 'restore' AND object_id = ? "
                              "AND action = 'workspace.restored'", row.id):
            await tx.audit("workspace.restored", "restore", row.id, as_of=row.as_of, asked_by=row.asked_by)
    async with means.control.write(SYSTEM) as tx:
        await tx.execute("UPDATE workspace SET state = ? WHERE id = ?", ACTIVE, row.workspace_id)
        await tx.execute("UPDATE workspace SET state = ?, as_of = ?, kept_until = ? WHERE id = ?", MUTED,
                         tx.audited_at, tx.audited_at + KEPT_ASIDE, row.copy_id)
        await note(tx, row.id, Step.DONE)
        await tx.audit("workspace.restored", "workspace", row.workspace_id, workspace_id=row.workspace_id,
                       restore_id=row.id, as_of=row.as_of)
    await means.wake(row.workspace_id)


async def give_up(means: Means, row: Restore, trouble: str) -> None:
    """Before the exchange: everything is as it was."""
    copy = workspace_folder(means.data_dir, row.copy_id)
    async with means.registry.closed(row.copy_id):
        await asyncio.to_thread(exchange.take_back, copy)
    async with means.control.write(SYSTEM) as tx:
        await tx.execute("UPDATE workspace SET state = ? WHERE id = ? AND state = ?", ACTIVE, row.workspace_id,
                         RESTORING)
        await tx.execute("UPDATE workspace SET state = ? WHERE id = ? AND state = ?", MUTED, row.copy_id, RESTORING)
        await note(tx, row.id, Step.FAILED, trouble=trouble)
        await tx.audit("workspace.restore_failed", "workspace", row.workspace_id, workspace_id=row.workspace_id)


async def _done(means: Means, row: Restore, step: Step, found: Mapping[str, int] | None = None) -> None:
    async with means.control.write(SYSTEM) as tx:
        await note(tx, row.id, step, found)
        await tx.audit("restore.step_made", "restore", row.id, workspace_id=row.workspace_id, step=step.value)


STEPS = {Step.ASKED: close, Step.CLOSED: carry_over, Step.CARRIED: link_files, Step.LINKED: unite_files,
         Step.UNITED: swap, Step.SWAPPED: hold, Step.HELD: forget, Step.FORGOTTEN: catch_up, Step.CAUGHT_UP: let_in}
