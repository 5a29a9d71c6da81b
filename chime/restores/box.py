"""A whole installation on a new machine, from the folder of its backups and the recovery sheet alone.

Everything is laid beside the data folder and comes into its place by one rename, so a wrong key, a missing piece or a
crash leaves nothing behind. Every workspace is suspended then, and what waited in it is on hold: nobody knows what the
old machine sent last. `go_live` lets one work again when the operator says so.
"""

from __future__ import annotations

import asyncio
import base64
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from chime import backups, erasure, support
from chime.clock import Clock
from chime.db import Kind
from chime.db.migrate import migrate
from chime.errors import ChimeError, Conflict, NotFound, StartRefused
from chime.ids import Ids
from chime.inbox import Why
from chime.restores import holding
from chime.restores.unnamed import remove_unnamed
from chime.security.permissions import OPERATOR
from chime.workspaces import Control, KeyRing, Registry, WorkspaceRecord, open_keys
from chime.workspaces.closing import resume, suspend
from chime.workspaces.files import flush_names
from chime.workspaces.recovery_sheet import read_back
from chime.workspaces.registry import workspace_folder

REASON = "It was put back from a backup; whoever runs this server says when it goes on."
_ENDING = ".restoring"
# What the service of a fresh package leaves in its folder while it waits for somebody to set it up.
_FIRST_RUN = frozenset({".lock", "first-run"})
Tell = Callable[[str], None]


class BoxItem(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace that was put back (`as_of`), or why it could not be."""

    workspace_id: str
    name: str
    as_of: int | None
    held: int
    trouble: str = ""


def read_master(path: Path) -> bytes:
    """The master key of a file: the recovery sheet itself, its lines typed off, or the key alone. Raises StartRefused.
    """
    try:
        text = path.read_text("utf-8")
        key = read_back(text) if "[" in text else base64.b64decode("".join(text.split()), validate=True)
    except (OSError, ValueError) as error:
        raise StartRefused(f"{path} does not hold a master key ({error}): write the lines of the recovery sheet into "
                           "it, with their checks, or the key alone") from error
    if len(key) != 32:
        raise StartRefused(f"{path} does not hold a master key: {len(key)} bytes instead of 32")
    return key


async def restore_box(data_dir: Path, source: Path, masters: Sequence[bytes], tell: Tell, *,
                      at: int | None = None) -> list[BoxItem]:
    """Put everything back as it was last, or at a moment, which a sheet from before the master key was replaced asks
    for. Raises StartRefused, and touches nothing, when there is an installation already, no backup, or another key."""
    _must_be_free(data_dir)
    coming = data_dir.with_name(data_dir.name + _ENDING)
    shelf = backups.Shelf(source)
    await asyncio.to_thread(shutil.rmtree, coming, ignore_errors=True)  # what a crash left
    await asyncio.to_thread(backups.lay_control, shelf, masters, at=at, target=coming)
    try:
        found = await _lay_all(coming, shelf, masters, tell, at)
    except BaseException:
        await asyncio.to_thread(shutil.rmtree, coming, ignore_errors=True)
        raise
    await asyncio.to_thread(_into_place, coming, data_dir)
    return found


def _must_be_free(data_dir: Path) -> None:
    if (data_dir / "control.db").exists():
        raise StartRefused(f"{data_dir} holds an installation already; choose another folder with --data")
    if data_dir.exists() and not {path.name for path in data_dir.iterdir()} <= _FIRST_RUN:
        raise StartRefused(f"{data_dir} is not empty; choose another folder with --data")


def _into_place(coming: Path, data_dir: Path) -> None:
    if data_dir.exists():
        for name in _FIRST_RUN:
            (data_dir / name).unlink(missing_ok=True)
        data_dir.rmdir()
    coming.rename(data_dir)
    flush_names(data_dir.parent)


async def _lay_all(folder: Path, shelf: backups.Shelf, masters: Sequence[bytes], tell: Tell, at: int | None
                   ) -> list[BoxItem]:
    keys, clock, ids = open_keys(folder, *masters), Clock(), Ids()
    (folder / "workspaces").mkdir(mode=0o700, exist_ok=True)
    await asyncio.to_thread(migrate, folder / "control.db", keys.control_file, Kind.CONTROL)
    control = await Control.open(folder, keys, clock, ids)
    registry = Registry(folder, control, clock, ids)
    try:
        async with control.write(OPERATOR) as tx:
            await support.end_all(tx, reason="restore")
            # What somebody was looking at or replacing on the old machine; copies are made anew from the backup.
            await tx.execute("UPDATE restore SET finished_at = ?, step = 'failed', trouble = ? "
                             "WHERE finished_at IS NULL", tx.audited_at, "The machine was restored meanwhile.")
            await tx.execute("UPDATE workspace SET state = 'active' WHERE state = 'restoring' AND copied_from IS NULL")
            await tx.execute("DELETE FROM workspace_key WHERE workspace_id IN (SELECT id FROM workspace "
                             "WHERE copied_from IS NOT NULL)")
            await tx.execute("DELETE FROM workspace WHERE copied_from IS NOT NULL")
            await tx.execute("DELETE FROM session")
            await tx.audit("installation.restored", "installation", "")
        return [await _lay_one(folder, shelf, keys, control, registry, record, tell, at)
                for record in await control.workspaces()]
    finally:
        await registry.close()
        await control.close()


async def _lay_one(folder: Path, shelf: backups.Shelf, keys: KeyRing, control: Control, registry: Registry,
                   record: WorkspaceRecord, tell: Tell, at: int | None) -> BoxItem:
    """One that can't be laid does not stop the others."""
    async with control.write(OPERATOR) as tx:
        await suspend(tx, record.id, REASON)
        await tx.audit("workspace.closed", "workspace", record.id, workspace_id=record.id)
    own = await control.workspace_keys(record.id)
    target = workspace_folder(folder, record.id)
    try:
        laid = await asyncio.to_thread(backups.lay_workspace, shelf, record.id, own, at=at, target=target)
        (target / "media").mkdir(mode=0o700, exist_ok=True)
        async with registry.use(record.id) as workspace:
            await erasure.reapply(workspace, control)
            await remove_unnamed(workspace)
            found = await holding.hold(workspace, "box", Why.WAITED)
            scheduled = await holding.ask_again(workspace)
            async with workspace.write(OPERATOR) as tx:
                await tx.audit("workspace.restored", "workspace", record.id, as_of=laid.as_of)
        await registry.expel(record.id)
    except ChimeError as error:
        tell(f"{record.name}: {error}")
        return BoxItem(workspace_id=record.id, name=record.name, as_of=None, held=0, trouble=str(error))
    tell(f"{record.name} is back.")
    return BoxItem(workspace_id=record.id, name=record.name, as_of=laid.as_of, held=found["held"] + scheduled)


async def go_live(control: Control, workspace_id: str | None) -> list[str]:
    """Let what was put back work again: one workspace, or all of them; their ids. Raises NotFound, Conflict."""
    rows = await control.db.rows("SELECT id FROM workspace WHERE state = 'suspended' AND suspension_reason = ? "
                                 "AND (?2 IS NULL OR id = ?2) ORDER BY name", REASON, workspace_id)
    if not rows:
        if workspace_id is not None and not await control.db.value("SELECT 1 FROM workspace WHERE id = ?",
                                                                   workspace_id):
            raise NotFound("there is no such workspace")
        raise Conflict("nothing waits to go live")
    async with control.write(OPERATOR) as tx:
        for (one,) in rows:
            await resume(tx, one)
    return [row[0] for row in rows]
