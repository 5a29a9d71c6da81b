"""Identifiers and secrets, and the only place that asks the machine for randomness.

An id is 26 lower-case characters: 10 of milliseconds, 16 of randomness (Crockford base 32), so ids sort by the time
they were made and tell nothing else. People and scripts treat them as opaque.
"""

from __future__ import annotations

import re
import secrets
import zlib

_KEY = re.compile(r"chime_([0-9a-z]{8})_[A-Za-z0-9_-]{43}([0-9A-Za-z]{6})")
_SIXTY_TWO = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


class Ids:
    """Makes ids and tokens. Tests may hand in a seeded one; the product always uses the machine's randomness."""

    def new(self, at: int) -> str:
        """A new id, made at `at` (unix milliseconds)."""
        value = (at << 80) | int.from_bytes(self.random(10), "big")
        return "".join(_ALPHABET[(value >> shift) & 31] for shift in range(125, -1, -5))

    def token(self, size: int = 32) -> str:
        """A url-safe secret of `size` random bytes."""
        return secrets.token_urlsafe(size)

    def code(self, length: int = 20) -> str:
        """A short opaque name for an address: lower-case letters and digits without look-alikes."""
        return "".join(_ALPHABET[byte & 31] for byte in self.random(length))

    def api_key(self) -> str:
        """A key for a script: `chime_`, 8 characters that may be shown, a secret of 256 bits, and a checksum by which
        it is known for one of ours wherever it turns up (in a log, in somebody's repository)."""
        start = f"chime_{self.code(8)}_{self.token(32)}"
        return start + _checksum(start)

    def random(self, size: int) -> bytes:
        """`size` random bytes."""
        return secrets.token_bytes(size)


def time_of_id(at: int) -> str:
    """How every id of this moment begins."""
    return "".join(_ALPHABET[(at >> shift) & 31] for shift in range(45, -1, -5))


def is_id(text: str) -> bool:
    """Whether `text` has the form of an id; says nothing of whether it exists."""
    return len(text) == 26 and all(character in _ALPHABET for character in text)


def public_part(key: str) -> str | None:
    """The part of an API key that may be shown; None for what is none, or mistyped. Keys from before it had one are
    none of these."""
    found = _KEY.fullmatch(key)
    return found[1] if found and _checksum(key[:-6]) == found[2] else None


def _checksum(text: str) -> str:
    """CRC-32 as six characters."""
    value, letters = zlib.crc32(text.encode()), ""
    for _ in range(6):
        value, digit = divmod(value, 62)
        letters = _SIXTY_TWO[digit] + letters
    return letters
