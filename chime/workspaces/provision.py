"""Making what does not exist yet: the data folder with control.db, and a workspace's folder with its two files."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from chime.db import DatabaseFile, Key, Kind, StorageUnavailable
from chime.db.migrate import migrate, pending
from chime.errors import Invalid, StartRefused
from chime.ids import Ids
from chime.workspaces.control import Control, WorkspaceRecord
from chime.workspaces.files import flush_names
from chime.workspaces.keys import KeyRing
from chime.workspaces.registry import workspace_folder
from chime.workspaces.transaction import Transaction

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


async def create_workspace(tx: Transaction, data_dir: Path, keys: KeyRing, ids: Ids, *, name: str) -> WorkspaceRecord:
    """A new workspace: its row, its wrapped key, its folder with two migrated files. `tx` is control's."""
    name = name.strip()
    if not 1 <= len(name) <= 80:
        raise Invalid.field("name", "Give the workspace a name of at most 80 characters.")
    if await tx.value("SELECT 1 FROM workspace WHERE name = ?", name):
        raise Invalid.field("name", "There is a workspace of this name already.")
    record = WorkspaceRecord(id=tx.new_id(), slug=await _free_slug(tx, name), name=name, state="active",
                             time_zone="UTC", created_at=tx.now)
    root = ids.random(32)
    await tx.execute("INSERT INTO workspace (id, slug, name, state, time_zone, created_at) VALUES (?, ?, ?, ?, ?, ?)",
                     record.id, record.slug, record.name, record.state, record.time_zone, record.created_at)
    await tx.execute("INSERT INTO workspace_key (workspace_id, version, master_key_id, wrapped, created_at) "
                     "VALUES (?, 1, ?, ?, ?)", record.id, keys.master_key_id, keys.wrap(root, record.id, 1), tx.now)
    await tx.audit("workspace.created", "workspace", record.id)
    workspace_keys = keys.unwrap(keys.wrap(root, record.id, 1), record.id, 1)
    folder = workspace_folder(data_dir, record.id)
    folder.mkdir(mode=0o700, parents=True)
    (folder / "media").mkdir(mode=0o700)
    migrate(folder / "workspace.db", workspace_keys.workspace_file, Kind.WORKSPACE)
    migrate(folder / "journal.db", workspace_keys.journal_file, Kind.JOURNAL)
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


async def _free_slug(tx: Transaction, name: str) -> str:
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


async def migrate_all(data_dir: Path, control: Control, *, check_only: bool) -> dict[str, int]:
    """Steps lacking (or, unless `check_only`, applied) by file. A workspace that fails is reported as -1 and does not
    stop the others."""
    found: dict[str, int] = {}
    work = pending if check_only else migrate
    for workspace in await control.workspaces():
        rows = await control.db.rows("SELECT version, wrapped FROM workspace_key WHERE workspace_id = ? "
                                     "ORDER BY version DESC LIMIT 1", workspace.id)
        if not rows:
            continue
        keys = control.keys.unwrap(rows[0][1], workspace.id, rows[0][0])
        folder = workspace_folder(data_dir, workspace.id)
        for name, key, kind in (("workspace.db", keys.workspace_file, Kind.WORKSPACE),
                                ("journal.db", keys.journal_file, Kind.JOURNAL)):
            try:
                if not (folder / name).exists():
                    # Perhaps a disk that is not mounted: an empty file in its place would look like an empty inbox.
                    raise StorageUnavailable(f"{name} is not there")
                found[f"{workspace.slug}/{name}"] = work(folder / name, key, kind)
            except StorageUnavailable:
                found[f"{workspace.slug}/{name}"] = -1
    return found
