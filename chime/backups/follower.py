"""Keeps one open file on the shelf: what was committed every few seconds, and a base now and then.

The file is followed by its write-ahead log (see `chime.db.following`). Where that is not possible, because the file was
written while nobody followed it, or got another key, it is looked through as it stands and compared with what is on the
shelf. Whatever goes wrong here, the file's own writers go on: then it is let go, and looked through later.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import Enum

import msgspec

from chime.backups.chain import tags
from chime.backups.frozen_copy import frozen_pages
from chime.backups.pieces import TAG, BackupRefused, Header, PieceWriter, Proofs, write_piece
from chime.backups.shelf import Followed, Place, made
from chime.clock import Clock
from chime.db import DatabaseFile, StorageUnavailable, open_connection
from chime.db.connection import translated
from chime.db.following import PAGE, Changes, FileStamp, FollowedLog, log_is_empty
from chime.errors import Unavailable
from chime.ids import Ids
from chime.log import Log
from chime.workspaces import Space

# Pages that differ: with more, a new base is as cheap.
MOST_DIFFERENT = 8_192
# Seconds, after a checkpoint that could not move everything because somebody reads.
WAIT_FOR_READERS = 1.0
_TRIES = 5
_log = Log("backups")


class Found(Enum):
    """What a step came to."""

    NOTHING = "nothing"
    SHIPPED = "shipped"
    LOOK = "look"
    BUSY = "busy"


class FileFollower:
    """Of one open file. Its methods are called in threads; one at a time works."""

    def __init__(self, file: DatabaseFile, place: Place, proofs: Callable[[], Proofs], clock: Clock, ids: Ids,
                 space: Space) -> None:
        self.file = file
        self.place = place
        self._proofs = proofs
        self._clock = clock
        self._ids = ids
        self._space = space
        self._working = threading.Lock()
        self._log: FollowedLog | None = None
        self._known: Followed | None = None
        self._lost = False
        self._away = self._leaving = False
        self._not_before = 0.0

    @property
    def busy(self) -> bool:
        return self._working.locked() or self._clock.monotonic() < self._not_before

    def step(self) -> Found:
        """Put on the shelf what was committed since the last time. Raises Unavailable, OSError; the next step tries
        again."""
        if not self._working.acquire(blocking=False):
            return Found.BUSY
        try:
            if self._away:
                return Found.NOTHING
            if self._log is None and not self._lost:
                self._attach()
            if self._lost:
                return Found.LOOK
            if self._log is None:
                return Found.NOTHING
            self._need_space()
            changes = self._log.changes()
            if not changes.size:
                return Found.NOTHING
            self._ship(changes)
            self._log.position = changes.upto
            return Found.SHIPPED
        except (Unavailable, OSError):
            self._lose()
            raise
        finally:
            self._working.release()

    def _need_space(self) -> None:
        if not self._space.enough:
            raise BackupRefused("the disk is nearly full, so no backup is made now")

    def _attach(self) -> None:
        """Begin to follow, if there is anything to follow and it can be told where to go on."""
        if self._known is None:
            self._known = self._reconciled(self.place.followed())
        if log_is_empty(self.file.path) and self._known.stamp == FileStamp.of(self.file.path):
            return
        self._log = FollowedLog(self.file.path, self.file.key)
        if not self._known.epoch or self._known.stamp != FileStamp.of(self.file.path):
            self._lose()

    def _reconciled(self, noted: Followed) -> Followed:
        """The newest piece that is there is where to go on; a process that was killed may not have noted it. Where what
        was noted does not fit what is there, the file has to be looked through."""
        there = [epoch for epoch in self.place.epochs() if self.place.names(epoch)]
        if not there:
            return Followed()
        if there[-1] != noted.epoch:
            noted = Followed(epoch=there[-1])
        try:
            newest = max(self.place.names(noted.epoch))
            header = self.place.piece(newest, noted.epoch, self._proofs()).header
        except BackupRefused as error:
            _log.error("backup.damaged", owner=self.place.owner, file=self.place.file, reason=str(error))
            return Followed()
        fits = header.number_to > noted.number or (header.number_to, header.link) == (noted.number, noted.link)
        return msgspec.structs.replace(noted, number=header.number_to, link=header.link, at=header.time_to,
                                       stamp=noted.stamp if fits else None)

    def _lose(self) -> None:
        self._lost = True
        if self._log is not None:
            log, self._log = self._log, None
            log.close()

    def _ship(self, changes: Changes) -> None:
        if self._known is None:
            raise BackupRefused("it is not known where to go on")
        self._known = self._segment(self._known, changes.pages, changes.size)

    def _segment(self, known: Followed, pages: Mapping[int, bytes], size: int) -> Followed:
        proofs, link = self._proofs(), self._ids.token(12)
        at = self._after(known.at)
        header = Header(owner=self.place.owner, file=self.place.file, epoch=known.epoch, kind="segment",
                        number_from=known.number + 1, number_to=known.number + 1, time_from=known.at, time_to=at,
                        before=known.link, link=link, size=size, pages=len(pages), key_version=proofs.current)
        write_piece(self.place.folder / known.epoch, header, proofs.key(proofs.current, header.name), pages)
        return msgspec.structs.replace(known, number=known.number + 1, link=link, at=at)

    def _after(self, before: int) -> int:
        """Now; later than what is there already, also when somebody set the clock back."""
        return max(self._clock.real_now(), before + 1)

    def checkpoint(self) -> None:
        """For the file's writers: move the log into the file."""
        if not self._working.acquire(blocking=False):
            return
        try:
            try:
                if self._log is None and not self._lost and not self._away:
                    self._attach()
                if self._log is not None:
                    self._need_space()
                    self._note(self._log.checkpoint(self._ship))
                    return
            except (Unavailable, OSError) as error:
                _log.warning("backup.let_go", owner=self.place.owner, file=self.place.file, reason=str(error))
                self._lose()
            self._plain_checkpoint()
        finally:
            self._working.release()

    def _note(self, stamp: FileStamp | None) -> None:
        if stamp is None or self._known is None:
            self._not_before = self._clock.monotonic() + WAIT_FOR_READERS
            return
        self._known = msgspec.structs.replace(self._known, stamp=stamp)
        self.place.note(self._known)

    def _plain_checkpoint(self) -> None:
        connection = open_connection(self.file.path, self.file.key, writes=True)
        try:
            with translated(self.file.path):
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        finally:
            connection.close()

    def look(self, *, base: bool = False) -> bool:
        """Look the whole file through, if it can't be followed; have a new `base` when wanted. False when it has to be
        tried again. Raises Unavailable, OSError."""
        with self._working:
            if self._away:
                return True
            self._need_space()
            try:
                return self._look(base=base)
            except (Unavailable, OSError):
                self._lose()
                raise

    def _look(self, *, base: bool) -> bool:
        if self._log is None and not self._lost:
            self._known = self._known or self._reconciled(self.place.followed())
        if self._log is None:
            self._log = FollowedLog(self.file.path, self.file.key)
            self._lost = self._lost or self._known is None or not self._known.epoch or (
                self._known.stamp != FileStamp.of(self.file.path))
        lost = self._lost
        stamp = None
        for _ in range(_TRIES):
            # From here on the file stands still, for the pin was taken when everything was in it.
            stamp = self._log.checkpoint((lambda changes: None) if lost else self._ship)
            if stamp is not None:
                break
        if stamp is None:
            return False
        if lost:
            self._known = self._caught_up(self._known or Followed(), stamp)
        elif base and self._known is not None:
            self._known = self._base(self._known, stamp, new_epoch=False)
        self._lost = False
        self._note(stamp)
        return True

    def _caught_up(self, known: Followed, stamp: FileStamp) -> Followed:
        try:
            if not known.epoch:
                raise BackupRefused("there is nothing to compare with")
            different = self._different(tags(self.place, known.epoch, self._proofs()), stamp)
        except BackupRefused:
            different = None
        if different is None or len(different) > max(16, stamp.size // PAGE // 2):
            return self._base(known, stamp, new_epoch=True)
        if not different:
            return known
        return self._segment(known, different, stamp.size // PAGE)

    def _different(self, before: dict[int, bytes], stamp: FileStamp) -> dict[int, bytes] | None:
        """The pages that are not as they are on the shelf; None when there are too many."""
        different: dict[int, bytes] = {}
        number = 0
        for piece in frozen_pages(self.file.path):
            self._unless_leaving()
            for end in range(PAGE, len(piece) + 1, PAGE):
                number += 1
                if before.get(number) != piece[end - TAG:end]:
                    different[number] = piece[end - PAGE:end]
                    if len(different) > MOST_DIFFERENT:
                        return None
        if number != stamp.size // PAGE or FileStamp.of(self.file.path) != stamp:
            raise StorageUnavailable("the file did not stand still")
        if not different and len(before) > number:
            # It only became shorter; a piece of one page says so.
            return {1: next(frozen_pages(self.file.path))[:PAGE]}
        return different

    def _base(self, known: Followed, stamp: FileStamp, *, new_epoch: bool) -> Followed:
        at, proofs = self._after(known.at), self._proofs()
        if new_epoch:
            known = Followed(epoch=f"{at:013d}-{self._ids.new(at)[-6:]}", link=self._ids.token(12), at=at)
        folder = made(self.place.folder / known.epoch)
        pages = stamp.size // PAGE
        header = Header(owner=self.place.owner, file=self.place.file, epoch=known.epoch, kind="base",
                        number_from=known.number, number_to=known.number, time_from=known.at, time_to=at, before="",
                        link=known.link, size=pages, pages=pages, key_version=proofs.current)
        writer = PieceWriter(folder, header, proofs.key(proofs.current, header.name))
        number = 1
        try:
            for piece in frozen_pages(self.file.path):
                self._unless_leaving()
                writer.add(range(number, number + len(piece) // PAGE), piece)
                number += len(piece) // PAGE
            if number - 1 != pages or FileStamp.of(self.file.path) != stamp:
                raise StorageUnavailable("the file did not stand still")
            writer.finish()
        except BaseException:
            writer.give_up()
            raise
        return msgspec.structs.replace(known, base_at=at, at=at, key_version=proofs.current)

    def _unless_leaving(self) -> None:
        if self._leaving:
            raise StorageUnavailable("the file is about to be closed")

    def let_go(self) -> None:
        """Have everything on the shelf, and the file closed."""
        self._leaving = True
        with self._working:
            if self._away:
                return
            try:
                if self._log is None and not self._lost:
                    self._attach()
                if self._log is not None:
                    self._note(self._log.checkpoint(self._ship))
            except (Unavailable, OSError) as error:
                _log.warning("backup.let_go", owner=self.place.owner, file=self.place.file, reason=str(error))
            finally:
                with suppress(Exception):
                    if self._log is not None:
                        self._log.close()
                self._log, self._lost, self._away = None, False, True

    def come_back(self) -> None:
        with self._working:
            self._away = self._leaving = False
            self._known = None

    @property
    def base_at(self) -> int:
        """When the newest base was made; 0 for never, or when that is not known here."""
        return self._known.base_at if self._known else 0
