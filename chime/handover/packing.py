"""Making the file of a workspace, while it is worked in.

Its two databases are copied as they are at one moment each, the state first and then the journal: whatever came in
between is in the journal and takes effect by itself where the file is opened. They, and the stored files, go along
encrypted with the workspace's own keys, and the root of those keys goes with them, sealed by the passphrase: so every
sealed value, stored file and callback works on the other server as it did here, and nothing is ever in clear on a disk.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from chime import __version__
from chime.clock import DAY
from chime.db import Key, Kind
from chime.db.copies import copy_file, rows_by_table, size_on_disk
from chime.db.migrate import breaking, names
from chime.errors import Conflict
from chime.handover.describing import describe
from chime.handover.keys import keys_of
from chime.handover.model import (
    DESCRIPTION,
    FILES,
    FORM,
    JOURNAL,
    MAGIC,
    MANIFEST,
    WORKSPACE,
    Description,
    Header,
    Listed,
    Manifest,
    Part,
    Tally,
    bound_to,
    of_key,
)
from chime.handover.pieces import framed, sealed
from chime.ids import Ids
from chime.security.crypto import seal
from chime.security.passphrases import Stretching
from chime.workspaces import Control, DiskNearlyFull, Workspace, WorkspaceRecord

READ = 256 * 1024
MEGABYTE = 1024 * 1024
_FOLDER = "leaving-"
_AT_A_TIME = 500


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """How a file is locked: its own key, and that key sealed with what comes of the passphrase."""

    header: bytes
    key: bytes
    sealed_key: bytes

    def __repr__(self) -> str:
        return "Lock(…)"


def new_lock(record: WorkspaceRecord, *, at: int, ids: Ids, stretching: Stretching, passphrase_key: bytes) -> Lock:
    header = msgspec.json.encode(Header(
        form=FORM, export_id=ids.new(at), made_at=at, workspace_id=record.id, workspace_name=record.name,
        chime=__version__, schemas={kind.value: len(names(kind)) for kind in Kind},
        needs={kind.value: breaking(kind) for kind in Kind}, stretching=stretching))
    key = ids.random(32)
    return Lock(header=header, key=key, sealed_key=seal(passphrase_key, key, of_key(bound_to(header))))


class Package:
    """What goes into the file, ready to be read: two copies in a folder of their own, and the stored files as they
    lie. `size` is what will be read, within a few per cent; `done` how much was."""

    def __init__(self, folder: Path, media: Path, places: _Places, description: Description,
                 rows: dict[str, dict[str, int]], size: int) -> None:
        self._folder = folder
        self._media = media
        self._places = places
        self._description = description
        self._rows = rows
        self.size = size
        self.done = 0
        self.is_final = description.is_final

    def content(self, lock: Lock) -> Iterator[bytes]:
        """The bytes of the file. Not on the loop: it reads disks and encrypts."""
        yield MAGIC + framed(lock.header) + framed(lock.sealed_key)
        yield from sealed(self._parts(), lock.key, bound_to(lock.header))

    def _parts(self) -> Iterator[bytes]:
        listed, tally = [], Tally()
        text = msgspec.json.encode(self._description)
        yield framed(msgspec.json.encode(Part(name=DESCRIPTION, size=len(text)))) + text
        yield hashlib.sha256(text).digest()
        listed.append(Listed(name=DESCRIPTION, size=len(text), sha256=hashlib.sha256(text).hexdigest()))
        for name in (WORKSPACE, JOURNAL):
            sent = _Sent()
            yield from self._part(name, self._folder / name, sent)
            listed.append(Listed(name=name, size=sent.size, sha256=sent.digest.hex(), rows=self._rows[name]))
        for place in self._places:
            sent = _Sent()
            # Removed meanwhile, by an erasure say: it shall not go along then.
            with suppress(FileNotFoundError):
                yield from self._part(f"{FILES}{place}", self._media / place, sent)
                tally.add(place, sent.size, sent.digest)
        text = msgspec.json.encode(Manifest(parts=tuple(listed), files=tally.files))
        yield framed(msgspec.json.encode(Part(name=MANIFEST, size=len(text)))) + text + hashlib.sha256(text).digest()

    def _part(self, name: str, path: Path, sent: _Sent) -> Iterator[bytes]:
        # Whoever replaces it renames another over it; what is open here stays whole.
        with path.open("rb") as file:
            sent.size = os.fstat(file.fileno()).st_size
            yield framed(msgspec.json.encode(Part(name=name, size=sent.size)))
            hashed = hashlib.sha256()
            while found := file.read(READ):
                hashed.update(found)
                self.done += len(found)
                yield found
            sent.digest = hashed.digest()
            yield sent.digest


class _Sent:
    """What was sent of a part."""

    size = 0
    digest = b""


class _Places:
    """The stored files, some hundred names in memory at a time."""

    def __init__(self, workspace: Workspace) -> None:
        self._files = workspace.files

    def __iter__(self) -> Iterator[str]:
        place = ""
        while found := self._files.after(place, _AT_A_TIME):
            yield from found
            place = found[-1]


@asynccontextmanager
async def packed(control: Control, workspace: Workspace, record: WorkspaceRecord, *, now: int
                 ) -> AsyncIterator[Package]:
    """The copies are there inside the block and gone after it, however it ends. Raises Conflict, DiskNearlyFull,
    StorageUnavailable."""
    if record.copied_from is not None:
        raise Conflict("This is a copy of another workspace; export that one, or have the copy take its place first.")
    await asyncio.to_thread(_remove_left_over, workspace.folder, now)
    databases = size_on_disk(workspace.db.path) + size_on_disk(workspace.journal_db.path)
    need_room(workspace.folder, databases, "for a copy of its databases")
    folder = workspace.folder / f"{_FOLDER}{Ids().new(now)}"
    folder.mkdir(mode=0o700)
    places = _Places(workspace)
    try:
        rows = {}
        for name, file in ((WORKSPACE, workspace.db), (JOURNAL, workspace.journal_db)):
            await asyncio.to_thread(copy_file, file.path, file.key, folder / name)
            rows[name] = await asyncio.to_thread(rows_by_table, folder / name, file.key)
        description = await describe(control, record, workspace.db)
        _must_open(description, record.id, workspace.db.key)
        size = sum((folder / name).stat().st_size for name in rows)
        size += await asyncio.to_thread(_size_of, workspace.folder / "media", places)
        yield Package(folder, workspace.folder / "media", places, description, rows, size)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _must_open(description: Description, workspace_id: str, key: Key) -> None:
    """A rotation that began and ended within this very moment would leave the copy without its key."""
    if keys_of(description, workspace_id).workspace_file != key:
        raise Conflict("The keys of this workspace were replaced at this moment; export it again.")


def need_room(folder: Path, size: int, what: str) -> None:
    """Raises DiskNearlyFull."""
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    if free < size + size // 50 + 32 * MEGABYTE:
        raise DiskNearlyFull(f"There is not enough room {what}: {size // MEGABYTE + 32} MB are needed, "
                             f"{free // MEGABYTE} MB are free.")


def _size_of(media: Path, places: _Places) -> int:
    size = 0
    for place in places:
        with suppress(FileNotFoundError):
            size += (media / place).stat().st_size
    return size


def _remove_left_over(folder: Path, now: int) -> None:
    """A process that was killed could not remove its copies; they are as encrypted as what they are copies of."""
    for path in folder.glob(f"{_FOLDER}*"):
        if path.stat().st_mtime * 1000 < now - DAY:
            shutil.rmtree(path, ignore_errors=True)
