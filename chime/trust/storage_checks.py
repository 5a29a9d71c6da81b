"""Self-checks of what lies on the disk: who may read the files, whether anything in them can be read, whose key opens
them, and how SQLite was set."""

from __future__ import annotations

import asyncio
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
    folder = ground.config.data_dir

    def look() -> tuple[int, list[str]]:
        paths = [folder, *folder.rglob("*")]
        return len(paths), [str(path.relative_to(folder)) or "." for path in paths if _is_open(path)]

    count, loose = await asyncio.to_thread(look)
    if loose:
        raise Broken(f"others may read {_named(loose)}")
    return f"{count} files and folders"


def _is_open(path: Path) -> bool:
    try:
        return bool(stat.S_IMODE(path.lstat().st_mode) & 0o077) and not path.is_symlink()
    except FileNotFoundError:
        return False  # gone meanwhile


async def unreadable(ground: Ground) -> str:
    """No file shows anything without a key."""
    folder = ground.config.data_dir
    paths = await asyncio.to_thread(lambda: [path for path in folder.rglob("*") if path.is_file()])
    files = [path for path in paths if path.name not in PLAIN and not path.name.startswith(tuple(PLAIN))]
    plain = [path for path in files if path.suffix == ".db" and await asyncio.to_thread(_reads, path)]
    inside = [path for path in files if path.is_relative_to(folder / "workspaces")
              and path.suffix not in (".db", ".db-wal", ".db-shm")]
    plain += await asyncio.to_thread(lambda: [path for path in inside if _looks_plain(path)])
    if plain:
        raise Broken(f"can be read without a key: {_named(str(path.relative_to(folder)) for path in plain)}")
    return f"{len(files)} files"


def _reads(path: Path) -> bool:
    try:
        return path.stat().st_size > 0 and opens_without_key(path)
    except FileNotFoundError:
        return False  # a backup's, renamed meanwhile


def _looks_plain(path: Path) -> bool:
    """Whether its beginning is that of a known kind of file, or text."""
    try:
        with path.open("rb") as file:
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
    if not folder.exists():
        return []
    found = [path.name for path in folder.glob("*/*") if not path.name.endswith(".partial")]
    return sorted(found, reverse=True)[:FILES_TRIED]


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


def _named(names: Iterator[str] | list[str]) -> str:
    found = sorted(names)
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return ", ".join(found[:MOST_NAMED]) + more
