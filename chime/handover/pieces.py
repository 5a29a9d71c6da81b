"""Bytes into sealed pieces and back, a piece in memory at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from chime.handover.model import LENGTH, PIECE, NotTaken, Part, of_piece
from chime.security.crypto import CannotOpen, overhead, seal, unseal

_DAMAGED = "The file is damaged or was not copied whole; copy it again, or make a new one."


def sealed(content: Iterable[bytes], key: bytes, bound: str) -> Iterator[bytes]:
    """Pieces for the file. The last one is known for the last, so nothing can be cut off or put on."""
    held, index = bytearray(), 0
    for part in content:
        held += part
        while len(held) > PIECE:
            yield seal(key, bytes(held[:PIECE]), of_piece(bound, index, last=False))
            del held[:PIECE]
            index += 1
    yield seal(key, bytes(held), of_piece(bound, index, last=True))


def opened(file: BinaryIO, key: bytes, bound: str) -> Iterator[bytes]:
    """What is in the pieces from here to the end of the file. Raises NotTaken."""
    current = file.read(1)
    try:
        size = PIECE + overhead(current)
        current += file.read(size - 1)
        index = 0
        while True:
            following = file.read(size)
            yield unseal(key, current, of_piece(bound, index, last=not following))
            if not following:
                return
            current, index = following, index + 1
    except CannotOpen as error:
        raise NotTaken(_DAMAGED) from error


class Reader:
    """Reads parts out of opened pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = b""

    def some(self, most: int) -> bytes:
        """At least one byte and at most so many; empty at the end."""
        while not self._held:
            try:
                self._held = next(self._pieces)
            except StopIteration:
                return b""
        found, self._held = self._held[:most], self._held[most:]
        return found

    def exactly(self, count: int) -> bytes:
        """Raises NotTaken when there is less."""
        found = bytearray()
        while len(found) < count:
            part = self.some(count - len(found))
            if not part:
                raise NotTaken(_DAMAGED)
            found += part
        return bytes(found)

    @property
    def is_at_end(self) -> bool:
        while not self._held:
            try:
                self._held = next(self._pieces)
            except StopIteration:
                return True
        return False


class Content:
    """The bytes of one part, from start to end; then `digest` is known to be right."""

    def __init__(self, reader: Reader, part: Part) -> None:
        self._reader = reader
        self.part = part
        self.digest = b""

    def __iter__(self) -> Iterator[bytes]:
        hashed, left = hashlib.sha256(), self.part.size
        while left:
            found = self._reader.some(min(left, PIECE))
            if not found:
                raise NotTaken(_DAMAGED)
            hashed.update(found)
            left -= len(found)
            yield found
        self.digest = self._reader.exactly(hashed.digest_size)
        if self.digest != hashed.digest():
            raise NotTaken(_DAMAGED)


def framed(head: bytes) -> bytes:
    return LENGTH.pack(len(head)) + head


def unframed(reader: Reader, most: int) -> bytes:
    """Raises NotTaken."""
    (length,) = LENGTH.unpack(reader.exactly(LENGTH.size))
    if length > most:
        raise NotTaken(_DAMAGED)
    return reader.exactly(length)
