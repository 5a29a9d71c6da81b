"""Passwords: argon2id, after a keyed step whose key is not in the database.

One verification costs about 25 ms and 19 MiB (OWASP's least setting), so a small server survives a burst of
sign-ins; at most two run at once.
"""

from __future__ import annotations

import asyncio
import unicodedata
from concurrent.futures import ThreadPoolExecutor

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from chime.errors import Invalid
from chime.ids import Ids
from chime.security.crypto import mac

SHORTEST = 15
LONGEST = 256
_MEMORY_KIB = 19 * 1024
_PASSES = 2


class Passwords:
    """Hashes and checks. `pepper` is derived from the master key."""

    def __init__(self, pepper: bytes, ids: Ids) -> None:
        self._pepper = pepper
        self._ids = ids
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="passwords")
        # Checked when no account has the address, so that its absence can't be told from the time it takes.
        self._nobody = self._hash(ids.token(16))

    async def hash(self, password: str) -> str:
        """The text to store. Raises Invalid when the password breaks the rules."""
        check_rules(password)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._hash, password)

    async def verify(self, password: str, stored: str | None) -> bool:
        """Whether the password is the stored one; `None` (no such account) takes as long and is False."""
        if len(password) > 4 * LONGEST:
            return False
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, self._verify, password, stored or self._nobody)
        return found and stored is not None

    def close(self) -> None:
        self._threads.shutdown(wait=False)

    def _keyed(self, password: str) -> bytes:
        return mac(self._pepper, unicodedata.normalize("NFC", password).encode())

    def _hash(self, password: str) -> str:
        kdf = Argon2id(salt=self._ids.random(16), length=32, iterations=_PASSES, lanes=1, memory_cost=_MEMORY_KIB)
        return kdf.derive_phc_encoded(self._keyed(password))

    def _verify(self, password: str, stored: str) -> bool:
        try:
            Argon2id.verify_phc_encoded(self._keyed(password), stored)
        except InvalidKey:
            return False
        return True


def check_rules(password: str) -> None:
    """NIST 800-63B-4 for a password that is the only factor: long, and nothing else. Raises Invalid."""
    if len(password) < SHORTEST:
        raise Invalid.field("password", f"Use at least {SHORTEST} characters; a short sentence is easy to remember.")
    if len(password) > LONGEST:
        raise Invalid.field("password", f"Use at most {LONGEST} characters.")
    if len(set(password)) < 5:
        raise Invalid.field("password", "Use more than a few different characters.")
