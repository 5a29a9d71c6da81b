"""Moving what is committed from the write-ahead log into the file, beside the writers.

SQLite does this inside a COMMIT, which then takes a hundred milliseconds instead of one, with everybody behind it
waiting. Here a connection of its own does it in a thread; writers go on meanwhile. The WAL-reset corruption that two
connections could cause together was fixed in SQLite 3.51.3, and nothing older is ever opened (see `connection`).
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from sqlcipher3 import dbapi2

from chime.db.connection import Key, StorageUnavailable, open_connection, translated
from chime.db.following import Follower

# Pages (of 4 KiB) in the log that are not in the file yet. More would make a start after a crash slower; fewer would
# write a page that changes often again and again.
ENOUGH = 2_000


def waiting_pages(connection: Any) -> int:
    """How many pages of the log are not in the file yet. Asked after a commit, so it raises nothing: what is committed
    must not be told as failed."""
    try:
        _, log, moved = connection.execute("PRAGMA wal_checkpoint(NOOP)").fetchone()
    except dbapi2.Error:
        return 0
    return max(0, int(log) - int(moved))


class Checkpoints:
    """Those of one file: at most one at a time."""

    def __init__(self, path: Path, key: Key, follower: Follower | None = None) -> None:
        self._path = path
        self._key = key
        self.follower = follower
        """Who has to see what is committed before it leaves the log, and makes the checkpoint then."""
        self._running: asyncio.Task[None] | None = None

    def consider(self, waiting: int) -> None:
        """After a commit, on the loop: start one when enough has gathered."""
        if waiting < ENOUGH or (self._running is not None and not self._running.done()):
            return
        if self.follower is None or not self.follower.busy:
            self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            await asyncio.to_thread(self.follower.checkpoint if self.follower else self._checkpoint)
        except StorageUnavailable:
            return  # the log keeps everything, and the writer's own limit tries again

    def _checkpoint(self) -> None:
        connection = open_connection(self._path, self._key, writes=True)
        try:
            with translated(self._path):
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        finally:
            connection.close()

    async def close(self) -> None:
        """Wait for the one that runs."""
        if self._running is not None:
            await asyncio.wait([self._running])
