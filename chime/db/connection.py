"""Opening one encrypted SQLite file.

Promise: a connection that comes out of here is encrypted with the given key, has every setting below (read back, not
assumed) and is refused ATTACH and DETACH by an authorizer, so no statement can name a second file.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NewType

from sqlcipher3 import dbapi2

from chime.errors import Unavailable

Key = NewType("Key", bytes)
"""A raw 256-bit file key."""

# The WAL-reset corruption was fixed in 3.51.3 (performance.md 2.5); nothing older may touch a customer's file.
MINIMUM_SQLITE = (3, 51, 3)
BUSY_TIMEOUT = 5_000
# Pages. Checkpoints are made beside the writers (see `checkpoint`); this is for when those do not keep up.
LONGEST_LOG = 16_000
# Kibibytes, taken as they are needed. A page that is not in here costs a read and a decryption.
WRITER_CACHE = 16_384
READER_CACHE = 8_192
SPARING_CACHE = 256
# Bytes that the caches of all files have together, of all connections of the process: one workspace needs a third of
# it, and sixty busy ones would take gigabytes. From there on each makes room among its own pages for a new one.
ALL_CACHES = 256 * 2**20
FORGET_PAGES = "PRAGMA shrink_memory"

_SETTINGS: tuple[tuple[str, str, object], ...] = (
    ("synchronous", "FULL", 2),
    ("foreign_keys", "ON", 1),
    ("trusted_schema", "OFF", 0),
    ("cell_size_check", "ON", 1),
    ("secure_delete", "FAST", 2),
    ("busy_timeout", str(BUSY_TIMEOUT), BUSY_TIMEOUT),
    ("temp_store", "MEMORY", 2),
    ("journal_size_limit", "67108864", 67_108_864),
    ("soft_heap_limit", str(ALL_CACHES), ALL_CACHES),
)


class StorageUnavailable(Unavailable):
    """The file cannot be read or written now: full, read-only, damaged, locked, or the key is not its key."""


def open_connection(path: Path, key: Key, *, writes: bool, create: bool = False) -> Any:
    """A DB-API connection in autocommit mode. Raises StorageUnavailable when the file or key does not fit."""
    mode = "rwc" if create else "rw"
    with translated(path):
        connection = dbapi2.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None,
                                    check_same_thread=False, cached_statements=256)
    try:
        with translated(path):
            _prepare(connection, key, writes=writes)
    except BaseException:
        connection.close()
        raise
    return connection


def close_connection(connection: Any) -> None:
    """Close it; not on the loop. The last one to close a file empties its log, flush after flush, and the driver lets
    no other thread run meanwhile: a statement before does the same and does."""
    with suppress(dbapi2.Error):
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    connection.close()


def _prepare(connection: Any, key: Key, *, writes: bool) -> None:
    # A wrong key is our caller's to report; SQLCipher's own lines on stderr say nothing a person can use.
    connection.execute("PRAGMA cipher_log_level = NONE")
    connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
    if connection.execute("PRAGMA cipher_version").fetchone() is None:
        raise StorageUnavailable("this SQLite cannot encrypt; reinstall Chime with its own packages")
    version = tuple(int(part) for part in dbapi2.sqlite_version.split("."))
    if version < MINIMUM_SQLITE:
        raise StorageUnavailable(f"SQLite {dbapi2.sqlite_version} is too old; reinstall Chime with its own packages")
    if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise StorageUnavailable("the file system does not allow write-ahead logging")
    for name, value, expected in _SETTINGS:
        connection.execute(f"PRAGMA {name} = {value}")
        _expect(connection, name, expected)
    connection.execute(f"PRAGMA wal_autocheckpoint = {LONGEST_LOG if writes else 0}")
    connection.execute(f"PRAGMA cache_size = -{WRITER_CACHE if writes else READER_CACHE}")
    if not writes:
        connection.execute("PRAGMA query_only = ON")
        _expect(connection, "query_only", 1)
    connection.set_authorizer(_one_file_only)


def _expect(connection: Any, name: str, expected: object) -> None:
    found = connection.execute(f"PRAGMA {name}").fetchone()[0]
    if found != expected:
        raise StorageUnavailable(f"SQLite did not take the setting {name} = {expected!r} (it says {found!r})")


def _one_file_only(action: int, first: str | None, *_: object) -> int:
    # VACUUM attaches an unnamed temporary file itself; anything with a name would be a second file.
    if action == dbapi2.SQLITE_ATTACH and first != "":
        return int(dbapi2.SQLITE_DENY)
    return int(dbapi2.SQLITE_OK)


class translated:
    """Turns the driver's errors about the file into StorageUnavailable; programming errors stay what they are. A class,
    since a generator takes five times as long and a webhook passes two dozen of these."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        if isinstance(error, dbapi2.DatabaseError) and _is_about_the_file(error):
            raise StorageUnavailable(f"{self._path.name} cannot be used: {error}") from error


def _is_about_the_file(error: dbapi2.DatabaseError) -> bool:
    if isinstance(error, dbapi2.IntegrityError | dbapi2.ProgrammingError):
        return False
    return "no such" not in str(error) and "syntax error" not in str(error)
