"""A database as one file without a log, so that it can be renamed and linked like any other."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlcipher3 import dbapi2

from chime.db.connection import Key, StorageUnavailable, close_connection, open_connection
from chime.db.rekey import InUse


def into_one_file(path: Path, keys: Sequence[Key]) -> None:
    """Everything from the log into the file, durably, and no log: SQLite allows that to the only connection. `keys`:
    one of them is the file's. Raises InUse when somebody else has it open, StorageUnavailable when it can't be read."""
    connection = _opened(path, keys)
    try:
        connection.execute("PRAGMA busy_timeout = 0")
        if connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0] != "delete":
            raise InUse(f"{path.name} is open elsewhere")
    except dbapi2.OperationalError as error:
        raise InUse(f"{path.name} is open elsewhere") from error
    finally:
        close_connection(connection)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _opened(path: Path, keys: Sequence[Key]) -> Any:
    for key in keys[:-1]:
        try:
            return open_connection(path, key, writes=True)
        except StorageUnavailable:
            continue
    return open_connection(path, keys[-1], writes=True)
