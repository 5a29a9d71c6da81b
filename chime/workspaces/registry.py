"""The open workspaces: opened on first use, the least recently used closed when there are many.

Opening takes about a millisecond; the bound is for threads and file descriptors, not for speed (anchors.md 4.5).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from chime.clock import Clock
from chime.db import DatabaseFile, GroupCommit, Kind, StorageUnavailable
from chime.db.migrate import migrate
from chime.errors import NotFound
from chime.ids import Ids
from chime.log import Log
from chime.workspaces.control import Control
from chime.workspaces.keys import WorkspaceKeys
from chime.workspaces.space import Space
from chime.workspaces.transaction import Committed
from chime.workspaces.workspace import Workspace

MOST_OPEN = 64
_log = Log("workspaces")
OnCommit = Callable[[str, Committed], None]


class Registry:
    """Hands out open workspaces. `on_commit` gets the workspace's id and what its transactions left to do."""

    def __init__(self, data_dir: Path, control: Control, clock: Clock, ids: Ids, *, most_open: int = MOST_OPEN,
                 space: Space | None = None) -> None:
        self._data_dir = data_dir
        self._control = control
        self._clock = clock
        self._ids = ids
        self._most_open = most_open
        self.space = space or Space(data_dir, reserve=0)
        self._open: OrderedDict[str, Workspace] = OrderedDict()
        self._locks: dict[str, asyncio.Lock] = {}
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="journal")
        self.on_commit: OnCommit = lambda workspace_id, committed: None

    @asynccontextmanager
    async def use(self, workspace_id: str) -> AsyncIterator[Workspace]:
        """The open workspace; it stays open at least until the end of the block. Raises NotFound."""
        workspace = self._open.get(workspace_id)
        if workspace is None:
            workspace = await self._enter(workspace_id)
        else:
            self._open.move_to_end(workspace_id)
            workspace.users += 1
        try:
            yield workspace
        finally:
            workspace.users -= 1

    async def _enter(self, workspace_id: str) -> Workspace:
        """Open it; its user is counted before anything is waited for, or it might be closed again meanwhile."""
        lock = self._locks.setdefault(workspace_id, asyncio.Lock())
        async with lock:
            workspace = self._open.get(workspace_id)
            if workspace is None:
                workspace = await self._open_files(workspace_id)
                self._open[workspace_id] = workspace
            self._open.move_to_end(workspace_id)
            workspace.users += 1
        try:
            await self._close_oldest()
        except BaseException:
            workspace.users -= 1
            raise
        return workspace

    async def _open_files(self, workspace_id: str) -> Workspace:
        keys = await self.keys(workspace_id)
        folder = workspace_folder(self._data_dir, workspace_id)
        for name in ("workspace.db", "journal.db"):
            _must_hold_something(folder / name)
        await asyncio.to_thread(migrate, folder / "workspace.db", keys.workspace_file, Kind.WORKSPACE)
        await asyncio.to_thread(migrate, folder / "journal.db", keys.journal_file, Kind.JOURNAL)
        async with AsyncExitStack() as opened:
            db = await DatabaseFile.open(folder / "workspace.db", keys.workspace_file)
            opened.push_async_callback(db.close)
            if await db.value("SELECT value FROM meta WHERE key = 'workspace_id'") != workspace_id:
                raise StorageUnavailable("the file in this workspace's folder is another workspace's")
            journal_db = await DatabaseFile.open(folder / "journal.db", keys.journal_file)
            opened.push_async_callback(journal_db.close)
            await self._past_what_was_applied(workspace_id, db, journal_db)
            journal = GroupCommit(folder / "journal.db", keys.journal_file, self._threads)
            opened.pop_all()
        return Workspace(workspace_id=workspace_id, folder=folder, keys=keys, db=db, journal=journal,
                         journal_db=journal_db, clock=self._clock, ids=self._ids, space=self.space,
                         after_commit=lambda committed: self.on_commit(workspace_id, committed))

    async def _past_what_was_applied(self, workspace_id: str, db: DatabaseFile, journal_db: DatabaseFile) -> None:
        """A journal that lost its end (a damaged log, an older copy put back) would give new bodies the numbers of
        those it lost, which count as applied: they would get their 200 and never take effect. An empty body under the
        last number keeps it from that; the delivery proof shows what is missing."""
        applied = int(await db.value("SELECT value FROM meta WHERE key = 'applied_upto'") or 0)
        newest = int(await journal_db.value("SELECT max(id) FROM webhook_body") or 0)
        if newest >= applied:
            return
        _log.error("journal.lost_its_end", workspace_id=workspace_id, bodies=applied - newest)
        async with journal_db.transaction() as tx:
            await tx.execute("INSERT INTO webhook_body (id, key, received_at, body) VALUES (?, x'', ?, x'')",
                             applied, self._clock.now())

    async def keys(self, workspace_id: str) -> WorkspaceKeys:
        """The unwrapped keys. Raises NotFound when there is no such workspace or it was erased."""
        rows = await self._control.db.rows(
            "SELECT version, wrapped FROM workspace_key WHERE workspace_id = ? ORDER BY version DESC LIMIT 1",
            workspace_id)
        if not rows:
            raise NotFound("there is no such workspace")
        version, wrapped = rows[0]
        return self._control.keys.unwrap(wrapped, workspace_id, version)

    async def _close_oldest(self) -> None:
        for workspace_id in [key for key, workspace in self._open.items() if workspace.users == 0]:
            if len(self._open) <= self._most_open:
                return
            async with self._locks[workspace_id]:
                workspace = self._open.get(workspace_id)
                if workspace is not None and workspace.users == 0:
                    del self._open[workspace_id]
                    await workspace.close()

    @property
    def open_ids(self) -> list[str]:
        return list(self._open)

    @property
    def open_count(self) -> int:
        return len(self._open)

    async def close(self) -> None:
        """Close every file; the threads end."""
        for workspace in list(self._open.values()):
            await workspace.close()
        self._open.clear()
        self._threads.shutdown(wait=True)


def _must_hold_something(path: Path) -> None:
    """A disk that is not mounted shows an empty folder: making new files there would start an empty workspace."""
    try:
        size = path.stat().st_size
    except OSError:
        size = 0
    if size == 0:
        raise StorageUnavailable(f"{path.name} of a workspace is not there")


def workspace_folder(data_dir: Path, workspace_id: str) -> Path:
    return data_dir / "workspaces" / workspace_id
