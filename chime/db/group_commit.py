"""Append-only rows made durable many at a time.

A webhook may be answered 200 only when it is on disk, and one disk flush can carry hundreds of them: whoever appends
while a flush runs is taken by the next one. No timer, no linger; under load batching comes by itself (performance.md
2.1: 17 to 120 times the rate of a commit each).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

from chime.db.checkpoint import Checkpoints, waiting_pages
from chime.db.connection import FORGET_PAGES, Key, StorageUnavailable, close_connection, open_connection
from chime.db.following import Follower
from chime.db.standing import Standing, in_place_of

_CHUNKS = (64, 16, 4, 1)
MOST_PENDING = 20_000
_ROUNDS_TO_GATHER = 10
_MOST_PER_COMMIT = 1_024


class Insert:
    """One shape of row. The statements are written once for each chunk size, so rows of a batch share a `step()`:
    row by row the interpreter lock is let go and won back for each (performance.md 2.5)."""

    def __init__(self, table: str, columns: tuple[str, ...]) -> None:
        head = f"INSERT INTO {table}({', '.join(columns)}) VALUES "
        row = f"({', '.join('?' * len(columns))})"
        self.statements = {size: head + ", ".join([row] * size) for size in _CHUNKS}


class GroupCommit:
    """The appender of one file. `append` returns when the row is durable."""

    def __init__(self, path: Path, key: Key, executor: Executor) -> None:
        self._path = path
        self._key = key
        self._connection: Any = None  # opened with the first append: to most files that are open nothing comes
        self._errors = Standing(path, self._renew)
        self._closed = False
        self._turn = asyncio.Lock()
        self._checkpoints = Checkpoints(path, key)
        self._executor = executor
        self._pending: deque[tuple[list[tuple[Insert, tuple[Any, ...]]], asyncio.Future[None]]] = deque()
        self._committing = 0
        self._running: asyncio.Task[None] | None = None

    def follow(self, follower: Follower) -> None:
        """See `DatabaseFile.follow`; both writers of a file have the same."""
        self._checkpoints.follower = follower

    @property
    def waiting(self) -> int:
        """Appends that are not durable yet."""
        return len(self._pending) + self._committing

    async def append(self, insert: Insert, *values: Any) -> None:
        """Durable when this returns. Raises StorageUnavailable when the disk refuses or too many are waiting."""
        await self.append_all([(insert, values)])

    async def append_all(self, rows: list[tuple[Insert, tuple[Any, ...]]]) -> None:
        """The same for several rows, all of them or none."""
        if len(self._pending) >= MOST_PENDING:
            raise StorageUnavailable("too many events wait for the disk")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append((rows, done))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._drain())
        await done

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        expected = 0
        while self._pending:
            await self._gather(expected)
            expected = len(self._pending)
            batch = [self._pending.popleft() for _ in range(min(len(self._pending), _MOST_PER_COMMIT))]
            self._committing = len(batch)
            failure: BaseException | None = None
            try:
                async with self._turn:
                    pages = await loop.run_in_executor(
                        self._executor, self._commit, [row for rows, _ in batch for row in rows])
                    self._checkpoints.consider(pages)
            except BaseException as error:
                failure = error
            self._committing = 0
            for _, done in batch:
                if done.cancelled():
                    continue
                if failure is None:
                    done.set_result(None)
                else:
                    done.set_exception(StorageUnavailable("the journal cannot be written"))
            if failure is not None and not isinstance(failure, Exception):
                raise failure

    async def _gather(self, expected: int) -> None:
        """Those who were answered with the last commit post again at once, and in half batches each post costs twice
        as much: some rounds of the loop, without a pause, let them come. Who is alone waits for nothing."""
        for _ in range(_ROUNDS_TO_GATHER):
            if len(self._pending) >= expected:
                return
            await asyncio.sleep(0)

    def _commit(self, rows: list[tuple[Insert, tuple[Any, ...]]]) -> int:
        """How many pages wait for a checkpoint afterwards."""
        with self._errors:
            if self._closed:
                raise StorageUnavailable("the journal is closed")
            if self._connection is None:
                self._connection = open_connection(self._path, self._key, writes=True)
            connection = self._connection
            connection.execute("BEGIN IMMEDIATE")
            try:
                for insert, group in groupby(rows, key=lambda row: row[0]):
                    self._insert(insert, [values for _, values in group])
                connection.execute("COMMIT")
            except BaseException:
                self._errors.roll_back(self._connection)
                raise
            return waiting_pages(connection)

    def _renew(self) -> None:
        if self._connection is not None:
            self._connection = in_place_of(self._connection, self._path, self._key, writes=True)
        self._errors.spoilt = False

    def _insert(self, insert: Insert, rows: list[tuple[Any, ...]]) -> None:
        start = 0
        for size in _CHUNKS:
            while len(rows) - start >= size:
                flat = [value for row in rows[start:start + size] for value in row]
                self._connection.execute(insert.statements[size], flat)
                start += size

    @asynccontextmanager
    async def closed_meanwhile(self) -> AsyncIterator[Callable[[Key], None]]:
        """Inside, nothing is appended and the file is closed here; who appends waits. What is yielded tells with which
        key to go on, if another."""
        def reopen_with(key: Key) -> None:
            self._key = key

        async with self._turn:
            await self._checkpoints.close()
            await self._close_connection()
            try:
                yield reopen_with
            finally:
                self._checkpoints = Checkpoints(self._path, self._key, self._checkpoints.follower)

    async def forget_pages(self) -> None:
        """See `DatabaseFile.forget_pages`."""
        async with self._turn:
            if self._connection is not None:
                with self._errors:
                    self._connection.execute(FORGET_PAGES)

    async def close(self) -> None:
        """Wait for what is pending, then close."""
        if self._running is not None:
            await asyncio.wait([self._running])
        self._closed = True
        await self._checkpoints.close()
        await self._close_connection()

    async def _close_connection(self) -> None:
        if self._connection is not None:
            await asyncio.to_thread(close_connection, self._connection)
            self._connection = None
