"""A key from a passphrase: argon2id without a pepper, because what it opens is opened on another machine.

How much work it is stands in the file beside the salt, so it can be raised later. What a file asks for is bounded: a
file made to take a server's memory is refused before any is taken.
"""

from __future__ import annotations

import unicodedata

import msgspec
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from chime.errors import Invalid
from chime.ids import Ids
from chime.security.password_rules import check_rules

_MOST_MEMORY_KIB = 512 * 1024
_MOST_PASSES = 16
_SALT = 16


class Stretching(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a passphrase becomes a key. As OWASP and RFC 9106 (second choice) advise: 64 MiB, three passes."""

    salt: bytes
    memory_kib: int = 64 * 1024
    passes: int = 3

    @property
    def is_sane(self) -> bool:
        return (len(self.salt) == _SALT and 8 <= self.memory_kib <= _MOST_MEMORY_KIB
                and 1 <= self.passes <= _MOST_PASSES)


def new_stretching(ids: Ids) -> Stretching:
    return Stretching(salt=ids.random(_SALT))


def stretched(passphrase: str, how: Stretching) -> bytes:
    """The 256-bit key. Takes some tenths of a second: not on the loop."""
    work = Argon2id(salt=how.salt, length=32, iterations=how.passes, lanes=1, memory_cost=how.memory_kib)
    return work.derive(unicodedata.normalize("NFC", passphrase).encode())


def check_passphrase(passphrase: str, *, field: str = "passphrase") -> None:
    """The rules of a password that stands alone. Raises Invalid."""
    try:
        check_rules(passphrase)
    except Invalid as error:
        raise Invalid([(field, problem.message) for problem in error.errors]) from None


def made_up(ids: Ids) -> str:
    """One for whoever gave none: 125 bits, in groups that can be read out."""
    return "-".join(ids.code(5) for _ in range(5))
