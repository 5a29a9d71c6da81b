"""A place for an upload while it is read: encrypted with a key that never leaves this process's memory.

A web framework's own spool writes what is over a megabyte to the machine's temporary folder as it is; a customer's
document must not lie there, not even in a file without a name. Small ones stay in memory, but however many come at
once, and however slowly, all together take no more of it than `_IN_MEMORY_TOGETHER`.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from contextlib import ExitStack

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

_IN_MEMORY = 1024 * 1024
_IN_MEMORY_TOGETHER = 32 * 1024 * 1024


class EncryptedSpool:
    """Write from start to end, then `rewind` and read from start to end, as often as needed."""

    def __init__(self) -> None:
        # Counter mode: the key encrypts this one stream and is forgotten with it; nobody else can change the file.
        self._cipher = Cipher(AES(os.urandom(32)), CTR(os.urandom(16)))
        # Closed with us, whoever forgot to: the file has no name and its room is wanted back.
        with ExitStack() as stack:
            self._file = stack.enter_context(tempfile.SpooledTemporaryFile())
            weakref.finalize(self, stack.pop_all().close)
        self._encryptor = self._cipher.encryptor()
        self._decryptor: CipherContext = self._cipher.decryptor()
        self.size = 0
        self.on_disk = False
        _spools.add(self)

    def write(self, data: bytes) -> None:
        self.size += len(data)
        if not self.on_disk and (self.size > _IN_MEMORY or held_in_memory() > _IN_MEMORY_TOGETHER):
            self._file.rollover()
            self.on_disk = True
        self._file.write(self._encryptor.update(data))

    def rewind(self) -> None:
        """The next `read` starts at the beginning."""
        self._file.seek(0)
        self._decryptor = self._cipher.decryptor()

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes from where the last read ended; all the rest without one."""
        return self._decryptor.update(self._file.read(size))


_spools: weakref.WeakSet[EncryptedSpool] = weakref.WeakSet()


def held_in_memory() -> int:
    """Bytes that all spools of this process hold in memory now."""
    return sum(spool.size for spool in _spools if not spool.on_disk)
