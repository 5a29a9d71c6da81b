"""Reads that may work long, such as a search through everything: beside the loop, and for a limited time.

They have a connection and a thread of their own, made with the first of them, so that neither the loop nor the short
reads ever wait for one. One runs at a time; what it found when its time is up is its answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from chime.db.connection import READER_CACHE, SPARING_CACHE, Key, StorageUnavailable
from chime.db.standing import Standing, in_place_of, open_again
from chime.db.uninterrupted import to_the_end

Row = tuple[Any, ...]
INTERRUPTED = "interrupted"
_KEEP_MANY, _KEEP_FEW = f"PRAGMA cache_size = -{READER_CACHE}", f"PRAGMA cache_size = -{SPARING_CACHE}"


class LongReads:
    """The long reads of one file. They see what was committed before they began."""

    def __init__(self, path: Path, key: Key) -> None:
        self._path = path
        self.key = key
        self._errors = Standing(path)
        self._turn = asyncio.Lock()
        self._connection: Any = None
        self._thread: ThreadPoolExecutor | None = None

    async def rows(self, sql: str, *values: Any, seconds: float, sparingly: bool = False) -> tuple[list[Row], bool]:
        """The rows found within `seconds`, and whether these are all. Read `sparingly`, few pages stay in memory."""
        async with self._turn:
            loop = asyncio.get_running_loop()
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, thread_name_prefix="long reads")
            if self._connection is None or self._errors.spoilt:
                await to_the_end(loop.run_in_executor(self._thread, self._open))
            timer = loop.call_later(seconds, self._connection.interrupt)
            reading = loop.run_in_executor(self._thread, self._read, sql, values,
                                           _KEEP_FEW if sparingly else _KEEP_MANY)
            try:
                return await asyncio.shield(reading)
            except asyncio.CancelledError:
                # Nobody waits for it any more; the next one must find the thread free.
                self._connection.interrupt()
                await asyncio.wait([reading])
                raise
            finally:
                timer.cancel()

    def _open(self) -> None:
        if self._connection is None:
            self._connection = open_again(self._path, self.key, writes=False)
        else:
            self._connection = in_place_of(self._connection, self._path, self.key, writes=False)
        self._errors.spoilt = False

    def _read(self, sql: str, values: tuple[Any, ...], keep: str) -> tuple[list[Row], bool]:
        found: list[Row] = []
        try:
            with self._errors:
                self._connection.execute(keep)
                for row in self._connection.execute(sql, values):
                    found.append(row)
        except StorageUnavailable as error:
            if str(error.__cause__) != INTERRUPTED:
                raise
            return found, False
        return found, True

    @asynccontextmanager
    async def closed_meanwhile(self) -> AsyncIterator[None]:
        """Inside, none runs and the connection is closed; the next one opens it anew."""
        async with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            yield

    async def let_go(self) -> None:
        """Close the connection until somebody reads again: who comes once an hour need not keep one of every file that
        is open."""
        async with self.closed_meanwhile():
            pass

    async def close(self) -> None:
        """Waits for what runs."""
        async with self._turn:
            if self._connection is not None:
                self._connection.close()
            if self._thread is not None:
                self._thread.shutdown()
