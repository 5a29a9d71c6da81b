"""Files that look like releases, signed by a key made here."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import sys
import tarfile
import zipfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chime.releases.shelf import Shelf
from chime.security.release_signature import ReleaseKey, read_key

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


class Signer:
    """Its public half is `keys`, as the product wants them."""

    def __init__(self) -> None:
        self._private = Ed25519PrivateKey.generate()
        self.pem = self._private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        key = read_key(self.pem)
        assert key is not None
        self.keys: dict[str, ReleaseKey] = {key.id: key}
        self.id = key.id

    def sign(self, file: Path) -> None:
        digest = hashlib.sha512(file.read_bytes()).digest()
        signature = base64.b64encode(self._private.sign(b"chime-signature-1\n" + digest)).decode()
        file.with_name(f"{file.name}.sig").write_text(
            f"chime-signature: 1\nkey: {self.id}\nsha512: {digest.hex()}\nsignature: {signature}\n", "ascii")


def about(version: str, **other: object) -> bytes:
    return json.dumps({"version": version, "build": "b1", "serial": 1, "machine": os.uname().machine,
                       "pythons": [HERE], **other}).encode()


def archive(file: Path, version: str, **other: object) -> Path:
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("release.json", about(version, **other))
        packed.writestr("site-packages/chime/__init__.py", "# " + "x" * 3000)
    return file


def package(file: Path, content: Path, *, inside: str = "./usr/lib/chime/chime.pyz") -> Path:
    """A .deb that holds it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as data:
        data.add(content, inside)
    parts = [(b"debian-binary", b"2.0\n"), (b"control.tar.xz", b"odd"), (b"data.tar", packed.getvalue())]
    with file.open("wb") as made:
        made.write(b"!<arch>\n")
        for name, body in parts:
            made.write(name.ljust(16) + b"0".ljust(12) + b"0".ljust(6) + b"0".ljust(6) + b"100644".ljust(8)
                       + str(len(body)).encode().ljust(10) + b"`\n" + body + b"\n" * (len(body) % 2))
    return file


def lay_out(shelf: Shelf, version: str, **other: object) -> str:
    """A release as if it had laid itself out."""
    name = f"{version}-{other.get('build', 'b1')}"
    shelf.folder(name).mkdir(parents=True, exist_ok=True)
    (shelf.folder(name) / "release.json").write_bytes(about(version, **other))
    return name
