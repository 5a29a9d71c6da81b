"""Self-checks of what lies on the disk: who may read the files, whether anything in them can be read, whose key opens
them, and how SQLite was set."""

from __future__ import annotations

import asyncio
import heapq
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from chime.db import DatabaseFile, StorageUnavailable
from chime.db.fits import opens_with, opens_without_key
from chime.errors import NotFound
from chime.ids import Ids
from chime.security.crypto import CannotOpen
from chime.trust.ground import Ground
from chime.trust.model import Broken, Skipped
from chime.trust.places import some_workspaces
from chime.workspaces.registry import workspace_folder

# Job names and ids, and nothing else (contract.md 5).
PLAIN = frozenset({"queue.db"})
_HEADS = (b"SQLite format 3\0", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"%PDF", b"PK\x03\x04", b"OggS", b"ID3", b"RIFF",
          b"\x1f\x8b")
SHORT = 16
MOST_NAMED = 5
FILES_TRIED = 20
# Each with what it may say; `secure_delete` is FAST, or ON where a person's words must leave no trace.
_SETTINGS: tuple[tuple[str, tuple[object, ...]], ...] = (
    ("PRAGMA synchronous", (2,)), ("PRAGMA foreign_keys", (1,)), ("PRAGMA trusted_schema", (0,)),
    ("PRAGMA cell_size_check", (1,)), ("PRAGMA secure_delete", (1, 2)), ("PRAGMA journal_mode", ("wal",)))


async def modes(ground: Ground) -> str:
    """Nobody but the service's own user may read or enter anything."""
    count, loose = await asyncio.to_thread(_loose, ground.config.data_dir)
    if loose:
        raise Broken(f"others may read {_named(loose)}")
    return f"{count} files and folders"


def _loose(folder: Path) -> tuple[int, list[str]]:
    """How many files and folders there are, and which of them others may read."""
    count, loose = 1, ["."] if stat.S_IMODE(folder.stat().st_mode) & 0o077 else []
    for entry in _everything_in(folder):
        count += 1
        if _is_open(entry):
            loose.append(os.path.relpath(entry.path, folder))
    return count, loose


def _everything_in(folder: str | Path) -> Iterator[os.DirEntry[str]]:
    """Whatever lies below, one thing at a time: backups of two days are tens of thousands of files for each busy
    workspace, and a list of their paths would be the most that this process ever holds."""
    try:
        entries = os.scandir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return  # gone meanwhile
    except PermissionError:
        return  # not ours: on a disk of its own the data folder has a lost+found
    with entries:
        for entry in entries:
            yield entry
            if entry.is_dir(follow_symlinks=False):
                yield from _everything_in(entry.path)


def _is_open(entry: os.DirEntry[str]) -> bool:
    try:
        return not entry.is_symlink() and bool(stat.S_IMODE(entry.stat(follow_symlinks=False).st_mode) & 0o077)
    except FileNotFoundError:
        return False  # gone meanwhile


async def unreadable(ground: Ground) -> str:
    """No file shows anything without a key."""
    count, plain = await asyncio.to_thread(_plain, ground.config.data_dir)
    if plain:
        raise Broken(f"can be read without a key: {_named(plain)}")
    return f"{count} files"


def _plain(folder: Path) -> tuple[int, list[str]]:
    """How many files should be unreadable, and which of them are not."""
    count, plain, customers = 0, [], os.path.join(folder, "workspaces", "")
    for entry in _everything_in(folder):
        if entry.name.startswith(tuple(PLAIN)) or not entry.is_file():
            continue
        count += 1
        if _shows_something(entry, is_of_workspace=entry.path.startswith(customers)):
            plain.append(os.path.relpath(entry.path, folder))
    return count, plain


def _shows_something(entry: os.DirEntry[str], *, is_of_workspace: bool) -> bool:
    if entry.name.endswith(".db"):
        return _reads(Path(entry.path))
    return is_of_workspace and not entry.name.endswith((".db-wal", ".db-shm")) and _looks_plain(entry.path)


