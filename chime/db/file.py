"""One open file: reads on the loop, one writer, transactions.

Reads are bounded keyset queries and run directly on the event loop (performance.md 4: a thread hop costs more than
the query). Writes have exactly one connection; its transaction is guarded by a lock, COMMIT runs in the writer's own
aiosqlite thread because it waits for a disk, BEGIN and the statements after it run on the loop because they touch
memory only: where the loop is busy, each step beside it keeps the lock for another round of everything that is ready.
Two coroutines never share a transaction (anchors.md 4.3).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

import aiosqlite
import msgspec
from sqlcipher3 import dbapi2

from chime.db.checkpoint import Checkpoints, waiting_pages
from chime.db.connection import (
    BUSY_TIMEOUT,
    FORGET_PAGES,
    SPARING_CACHE,
    Key,
    StorageUnavailable,
    close_connection,
    open_connection,
)
from chime.db.following import Follower
from chime.db.long_reads import LongReads
from chime.db.standing import Standing, in_place_of, open_again
from chime.db.uninterrupted import to_the_end
from chime.phone import from_column

T = TypeVar("T")
Row = tuple[Any, ...]
_BEGIN = "BEGIN IMMEDIATE"
_NO_WAITING = "PRAGMA busy_timeout = 0"
_LIMIT = re.compile(r"\bLIMIT (\?\d*)")


class Db(Protocol):
    """What a query needs: a reader or a running transaction. Columns named `…_json` arrive decoded without suffix."""

    async def all(self, kind: type[T], sql: str, *values: Any) -> list[T]:
        """Every row as a `kind`; the column names are its field names."""
        ...

    async def one(self, kind: type[T], sql: str, *values: Any) -> T | None:
        """The first row, or None."""
        ...

    async def value(self, sql: str, *values: Any) -> Any:
        """The first column of the first row, or None."""
        ...

    async def rows(self, sql: str, *values: Any) -> list[Row]:
        """Plain tuples, for the few places that want no Struct."""
        ...

    def sparingly(self) -> AbstractContextManager[None]:
        """Inside, reading through much of the file keeps few of its pages in memory: nobody comes back for them soon,
        and what a process held at most is hard to give back."""
        ...


@lru_cache(maxsize=4_096)
def lasting(sql: str) -> str:
    """The statement so that its plan lasts. SQLite looks at the value of a bound LIMIT and plans anew for each one, and
    asks our authorizer for every column again: of a thread that was every tenth statement, and the longest. At a sum it
    does not look. (Its query planner's stability guarantee would turn that off; the driver has no word for it.)"""
    return _LIMIT.sub(r"LIMIT 0 + \1", sql)


def _decode(cursor: Any, kind: type[T], rows: Sequence[Row]) -> list[T]:
    names = [column[0] for column in cursor.description]
    decoded = [index for index, name in enumerate(names) if name.endswith("_json")]
    if not decoded:
        return [_struct(kind, names, row) for row in rows]
    names = [name.removesuffix("_json") for name in names]
    found = []
    for row in rows:
        values = list(row)
        for index in decoded:
            if values[index] is not None:
                values[index] = msgspec.json.decode(values[index])
        found.append(_struct(kind, names, values))
    return found


def _struct(kind: type[T], names: list[str], values: Sequence[Any]) -> T:
    return msgspec.convert(dict(zip(names, values, strict=True)), kind, strict=False, dec_hook=from_column)


class _Reads:
    """The four reads over one raw connection."""

    def __init__(self, connection: Any, path: Path, errors: Standing | None = None) -> None:
        self._connection = connection
        self._path = path
        self._errors = errors or Standing(path)

    async def all(self, kind: type[T], sql: str, *values: Any) -> list[T]:
        with self._errors:
            cursor = self._connection.execute(lasting(sql), values)
            return _decode(cursor, kind, cursor.fetchall())

    async def one(self, kind: type[T], sql: str, *values: Any) -> T | None:
        with self._errors:
            cursor = self._connection.execute(lasting(sql), values)
            row = cursor.fetchone()
            found = _decode(cursor, kind, [row])[0] if row is not None else None
            cursor.close()
        return found

    async def value(self, sql: str, *values: Any) -> Any:
        with self._errors:
            cursor = self._connection.execute(lasting(sql), values)
            row = cursor.fetchone()
            cursor.close()
        return row[0] if row is not None else None

    async def rows(self, sql: str, *values: Any) -> list[Row]:
        with self._errors:
            found: list[Row] = self._connection.execute(lasting(sql), values).fetchall()
        return found

    @contextmanager
    def sparingly(self) -> Iterator[None]:
        with self._errors:
            usual = int(self._connection.execute("PRAGMA cache_size").fetchone()[0])
            self._connection.execute(f"PRAGMA cache_size = -{SPARING_CACHE}")
        try:
            yield
        finally:
            with self._errors:
                self._connection.execute(f"PRAGMA cache_size = {usual}")


class RawTransaction(_Reads):
    """A running `BEGIN IMMEDIATE`. Reads see its own writes."""

    async def execute(self, sql: str, *values: Any) -> int:
        """Run one statement; how many rows it changed."""
        self.must_be_open()
        with self._errors:
            return int(self._connection.execute(lasting(sql), values).rowcount)

    async def execute_aside(self, sql: str, *values: Any) -> None:
        """Like `execute`, for a statement that may work long: in a thread, so that the loop goes on meanwhile."""
        self.must_be_open()
        with self._errors:
            await to_the_end(asyncio.to_thread(self._connection.execute, lasting(sql), values))

    async def savepoint(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work` so that its changes are undone alone when it raises, and the transaction goes on. Raises
        StorageUnavailable when there is no transaction to go on with."""
        self.must_be_open()
        with self._errors:
            self._connection.execute("SAVEPOINT item")
        try:
            result = await work()
        except BaseException as error:
            if self._connection.in_transaction:
                self._undo_item()
            elif isinstance(error, Exception):  # who was given up hears of nothing else
                self.must_be_open(error)
            raise
        with self._errors:
            self._connection.execute("RELEASE item")
        return result

    def _undo_item(self) -> None:
        with self._errors:  # undoing reads pages too
            self._connection.execute("ROLLBACK TO item")
            self._connection.execute("RELEASE item")

    def must_be_open(self, cause: Exception | None = None) -> None:
        """A full disk in the middle has SQLite give the whole transaction up, with all that was done in it. Whatever
        came after would be committed by itself, and the rest of a batch look as if all of it were in effect
        (sqlite.org/lang_transaction.html, "Response To Errors Within A Transaction")."""
        if not self._connection.in_transaction:
            raise StorageUnavailable("the transaction was given up by the storage") from cause

    @property
    def changes(self) -> int:
        """Rows changed on this connection since it was opened."""
        return int(self._connection.total_changes)


class DatabaseFile(_Reads):
    """An open file. Use as `db` for reads; `transaction()` for writes."""

    def __init__(self, path: Path, key: Key, reader: Any) -> None:
        super().__init__(reader, path, Standing(path, self._renew_reader))
        self._writing = Standing(path)
        self._writer: aiosqlite.Connection | None = None
        self._raw_writer: Any = None
        self._lock = asyncio.Lock()
        self.path = path
        self._key = key
        self._checkpoints = Checkpoints(path, key)
        self.long_reads = LongReads(path, key)
        self.snapshots = 0
        """How many `snapshot`s of it are open."""

    @classmethod
    async def open(cls, path: Path, key: Key) -> DatabaseFile:
        """Open an existing, migrated file."""
        return cls(path, key, open_connection(path, key, writes=False))

    def _renew_reader(self) -> None:
        self._connection = in_place_of(self._connection, self.path, self._key, writes=False)
        self._errors.spoilt = False

    async def _sound_writer(self) -> aiosqlite.Connection:
        """The writer, opened when there is none or the one there was is spoilt; who asks holds the lock."""
        if self._writing.spoilt:
            await to_the_end(self._close_writer())
        return await to_the_end(self._open_writer()) if self._writer is None else self._writer

    async def _close_writer(self) -> None:
        if self._writer is not None:
            await self._writer.close()
            self._writer = self._raw_writer = None
        self._writing.spoilt = False

    async def _open_writer(self) -> aiosqlite.Connection:
        """Made with the first transaction: most files that are open are only read, and a writer has a thread."""
        def connect() -> Any:
            self._raw_writer = open_again(self.path, self._key, writes=True)
            self._raw_writer.execute(_NO_WAITING)  # on the loop; `_patiently` is for what may wait
            return self._raw_writer

        writer = aiosqlite.Connection(connect, iter_chunk_size=64)
        # aiosqlite's thread would outlive a crash of the loop and keep the process from ending.
        writer._thread.daemon = True
        self._writer = await writer
        return self._writer

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[RawTransaction]:
        """`BEGIN IMMEDIATE` … `COMMIT`; any exception inside, or at the commit, rolls everything back."""
        async with self._lock:
            writer = await self._sound_writer()
            try:
                await self._begin()  # given up while it waits for another process, it may have begun all the same
                yield RawTransaction(self._raw_writer, self.path, self._writing)
                with self._writing:
                    await to_the_end(writer.execute("COMMIT"))
            except BaseException:
                self._writing.roll_back(self._raw_writer)
                raise
            self._checkpoints.consider(waiting_pages(self._raw_writer))

    async def _begin(self) -> None:
        try:
            self._raw_writer.execute(_BEGIN)
        except dbapi2.DatabaseError:
            # Another process has the file, a command say; or the file is ill, and says so once more.
            await self._patiently(_BEGIN)

    async def _patiently(self, sql: str) -> Any:
        """The row of a statement that may have to wait for other connections: in a thread."""
        def run() -> Any:
            self._raw_writer.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
            try:
                return self._raw_writer.execute(sql).fetchone()
            finally:
                self._raw_writer.execute(_NO_WAITING)

        with self._writing:
            return await to_the_end(asyncio.to_thread(run))

    async def empty_log(self) -> bool:
        """Move everything from the write-ahead log into the file and cut the log off, so that no earlier version of a
        page is left in it; False when somebody was reading."""
        async with self._lock, self._not_followed():
            await self._sound_writer()
            row = await self._patiently("PRAGMA wal_checkpoint(TRUNCATE)")
        return row is not None and row[0] == 0

    @property
    def key(self) -> Key:
        return self._key

    def follow(self, follower: Follower) -> None:
        """From now on this one sees what is committed before it leaves the log."""
        self._checkpoints.follower = follower

    @asynccontextmanager
    async def _not_followed(self) -> AsyncIterator[None]:
        follower = self._checkpoints.follower
        if follower is None:
            yield
            return
        await to_the_end(asyncio.to_thread(follower.let_go))
        try:
            yield
        finally:
            await to_the_end(asyncio.to_thread(follower.come_back))

    @asynccontextmanager
    async def writers_out(self) -> AsyncIterator[None]:
        """Inside, nobody writes this file through us and the writer is closed; the next transaction opens it anew."""
        async with self._lock:
            await self._checkpoints.close()
            await self._close_writer()
            async with self._not_followed():
                yield

    def swap(self, exchange: Callable[[], None], key: Key) -> None:
        """Have `exchange` put a file with this key in the place of ours while nothing of it is open, and go on with
        that one; with the old one when it raises. At one go, so that no read of the loop finds the file closed."""
        self._connection.close()
        try:
            exchange()
            self._key = key
        finally:
            self._connection = open_connection(self.path, self._key, writes=False)
            self._errors.spoilt = False
            self._checkpoints = Checkpoints(self.path, self._key, self._checkpoints.follower)
            self.long_reads.key = self._key

    async def forget_pages(self) -> None:
        """Let go of what it keeps of the file in memory; who reads next reads the file. Raises StorageUnavailable."""
        await self.long_reads.let_go()
        with self._errors:
            self._connection.execute(FORGET_PAGES)
        async with self._lock:
            if self._raw_writer is not None:
                with self._writing:
                    self._raw_writer.execute(FORGET_PAGES)

    async def schema_version(self) -> int:
        """`user_version`: how many migrations this file has."""
        return int(await self.value("PRAGMA user_version"))

    async def close(self) -> None:
        """Close both connections; waits for a running transaction. Begun, it is done, also when we are cancelled."""
        await to_the_end(self._close())

    async def _close(self) -> None:
        async with self._lock:
            await self._checkpoints.close()
            if self._checkpoints.follower is not None:
                await to_the_end(asyncio.to_thread(self._checkpoints.follower.let_go))
            await self.long_reads.close()
            self._errors.spoilt = False  # closed it is, and stays
            await asyncio.to_thread(close_connection, self._connection)
            if self._writer is not None:
                await self._writer.close()
