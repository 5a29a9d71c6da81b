"""An upload on its way in is on no disk in plain, however large it is."""

from __future__ import annotations

import os
from pathlib import Path

from chime.security.spool import EncryptedSpool, held_in_memory

CANARY = b"the customer's passport number is C01X00T47 "


def _spooled(size: int) -> tuple[EncryptedSpool, bytes]:
    plain = CANARY * (size // len(CANARY))
    spool = EncryptedSpool()
    for start in range(0, len(plain), 70_000):
        spool.write(plain[start:start + 70_000])
    spool.rewind()
    return spool, plain


def test_what_was_written_is_read_as_often_as_wanted() -> None:
    spool, plain = _spooled(3_000_000)
    assert spool.size == len(plain)
    assert b"".join(iter(lambda: spool.read(65_537), b"")) == plain
    spool.rewind()
    assert spool.read() == plain
    assert EncryptedSpool().read() == b""


def test_the_temporary_file_tells_nothing() -> None:
    spool, plain = _spooled(3_000_000)
    assert spool.size == len(plain)
    seen = 0
    for name in os.listdir("/proc/self/fd"):
        path = Path("/proc/self/fd") / name
        try:
            if not path.is_file() or path.stat().st_size != len(plain):
                continue
            content = path.read_bytes()
        except OSError:
            continue
        seen += 1
        assert CANARY not in content
        assert b"passport" not in content
    assert seen, "the spool did not go to a file, so this test saw nothing"


def test_many_small_ones_do_not_fill_the_memory() -> None:
    """A form may have two hundred files, and its sender minutes to send them: what is too much lies on the disk."""
    before = held_in_memory()
    many = [_spooled(990_000) for _ in range(100)]
    assert held_in_memory() <= 32 * 1024 * 1024
    assert all(spool.read() == plain for spool, plain in many), "wherever it lies"
    del many
    assert held_in_memory() == before, "and is forgotten with them"
