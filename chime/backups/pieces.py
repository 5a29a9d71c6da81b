"""One file of a backup: pages of a database as they were at a moment, still encrypted, and proof that they are ours.

A piece is a header, an index (number and last bytes of each page), a proof of both; then the pages, and a proof of
everything. The proofs are HMAC-SHA256 under a key that only this workspace's root, or the installation, gives: a bit
that flipped, a cut, a piece of another workspace, file or time is refused with its reason. A piece is written under
another name, flushed and renamed, so that one that is there is whole.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from chime.db.following import PAGE
from chime.errors import Unavailable
from chime.workspaces.files import flush_names

PARTIAL = ".partial"
TAG = 8
_MAGIC = b"chime backup 1\n\x00"
_LENGTH = struct.Struct(">I")
_ENTRY = struct.Struct(f">I{TAG}s")
_PROOF = 32
_LONGEST_HEADER = 16_384
_AT_ONCE = 256 * PAGE


class BackupRefused(Unavailable):
    """What is on the shelf can't be used, and nothing was put anywhere; the words say why."""

    title = "The backup cannot be used"


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a piece holds. `number_from` and `number_to` count the segments of an epoch; a base stands for all up to its
    number. `before` and `link` are random names of the states before and after it, which chain pieces together."""

    format: int = 1
    owner: str
    file: str
    epoch: str
    kind: str
    number_from: int
    number_to: int
    time_from: int
    time_to: int
    before: str
    link: str
    size: int
    pages: int
    key_version: int

    @property
    def is_base(self) -> bool:
        return self.kind == "base"

    @property
    def name(self) -> str:
        return _filename(self.kind, self.number_from, self.number_to, self.time_to)


class Proofs(msgspec.Struct, frozen=True):
    """The keys pieces are proven with, by version."""

    keys: Mapping[int, bytes]
    current: int

    def key(self, version: int, name: str) -> bytes:
        """Raises BackupRefused."""
        if version not in self.keys:
            raise BackupRefused(f"{name} was made with a key that is not at hand")
        return self.keys[version]

    def __repr__(self) -> str:
        return f"Proofs({sorted(self.keys)})"


class Name(msgspec.Struct, frozen=True, order=True):
    """What the name of a piece says. For choosing; what counts is the header. Small, for a file has 35,000 after two
    days."""

    number_to: int
    number_from: int
    time_to: int
    kind: str
    folder: str

    @classmethod
    def of(cls, folder: str, filename: str) -> Name | None:
        parts = filename.split("-")
        if len(parts) != 4 or not all(part.isdigit() and part.isascii() for part in parts[1:]):
            return None
        name = cls(int(parts[2]), int(parts[1]), int(parts[3]), sys.intern(parts[0]), folder)
        return name if name.filename == filename else None

    @property
    def filename(self) -> str:
        return _filename(self.kind, self.number_from, self.number_to, self.time_to)

    @property
    def path(self) -> Path:
        return Path(self.folder, self.filename)


def _filename(kind: str, number_from: int, number_to: int, time_to: int) -> str:
    return f"{kind}-{number_from:010d}-{number_to:010d}-{time_to}"


class PieceWriter:
    """Writes one piece, page after page; `header.pages` of them."""

    def __init__(self, folder: Path, header: Header, key: bytes) -> None:
        self._path = folder / header.name
        self._partial = folder / f"{header.name}{PARTIAL}"
        self._header = header
        self._key = key
        encoded = msgspec.json.encode(header)
        self._start = _MAGIC + _LENGTH.pack(len(encoded)) + encoded
        self._index = bytearray()
        self._proof = hmac.new(key, digestmod=hashlib.sha256)
        descriptor = os.open(self._partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self._file: BinaryIO = os.fdopen(descriptor, "wb")
        self._file.seek(len(self._start) + header.pages * _ENTRY.size + _PROOF)

    def add(self, numbers: Iterable[int], pages: bytes) -> None:
        """Some pages, one after the other."""
        for place, number in enumerate(numbers):
            end = (place + 1) * PAGE
            self._index += _ENTRY.pack(number, pages[end - TAG:end])
        self._proof.update(pages)
        self._file.write(pages)

    def finish(self) -> Path:
        """Durable when this returns."""
        if len(self._index) != self._header.pages * _ENTRY.size:
            raise BackupRefused("a piece of the backup did not get the pages it should have")
        first = hmac.digest(self._key, self._start + self._index, "sha256")
        self._proof.update(first)
        with self._file as file:
            file.write(self._proof.digest())
            file.seek(0)
            file.write(self._start + self._index + first)
            file.flush()
            os.fsync(file.fileno())
        self._partial.replace(self._path)
        flush_names(self._path.parent)
        return self._path

    def give_up(self) -> None:
        with suppress(OSError):
            self._file.close()
        self._partial.unlink(missing_ok=True)


def write_piece(folder: Path, header: Header, key: bytes, pages: Mapping[int, bytes]) -> Path:
    """A piece of pages that are at hand."""
    writer = PieceWriter(folder, header, key)
    try:
        numbers = sorted(pages)
        for first in range(0, len(numbers), 256):
            some = numbers[first:first + 256]
            writer.add(some, b"".join(pages[number] for number in some))
        return writer.finish()
    except BaseException:
        writer.give_up()
        raise


class Piece:
    """A piece that is there, its header and index proven. `pages` proves the rest while it reads."""

    def __init__(self, path: Path, proofs: Proofs) -> None:
        """Raises BackupRefused."""
        self.path = path
        try:
            with path.open("rb") as file:
                self._read_start(file, proofs)
                self.bytes = os.fstat(file.fileno()).st_size
        except OSError as error:
            raise BackupRefused(f"{path.name} cannot be read: {error.strerror}") from error
        if self.bytes != self._begins + self.header.pages * PAGE + _PROOF:
            raise BackupRefused(f"{path.name} is cut off or too long")

    def _read_start(self, file: BinaryIO, proofs: Proofs) -> None:
        name = self.path.name
        start = file.read(len(_MAGIC) + _LENGTH.size)
        if len(start) < len(_MAGIC) + _LENGTH.size or not start.startswith(_MAGIC):
            raise BackupRefused(f"{name} is no piece of a backup")
        (length,) = _LENGTH.unpack(start[len(_MAGIC):])
        encoded = file.read(min(length, _LONGEST_HEADER))
        try:
            self.header = msgspec.json.decode(encoded, type=Header)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BackupRefused(f"{name} is damaged at its beginning") from error
        if not 0 <= self.header.pages <= self.header.size or self.header.format != 1:
            raise BackupRefused(f"{name} is damaged, or of a newer Chime")
        self._index = file.read(self.header.pages * _ENTRY.size)
        self._first = file.read(_PROOF)
        self._begins = file.tell()
        self._key = proofs.key(self.header.key_version, name)
        if not hmac.compare_digest(hmac.digest(self._key, start + encoded + self._index, "sha256"), self._first):
            raise BackupRefused(f"{name} is damaged, or not of this workspace")
        if self.header.name != name.removesuffix(PARTIAL):
            raise BackupRefused(f"{name} is another piece under a wrong name")

    @property
    def index(self) -> dict[int, bytes]:
        """The last bytes of each page, by number."""
        return dict(_ENTRY.iter_unpack(self._index))

    @property
    def numbers(self) -> list[int]:
        return [number for number, _ in _ENTRY.iter_unpack(self._index)]

    def pages(self) -> Iterator[tuple[list[int], bytes]]:
        """Numbers and pages, some at once. Raises BackupRefused, at the end at the latest: what was read before must
        not be used then."""
        proof = hmac.new(self._key, digestmod=hashlib.sha256)
        numbers = self.numbers
        try:
            with self.path.open("rb") as file:
                file.seek(self._begins)
                for first in range(0, len(numbers), _AT_ONCE // PAGE):
                    some = numbers[first:first + _AT_ONCE // PAGE]
                    read = file.read(len(some) * PAGE)
                    if len(read) != len(some) * PAGE:
                        raise BackupRefused(f"{self.path.name} is cut off")
                    proof.update(read)
                    yield some, read
                last: Any = file.read(_PROOF)
        except OSError as error:
            raise BackupRefused(f"{self.path.name} cannot be read: {error.strerror}") from error
        proof.update(self._first)
        if not hmac.compare_digest(proof.digest(), last):
            raise BackupRefused(f"{self.path.name} is damaged")

    def check(self) -> None:
        """Raises BackupRefused."""
        for _ in self.pages():
            pass
