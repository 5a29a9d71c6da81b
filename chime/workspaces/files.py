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
from chime.security.crypto import context, seal, unseal
from chime.workspaces.space import Space

PIECE = 64 * 1024
_SEALED_OVERHEAD = 17 + 16
_SEALED_PIECE = PIECE + _SEALED_OVERHEAD


class Written(msgspec.Struct, frozen=True):
    """What was stored: its size in bytes and its SHA-256 in hex."""

    size: int
    sha256: str


class StoredFiles:
    """The media folder of one workspace."""

    def __init__(self, folder: Path, key: bytes, workspace_id: str, space: Space) -> None:
        self._folder = folder
        self._key = key
        self._workspace_id = workspace_id
        self._space = space

    def _path(self, file_id: str) -> Path:
        # The last two characters of an id are random, the first are a time: so folders fill evenly.
        return self._folder / file_id[-2:] / file_id

    async def write(self, file_id: str, content: AsyncIterator[bytes]) -> Written:
        """Store a file, durably; replaces one of the same id. Nothing is left behind when `content` raises. Raises
        StorageUnavailable."""
        self._space.need()
        path = self._path(file_id)
        partial = path.with_name(f"{file_id}.partial")
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
        sealed = seal(self._key, piece, self._associated(file_id, index, last))
        await asyncio.to_thread(file.write, sealed)

    def _associated(self, file_id: str, index: int, last: bool) -> bytes:
        return context("file", self._workspace_id, file_id, index, int(last))

    def size(self, file_id: str) -> int:
        """Bytes of the plain file. Raises NotFound."""
        try:
            stored = self._path(file_id).stat().st_size
        except OSError as error:
            raise NotFound("the file is not here any more") from error
        pieces = -(-stored // _SEALED_PIECE)
        return stored - pieces * _SEALED_OVERHEAD

    async def read(self, file_id: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes `start` … `end` (exclusive). Raises NotFound; CannotOpen when the file was tampered with."""
        size = self.size(file_id)
        end = size if end is None else min(end, size)
        last_index = max(0, (size - 1) // PIECE)
        with self._path(file_id).open("rb") as file:
            for index in range(start // PIECE, max(0, end - 1) // PIECE + 1):
                file.seek(index * _SEALED_PIECE)
                sealed = await asyncio.to_thread(file.read, _SEALED_PIECE)
                piece = unseal(self._key, sealed, self._associated(file_id, index, index == last_index))
                low = max(0, start - index * PIECE)
                yield piece[low:end - index * PIECE]

    def remove(self, file_id: str) -> None:
        """The file is gone; it need not have been here."""
        self._path(file_id).unlink(missing_ok=True)


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
