"""Writing the file of a workspace where somebody at the shell wants it: under its name only when it is whole."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from chime.errors import StartRefused
from chime.handover.model import Header
from chime.handover.packing import Lock, Package, need_room, new_lock, packed
from chime.ids import Ids
from chime.security.passphrases import new_stretching, stretched
from chime.security.permissions import OPERATOR
from chime.workspaces import Control, Workspace, WorkspaceRecord
from chime.workspaces.files import flush_names

Progress = Callable[[int, int], None]


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What was written. `is_final`: the workspace was handed over before, so the file holds all there ever was."""

    workspace_id: str
    export_id: str
    file: str
    size: int
    sha256: str
    is_final: bool


async def export_to(control: Control, workspace: Workspace, record: WorkspaceRecord, target: Path, passphrase: str, *,
                    now: int, ids: Ids, progress: Progress = lambda done, total: None) -> Exported:
    """The whole workspace into `target`, which must not be there yet. Raises StartRefused, Conflict, DiskNearlyFull,
    StorageUnavailable."""
    _must_be_new(target)
    stretching = new_stretching(ids)
    key = await asyncio.to_thread(stretched, passphrase, stretching)
    async with packed(control, workspace, record, now=now) as package:
        lock = new_lock(record, at=now, ids=ids, stretching=stretching, passphrase_key=key)
        need_room(target.parent, package.size, f"for {target.name}")
        size, digest = await asyncio.to_thread(_write, package, lock, target, progress)
        is_final = package.is_final
    header = msgspec.json.decode(lock.header, type=Header)
    async with workspace.write(OPERATOR) as tx:
        await tx.audit("workspace.exported", "workspace", record.id, export_id=header.export_id, size=size)
    async with control.write(OPERATOR) as tx:
        await tx.audit("workspace.exported", "workspace", record.id, export_id=header.export_id, size=size)
    return Exported(workspace_id=record.id, export_id=header.export_id, file=str(target), size=size, sha256=digest,
                    is_final=is_final)


def _must_be_new(target: Path) -> None:
    if target.exists():
        raise StartRefused(f"{target} is there already")
    if not target.parent.is_dir():
        raise StartRefused(f"{target.parent} is no folder")


def _write(package: Package, lock: Lock, target: Path, progress: Progress) -> tuple[int, str]:
    partial = target.with_name(f"{target.name}.partial")
    hashed, size = hashlib.sha256(), 0
    try:
        # What a killed export left under this name is written over.
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            for piece in package.content(lock):
                file.write(piece)
                hashed.update(piece)
                size += len(piece)
                progress(package.done, package.size)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            raise StartRefused(f"{target} came into being meanwhile; it was not written over")
        partial.replace(target)
        flush_names(target.parent)
    except OSError as error:
        raise StartRefused(f"{target}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
    return size, hashed.hexdigest()
