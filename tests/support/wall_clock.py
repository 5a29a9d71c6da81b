"""A wall clock that can be set while a process runs on it; its monotonic clock goes on undisturbed.

`wall_clock.c` stands between a process and libc (LD_PRELOAD). Promise: a setting takes effect at once, and only for
the processes started in `environment`.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")
# Not in the checkout: LD_PRELOAD ends a path at a space, and the path of a checkout may hold one.
CACHE = Path(tempfile.gettempdir()) / f"chime-test-shims-{os.getuid()}"
_OFFSET = struct.Struct("=q")


class WallClock:
    """How far the clock of the processes started in its `environment` is from the machine's."""

    def __init__(self, path: Path) -> None:
        """`path`: a new file, shared with the processes."""
        path.write_bytes(bytes(mmap.PAGESIZE))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self.environment = {"LD_PRELOAD": str(built()), "WALL_CLOCK_OFFSET": str(path.absolute())}

    @property
    def ahead(self) -> float:
        """Seconds ahead of the machine's clock."""
        nanoseconds: int = _OFFSET.unpack_from(self._memory)[0]
        return nanoseconds / 1e9

    def set(self, seconds_ahead: float) -> None:
        """From now on it is so many seconds ahead, or behind."""
        self._memory[:_OFFSET.size] = _OFFSET.pack(int(seconds_ahead * 1e9))


def built() -> Path:
    """The compiled shim; compiled when there is none of this source yet."""
    library = CACHE / f"{hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]}.so"
    if not library.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        fresh = library.with_suffix(f".{os.getpid()}")
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(fresh), str(SOURCE),
                        "-ldl"], check=True)
        fresh.rename(library)
    return library
