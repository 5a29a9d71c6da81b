"""The few cryptographic steps everything else is made of: derive, seal, open, hash.

What is sealed is sealed with XAES-256-GCM (C2SP): AES-256-GCM under a key of its own for each value, made from the key
and the first half of a random nonce of 192 bits. So there is no number of values after which a key would have to be
replaced (plain AES-GCM: 2³² with random nonces), nothing has to be counted, and a restored database or a cloned machine
repeats no counter. Associated data names where a value belongs, so a sealed value copied to another row, column or
workspace does not open.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chime.errors import ChimeError

# The form, then the version of the key; both are authenticated in form 2. Form 1 was AES-256-GCM and is only read.
_START = struct.Struct(">BI")
_FIRST_FORM, _FORM = 1, 2
_NONCE = {_FIRST_FORM: 12, _FORM: 24}
_TAG = 16


class CannotOpen(ChimeError):
    """A sealed value is damaged, belongs elsewhere or was sealed with another key."""


def derive(key: bytes, purpose: str, version: int = 1) -> bytes:
    """The 256-bit key for one purpose (HKDF-SHA256)."""
    info = f"chime/1/{purpose}/{version}".encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(key)


def context(*parts: str | int) -> bytes:
    """Associated data from its parts, each with its length, so that no two lists give the same bytes."""
    pieces = [str(part).encode() for part in ("chime", 1, *parts)]
    return b"".join(struct.pack(">I", len(piece)) + piece for piece in pieces)


def seal(key: bytes, plain: bytes, associated: bytes, *, key_version: int = 1) -> bytes:
    """Form, key version, nonce, ciphertext with tag."""
    start, nonce = _START.pack(_FORM, key_version), os.urandom(_NONCE[_FORM])
    return start + nonce + AESGCM(own_key(key, nonce)).encrypt(nonce[12:], plain, start + associated)


def unseal(key: bytes, sealed: bytes, associated: bytes) -> bytes:
    """What was sealed. Raises CannotOpen."""
    try:
        form, _ = _START.unpack_from(sealed)
        if form not in _NONCE:
            raise CannotOpen("the sealed value has a form this version does not know")
        end = _START.size + _NONCE[form]
        start, nonce, rest = sealed[:_START.size], sealed[_START.size:end], sealed[end:]
        if form == _FIRST_FORM:
            return AESGCM(key).decrypt(nonce, rest, associated)
        return AESGCM(own_key(key, nonce)).decrypt(nonce[12:], rest, start + associated)
    except (InvalidTag, struct.error, ValueError) as error:
        raise CannotOpen("a sealed value does not open with this key") from error


def own_key(key: bytes, nonce: bytes) -> bytes:
    """The key of one value: NIST SP 800-108r1 in counter mode with CMAC, as XAES-256-GCM has it."""
    made = b""
    for counter in (b"\x01", b"\x02"):
        block = CMAC(AES(key))
        block.update(b"\x00" + counter + b"X\x00" + nonce[:12])
        made += block.finalize()
    return made


def is_first_form(sealed: bytes) -> bool:
    """Whether it was sealed before keys had versions worth naming."""
    return sealed[:1] == bytes([_FIRST_FORM])


def version_of(sealed: bytes) -> int:
    """The version of the key a value says it was sealed with. Raises CannotOpen."""
    try:
        return int(_START.unpack_from(sealed)[1])
    except struct.error as error:
        raise CannotOpen("a sealed value is cut off") from error


def overhead(sealed: bytes) -> int:
    """How many bytes longer than the plain value a sealed one is; its first byte tells. Raises CannotOpen."""
    if not sealed or sealed[0] not in _NONCE:
        raise CannotOpen("the sealed value has a form this version does not know")
    return _START.size + _NONCE[sealed[0]] + _TAG


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
