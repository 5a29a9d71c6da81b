"""Reading the file of a workspace. `examine` reads all of it and writes nothing; `unpack` puts its parts into a folder.

Every byte is behind an authentication tag, every part behind a digest and the list of parts behind another: a file that
was cut, changed, put together of two, or made by a version that this one doesn't know is refused with a reason.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

from chime.db import Kind
from chime.db.migrate import names
from chime.handover.model import (
    DESCRIPTION,
    FILES,
    FORM,
    JOURNAL,
    LENGTH,
    LONGEST_HEADER,
    LONGEST_TEXT,
    MAGIC,
    MANIFEST,
    WORKSPACE,
    Description,
    Header,
    Listed,
    Manifest,
    NotTaken,
    Part,
    Tally,
    bound_to,
    of_key,
)
from chime.handover.pieces import Content, Reader, opened, unframed
from chime.ids import is_id
from chime.security.crypto import CannotOpen, unseal
from chime.security.passphrases import stretched

T = TypeVar("T")
_NO_FILE_OF_OURS = "This is no workspace file that `chime workspace export` made, or its beginning is damaged."
# What is no UTF-8 is no JSON either.
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError)
_PLACE = re.compile(r"[0-9a-z]{2}/[0-9a-z]{26}")


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was read to its end and is whole."""

    header: Header
    description: Description
    manifest: Manifest

    @property
    def size(self) -> int:
        """Of what will be unpacked."""
        return sum(part.size for part in self.manifest.parts) + self.manifest.files.size


class _Locked(msgspec.Struct, frozen=True, kw_only=True):
    header: Header
    bound: str
    sealed_key: bytes


def header_of(path: Path) -> Header:
    """What the file says of itself in clear, before it is known to be true. Raises NotTaken."""
    with _open(path) as file:
        return _begin(file).header


def file_key(path: Path, passphrase: str) -> bytes:
    """The file's own key. Raises NotTaken when the passphrase is not its passphrase."""
    with _open(path) as file:
        locked = _begin(file)
    try:
        return unseal(stretched(passphrase, locked.header.stretching), locked.sealed_key, of_key(locked.bound))
    except CannotOpen as error:
        raise NotTaken("The passphrase is not the one the file was made with, or the beginning of the file is "
                       "damaged.") from error


def examine(path: Path, key: bytes) -> Contents:
    """Read and check everything, a piece in memory at a time. Raises NotTaken."""
    with _open(path) as file:
        locked = _begin(file)
        description = None
        found: list[Listed] = []
        tally = Tally()
        for part, content in _parts(file, key, locked.bound):
            if part.name == DESCRIPTION:
                description = _decoded(content, Description)
            elif part.name == MANIFEST:
                manifest = _decoded(content, Manifest)
                _must_list(manifest, found, tally)
                if description is None:
                    raise NotTaken(_NO_FILE_OF_OURS)
                return Contents(header=locked.header, description=description, manifest=manifest)
            else:
                for _ in content:
                    pass
            _note(found, tally, part, content.digest)
    raise NotTaken("The file ends before its list of contents; copy it again, or make a new one.")


def unpack(path: Path, key: bytes, folder: Path) -> None:
    """The databases and the stored files into `folder`, durably. Raises NotTaken, OSError."""
    with _open(path) as file:
        locked = _begin(file)
        for part, content in _parts(file, key, locked.bound):
            if part.name in (DESCRIPTION, MANIFEST):
                for _ in content:
                    pass
            else:
                _write(folder / part.name, content)


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise NotTaken(f"{path} cannot be read: {error.strerror}") from error


def _begin(file: BinaryIO) -> _Locked:
    if file.read(len(MAGIC)) != MAGIC:
        raise NotTaken(_NO_FILE_OF_OURS)
    text = _block(file)
    try:
        header = msgspec.json.decode(text, type=Header)
    except _UNREADABLE as error:
        raise NotTaken(_NO_FILE_OF_OURS) from error
    sealed_key = _block(file)
    _must_know(header)
    return _Locked(header=header, bound=bound_to(text), sealed_key=sealed_key)


def _block(file: BinaryIO) -> bytes:
    start = file.read(LENGTH.size)
    length = LENGTH.unpack(start)[0] if len(start) == LENGTH.size else 0
    found = file.read(length) if length <= LONGEST_HEADER else b""
    if not found or len(found) < length:
        raise NotTaken(_NO_FILE_OF_OURS)
    return found


def _must_know(header: Header) -> None:
    needs = {kind: header.needs.get(kind.value, 0) for kind in Kind}
    if header.form > FORM or any(steps > len(names(kind)) for kind, steps in needs.items()):
        raise NotTaken(f"The file was made by Chime {header.chime}, which is newer than this one; install that "
                       "version or a later one here first.")
    if header.form != FORM or not header.stretching.is_sane or not is_id(header.workspace_id):
        raise NotTaken(_NO_FILE_OF_OURS)


def _parts(file: BinaryIO, key: bytes, bound: str) -> Iterator[tuple[Part, Content]]:
    """Each part must be read before the next is asked for."""
    reader = Reader(opened(file, key, bound))
    last = ""
    while not reader.is_at_end:
        try:
            part = msgspec.json.decode(unframed(reader, LONGEST_HEADER), type=Part)
        except _UNREADABLE as error:
            raise NotTaken(_NO_FILE_OF_OURS) from error
        place = part.name.removeprefix(FILES)
        if not (part.name in (DESCRIPTION, WORKSPACE, JOURNAL, MANIFEST) if place == part.name
                else _PLACE.fullmatch(place) and place[:2] == place[-2:]) or last == MANIFEST \
                or part.size < 0:
            raise NotTaken(_NO_FILE_OF_OURS)
        last = part.name
        yield part, Content(reader, part)


def _decoded(content: Content, kind: type[T]) -> T:
    if content.part.size > LONGEST_TEXT:
        raise NotTaken(_NO_FILE_OF_OURS)
    try:
        return msgspec.json.decode(b"".join(content), type=kind)
    except _UNREADABLE as error:
        raise NotTaken("The file was made by a version of Chime that this one does not understand; install that "
                       "version here.") from error


def _note(found: list[Listed], tally: Tally, part: Part, digest: bytes) -> None:
    if part.name.startswith(FILES):
        tally.add(part.name.removeprefix(FILES), part.size, digest)
    else:
        found.append(Listed(name=part.name, size=part.size, sha256=digest.hex()))


def _must_list(manifest: Manifest, found: list[Listed], tally: Tally) -> None:
    listed = [msgspec.structs.replace(part, rows={}) for part in manifest.parts]
    if listed != found or [part.name for part in found] != [DESCRIPTION, WORKSPACE, JOURNAL] \
            or manifest.files != tally.files:
        raise NotTaken("The file does not hold what its own list says; make a new one.")


def _write(path: Path, content: Content) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        for piece in content:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
