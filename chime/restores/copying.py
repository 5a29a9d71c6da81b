"""Making a copy: the files of a moment are laid into a folder of their own, and whoever was forgotten since is
forgotten in them too before anybody looks, with every stored file that is none of that moment's."""

from __future__ import annotations

import asyncio
import shutil

from chime import erasure
from chime.restores import queries
from chime.restores.model import MUTED, RESTORING, Laid, Means, Restore, Step
from chime.restores.steps import note
from chime.restores.unnamed import remove_unnamed
from chime.security.permissions import SYSTEM
from chime.workspaces import Transaction
from chime.workspaces.registry import workspace_folder


async def lay(means: Means, row: Restore) -> None:
    """The files, and then the row that says that there is such a workspace. Raises what `Lay` raises."""
    folder = workspace_folder(means.data_dir, row.copy_id)
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)  # what a crash left half laid
    laid = await means.lay(row.workspace_id, row.as_of, folder)
    (folder / "media").mkdir(mode=0o700, exist_ok=True)
    async with means.control.write(SYSTEM) as tx:
        await _add(tx, means, row, laid)
        await note(tx, row.id, Step.LAID, {"bytes": laid.bytes})
        await tx.execute("UPDATE restore SET as_of = ? WHERE id = ?", laid.as_of, row.id)
        await tx.audit("workspace.copied", "workspace", row.workspace_id, workspace_id=row.workspace_id,
                       copy_id=row.copy_id, as_of=laid.as_of)


async def _add(tx: Transaction, means: Means, row: Restore, laid: Laid) -> None:
    identity, time_zone = (await tx.rows("SELECT coalesce(identity, id), time_zone FROM workspace WHERE id = ?",
                                         row.workspace_id))[0]
    await tx.execute(
        "INSERT INTO workspace (id, slug, name, state, time_zone, created_at, identity, copied_from, copied_at, as_of) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row.copy_id, f"copy-{row.copy_id[-10:].lower()}",
        await _free_name(tx, row.name), RESTORING, time_zone, tx.now, identity, row.workspace_id, tx.audited_at,
        laid.as_of)
    await take_keys(tx, means, row)


async def take_keys(tx: Transaction, means: Means, row: Restore) -> None:
    """The workspace's root keys, wrapped once more for the copy: its files were made with them."""
    for version, wrapped in await tx.rows("SELECT version, wrapped FROM workspace_key WHERE workspace_id = ?",
                                          row.workspace_id):
        root = means.control.keys.root(wrapped, row.workspace_id, version)
        await tx.execute("INSERT OR IGNORE INTO workspace_key (workspace_id, version, wrapped, created_at) "
                         "VALUES (?, ?, ?, ?)", row.copy_id, version,
                         means.control.keys.wrap(root, row.copy_id, version), tx.now)


async def _free_name(tx: Transaction, name: str) -> str:
    number, candidate = 2, name
    while await tx.value("SELECT 1 FROM workspace WHERE name = ?", candidate):
        candidate = f"{name[:70]} ({number})"
        number += 1
    return candidate


async def open_copy(means: Means, row: Restore) -> None:
    """Forget who was forgotten since, and let the owners look."""
    async with means.registry.use(row.copy_id) as copy:
        forgotten = await erasure.reapply(copy, means.control, copied_from=row.workspace_id)
        await remove_unnamed(copy)
    async with means.control.write(SYSTEM) as tx:
        await tx.execute("UPDATE workspace SET state = ? WHERE id = ?", MUTED, row.copy_id)
        await note(tx, row.id, Step.DONE, {"forgotten": forgotten})
        await tx.audit("workspace.copy_made", "workspace", row.workspace_id, workspace_id=row.workspace_id,
                       copy_id=row.copy_id)


async def give_up(means: Means, row: Restore, trouble: str) -> None:
    """Nothing is left of a copy that could not be made."""
    await means.registry.expel(row.copy_id)
    folder = workspace_folder(means.data_dir, row.copy_id)
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    async with means.control.write(SYSTEM) as tx:
        if await queries.copy(tx, row.copy_id) is not None:
            await tx.execute("DELETE FROM workspace_key WHERE workspace_id = ?", row.copy_id)
            await tx.execute("DELETE FROM workspace WHERE id = ?", row.copy_id)
        await note(tx, row.id, Step.FAILED, trouble=trouble)
        await tx.audit("workspace.copy_failed", "workspace", row.workspace_id, workspace_id=row.workspace_id)


STEPS = {Step.ASKED: lay, Step.LAID: open_copy}
