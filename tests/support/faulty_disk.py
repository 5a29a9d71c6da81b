"""A disk that can be made slow, full, read-only or broken while a process works on it.

`faulty_disk.c` stands between a process and libc (LD_PRELOAD), and acts on paths below one folder only. Promise: a
switch takes effect at once; what the process already wrote stays as it is.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

SOURCE = Path(__file__).with_suffix(".c")
# Not in the checkout: LD_PRELOAD ends a path at a space, and the path of a checkout may hold one.
CACHE = Path(tempfile.gettempdir()) / f"chime-test-shims-{os.getuid()}"
_SWITCHES = struct.Struct("=5q")
_BEGINS, _ENDS = b"\xfechange\0", b"\xfetold..\0"  # as in the C
_RECORD = struct.Struct("=8sIIqB7x")


class Change(msgspec.Struct, frozen=True):
    """One line of the log. `kind`: C created, W written, S synced, F sync failed, T truncated, D deleted, R renamed
    (`data` is the new path). Paths are below the folder."""

    kind: str
    path: str
    offset: int
    data: bytes


class FaultyDisk:
    """A switchboard shared with the processes started in its `environment`.

    `log` makes them write down every change; nothing reaches the real disk then before it wants to, which is faster.
    """

    def __init__(self, folder: Path, *, log: Path | None = None) -> None:
        self.folder = folder.absolute()
        self.log = log
        shared = self.folder.with_name(f"{self.folder.name}.switches")
        shared.parent.mkdir(parents=True, exist_ok=True)
        shared.write_bytes(bytes(_SWITCHES.size))
        with shared.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _SWITCHES.size)
        self.environment = {"LD_PRELOAD": str(built()), "FAULTY_DISK_FOLDER": str(self.folder),
                            "FAULTY_DISK_SWITCHES": str(shared.absolute())}
        if log is not None:
            self.environment["FAULTY_DISK_LOG"] = str(log.absolute())
        self.switch()

    def switch(self, *, fsync_delay_ms: float = 0, fsync_fails: bool = False, full_after_bytes: int | None = None,
               read_only: bool = False) -> None:
        """The disk is like this from now on. `full_after_bytes`: what is free, as statvfs tells it too."""
        free = -1 if full_after_bytes is None else full_after_bytes
        self._memory[:32] = struct.pack("=4q", int(fsync_delay_ms * 1000), fsync_fails, read_only, free)

    @property
    def free_bytes(self) -> int | None:
        """What is left of `full_after_bytes`."""
        free: int = _SWITCHES.unpack(self._memory[:])[3]
        return None if free < 0 else free

    @property
    def fsyncs(self) -> int:
        """How many flushes were asked for so far."""
        return int(_SWITCHES.unpack(self._memory[:])[4])


def built() -> Path:
    """The compiled shim; compiled when there is none of this source yet."""
    text = SOURCE.read_bytes()
    library = CACHE / f"{hashlib.sha256(text).hexdigest()[:16]}.so"
    if not library.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        fresh = library.with_suffix(f".{os.getpid()}")
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(fresh), str(SOURCE),
                        "-ldl", "-lpthread"], check=True)
        fresh.rename(library)
    return library


def changes(log: Path) -> Iterator[Change]:
    """What was done to the folder, in its order. Half a line, of a process that was killed while it wrote it, is left
    out: what it was to tell had not been done."""
    written = log.read_bytes()
    at = 0
    while (at := written.find(_BEGINS, at)) >= 0:
        found = _line(written, at)
        if found is None:
            at += 1
        else:
            change, at = found
            yield change


def _line(written: bytes, at: int) -> tuple[Change, int] | None:
    """The line that begins there, and where it ends; None when it is not whole."""
    path_at = at + _RECORD.size
    if path_at > len(written):
        return None
    _, path_length, data_length, offset, kind = _RECORD.unpack_from(written, at)
    data_at = path_at + path_length
    end = data_at + data_length
    if written[end:end + len(_ENDS)] != _ENDS or written.find(_BEGINS, path_at, end) >= 0:
        return None
    path = written[path_at:data_at].decode()
    return Change(chr(kind), path, offset, written[data_at:end]), end + len(_ENDS)


def mark(log: BinaryIO, path: str, data: bytes) -> None:
    """A line of our own, from outside the process: what it did so far had this effect outside. `log` is open to
    append."""
    name = path.encode()
    os.write(log.fileno(), _RECORD.pack(_BEGINS, len(name), len(data), 0, ord("M")) + name + data + _ENDS)
