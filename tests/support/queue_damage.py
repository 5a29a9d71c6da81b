"""What may happen to `queue.db` under a running Chime, done from outside with the means of any program."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path


def drop_tables(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        for (table,) in file.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            file.execute(f"DROP TABLE {table}")


def overwrite(path: Path) -> None:
    """With junk, in place: the same file goes on being open."""
    _written_by_another(path)
    with path.open("r+b") as file:
        file.write(os.urandom(path.stat().st_size))


def empty(path: Path) -> None:
    _written_by_another(path)
    os.truncate(path, 0)


def cut(path: Path) -> None:
    _written_by_another(path)
    os.truncate(path, path.stat().st_size // 2)


def delete(path: Path) -> None:
    """Whoever has it open goes on with what has no name any more."""
    for part in (path, path.with_name("queue.db-wal"), path.with_name("queue.db-shm")):
        part.unlink(missing_ok=True)


def _written_by_another(path: Path) -> None:
    """So that nothing is left in the log, and what Chime remembers of the pages counts for nothing: it has to read."""
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("INSERT OR REPLACE INTO kv VALUES ('another', 'key', x'00')")
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")


# In this order the first four are those of the promise.
IN_SERVICE: dict[str, Callable[[Path], None]] = {
    "tables dropped": drop_tables, "overwritten": overwrite, "emptied": empty, "deleted": delete, "cut": cut}
