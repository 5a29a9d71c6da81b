"""One open file: reads on the loop, one writer, transactions.

Reads are bounded keyset queries and run directly on the event loop (performance.md 4: a thread hop costs more than
the query). Writes have exactly one connection; its transaction is guarded by a lock, BEGIN and COMMIT run in the
writer's own aiosqlite thread because they may wait for a disk, the statements between them run on the loop because
they touch memory only. Two coroutines never share a transaction (anchors.md 4.3).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import aiosqlite
import msgspec

from chime.db.checkpoint import Checkpoints, waiting_pages
from chime.db.connection import Key, close_connection, open_connection, translated
from chime.db.long_reads import LongReads

T = TypeVar("T")
Row = tuple[Any, ...]


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


def _decode(cursor: Any, kind: type[T], rows: Sequence[Row]) -> list[T]:
    names = [column[0] for column in cursor.description]
    decoded = [index for index, name in enumerate(names) if name.endswith("_json")]
    if not decoded:
        return [msgspec.convert(dict(zip(names, row, strict=True)), kind, strict=False) for row in rows]
    names = [name.removesuffix("_json") for name in names]
    found = []
    for row in rows:
        values = list(row)
        for index in decoded:
            if values[index] is not None:
                values[index] = msgspec.json.decode(values[index])
        found.append(msgspec.convert(dict(zip(names, values, strict=True)), kind, strict=False))
    return found


class _Reads:
    """The four reads over one raw connection."""

    def __init__(self, connection: Any, path: Path) -> None:
        self._connection = connection
        self._path = path

    async def all(self, kind: type[T], sql: str, *values: Any) -> list[T]:
        with translated(self._path):
            cursor = self._connection.execute(sql, values)
            return _decode(cursor, kind, cursor.fetchall())

    async def one(self, kind: type[T], sql: str, *values: Any) -> T | None:
        with translated(self._path):
            cursor = self._connection.execute(sql, values)
            row = cursor.fetchone()
            found = _decode(cursor, kind, [row])[0] if row is not None else None
            cursor.close()
        return found

    async def value(self, sql: str, *values: Any) -> Any:
        with translated(self._path):
            cursor = self._connection.execute(sql, values)
            row = cursor.fetchone()
            cursor.close()
        return row[0] if row is not None else None

    async def rows(self, sql: str, *values: Any) -> list[Row]:
        with translated(self._path):
            found: list[Row] = self._connection.execute(sql, values).fetchall()
        return found


class RawTransaction(_Reads):
    """A running `BEGIN IMMEDIATE`. Reads see its own writes."""

    async def execute(self, sql: str, *values: Any) -> int:
        """Run one statement; how many rows it changed."""
        with translated(self._path):
            return int(self._connection.execute(sql, values).rowcount)

    async def execute_aside(self, sql: str, *values: Any) -> None:
        """Like `execute`, for a statement that may work long: in a thread, so that the loop goes on meanwhile."""
        with translated(self._path):
            await DatabaseFile._to_end(asyncio.to_thread(self._connection.execute, sql, values))

    async def savepoint(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work` so that its changes are undone alone when it raises, and the transaction goes on."""
        self._connection.execute("SAVEPOINT item")
        try:
            result = await work()
        except BaseException:
            self._connection.execute("ROLLBACK TO item")
            self._connection.execute("RELEASE item")
            raise
        self._connection.execute("RELEASE item")
        return result

    @property
    def changes(self) -> int:
        """Rows changed on this connection since it was opened."""
        return int(self._connection.total_changes)


class DatabaseFile(_Reads):
    """An open file. Use as `db` for reads; `transaction()` for writes."""

    def __init__(self, path: Path, key: Key, reader: Any) -> None:
        super().__init__(reader, path)
        self._writer: aiosqlite.Connection | None = None
        self._raw_writer: Any = None
        self._lock = asyncio.Lock()
        self.path = path
        self._key = key
        self._checkpoints = Checkpoints(path, key)
        self.long_reads = LongReads(path, key)

    @classmethod
    async def open(cls, path: Path, key: Key) -> DatabaseFile:
        """Open an existing, migrated file."""
        return cls(path, key, open_connection(path, key, writes=False))

    async def _open_writer(self) -> aiosqlite.Connection:
        """Made with the first transaction: most files that are open are only read, and a writer has a thread."""
        def connect() -> Any:
            self._raw_writer = open_connection(self.path, self._key, writes=True)
            return self._raw_writer

        writer = aiosqlite.Connection(connect, iter_chunk_size=64)
        # aiosqlite's thread would outlive a crash of the loop and keep the process from ending.
        writer._thread.daemon = True
        await writer
        return writer

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[RawTransaction]:
        """`BEGIN IMMEDIATE` … `COMMIT`; any exception inside, or at the commit, rolls everything back."""
        async with self._lock:
            if self._writer is None:
                self._writer = await self._open_writer()
            with translated(self.path):
                await self._to_end(self._writer.execute("BEGIN IMMEDIATE"))
            try:
                yield RawTransaction(self._raw_writer, self.path)
                with translated(self.path):
                    await self._to_end(self._writer.execute("COMMIT"))
            except BaseException:
                if self._raw_writer.in_transaction:
                    self._raw_writer.execute("ROLLBACK")
                raise
            self._checkpoints.consider(waiting_pages(self._raw_writer))

    @staticmethod
    async def _to_end(step: Any) -> None:
        """Wait for a step of the writer's thread even when we are cancelled: leaving it running would hand the lock
        to the next writer in the middle of our commit."""
        task = asyncio.ensure_future(step)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise

    async def schema_version(self) -> int:
        """`user_version`: how many migrations this file has."""
        return int(await self.value("PRAGMA user_version"))

    async def close(self) -> None:
        """Close both connections; waits for a running transaction."""
        async with self._lock:
            await self._checkpoints.close()
            await self.long_reads.close()
            await asyncio.to_thread(close_connection, self._connection)
            if self._writer is not None:
                await self._writer.close()
