"""Identifiers and secrets, and the only place that asks the machine for randomness.

An id is 26 lower-case characters: 10 of milliseconds, 16 of randomness (Crockford base 32), so ids sort by the time
they were made and tell nothing else. People and scripts treat them as opaque.
"""

from __future__ import annotations

import secrets

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
        return "".join(secrets.choice(_ALPHABET) for _ in range(length))

    def random(self, size: int) -> bytes:
        """`size` random bytes."""
        return secrets.token_bytes(size)


def is_id(text: str) -> bool:
    """Whether `text` has the form of an id; says nothing of whether it exists."""
    return len(text) == 26 and all(character in _ALPHABET for character in text)
