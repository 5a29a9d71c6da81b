"""Laying a file, a workspace or control.db out of a backup, as it was at a moment; and looking whether it is whole.

Promise: what is laid down is proven piece by piece, opens with its own key, and was looked through by SQLite from its
first page to its last; on any fault the target is removed again.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event

import msgspec

from chime.backups.chain import chosen, opened
from chime.backups.media import lay_media
from chime.backups.pieces import BackupRefused, Name, Piece, Proofs
from chime.backups.shelf import CONTROL, CONTROL_FILE, FILES, Place, Shelf, control_proofs, made, workspace_proofs
from chime.db import Key, Kind, StorageUnavailable, open_connection
from chime.db.following import PAGE
from chime.db.migrate import names as steps
from chime.db.migrate import standing
from chime.db.rekey import fits
from chime.errors import StartRefused
from chime.security.crypto import CannotOpen, context, derive
from chime.workspaces import control_key
from chime.workspaces.files import flush_names
from chime.workspaces.keys import KeyRing, WorkspaceKeys
from chime.workspaces.sealed_values import WORKSPACE_VALUES


class Laid(msgspec.Struct, frozen=True, kw_only=True):
    """What was laid down: everything committed up to `as_of`, in unix milliseconds."""

    folder: Path
    as_of: int
    bytes: int
    seconds: float
    workspace_key: Key = Key(b"")
    journal_key: Key = Key(b"")
    control_key: Key = Key(b"")

    def __repr__(self) -> str:
        return f"Laid({self.folder.name}, {self.as_of})"


class Moments(msgspec.Struct, frozen=True, kw_only=True):
    """Which moments can be laid; `points` are exact, the oldest first."""

    first: int
    last: int
    points: tuple[int, ...]


def moments(shelf: Shelf, workspace_id: str) -> Moments:
    """By the names of the pieces. Raises BackupRefused when there is nothing."""
    starts, points = [], set()
    for file in FILES:
        place = shelf.place(workspace_id, file)
        names = [name for epoch in place.epochs() for name in place.names(epoch)]
        bases = [name.time_to for name in names if name.kind == "base"]
        if not bases:
            raise BackupRefused(f"there is no backup of {file} of this workspace yet")
        starts.append(min(bases))
        points |= {name.time_to for name in names}
    first = max(starts)
    found = tuple(sorted(point for point in points if point >= first))
    return Moments(first=first, last=found[-1], points=found)


def lay_workspace(shelf: Shelf, workspace_id: str, keys: WorkspaceKeys, *, at: int | None, target: Path) -> Laid:
    """The files of a workspace into a new folder. `at` None is the newest moment. Raises BackupRefused."""
    began, proofs = time.monotonic(), workspace_proofs(keys)
    _new(target)
    try:
        as_of, total, found = [], 0, []
        for file, purpose, kind in (("workspace.db", "workspace-file", Kind.WORKSPACE),
                                    ("journal.db", "journal-file", Kind.JOURNAL)):
            moment, size = lay_file(shelf.place(workspace_id, file), proofs, at, target / file)
            key = _fitting(target / file, [Key(derive(root.secret, purpose)) for root in keys.roots.values()])
            check_file(target / file, key, kind, shelf.stopped)
            as_of.append(moment)
            total += size
            found.append(key)
        check_credential(target / "workspace.db", found[0], keys)
        total += lay_media(shelf.owner(workspace_id) / "media", target / "media")
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    return Laid(folder=target, as_of=max(as_of), bytes=total, seconds=round(time.monotonic() - began, 3),
                workspace_key=found[0], journal_key=found[1])


def lay_control(shelf: Shelf, masters: Sequence[bytes], *, at: int | None, target: Path,
                in_use: KeyRing | None = None) -> Laid:
    """control.db and control.key into a new folder; `in_use` is what an appliance runs with that was not given the
    newer master key yet. Raises BackupRefused, also when no master key fits; nothing was made then."""
    began = time.monotonic()
    rings = _rings(shelf, masters, at)
    if in_use is not None and in_use.is_left_behind:
        rings.append((max(_kept_keys(shelf))[1], in_use))
    _new(target)
    try:
        shutil.copyfile(rings[0][0] / control_key.NAME, target / control_key.NAME)
        (target / control_key.NAME).chmod(0o600)
        as_of, size = lay_file(shelf.place(CONTROL, CONTROL_FILE), control_proofs(rings[0][1]), at,
                               target / CONTROL_FILE)
        for folder, ring in rings:
            keys = [Key(one.control_file) for one in reversed(ring.bundle.generations)]
            if any(fits(target / CONTROL_FILE, key) for key in keys):
                shutil.copyfile(folder / control_key.NAME, target / control_key.NAME)
                key = _fitting(target / CONTROL_FILE, keys)
                check_file(target / CONTROL_FILE, key, Kind.CONTROL, shelf.stopped)
                break
        else:
            raise BackupRefused("no key on the shelf opens control.db of that moment")
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    return Laid(folder=target, as_of=as_of, bytes=size, seconds=round(time.monotonic() - began, 3), control_key=key)


def _rings(shelf: Shelf, masters: Sequence[bytes], at: int | None) -> list[tuple[Path, KeyRing]]:
    """The kept key files that one of these master keys opens; first the one of that moment, then the newer ones."""
    kept = _kept_keys(shelf)
    if not kept:
        raise BackupRefused("there is no backup of control.key here")
    before = [one for one in kept if at is None or one[0] <= at]
    newer = [one for one in kept if one not in before]
    found, reason = [], ""
    for _, path in [*reversed(before), *newer]:
        try:
            read = control_key.read(path, masters)
        except StartRefused as error:
            reason = reason or str(error)
            continue
        if read is not None:
            found.append((path, KeyRing(path, *read, masters)))
    if not found:
        raise BackupRefused(f"this backup cannot be opened: {reason}")
    return found


def _kept_keys(shelf: Shelf) -> list[tuple[int, Path]]:
    folder = shelf.owner(CONTROL) / "keys"
    return sorted((int(path.name), path) for path in folder.iterdir() if path.name.isdigit()) if folder.is_dir() else []


def _new(target: Path) -> None:
    try:
        made(target.parent)
        target.mkdir(mode=0o700)
    except FileExistsError as error:
        raise BackupRefused(f"{target.name} is there already; a restore needs a new folder") from error
    except OSError as error:
        raise BackupRefused(f"{target.name} cannot be made: {error.strerror}") from error


def lay_file(place: Place, proofs: Proofs, at: int | None, target: Path) -> tuple[int, int]:
    """One file; the moment it is of, and its bytes. Raises BackupRefused."""
    for epoch in reversed(place.epochs()):
        names = chosen(place.names(epoch), at)
        if names:
            pieces = list(opened(place, epoch, names, proofs))  # all of them proven before anything is written
            try:
                _write(pieces, target, place.shelf.stopped)
            except OSError as error:
                raise BackupRefused(f"{target.name} cannot be written: {error.strerror}") from error
            return names[-1].time_to, target.stat().st_size
    raise BackupRefused(f"there is no backup of {place.file} of that moment")


def _write(pieces: list[Piece], target: Path, stopped: Event) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        for piece in pieces:
            for numbers, pages in piece.pages():
                if stopped.is_set():
                    raise BackupRefused("Chime is being stopped")
                _put(descriptor, numbers, pages)
        os.ftruncate(descriptor, pieces[-1].header.size * PAGE)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    flush_names(target.parent)


def _put(descriptor: int, numbers: list[int], pages: bytes) -> None:
    """Neighbours in one go."""
    start = 0
    for place in range(1, len(numbers) + 1):
        if place == len(numbers) or numbers[place] != numbers[place - 1] + 1:
            os.pwrite(descriptor, pages[start * PAGE:place * PAGE], (numbers[start] - 1) * PAGE)
            start = place


def _fitting(path: Path, keys: Sequence[Key]) -> Key:
    for key in keys:
        if fits(path, key):
            return key
    raise BackupRefused(f"{path.name} does not open with any key that is at hand")


def check_file(path: Path, key: Key, kind: Kind, stopped: Event) -> None:
    """Raises BackupRefused."""
    try:
        connection = open_connection(path, key, writes=True)
        try:
            connection.set_progress_handler(lambda: int(stopped.is_set()), 100_000)
            if connection.execute("PRAGMA cipher_integrity_check").fetchone() is not None:
                raise BackupRefused(f"{path.name} is damaged: pages of it do not open")
            said = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if said != "ok":
                raise BackupRefused(f"{path.name} is damaged: SQLite finds it is not whole")
            if connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
                raise BackupRefused(f"{path.name} is damaged: rows of it lead nowhere")
            if standing(connection).needs > len(steps(kind)):
                raise BackupRefused(f"{path.name} was written by a newer Chime; install that version first")
        finally:
            connection.close()
    except StorageUnavailable as error:
        raise BackupRefused(f"{path.name} cannot be opened: {error}") from error


def check_credential(path: Path, key: Key, keys: WorkspaceKeys) -> None:
    """One sealed value of the workspace opens, if it has any. Raises BackupRefused."""
    connection = open_connection(path, key, writes=False)
    try:
        named = connection.execute("SELECT value FROM meta WHERE key = 'workspace_id'").fetchone()
        if named is None or named[0] != keys.identity:
            raise BackupRefused(f"{path.name} is another workspace's")
        for column in WORKSPACE_VALUES:
            with suppress(Exception):  # a table that came later is not in an older file
                row = connection.execute(column.read, ("",)).fetchone()
                if row is None:
                    continue
                keys.vault.keys.unseal(row[1], context(keys.identity, column.table, row[0], column.column))
                return
    except CannotOpen as error:
        raise BackupRefused("a sealed credential in it does not open") from error
    finally:
        connection.close()


def names_of(place: Place) -> list[Name]:
    """All its pieces."""
    return [name for epoch in place.epochs() for name in place.names(epoch)]
