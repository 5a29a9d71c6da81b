"""Signed checkpoints of the audit trail, as others write and read them too (C2SP tlog-checkpoint and signed-note).

    chime.example.com/audit/01kafx…        whose trail
    4711                                   so many rows
    zhmG…=                                 and their root
    time 2026-11-21T09:30:00.000Z          when it was signed

    — chime.example.com/audit/01kafx… Az3g…=

The last line is the Ed25519 signature over all before the empty line.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What a checkpoint says: the trail of this origin had so many rows with this root."""

    origin: str
    size: int
    root: bytes
    time: str = ""

    @property
    def text(self) -> str:
        lines = [self.origin, str(self.size), base64.b64encode(self.root).decode()]
        return "\n".join([*lines, *([f"time {self.time}"] if self.time else [])]) + "\n"


def public_key(seed: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def key_id(name: str, public: bytes) -> bytes:
    """The four bytes that a signature names its key by."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def verifier_key(name: str, public: bytes) -> str:
    """The public key as one word to hand over: name, id and key."""
    return f"{name}+{key_id(name, public).hex()}+{base64.b64encode(_ED25519 + public).decode()}"


def sign(seed: bytes, statement: Statement) -> str:
    """The signed note. The key goes by the name of the trail."""
    signature = Ed25519PrivateKey.from_private_bytes(seed).sign(statement.text.encode())
    named = key_id(statement.origin, public_key(seed)) + signature
    return f"{statement.text}\n— {statement.origin} {base64.b64encode(named).decode()}\n"


def read(note: str) -> Statement | None:
    """What a note says, whoever signed it; None when it is no checkpoint."""
    lines = note.partition("\n\n")[0].split("\n")
    try:
        origin, size, root = lines[:3]
        time = next((line[5:] for line in lines[3:] if line.startswith("time ")), "")
        found = Statement(origin=origin, size=int(size), root=base64.b64decode(root, validate=True), time=time)
    except (ValueError, binascii.Error):
        return None
    return found if len(found.root) == 32 and str(found.size) == size else None


def is_signed(note: str, public: bytes) -> bool:
    """Whether this key signed the note."""
    text, empty_line, signatures = note.partition("\n\n")
    origin = text.partition("\n")[0]
    if not empty_line:
        return False
    for line in signatures.split("\n"):
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.rpartition(" ")
        try:
            named = base64.b64decode(encoded, validate=True)
        except (ValueError, binascii.Error):
            continue
        if dash != "—" or name != origin or named[:4] != key_id(name, public):
            continue
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(named[4:], f"{text}\n".encode())
        except InvalidSignature:
            continue
        return True
    return False