def _reads(path: Path) -> bool:
    try:
        return path.stat().st_size > 0 and opens_without_key(path)
    except FileNotFoundError:
        return False  # a backup's, renamed meanwhile


def _looks_plain(path: str) -> bool:
    """Whether its beginning is that of a known kind of file, or text."""
    try:
        with open(path, "rb") as file:
            head = file.read(64)
    except OSError:
        return False
    return head.startswith(_HEADS) or (len(head) >= SHORT and all(32 <= byte < 127 or byte in b"\t\r\n"
                                                                  for byte in head))


async def stored_files(ground: Ground) -> str:
    """The newest files that customers sent open with their workspace's key, for their own place, and hold what was put
    there."""
    tried = 0
    for record in await some_workspaces(ground):
        async with ground.registry.use(record.id) as workspace:
            for file_id in await asyncio.to_thread(_newest, workspace.folder / "media"):
                try:
                    async for _ in workspace.files.read(file_id, 0, 1):
                        pass
                except CannotOpen as error:
                    raise Broken(f"a stored file of {record.slug} does not open: {file_id}") from error
                except NotFound:
                    continue  # removed meanwhile
                tried += 1
    if not tried:
        raise Skipped("no customer sent a file yet")
    return f"{tried} files opened"


def _newest(folder: Path) -> list[str]:
    """Names of finished files; ours begin with their time."""
    return heapq.nlargest(FILES_TRIED, (entry.name for entry in _everything_in(folder)
                                        if not entry.name.endswith(".partial") and not entry.is_dir()))


async def keys_apart(ground: Ground) -> str:
    """Each workspace's files open with its own key and with no other's, nor with one made up just now."""
    records = await some_workspaces(ground)
    keys = {record.id: await ground.registry.keys(record.id) for record in records}
    made_up = type(ground.control.keys.control_file)(Ids().random(32))
    tried = 0
    for record in records:
        folder = workspace_folder(ground.config.data_dir, record.id)
        strangers = [made_up, ground.control.keys.control_file]
        strangers += [key for other in records if other.id != record.id
                      for key in (keys[other.id].workspace_file, keys[other.id].journal_file)]
        async with ground.registry.use(record.id):
            own = {"workspace.db": keys[record.id].workspace_file, "journal.db": keys[record.id].journal_file}
            for name, key in own.items():
                if not await asyncio.to_thread(opens_with, folder / name, key):
                    raise Broken(f"{name} of {record.slug} does not open with its own key")
                for stranger in strangers:
                    if await asyncio.to_thread(opens_with, folder / name, stranger):
                        raise Broken(f"{name} of {record.slug} opens with a key that is not its own")
                    tried += 1
    if not tried:
        raise Skipped("there is no workspace yet")
    return f"{tried} keys that do not fit, over {len(records)} workspaces"


async def sqlite_settings(ground: Ground) -> str:
    """What SQLite was told is what it says: nothing acknowledged is lost in a power cut, no statement reaches a second
    file."""
    files = 1
    await _set_right(ground.control.db)
    for record in await some_workspaces(ground):
        async with ground.registry.use(record.id) as workspace:
            for db in (workspace.db, workspace.journal_db):
                await _set_right(db)
                files += 1
    return f"{files} open files"


async def _set_right(db: DatabaseFile) -> None:
    name = db.path.name
    async with db.transaction() as tx:
        for reader in (db, tx):
            for question, good in _SETTINGS:
                found = await reader.value(question)
                if found not in good:
                    raise Broken(f"{name}: {question} says {found!r}")
            if not await reader.value("PRAGMA cipher_version"):
                raise Broken(f"{name} is not encrypted")
    try:
        await db.rows("ATTACH DATABASE ':memory:' AS second")
    except StorageUnavailable:
        return
    await db.rows("DETACH DATABASE second")
    raise Broken(f"{name}: a statement may name a second file")


def _named(names: list[str]) -> str:
    found = sorted(names)
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return ", ".join(found[:MOST_NAMED]) + more
