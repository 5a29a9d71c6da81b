"""Making what does not exist yet: the data folder with control.db, and a workspace's folder with its two files."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

from chime.db import DatabaseFile, Key, Kind, StorageUnavailable
from chime.db.copies import size_on_disk
from chime.db.migrate import migrate, pending
from chime.errors import Invalid, NotFound, StartRefused
from chime.ids import Ids
from chime.log import Log
from chime.security.crypto import CannotOpen
from chime.workspaces.control import Control, WorkspaceRecord
from chime.workspaces.files import flush_names
from chime.workspaces.keys import KeyRing, new_root
from chime.workspaces.registry import workspace_folder
from chime.workspaces.transaction import Transaction

_log = Log("workspaces")
# Workspaces that are brought up to date at a time: most of it is waiting for the disk.
SIDE_BY_SIDE = 4
# Bytes. A new index of a large file is sorted in memory: of those one at a time.
LARGE = 64 * 2**20
SLUG = re.compile(r"[^a-z0-9]+")


def create_control(data_dir: Path, keys: KeyRing) -> bool:
    """Make the data folder and control.db; whether there was none before."""
    fresh = not (data_dir / "control.db").exists()
    if fresh:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        (data_dir / "workspaces").mkdir(mode=0o700, exist_ok=True)
    migrate(data_dir / "control.db", keys.control_file, Kind.CONTROL)
    return fresh


def check_control(data_dir: Path, keys: KeyRing) -> int:
    """How many steps control.db lacks. Raises StartRefused, having touched nothing, when there is none, the key is
    not its key, or a newer Chime wrote it."""
    path = data_dir / "control.db"
    if not path.exists():
        raise StartRefused(f"{data_dir} is no Chime data folder yet; run `chime init` first")
    try:
        return pending(path, keys.control_file, Kind.CONTROL)
    except StorageUnavailable as error:
        if "not a database" in str(error):
            raise StartRefused("the master key is not the one this data folder was made with") from error
        raise StartRefused(str(error)) from error


async def create_workspace(tx: Transaction, data_dir: Path, keys: KeyRing, ids: Ids, *, name: str,
                           time_zone: str = "UTC") -> WorkspaceRecord:
    """A new workspace: its row, its wrapped key, its folder with two migrated files. `tx` is control's."""
    name = name.strip()
    if not 1 <= len(name) <= 80:
        raise Invalid.field("name", "Give the workspace a name of at most 80 characters.")
    if await tx.value("SELECT 1 FROM workspace WHERE name = ?", name):
        raise Invalid.field("name", "There is a workspace of this name already.")
    record = WorkspaceRecord(id=tx.new_id(), slug=await free_slug(tx, name), name=name, state="active",
                             time_zone=time_zone, created_at=tx.now)
    wrapped = keys.wrap(new_root(ids), record.id, 1)
    await tx.execute("INSERT INTO workspace (id, slug, name, state, time_zone, created_at) VALUES (?, ?, ?, ?, ?, ?)",
                     record.id, record.slug, record.name, record.state, record.time_zone, record.created_at)
    await tx.execute("INSERT INTO workspace_key (workspace_id, version, wrapped, created_at) VALUES (?, 1, ?, ?)",
                     record.id, wrapped, tx.now)
    await tx.audit("workspace.created", "workspace", record.id)
    workspace_keys = keys.unwrap(wrapped, record.id, 1)
    folder = workspace_folder(data_dir, record.id)
    folder.mkdir(mode=0o700, parents=True)
    (folder / "media").mkdir(mode=0o700)
    # Beside the loop: a running appliance makes workspaces too.
    await asyncio.to_thread(migrate, folder / "workspace.db", workspace_keys.workspace_file, Kind.WORKSPACE)
    await asyncio.to_thread(migrate, folder / "journal.db", workspace_keys.journal_file, Kind.JOURNAL)
    await _name_file(folder / "workspace.db", workspace_keys.workspace_file, record.id)
    # Before control.db says that there is such a workspace.
    await asyncio.to_thread(flush_names, folder, folder.parent)
    return record


async def _name_file(path: Path, key: Key, workspace_id: str) -> None:
    """Write into the file whose it is, so that a file put into another folder is noticed when it is opened."""
    file = await DatabaseFile.open(path, key)
    try:
        async with file.transaction() as tx:
            await tx.execute("INSERT INTO meta (key, value) VALUES ('workspace_id', ?)", workspace_id)
    finally:
        await file.close()


async def free_slug(tx: Transaction, name: str) -> str:
    """The part of its address that a workspace of this name gets. `tx` is control's."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    base = SLUG.sub("-", plain).strip("-")[:40] or "workspace"
    for candidate in _numbered(base):
        if not await tx.value("SELECT 1 FROM workspace WHERE slug = ?", candidate):
            return candidate
    raise AssertionError("numbers do not end")


def _numbered(base: str) -> Iterator[str]:
    yield base
    number = 2
    while True:
        yield f"{base}-{number}"
        number += 1


async def migrate_all(data_dir: Path, control: Control, *, check_only: bool,
                      progress: Callable[[int, int], None] = lambda done, of: None) -> dict[str, int]:
    """Steps lacking (or, unless `check_only`, applied) by file, in the order of the workspaces. One that fails is
    reported as -1 and does not stop the others. `progress` is told how many workspaces are done."""
    workspaces = await control.workspaces()
    found: dict[str, dict[str, int]] = {}
    waiting, large_one = iter(workspaces), asyncio.Lock()

    async def work() -> None:
        for workspace in waiting:
            found[workspace.id] = await _files_of(data_dir, control, workspace, check_only, large_one)
            progress(len(found), len(workspaces))

    for ended in await asyncio.gather(*(work() for _ in range(SIDE_BY_SIDE)), return_exceptions=True):
        if ended is not None:
            raise ended
    return {name: steps for workspace in workspaces for name, steps in found[workspace.id].items()}


async def _files_of(data_dir: Path, control: Control, workspace: WorkspaceRecord, check_only: bool,
                    large_one: asyncio.Lock) -> dict[str, int]:
    """The steps of each file of a workspace; none of one that was erased."""
    folder = workspace_folder(data_dir, workspace.id)
    try:
        keys = await asyncio.to_thread((await control.workspace_keys(workspace.id)).fit, folder)
    except NotFound:
        return {}
    except (CannotOpen, StorageUnavailable):
        return {workspace.slug: -1}
    found = {}
    for name, key, kind in (("workspace.db", keys.workspace_file, Kind.WORKSPACE),
                            ("journal.db", keys.journal_file, Kind.JOURNAL)):
        path = folder / name
        async with large_one if size_on_disk(path) > LARGE else nullcontext():
            found[f"{workspace.slug}/{name}"] = await asyncio.to_thread(_steps_of, path, key, kind, check_only)
    return found


def _steps_of(path: Path, key: Key, kind: Kind, check_only: bool) -> int:
    try:
        if not path.exists():
            # Perhaps a disk that is not mounted: an empty file in its place would look like an empty inbox.
            raise StorageUnavailable(f"{path.name} is not there")
        return (pending if check_only else migrate)(path, key, kind)
    except (StorageUnavailable, StartRefused) as error:
        _log.error("workspace.not_migrated", error, workspace_id=path.parent.name)
        return -1
