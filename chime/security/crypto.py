"""The few cryptographic steps everything else is made of: derive, seal, open, hash.

AES-256-GCM with random nonces throughout; a restored database would repeat a counter. Associated data names where a
value belongs, so a sealed value copied to another row, column or workspace does not open.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chime.errors import ChimeError

_FORMAT = 1
_HEAD = struct.Struct(">BI12s")


class CannotOpen(ChimeError):
    """A sealed value is damaged, belongs elsewhere or was sealed with another key."""


def derive(key: bytes, purpose: str, version: int = 1) -> bytes:
    """The 256-bit key for one purpose (HKDF-SHA256)."""
    info = f"chime/1/{purpose}/{version}".encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(key)


def context(*parts: str | int) -> bytes:
    """Associated data from its parts, each with its length, so that no two lists give the same bytes."""
    pieces = [str(part).encode() for part in ("chime", _FORMAT, *parts)]
    return b"".join(struct.pack(">I", len(piece)) + piece for piece in pieces)


def seal(key: bytes, plain: bytes, associated: bytes, *, key_version: int = 1) -> bytes:
    """format byte, key version, nonce, ciphertext with tag."""
    nonce = os.urandom(12)
    return _HEAD.pack(_FORMAT, key_version, nonce) + AESGCM(key).encrypt(nonce, plain, associated)


def unseal(key: bytes, sealed: bytes, associated: bytes) -> bytes:
    """What was sealed. Raises CannotOpen."""
    try:
        form, _, nonce = _HEAD.unpack_from(sealed)
        if form != _FORMAT:
            raise CannotOpen("the sealed value has a form this version does not know")
        return AESGCM(key).decrypt(nonce, sealed[_HEAD.size:], associated)
    except (InvalidTag, struct.error, ValueError) as error:
        raise CannotOpen("a sealed value does not open with this key") from error


def master_key_id(key: bytes) -> str:
    """A short name of a master key that tells nothing of it."""
    return hashlib.sha256(b"chime-master-key-id" + key).hexdigest()[:8]


def digest(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()


def mac(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA256."""
    return hmac.digest(key, data, "sha256")


def same(first: bytes | str, second: bytes | str) -> bool:
    """Equal, compared in constant time."""
    first = first.encode() if isinstance(first, str) else first
    second = second.encode() if isinstance(second, str) else second
    return hmac.compare_digest(first, second)
