"""Room on the disk: nothing new is taken before it is full, and something is kept to get out of a full one.

SQLite needs room even to delete and to empty its write-ahead log, so a disk that is full cannot be helped from inside.
Promise: below the reserve `enough` is False within a second, and True again as soon as there is a quarter more than
the reserve; a ballast file is given up when the disk is full all the same, and made again afterwards.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path

from chime.errors import Unavailable
from chime.log import Log

LOOK_EVERY = 1.0
# With less than four times the reserve: a second of a busy server is megabytes.
LOOK_CLOSELY_EVERY = 0.2
MEGABYTE = 1024 * 1024
BALLAST = 16 * MEGABYTE
# What is left when the ballast goes: about what the logs of a few files need to be emptied.
FULL = 8 * MEGABYTE
_log = Log("space")


class DiskNearlyFull(Unavailable):
    """Nothing that grows is taken now; reading and deleting go on."""

    title = "The disk is nearly full"


class Space:
    """Of the disk that holds the data folder. `enough` and `free` are as of the last look."""

    def __init__(self, data_dir: Path, reserve: int) -> None:
        """Enough until the first look."""
        self._folder = data_dir
        self._ballast = data_dir / "ballast"
        self._reserve = reserve
        self.enough = True
        self.free = 0

    def need(self) -> None:
        """Asked before something that grows. Raises DiskNearlyFull."""
        if not self.enough:
            raise DiskNearlyFull("The server's disk is nearly full, so nothing new can be saved now. Reading and "
                                 "deleting go on, and the rest will once there is room again.")

    async def watch(self) -> None:
        """Look every second, and closely when it is getting tight, for ever; and see to the ballast."""
        while True:
            await asyncio.sleep(LOOK_CLOSELY_EVERY if self.free < 4 * self._reserve else LOOK_EVERY)
            await asyncio.to_thread(self._tend)

    def look(self) -> None:
        """How much is free now, and whether that is enough."""
        found = os.statvfs(self._folder)
        self.free = found.f_bavail * found.f_frsize
        enough = self.free >= (self._reserve if self.enough else self._reserve * 5 // 4)
        if enough != self.enough:
            self.enough = enough
            _log.warning("space.enough" if enough else "space.nearly_full", free_megabytes=self.free // MEGABYTE)

    def _tend(self) -> None:
        self.look()
        # A disk that has turned read-only lets us neither make nor drop it, and must still be watched.
        with suppress(OSError):
            if self.free < FULL:
                self._drop_ballast()
            elif self.enough and self.free >= self._reserve + BALLAST:
                self._keep_ballast()

    def _drop_ballast(self) -> None:
        if self._ballast.exists():
            self._ballast.unlink()
            _log.warning("space.ballast_dropped")
            self.look()

    def _keep_ballast(self) -> None:
        """Really allocated: a file of holes would free nothing."""
        if not self._ballast.exists() or self._ballast.stat().st_size < BALLAST:
            with os.fdopen(os.open(self._ballast, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
                os.posix_fallocate(file.fileno(), 0, BALLAST)
