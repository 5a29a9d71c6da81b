"""Passwords: argon2id, after a keyed step whose key is not in the database.

One verification costs about 25 ms and 19 MiB (OWASP's least setting), so a small server survives a burst of
sign-ins: at most two run at once and 32 wait, the next is told to come again. Which passwords are taken is said in
`password_rules`.
"""

from __future__ import annotations

import asyncio
import unicodedata
from base64 import b64encode
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from chime.errors import TooMany
from chime.ids import Ids
from chime.security.crypto import mac
from chime.security.password_rules import LONGEST, check_rules

__all__ = ["Passwords", "check_rules"]

T = TypeVar("T")
_MEMORY_KIB = 19 * 1024
_PASSES = 2
_LENGTH = 32
_AT_ONCE = 2
_MOST_WAITING = 32
# What a stored text begins with when it was made as we make them today.
_TODAY = f"$argon2id$v=19$m={_MEMORY_KIB},t={_PASSES},p=1$"


class Passwords:
    """Hashes and checks. `pepper` is the key of the keyed step."""

    def __init__(self, pepper: bytes, ids: Ids) -> None:
        self._pepper = pepper
        self._ids = ids
        self._threads = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="passwords")
        self._under_way = 0
        # Checked when no account has the address, so that its absence can't be told from the time it takes.
        # A hash of nothing: what a check does with it is the same, and a start need not make a real one.
        self._nobody = _TODAY + "$".join(b64encode(ids.random(size)).decode().rstrip("=") for size in (16, _LENGTH))

    async def hash(self, password: str, *, second_factor: bool = False, context: Iterable[str] = ()) -> str:
        """The text to store. Raises Invalid when the password breaks the rules, TooMany when too many wait already."""
        check_rules(password, second_factor=second_factor, context=context)
        return await self._aside(lambda: self._hash(password))

    async def hash_again(self, password: str) -> str:
        """A password that was right a moment ago, with today's parameters, whatever the rules are by now."""
        return await self._aside(lambda: self._hash(password))

    async def verify(self, password: str, stored: str | None) -> bool:
        """Whether the password is the stored one; `None` (no such account) takes as long and is False. Raises TooMany
        when too many wait already."""
        if len(password) > 4 * LONGEST:
            return False
        found = await self._aside(lambda: self._verify(password, stored or self._nobody))
        return found and stored is not None

    async def fingerprint(self, code: str, salt: bytes) -> bytes:
        """The hash of a recovery code, to be looked up: it costs what a password costs. Raises TooMany."""
        return await self._aside(lambda: self._kdf(salt).derive(self._keyed(code)))

    @staticmethod
    def is_outdated(stored: str) -> bool:
        """Whether a right password should be hashed anew: it was stored with other parameters than today's."""
        return not stored.startswith(_TODAY)

    def close(self) -> None:
        self._threads.shutdown(wait=False)

    async def _aside(self, work: Callable[[], T]) -> T:
        if self._under_way >= _AT_ONCE + _MOST_WAITING:
            raise TooMany("Too many people sign in at this moment. Try again.", retry_after=1)
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._under_way -= 1

    def _keyed(self, password: str) -> bytes:
        return mac(self._pepper, unicodedata.normalize("NFC", password).encode())

    @staticmethod
    def _kdf(salt: bytes) -> Argon2id:
        return Argon2id(salt=salt, length=_LENGTH, iterations=_PASSES, lanes=1, memory_cost=_MEMORY_KIB)

    def _hash(self, password: str) -> str:
        return self._kdf(self._ids.random(16)).derive_phc_encoded(self._keyed(password))

    def _verify(self, password: str, stored: str) -> bool:
        try:
            Argon2id.verify_phc_encoded(self._keyed(password), stored)
        except InvalidKey:
            return False
        return True
