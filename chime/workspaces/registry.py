"""The open workspaces: opened on first use, the least recently used closed when there are many.

Opening takes some milliseconds; the bounds are for threads, file descriptors and memory, not for speed (anchors.md
4.5). An open one is nearly two megabytes, so of those that nobody visits and nothing comes in for, and that were only
looked through for something due, few stay.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from chime.clock import Clock
from chime.db import DatabaseFile, GroupCommit, Kind, StorageUnavailable
from chime.db.migrate import MigrationFailed, migrate
from chime.db.standing import must_hold_something
from chime.db.uninterrupted import to_the_end
from chime.errors import StartRefused, Unavailable
from chime.ids import Ids
from chime.log import Log
from chime.workspaces.control import Control
from chime.workspaces.keys import WorkspaceKeys
from chime.workspaces.space import Space
from chime.workspaces.transaction import Committed
from chime.workspaces.workspace import Workspace, applied_upto

MOST_OPEN = 64
MOST_UNVISITED = 16
# Seconds for which a workspace whose files could not be brought up to date is left alone; nobody else waits for it.
LEFT_ALONE = 60.0
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
        self._visits: dict[str, int] = {}
        self._under_maintenance: dict[str, tuple[float, str | None]] = {}
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="journal")
        self.on_commit: OnCommit = lambda workspace_id, committed: None
        self.on_open: Callable[[Workspace], None] = lambda workspace: None
        self.on_close: Callable[[str], None] = lambda workspace_id: None

    @asynccontextmanager
    async def use(self, workspace_id: str, *, stays: bool = False) -> AsyncIterator[Workspace]:
        """The open workspace; it stays open at least until the end of the block, and when it `stays`, because somebody
        is there or a webhook came, as long as others were used less recently. Raises NotFound."""
        workspace = self._open.get(workspace_id)
        if workspace is None:
            workspace = await self._enter(workspace_id)
        else:
            self._open.move_to_end(workspace_id)
            workspace.users += 1
        workspace.visits += stays
        try:
            yield workspace
        finally:
            workspace.users -= 1

    async def _enter(self, workspace_id: str) -> Workspace:
        """Open it; its user is counted before anything is waited for, or it might be closed again meanwhile. Opening
        goes to its end, whoever hangs up: a migration would go on in its thread, beside that of the next who comes."""
        lock = self._locks.setdefault(workspace_id, asyncio.Lock())
        async with lock:
            workspace = self._open.get(workspace_id)
            if workspace is None:
                workspace = await to_the_end(self._opened(workspace_id))
            self._open.move_to_end(workspace_id)
            workspace.users += 1
        try:
            await self._close_oldest()
        except BaseException:
            workspace.users -= 1
            raise
        return workspace

    async def _opened(self, workspace_id: str) -> Workspace:
        workspace = await self._open_files(workspace_id)
        self._open[workspace_id] = workspace
        self.on_open(workspace)
        return workspace

    async def _open_files(self, workspace_id: str) -> Workspace:
        keys = await self.keys(workspace_id)
        folder = workspace_folder(self._data_dir, workspace_id)
        for name in ("workspace.db", "journal.db"):
            must_hold_something(folder / name)
        await self._bring_up_to_date(workspace_id, folder, keys)
        async with AsyncExitStack() as opened:
            db = await DatabaseFile.open(folder / "workspace.db", keys.workspace_file)
            opened.push_async_callback(db.close)
            if await db.value("SELECT value FROM meta WHERE key = 'workspace_id'") != keys.identity:
                raise StorageUnavailable("the file in this workspace's folder is another workspace's")
            journal_db = await DatabaseFile.open(folder / "journal.db", keys.journal_file)
            opened.push_async_callback(journal_db.close)
            if not keys.is_copy:  # to which nothing is delivered, and whose journal may be of another moment
                await self._past_what_was_applied(workspace_id, db, journal_db)
            journal = GroupCommit(folder / "journal.db", keys.journal_file, self._threads)
            opened.pop_all()
        return Workspace(workspace_id=workspace_id, folder=folder, keys=keys, db=db, journal=journal,
                         journal_db=journal_db, clock=self._clock, ids=self._ids, space=self.space,
                         after_commit=lambda committed: self.on_commit(workspace_id, committed))

    async def _bring_up_to_date(self, workspace_id: str, folder: Path, keys: WorkspaceKeys) -> None:
        """Raises MigrationFailed: this workspace alone is under maintenance, and is looked at again in a minute."""
        since, because = self._under_maintenance.get(workspace_id, (0.0, None))
        if because is not None and self._clock.monotonic() - since < LEFT_ALONE:
            # Only the words are kept: an error that is raised again keeps every frame it went through.
            raise MigrationFailed(because)
        try:
            await asyncio.to_thread(migrate, folder / "workspace.db", keys.workspace_file, Kind.WORKSPACE)
            await asyncio.to_thread(migrate, folder / "journal.db", keys.journal_file, Kind.JOURNAL)
        except (MigrationFailed, StartRefused) as error:
            _log.error("workspace.not_migrated", error, workspace_id=workspace_id)
            self._under_maintenance[workspace_id] = (self._clock.monotonic(), str(error))
            raise MigrationFailed(str(error)) from error
        self._under_maintenance.pop(workspace_id, None)

    async def _past_what_was_applied(self, workspace_id: str, db: DatabaseFile, journal_db: DatabaseFile) -> None:
        """A journal that lost its end (a damaged log, an older copy put back) would give new bodies the numbers of
        those it lost, which count as applied: they would get their 200 and never take effect. An empty body under the
        last number keeps it from that; the delivery proof shows what is missing."""
        applied = await applied_upto(db)
        newest = int(await journal_db.value("SELECT max(id) FROM webhook_body") or 0)
        if newest >= applied:
            return
        _log.error("journal.lost_its_end", workspace_id=workspace_id, bodies=applied - newest)
        async with journal_db.transaction() as tx:
            await tx.execute("INSERT INTO webhook_body (id, key, received_at, body) VALUES (?, x'', ?, x'')",
                             applied, self._clock.now())

    async def keys(self, workspace_id: str) -> WorkspaceKeys:
        """The unwrapped keys; those of the files are the ones they have now. Raises NotFound when there is no such
        workspace or it was erased."""
        keys = await self._control.workspace_keys(workspace_id)
        return await asyncio.to_thread(keys.fit, workspace_folder(self._data_dir, workspace_id))

    async def expel(self, workspace_id: str, *, seconds: float = 10.0) -> None:
        """Have it closed: it is not to be opened again. Waits for who works in it, but not for ever."""
        deadline = self._clock.monotonic() + seconds
        while (workspace := self._open.get(workspace_id)) is not None:
            if workspace.users == 0 or self._clock.monotonic() > deadline:
                del self._open[workspace_id]
                await self._close(workspace)
                return
            await asyncio.sleep(0.05)

    @asynccontextmanager
    async def closed(self, workspace_id: str, *, seconds: float = 10.0) -> AsyncIterator[None]:
        """Inside, its files are closed, and whoever wants to use it waits: for exchanging them. Raises Unavailable when
        somebody works in it for longer than that; then nothing was closed."""
        deadline = self._clock.monotonic() + seconds
        async with self._locks.setdefault(workspace_id, asyncio.Lock()):
            while (workspace := self._open.get(workspace_id)) is not None and workspace.users:
                if self._clock.monotonic() > deadline:
                    raise Unavailable("somebody still works in the workspace")
                await asyncio.sleep(0.01)
            if workspace is not None:
                del self._open[workspace_id]
                await self._close(workspace)
            yield
            self._under_maintenance.pop(workspace_id, None)  # the files may be others now

    async def _close_oldest(self) -> None:
        for workspace_id in [key for key, workspace in self._open.items() if workspace.users == 0]:
            unvisited = sum(not workspace.visits for workspace in self._open.values())
            if len(self._open) <= self._most_open and unvisited <= MOST_UNVISITED:
                return
            async with self._locks[workspace_id]:
                workspace = self._open.get(workspace_id)
                if workspace is None or workspace.users:
                    continue
                if len(self._open) > self._most_open or not workspace.visits:
                    del self._open[workspace_id]
                    await self._close(workspace)

    async def forget_pages(self) -> None:
        """Have the workspaces that nobody visited since it was asked last let go of what they keep in memory: all of
        them share `ALL_CACHES`, and who comes finds room."""
        before, self._visits = self._visits, {workspace.id: workspace.visits for workspace in self.open_workspaces}
        for workspace in self.open_workspaces:
            # Some wait for the disk, and meanwhile the next one may have been closed to make room.
            if workspace.visits != before.get(workspace.id) or self._open.get(workspace.id) is not workspace:
                continue
            workspace.users += 1  # so that nobody closes it meanwhile
            try:
                with suppress(StorageUnavailable):
                    await workspace.forget_pages()
            finally:
                workspace.users -= 1

    async def _close(self, workspace: Workspace) -> None:
        """To its end: whoever came for another workspace and hung up while this one made room for it must not leave
        files open that nobody knows any more."""
        await to_the_end(self._close_files(workspace))

    async def _close_files(self, workspace: Workspace) -> None:
        await workspace.close()
        self.on_close(workspace.id)

    @property
    def open_workspaces(self) -> list[Workspace]:
        return list(self._open.values())

    @property
    def open_ids(self) -> list[str]:
        return list(self._open)

    @property
    def open_count(self) -> int:
        return len(self._open)

    async def close(self) -> None:
        """Close every file; the threads end."""
        for workspace in list(self._open.values()):
            await self._close(workspace)
        self._open.clear()
        self._threads.shutdown(wait=True)


def workspace_folder(data_dir: Path, workspace_id: str) -> Path:
    return data_dir / "workspaces" / workspace_id
