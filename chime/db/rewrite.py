"""A file written anew, from its rows alone: what lay in free pages and in the gaps of others is not copied.

SQLite moves rows between pages as they grow, and leaves what it moved where it was until that place is needed. So a row
that is overwritten when it is deleted can still have a copy of long ago somewhere. The new file takes the old one's
place as one with another key does (see `rekey`).
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from chime.db.connection import Key, open_connection, translated
from chime.db.file import DatabaseFile
from chime.db.group_commit import GroupCommit
from chime.db.rekey import InUse, _check, _remove, _take_place
from chime.db.uninterrupted import to_the_end

_ENDING = ".rewritten"


async def rewrite(file: DatabaseFile, *, appender: GroupCommit | None = None) -> None:
    """Write an open file anew; who holds `file` (and `appender`, the other writer of a journal) goes on with it, and
    writers wait meanwhile. Raises InUse when another process, or a long read of this one, has the file open;
    StorageUnavailable when the disk refuses. Either way everything is as it was."""
    await to_the_end(_rewrite(file, appender))


async def _rewrite(file: DatabaseFile, appender: GroupCommit | None) -> None:
    copy = file.path.with_name(file.path.name + _ENDING)
    try:
        async with file.writers_out():
            if appender is None:
                await _through_copy(file, copy)
            else:
                async with appender.closed_meanwhile():
                    await _through_copy(file, copy)
    finally:
        await asyncio.to_thread(_remove, copy)


async def _through_copy(file: DatabaseFile, copy: Path) -> None:
    await asyncio.to_thread(_copy, file.path, file.key, copy)
    async with file.long_reads.closed_meanwhile():
        if file.snapshots:
            raise InUse(f"{file.path.name} is being read for long")
        file.swap(lambda: _take_place(file.path, file.key, copy), file.key)


def _copy(path: Path, key: Key, copy: Path) -> None:
    _remove(copy)
    # There before SQLite is, so that nobody else may read it; SQLite fills an empty file.
    os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    source = open_connection(path, key, writes=True)
    try:
        # The one statement that names a second file, and it gets the key of the first.
        source.set_authorizer(None)
        with translated(path):
            source.execute("VACUUM INTO ?", (str(copy),))
    finally:
        source.close()
    _check(copy, key)
    descriptor = os.open(copy, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
