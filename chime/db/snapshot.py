"""Reading a file as it was at one moment, while others go on writing it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chime.db.connection import open_connection, translated
from chime.db.file import DatabaseFile, Db, _Reads


@asynccontextmanager
async def snapshot(file: DatabaseFile) -> AsyncIterator[Db]:
    """Reads of the moment of the first one. While it is open the write-ahead log can't be emptied, so it is for minutes
    at most."""
    file.snapshots += 1
    connection = None
    try:
        connection = await asyncio.to_thread(open_connection, file.path, file.key, writes=False)
        with translated(file.path):
            connection.execute("BEGIN")
        yield _Reads(connection, file.path)
    finally:
        if connection is not None:
            connection.close()
        file.snapshots -= 1
