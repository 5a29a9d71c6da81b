"""Stored files: a customer's picture or voice, encrypted in the workspace's folder under a name of ours.

A file is a sequence of 64 KiB pieces, each sealed with its place in the file as associated data: a piece can't be
moved, dropped or taken from another file unnoticed, and a player can ask for the middle without reading the rest.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from chime.db import StorageUnavailable
from chime.errors import NotFound
from chime.security.crypto import context, overhead
from chime.security.versions import KeyVersions
from chime.workspaces.space import Space

PIECE = 64 * 1024
_UNFINISHED = ".partial"


class Written(msgspec.Struct, frozen=True):
    """What was stored: its size in bytes and its SHA-256 in hex."""

    size: int
    sha256: str


class StoredFiles:
    """The media folder of one workspace."""

    def __init__(self, folder: Path, keys: KeyVersions, workspace_id: str, space: Space) -> None:
        self._folder = folder
        self._keys = keys
        self._workspace_id = workspace_id
        self._space = space

    def beside(self, folder: str, key: bytes) -> StoredFiles:
        """Files of the same workspace in another folder of its own, under a key of their own."""
        path = self._folder.with_name(folder)
        path.mkdir(mode=0o700, exist_ok=True)
        return StoredFiles(path, KeyVersions({1: key}, 1), self._workspace_id, self._space)

    def _path(self, file_id: str) -> Path:
        # The last two characters of an id are random, the first are a time: so folders fill evenly.
        return self._folder / file_id[-2:] / file_id

    async def write(self, file_id: str, content: AsyncIterator[bytes]) -> Written:
        """Store a file, durably; replaces one of the same id. Nothing is left behind when `content` raises. Raises
        StorageUnavailable; NotFound when it was removed before it was whole."""
        self._space.need()
        return await self._store(file_id, content)

    async def _store(self, file_id: str, content: AsyncIterator[bytes], *, only_over: bool = False) -> Written:
        """`only_over`: unless the file was removed meanwhile, for then it shall not come back."""
        path = self._path(file_id)
        partial = path.with_name(f"{file_id}{_UNFINISHED}")
        hashed = hashlib.sha256()
        size = 0
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                held = bytearray()
                index = 0
                async for part in content:
                    hashed.update(part)
                    size += len(part)
                    held += part
                    while len(held) > PIECE:
                        await self._put(file, file_id, index, bytes(held[:PIECE]), last=False)
                        del held[:PIECE]
                        index += 1
                await self._put(file, file_id, index, bytes(held), last=True)
                await asyncio.to_thread(_flush, file)
            if not partial.exists() or (only_over and not path.exists()):
                raise NotFound("the file is not here any more")
            partial.replace(path)
            await asyncio.to_thread(flush_names, path.parent, self._folder)
        except OSError as error:
            _remove(partial)
            raise StorageUnavailable(f"a file cannot be stored: {error.strerror}") from error
        except BaseException:
            _remove(partial)
            raise
        return Written(size, hashed.hexdigest())

    async def _put(self, file: BinaryIO, file_id: str, index: int, piece: bytes, *, last: bool) -> None:
        sealed = self._keys.seal(piece, self._associated(file_id, index, last))
        await asyncio.to_thread(file.write, sealed)

    def _associated(self, file_id: str, index: int, last: bool) -> bytes:
        return context("file", self._workspace_id, file_id, index, int(last))

    def size(self, file_id: str) -> int:
        """Bytes of the plain file. Raises NotFound."""
        with self._opened(file_id) as file:
            return _measure(file)[0]

    def _opened(self, file_id: str) -> BinaryIO:
        try:
            return self._path(file_id).open("rb")
        except OSError as error:
            raise NotFound("the file is not here any more") from error

    async def read(self, file_id: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes `start` … `end` (exclusive). Raises NotFound; CannotOpen when the file was tampered with."""
        with self._opened(file_id) as file:
            size, added = _measure(file)
            end = size if end is None else min(end, size)
            last_index = max(0, (size - 1) // PIECE)
            for index in range(start // PIECE, max(0, end - 1) // PIECE + 1):
                file.seek(index * (PIECE + added))
                sealed = await asyncio.to_thread(file.read, PIECE + added)
                piece = self._keys.unseal(sealed, self._associated(file_id, index, index == last_index))
                low = max(0, start - index * PIECE)
                yield piece[low:end - index * PIECE]

    def remove(self, file_id: str) -> None:
        """The file is gone, and what a process that was killed had of it; it need not have been here."""
        path = self._path(file_id)
        # First: who is storing it now finds this gone and stops, instead of bringing back what was removed.
        path.with_name(f"{file_id}{_UNFINISHED}").unlink(missing_ok=True)
        path.unlink(missing_ok=True)


    async def renew(self, file_id: str) -> bool:
        """Write a file anew with the newest key; False when it has it or is gone. Who is reading it reads on. Raises
        CannotOpen, StorageUnavailable."""
        try:
            with self._opened(file_id) as file:
                if self._keys.is_current(file.read(5)):
                    return False
            await self._store(file_id, self.read(file_id), only_over=True)
        except NotFound:
            return False
        return True

    def count_old(self) -> int:
        """How many have a key older than the newest."""
        old, place = 0, ""
        while places := self.after(place, 1_000):
            for found in places:
                with suppress(NotFound), self._opened(found[3:]) as file:
                    start = file.read(5)
                    old += len(start) == 5 and not self._keys.is_current(start)
            place = places[-1]
        return old

    def after(self, place: str, count: int) -> list[str]:
        """The next files in the order of their places, to walk through all of them: pass the last place on. Files that
        come meanwhile may be missed."""
        found: list[str] = []
        for folder in sorted(path.name for path in self._folder.iterdir() if path.is_dir() and path.name >= place[:2]):
            names = sorted(path.name for path in (self._folder / folder).iterdir())
            found += [f"{folder}/{name}" for name in names
                      if f"{folder}/{name}" > place and not name.endswith(_UNFINISHED)]
            if len(found) >= count:
                break
        return found[:count]


def _measure(file: BinaryIO) -> tuple[int, int]:
    """The size of the plain file, and how much longer each of its pieces is here."""
    stored = os.fstat(file.fileno()).st_size
    added = overhead(os.pread(file.fileno(), 1, 0))
    return stored - -(-stored // (PIECE + added)) * added, added


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def flush_names(*folders: Path) -> None:
    """A name is as easily lost with the power as what is in the file; a folder's own name stands in its parent."""
    for folder in folders:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove(partial: Path) -> None:
    with suppress(OSError):
        partial.unlink(missing_ok=True)
