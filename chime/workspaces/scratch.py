"""A throw-away workspace file: to see what would come of something, without anything coming of it.

It is encrypted with a key that is kept nowhere and removed afterwards. Its transactions start no jobs, tell no browsers
and write no journal: there is no code path from here to any of them.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from chime.clock import DAY, Clock
from chime.db import DatabaseFile, Db, Key, Kind
from chime.db.migrate import migrate
from chime.ids import Ids
from chime.security.permissions import Actor
from chime.workspaces.transaction import Transaction

_PREFIX = "scratch-"


class Scratch:
    """`db` to read, `transaction` to write."""

    def __init__(self, file: DatabaseFile, clock: Clock, ids: Ids) -> None:
        self.db: Db = file
        self._file = file
        self._clock = clock
        self._ids = ids

    @asynccontextmanager
    async def transaction(self, actor: Actor) -> AsyncIterator[Transaction]:
        """What it leaves to do (jobs, nudges, lines of the journal) is forgotten."""
        async with self._file.transaction() as raw:
            yield Transaction(raw, actor, self._clock, self._ids)


@asynccontextmanager
async def scratch_workspace(parent: Path) -> AsyncIterator[Scratch]:
    """An empty workspace in a new folder below `parent`."""
    clock, ids = Clock(), Ids()
    await asyncio.to_thread(_remove_left_over, parent, clock.real_now())
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=_PREFIX, dir=parent))
    try:
        key = Key(ids.random(32))
        await asyncio.to_thread(migrate, folder / "workspace.db", key, Kind.WORKSPACE)
        file = await DatabaseFile.open(folder / "workspace.db", key)
        try:
            yield Scratch(file, clock, ids)
        finally:
            await file.close()
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _remove_left_over(parent: Path, now: int) -> None:
    """A process that was killed could not remove its folder; nobody can read what is in it."""
    for folder in parent.glob(f"{_PREFIX}*"):
        if folder.stat().st_mtime * 1000 < now - DAY:
            shutil.rmtree(folder, ignore_errors=True)
