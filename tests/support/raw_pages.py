"""The bytes of an encrypted file as they lie on the disk, opened page by page: what is free or forgotten in it too.

SQLCipher 4: AES-256-CBC over each page of 4,096 bytes but its last 80, which begin with the IV; the first page starts
with 16 bytes of salt. The log holds the same pages after headers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

PAGE, RESERVED, SALT = 4096, 80, 16
LOG_HEADER, FRAME_HEADER = 32, 24


def _opened(page: bytes, key: bytes, *, is_first: bool) -> bytes:
    start, end = (SALT if is_first else 0), PAGE - RESERVED
    decryptor = Cipher(AES(key), CBC(page[end:end + 16])).decryptor()
    return decryptor.update(page[start:end]) + decryptor.finalize()


def pages(path: Path, key: bytes) -> Iterator[bytes]:
    """Every page of the file and of its log, in any state."""
    data = path.read_bytes()
    for place in range(0, len(data) - PAGE + 1, PAGE):
        yield _opened(data[place:place + PAGE], key, is_first=place == 0)
    log = path.with_name(f"{path.name}-wal")
    data = log.read_bytes() if log.exists() else b""
    for place in range(LOG_HEADER, len(data) - PAGE - FRAME_HEADER + 1, PAGE + FRAME_HEADER):
        number = int.from_bytes(data[place:place + 4], "big")
        yield _opened(data[place + FRAME_HEADER:place + FRAME_HEADER + PAGE], key, is_first=number == 1)


def found_in(path: Path, key: bytes, needles: tuple[bytes, ...]) -> set[bytes]:
    """Which of these stand anywhere in the file, also over the edge of neighbouring pages of one long value."""
    whole = b"".join(pages(path, key))
    return {needle for needle in needles if needle in whole}
