"""The write-ahead log that a process left behind when it ended without closing.

What is in it was flushed, or the flush failed and the process was killed before it wrote anything else there. Linux
takes pages whose flush failed for saved: whoever reads them finds them whole, a later flush succeeds without saving
them, and a power cut in the middle of the next checkpoint would leave half of it in the file and nothing in the log.
(Found by the scenario `fsync-error`.) So before anybody trusts such a log its bytes are written once more, and flushed.
"""

from __future__ import annotations

import os
from pathlib import Path

from sqlcipher3 import dbapi2

from chime.db.connection import Key, StorageUnavailable, close_connection, open_connection

_PIECE = 1024 * 1024


def save_again(path: Path, key: Key) -> None:
    """To be called before the first other connection of this process. Nothing when the file was closed properly, or
    when somebody is writing it: they have opened it before us. Raises StorageUnavailable when it can't be saved now
    either."""
    log = path.with_name(f"{path.name}-wal")
    if not log.exists() or log.stat().st_size == 0:
        return
    connection = open_connection(path, key, writes=True)
    try:
        connection.execute("PRAGMA busy_timeout = 0")
        try:
            # Nobody appends to the log or begins it anew while this is held.
            connection.execute("BEGIN IMMEDIATE")
        except dbapi2.OperationalError:
            return
        _write_again(log)
        connection.execute("ROLLBACK")
    except OSError as error:
        raise StorageUnavailable(f"{log.name} cannot be saved: {error.strerror}") from error
    finally:
        close_connection(connection)


def _write_again(log: Path) -> None:
    descriptor = os.open(log, os.O_RDWR)
    try:
        position = 0
        while piece := os.pread(descriptor, _PIECE, position):
            position += os.pwrite(descriptor, piece, position)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
