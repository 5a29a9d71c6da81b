"""A file that shall become a release: who signed it, what it is, and whether it belongs on this machine.

Promise: what is judged is a copy of our own, so nobody exchanges the file between the look and the deed; nothing of it
runs before a trusted key was found to have signed it.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zipfile
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import BinaryIO

import msgspec

from chime.errors import StartRefused
from chime.releases.release import Release, read_release
from chime.releases.shelf import Shelf
from chime.security.crypto import same
from chime.security.release_signature import ReleaseKey, read_key

OPERATORS_KEYS = Path("/etc/chime/release-keys")
_PIECE = 1024 * 1024
_ENDINGS = (".pyz", ".deb")
_INSIDE = "usr/lib/chime/chime.pyz"


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A verified archive in a place of our own."""

    archive: Path
    release: Release
    signed_by: str


def trusted_keys(operators: Path = OPERATORS_KEYS) -> dict[str, ReleaseKey]:
    """Those that ship with Chime and those of this machine's operator, by their ids."""
    texts = [entry.read_bytes() for entry in (files("chime.releases") / "release_keys").iterdir()
             if entry.name.endswith(".pub")]
    with suppress(OSError):
        texts += [path.read_bytes() for path in sorted(operators.glob("*.pub"))]
    return {key.id: key for key in map(read_key, texts) if key is not None}


@contextmanager
def examined(file: Path, shelf: Shelf, keys: dict[str, ReleaseKey], *, from_package: bool) -> Iterator[Candidate]:
    """Its copy, as long as the block lasts. `from_package`: root's package manager put it there, so it need not be
    signed once more; a signature that is there must be good all the same. Raises StartRefused."""
    if file.suffix not in _ENDINGS:
        raise StartRefused(f"{file}: is neither a chime.pyz nor a .deb")
    for left in shelf.root.glob(".incoming-*"):  # of one that was killed; nobody else is here
        left.unlink(missing_ok=True)
    copy = shelf.root / f".incoming-{os.getpid()}.pyz"
    try:
        signed_by = _verify(file, _copy(file, copy), keys, may_lack=from_package)
        if file.suffix == ".deb":
            _take_out(copy)
        yield Candidate(archive=copy, release=_read(copy, file), signed_by=signed_by)
    finally:
        copy.unlink(missing_ok=True)


def _copy(file: Path, copy: Path) -> bytes:
    """Its SHA-512."""
    digest = hashlib.sha512()
    try:
        with file.open("rb") as source, os.fdopen(
                os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
            while piece := source.read(_PIECE):
                digest.update(piece)
                target.write(piece)
    except OSError as error:
        raise StartRefused(f"{file}: cannot be read or copied ({error.strerror})") from error
    return digest.digest()


def _verify(file: Path, sha512: bytes, keys: dict[str, ReleaseKey], *, may_lack: bool) -> str:
    signature = file.with_name(f"{file.name}.sig")
    try:
        text = signature.read_text("ascii")
    except OSError as error:
        if may_lack:
            return "the package manager"
        raise StartRefused(f"{file} is not signed: {signature.name} is not beside it; take both from where releases "
                           "are published") from error
    except ValueError:
        text = ""
    said = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    if said.get("chime-signature") != "1":
        raise StartRefused(f"{signature}: is no signature of Chime's first form")
    if not same(said.get("sha512", ""), sha512.hex()):
        raise StartRefused(f"{file} is not the file that was signed: it is cut short or was changed; fetch it again")
    key = keys.get(said.get("key", ""))
    if key is None:
        raise StartRefused(f"{file} is signed with a key that this machine does not trust; if it is right, put the "
                           f"public key into {OPERATORS_KEYS}")
    try:
        good = key.signed(b64decode(said.get("signature", ""), validate=True), sha512)
    except ValueError:
        good = False
    if not good:
        raise StartRefused(f"{file}: its signature is not good; do not install it")
    return key.id


def _take_out(copy: Path) -> None:
    """Of a .deb (an `ar` archive), the chime.pyz that is in it takes the place of the copy."""
    try:
        with copy.open("rb") as package:
            found = _in_package(package)
    except (ValueError, tarfile.TarError) as error:
        raise StartRefused("the .deb cannot be read: it is no Debian package") from error
    fresh = copy.with_name(f"{copy.name}.out")
    fresh.write_bytes(found)
    fresh.replace(copy)


def _in_package(package: BinaryIO) -> bytes:
    if package.read(8) != b"!<arch>\n":
        raise StartRefused("the .deb cannot be read: it is no Debian package")
    while len(head := package.read(60)) == 60:
        size = int(head[48:58])
        if head[:16].startswith(b"data.tar"):
            with tarfile.open(fileobj=io.BytesIO(package.read(size))) as content:
                for member in content:
                    if member.name.removeprefix("./") == _INSIDE and (inside := content.extractfile(member)):
                        return inside.read()
            break
        package.seek(size + size % 2, io.SEEK_CUR)
    raise StartRefused(f"the .deb holds no {_INSIDE}: it is no package of Chime")


def _read(copy: Path, file: Path) -> Release:
    try:
        with zipfile.ZipFile(copy) as archive:
            return read_release(archive.read("release.json"))
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise StartRefused(f"{file}: is no release of Chime that can be laid out") from error
