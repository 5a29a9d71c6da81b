"""Whether a file opens with a key, or without any: for proving that it does not.

Through SQLite and never by reading the file: closing a plain descriptor of a live database drops SQLite's locks on it.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from sqlcipher3 import dbapi2

from chime.db.connection import Key, StorageUnavailable, open_connection


def opens_with(path: Path, key: Key) -> bool:
    """Whether this key opens this file."""
    try:
        open_connection(path, key, writes=False).close()
    except StorageUnavailable:
        return False
    return True


def opens_without_key(path: Path) -> bool:
    """Whether anybody who has the file can read it; nobody can while there is none."""
    try:
        with closing(dbapi2.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except dbapi2.DatabaseError:
        return False
    return True
