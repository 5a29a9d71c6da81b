"""Another key for a file, while it is in use and however the machine stops.

The file is copied as it is, the copy gets the new key and is checked, and takes the file's place by one rename. Until
then everybody reads the old file; writers wait. Nobody else may have the file open at the moment of the rename, because
a log by the same name would then belong to two files: SQLite itself is asked, by leaving the write-ahead log, which it
allows to the only connection.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlcipher3 import dbapi2

from chime.db.connection import Key, StorageUnavailable, close_connection, open_connection, translated
from chime.db.file import DatabaseFile
from chime.db.group_commit import GroupCommit
from chime.db.uninterrupted import to_the_end

_ENDING = ".rekeyed"
_PAGE, _SALT, _MAC = 4096, 16, 64


class InUse(StorageUnavailable):
    """Somebody else has the file open; nothing was changed, and it can be tried again."""


def fitting(path: Path, candidates: Sequence[Key]) -> Key:
    """The first of these that is the file's key; the first of all when there is no file yet, or when none is: opening
    it will say so."""
    if len(candidates) == 1 or not path.exists():
        return candidates[0]
    return next((key for key in candidates if fits(path, key)), candidates[0])


def fits(path: Path, key: Key) -> bool:
    """Whether this is the key of the file."""
    # Read-only: such a connection can't move anything out of a log that another process left behind.
    connection = _keyed(path, key, "ro")
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except dbapi2.DatabaseError as error:
        if "readonly" in str(error):
            # There is a log to recover first, which takes the right key; so nobody has the file open either.
            return _opens_first_page(path, key)
        if isinstance(error, dbapi2.OperationalError):
            raise StorageUnavailable(f"{path.name} cannot be used: {error}") from error
        return False
    finally:
        connection.close()
    return True


def _opens_first_page(path: Path, key: Key) -> bool:
    """Look at the file's own bytes (SQLCipher 4: pages of 4,096, at their end an initialisation vector and an
    HMAC-SHA512 over the page and its number). Not for a file of which this process has a connection: closing it here
    would drop that one's locks."""
    with path.open("rb") as file:
        page = file.read(_PAGE)
    if len(page) < _PAGE:
        return False
    salt = bytes(byte ^ 0x3A for byte in page[:_SALT])
    own = hashlib.pbkdf2_hmac("sha512", key, salt, 2, 32)
    return hmac.compare_digest(hmac.digest(own, page[_SALT:-_MAC] + struct.pack("<I", 1), "sha512"), page[-_MAC:])


def _keyed(path: Path, key: Key, mode: str) -> Any:
    connection = dbapi2.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None,
                                check_same_thread=False)
    connection.execute("PRAGMA cipher_log_level = NONE")
    connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
    return connection


async def change_key(file: DatabaseFile, key: Key, *, appender: GroupCommit | None = None) -> None:
    """Give an open file another key; who holds `file` (and `appender`, the other writer of a journal) goes on with it.
    Raises InUse when another process, or a long read of this one, has the file open; StorageUnavailable when the disk
    refuses. Either way everything is as it was."""
    # Half of it would leave the file closed.
    await to_the_end(_change(file, key, appender))


async def _change(file: DatabaseFile, key: Key, appender: GroupCommit | None) -> None:
    if file.key == key:
        return
    copy = file.path.with_name(file.path.name + _ENDING)
    try:
        async with file.writers_out():
            if appender is None:
                await _through_copy(file, key, copy)
            else:
                async with appender.closed_meanwhile() as reopen_with:
                    await _through_copy(file, key, copy)
                    reopen_with(key)
    finally:
        await asyncio.to_thread(_remove, copy)


async def _through_copy(file: DatabaseFile, key: Key, copy: Path) -> None:
    await asyncio.to_thread(_copy, file.path, file.key, key, copy)
    async with file.long_reads.closed_meanwhile():
        if file.snapshots:
            raise InUse(f"{file.path.name} is being read for long")
        file.swap(lambda: _take_place(file.path, file.key, copy), key)


def _copy(path: Path, old: Key, new: Key, copy: Path) -> None:
    _remove(copy)
    os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    source = open_connection(path, old, writes=True)
    try:
        target = _keyed(copy, old, "rw")
        try:
            with translated(path):
                # What is in the log goes into the file, so that the rename needs not wait for that.
                source.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                source.backup(target)
                # A log of the copy would not be renamed with it; nobody needs the half-made copy after a crash.
                target.execute("PRAGMA journal_mode = MEMORY")
                target.execute(f"PRAGMA rekey = \"x'{new.hex()}'\"")
        finally:
            target.close()
    finally:
        source.close()
    _check(copy, new)
    descriptor = os.open(copy, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check(copy: Path, key: Key) -> None:
    """Every page opens with the new key, and says it is a whole database."""
    connection = _keyed(copy, key, "ro")
    try:
        with translated(copy):
            faults = connection.execute("PRAGMA cipher_integrity_check").fetchall()
            if faults or connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise StorageUnavailable(f"the copy of {copy.name.removesuffix(_ENDING)} is not whole")
    finally:
        connection.close()


def _take_place(path: Path, old: Key, copy: Path) -> None:
    """The rename. No connection of ours is open now. Raises InUse."""
    last = open_connection(path, old, writes=True)
    try:
        last.execute("PRAGMA busy_timeout = 0")
        try:
            alone = last.execute("PRAGMA journal_mode = DELETE").fetchone()[0] == "delete"
        except dbapi2.OperationalError as error:
            raise InUse(f"{path.name} is open elsewhere") from error
        if not alone:
            raise InUse(f"{path.name} is open elsewhere")
    finally:
        close_connection(last)
    copy.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _remove(copy: Path) -> None:
    for name in (copy.name, f"{copy.name}-journal", f"{copy.name}-wal", f"{copy.name}-shm"):
        copy.with_name(name).unlink(missing_ok=True)
