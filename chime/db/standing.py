"""Connections that stand as long as their file is open, and what a disk that fails once does to them.

After one page that could not be read or made out, a connection answers "malformed" or "not a database" to whatever it
is asked, for ever, though the file is sound and a new one reads it. So does one that was opened while the disk was
read-only: SQLite opens such a file for reading then, and stays with it (sqlite.org/c3ref/open.html). So who keeps a
connection remembers that it was spoilt, and opens another at the next use. Of a file that is really damaged, or a disk
that is still read-only, every new one says the same.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlcipher3 import dbapi2

from chime.db.connection import Key, StorageUnavailable, open_connection, translated

_SPOILING = frozenset(
    {dbapi2.SQLITE_IOERR, dbapi2.SQLITE_CORRUPT, dbapi2.SQLITE_NOTADB, dbapi2.SQLITE_READONLY})
_PRIMARY = 0xFF  # an extended code says more in its higher bits


def open_again(path: Path, key: Key, *, writes: bool) -> Any:
    """Another connection of a file that was open before. Raises StorageUnavailable, also when the file is gone."""
    must_hold_something(path)
    return open_connection(path, key, writes=writes)


def in_place_of(spoilt: Any, path: Path, key: Key, *, writes: bool) -> Any:
    """Another connection than this one, which is closed; it stays when StorageUnavailable is raised. The new one comes
    first: whoever closes the last connection of a file empties its log, unseen by who follows it."""
    found = open_again(path, key, writes=writes)
    spoilt.close()
    return found


def must_hold_something(path: Path) -> None:
    """A disk that is not mounted shows an empty folder, where SQLite would begin an empty file. Raises
    StorageUnavailable."""
    try:
        size = path.stat().st_size
    except OSError:
        size = 0
    if size == 0:
        raise StorageUnavailable(f"{path.name} is not there")


def spoils(error: BaseException | None) -> bool:
    """Whether a connection that answered with this, or with what caused it, is good for nothing any more."""
    while error is not None:
        if isinstance(error, dbapi2.Error) and getattr(error, "sqlite_errorcode", 0) & _PRIMARY in _SPOILING:
            return True
        error = error.__cause__
    return False


class Standing(translated):
    """`translated` for the statements of one such connection, again and again. Remembers whether one of them spoilt
    it; `renew` is called before the next then, and takes `spoilt` back or raises StorageUnavailable."""

    __slots__ = ("_renew", "spoilt")

    def __init__(self, path: Path, renew: Callable[[], None] | None = None) -> None:
        super().__init__(path)
        self._renew = renew
        self.spoilt = False

    def __enter__(self) -> None:
        if self.spoilt and self._renew is not None:
            self._renew()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        if error is not None:
            self.spoilt = self.spoilt or spoils(error)
            super().__exit__(kind, error, traceback)

    def roll_back(self, connection: Any) -> None:
        """What the connection has begun is undone, now or, when even that fails, with the connection. Raises nothing:
        what is told is why it came to this."""
        if connection.in_transaction:
            try:
                connection.execute("ROLLBACK")
            except dbapi2.DatabaseError:
                self.spoilt = True
