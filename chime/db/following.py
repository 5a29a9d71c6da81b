"""Reading what is committed to one file, frame by frame from its write-ahead log, while others go on writing.

A *pin* is a connection with an open read transaction. While there is one, SQLite writes no frame over one that came
after it: a pin taken when everything was in the file lets the log begin anew once, and keeps every checkpoint out, so
that the file itself stands still; any other keeps the log from beginning anew. So nothing committed since the pin was
taken can be missed, whoever writes or checkpoints, also another process. (Tried on SQLite 3.53.)

The log is read with plain reads: SQLite holds no locks on it. The file and its `-shm` are never opened here: closing
them would drop the locks of every connection of this process.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import msgspec
from sqlcipher3 import dbapi2

from chime.db.connection import Key, StorageUnavailable, open_connection, translated

PAGE = 4096
_HEADER, _FRAME = 32, 24
_READ_FRAMES = 256
_RETRIES = 20
# Pages that are held in memory at most: 8 MB. With more a checkpoint is left for later.
_MOST_REST = 2_000
_ROUNDS = 5
# For the write lock: two seconds.
_TRIES, _BETWEEN_TRIES = 4_000, 0.0005


class Follower(Protocol):
    """Who follows a file, as the file itself sees it. Each is called in a thread."""

    @property
    def busy(self) -> bool:
        """Whether it is at work on the file, so that a checkpoint has to come later."""
        ...

    def checkpoint(self) -> None:
        """Take up what is committed, then move it from the log into the file."""
        ...

    def let_go(self) -> None:
        """Close everything that is open of the file, until `come_back`."""
        ...

    def come_back(self) -> None:
        """The file may be followed again; it may be another one by now."""
        ...


class LostTrack(StorageUnavailable):
    """Something happened to the log that was not seen here: what changed has to be found by looking at the file."""


class Position(msgspec.Struct, frozen=True):
    """How far the log was read. No salts: nothing of it yet, whichever it is."""

    salts: bytes = b""
    frame: int = 0


class LoggedPages(Mapping[int, bytes]):
    """Pages that stand in the log, each read when it is asked for: a burst of large bodies is a hundred megabytes of
    them. For as long as the pin that was there when they were found keeps the log as it is. Raises LostTrack."""

    def __init__(self, log: Path, salts: bytes, places: dict[int, int]) -> None:
        self._log = log
        self._salts = salts
        self._places = places

    def __getitem__(self, number: int) -> bytes:
        place = self._places[number]
        with self._log.open("rb", buffering=0) as file:
            frame = os.pread(file.fileno(), _FRAME + PAGE, place)
        if len(frame) != _FRAME + PAGE or frame[8:16] != self._salts or frame[:4] != struct.pack(">I", number):
            raise LostTrack("the log changed while it was read")
        return frame[_FRAME:]

    def __iter__(self) -> Iterator[int]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class Changes(msgspec.Struct, frozen=True):
    """The last committed version of each page since a position. `size` is that of the file in pages, 0 when nothing was
    committed; `upto` is where they end."""

    pages: Mapping[int, bytes]
    size: int
    upto: Position


class FileStamp(msgspec.Struct, frozen=True):
    """What a file looks like from outside. Another one as soon as anything was written into it."""

    size: int
    modified: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> FileStamp | None:
        try:
            found = path.stat()
        except OSError:
            return None
        return cls(found.st_size, found.st_mtime_ns, found.st_ino)


class FollowedLog:
    """The pin of one file. Not for two threads at once."""

    def __init__(self, path: Path, key: Key) -> None:
        """Raises StorageUnavailable."""
        self._path = path
        self._key = key
        self._log = path.with_name(f"{path.name}-wal")
        self.position = Position()
        self._meter = open_connection(path, key, writes=True)
        try:
            self._pin = self._pinned()
        except BaseException:
            self._meter.close()
            raise
        self._first_salts = self._salts()

    def _pinned(self) -> Any:
        connection = open_connection(self._path, self._key, writes=False)
        try:
            self._take(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _take(self, connection: Any) -> None:
        with translated(self._path):
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()

    def changes(self) -> Changes:
        """What was committed after `position`. Raises LostTrack."""
        salts, count = self._end()
        start = self._start(salts)
        if count <= start:
            return Changes({}, 0, self.position)
        places, size = self._frames(salts, start, count)
        if size == 0:
            raise LostTrack("the log does not end where it should")
        pages: Mapping[int, bytes] = LoggedPages(self._log, salts, places)
        # A log that was there before the pin, and of which nothing was read yet, may still begin anew.
        may_vanish = not self.position.salts and salts == self._first_salts
        return Changes(dict(pages) if may_vanish else pages, size, Position(salts, count))

    def _end(self) -> tuple[bytes, int]:
        """The salts of the log as it is now and how many frames of it are committed."""
        for _ in range(_RETRIES):
            before = self._salts()
            with translated(self._path):
                row = self._meter.execute("PRAGMA wal_checkpoint(NOOP)").fetchone()
            if self._salts() == before:
                return before, max(0, int(row[1])) if before else 0
        raise StorageUnavailable("the log changes too fast to be read")

    def _salts(self) -> bytes:
        try:
            with self._log.open("rb") as file:
                header = file.read(_HEADER)
        except OSError:
            return b""
        return header[16:24] if len(header) == _HEADER else b""

    def _start(self, salts: bytes) -> int:
        known = self.position.salts
        if not known or not salts or salts == known:
            return self.position.frame if salts == known else 0
        # SQLite counts the first salt up by one each time the log begins anew.
        if _first(salts) == (_first(known) + 1) % 2**32:
            return 0
        raise LostTrack("the log began anew more than once")

    def _frames(self, salts: bytes, start: int, count: int) -> tuple[dict[int, int], int]:
        """Where the last version of each page stands, and the size of the file in pages."""
        places: dict[int, int] = {}
        size, length = 0, _FRAME + PAGE
        with self._log.open("rb") as file:
            file.seek(_HEADER + start * length)
            for first in range(start, count, _READ_FRAMES):
                wanted = min(_READ_FRAMES, count - first) * length
                piece = file.read(wanted)
                if len(piece) != wanted:
                    raise LostTrack("the log is shorter than it should be")
                for at in range(0, wanted, length):
                    number, size = struct.unpack_from(">II", piece, at)
                    if piece[at + 8:at + 16] != salts:
                        raise LostTrack("a page of the log is of another time")
                    places[number] = _HEADER + first * length + at
        return {number: place for number, place in places.items() if number <= size}, size

    def checkpoint(self, keep: Callable[[Changes], None]) -> FileStamp | None:
        """Move what is committed into the file, having given `keep` all of it; what the file looks like then, or None
        when somebody's reading kept some of it in the log. Writers wait for the last few frames only."""
        self._keep(self.changes(), keep)
        with translated(self._path):
            rest, stamp = self._moved(keep)
        if rest is not None:
            self._keep(rest, keep)
        return stamp

    def _moved(self, keep: Callable[[Changes], None]) -> tuple[Changes | None, FileStamp | None]:
        newer = self._pinned()
        self._pin.rollback()
        self._move()
        self._catch_up(keep)
        holder = open_connection(self._path, self._key, writes=True)
        rest, stamp = None, None
        try:
            if self._writers_wait(holder) and len((found := self.changes()).pages) <= _MOST_REST:
                # From here on who writes may begin the log anew.
                rest = msgspec.structs.replace(found, pages=dict(found.pages))
                newer.rollback()
                whole = self._move()
                self._take(self._pin)
                stamp = FileStamp.of(self._path) if whole else None
            else:
                self._pin, newer = newer, self._pin
        finally:
            for connection in (holder, newer):
                with suppress(Exception):
                    connection.rollback()
                connection.close()
        return rest, stamp

    def _catch_up(self, keep: Callable[[Changes], None]) -> None:
        """What came meanwhile, until little does: the rest is held in memory while writers wait."""
        for _ in range(_ROUNDS):
            changes = self.changes()
            if len(changes.pages) <= _MOST_REST // 4:
                return
            self._keep(changes, keep)

    def _writers_wait(self, holder: Any) -> bool:
        """Take the write lock; False when writers leave no gap. SQLite's own waiting gets ever longer, and who writes
        one transaction after the other would always be first."""
        holder.execute("PRAGMA busy_timeout = 0")
        for _ in range(_TRIES):
            try:
                holder.execute("BEGIN IMMEDIATE")
                return True
            except dbapi2.OperationalError:
                time.sleep(_BETWEEN_TRIES)
        return False

    def _keep(self, changes: Changes, keep: Callable[[Changes], None]) -> None:
        if changes.size:
            keep(changes)
            self.position = changes.upto

    def skip(self, changes: Changes) -> None:
        """They are not to be told: what they come to is read from the file."""
        if changes.size:
            self.position = changes.upto

    def _move(self) -> bool:
        with translated(self._path):
            busy, log, moved = self._meter.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        return int(busy) == 0 and int(log) == int(moved)

    def close(self) -> None:
        """Let go of the file."""
        for connection in (self._pin, self._meter):
            with suppress(Exception):
                connection.rollback()
            connection.close()


def _first(salts: bytes) -> int:
    return int(struct.unpack(">I", salts[:4])[0])


def log_is_empty(path: Path) -> bool:
    """Whether there is nothing in the log of this file, not even what is in the file already."""
    try:
        return os.stat(path.with_name(f"{path.name}-wal")).st_size == 0
    except FileNotFoundError:
        return True
