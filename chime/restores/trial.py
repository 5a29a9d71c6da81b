"""What has to be true of a state that was restored for trial, besides that its database files are whole: its audit
trail is as it was signed, and its stored files are there and open.

Promise: of many files other ones are opened each time, so that all have their turn; what is gone from the workspace
itself, or is so new that it did not reach the shelf yet, is not held against the backup, and the gone ones are counted.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from chime import audit
from chime.backups import CONTROL, BackupRefused, Check, Trial
from chime.clock import HOUR, MINUTE, Clock
from chime.db import StorageUnavailable, open_connection
from chime.db.rekey import fits
from chime.errors import NotFound
from chime.security.crypto import CannotOpen
from chime.workspaces import Control, Space
from chime.workspaces.files import StoredFiles
from chime.workspaces.keys import WorkspaceKeys
from chime.workspaces.registry import workspace_folder

MOST_FILES = 400
MOST_BYTES = 128 * 1024 * 1024
# Of a larger file the beginning and the end are opened: each piece is sealed with its place, and the last one as such.
WHOLE, EDGE = 4 * 1024 * 1024, 256 * 1024
# A file reaches the shelf within a minute or two of its being stored.
ON_ITS_WAY = 15 * MINUTE
TURN = 6 * HOUR
# What we stored ourselves we hashed; of what came from Meta the hash was compared when it came.
_FILES = ("SELECT id, size, iif(direction = 'out', sha256, NULL) FROM media WHERE state = 'ready' UNION ALL "
          "SELECT id, size, sha256 FROM quick_reply_file WHERE dropped_at IS NULL ORDER BY 1")


class Stored(NamedTuple):
    """A file that a row names."""

    id: str
    size: int | None
    sha256: str | None


def trial_checks(control: Control) -> tuple[Check, ...]:
    """Of the running appliance and of the commands alike."""
    return functools.partial(trail_verifies, control), functools.partial(files_open, control)


async def trail_verifies(control: Control, trial: Trial) -> int:
    """Every row of it hashes to what it carries, follows the one before, and is what was signed. Raises BackupRefused.
    """
    workspace_id = None if trial.owner == CONTROL else trial.owner
    verdict = await audit.examine_copy(trial.db, workspace_id, control, Clock())
    if not verdict.ok:
        where = f" from row {verdict.first_bad} on" if verdict.first_bad else ""
        raise BackupRefused(f"its audit trail does not verify{where}: {verdict.reason}")
    return 0


async def files_open(control: Control, trial: Trial) -> int:
    """The stored files are there, and those of this turn open; how many are nowhere. Raises BackupRefused."""
    if trial.keys is None:
        return 0
    known = [Stored(*row) for row in await trial.db.rows(_FILES)]
    live = workspace_folder(control.keys.data_dir, trial.owner) / "media"
    missing, nowhere = await asyncio.to_thread(_missing, known, trial.folder / "media", live)
    if missing:
        raise BackupRefused(f"{len(missing)} of {len(known)} stored files are missing in it")
    files = StoredFiles(trial.folder / "media", trial.keys.media, trial.keys.identity, Space(trial.folder, reserve=0))
    left, bad = MOST_BYTES, 0
    for one in of_this_turn(known, trial.at):
        if left <= 0:
            break
        try:
            left -= await _opened(files, one)
        except NotFound:
            continue  # it is missing for a reason, see above
        except CannotOpen:
            bad += not _is_new(live / one.id[-2:] / one.id)
    if bad:
        raise BackupRefused(f"{bad} of the stored files that were tried do not open: they are damaged, or not ours")
    return await asyncio.to_thread(_still_named, live.parent / "workspace.db", trial.keys, nowhere) if nowhere else 0


def _missing(known: list[Stored], kept: Path, live: Path) -> tuple[list[str], list[str]]:
    """Files that are not in the backup although they are in the workspace, and not only just; and those in neither."""
    there = {entry.name for folder in os.scandir(kept) if folder.is_dir() for entry in os.scandir(folder.path)}
    absent = [one.id for one in known if one.id not in there]
    missing, nowhere = [], []
    for file_id in absent:
        path = live / file_id[-2:] / file_id
        if not path.exists():
            nowhere.append(file_id)
        elif not _is_new(path):
            missing.append(file_id)
    return missing, nowhere


def _still_named(path: Path, keys: WorkspaceKeys, file_ids: list[str]) -> int:
    """How many of these the workspace itself still counts on. What Chime removed it names no more, although a backup
    of some seconds ago does; the others somebody took away from under it."""
    try:
        key = next((key for key in keys.workspace_files if path.is_file() and fits(path, key)), None)
        connection = open_connection(path, key, writes=False) if key is not None else None
    except StorageUnavailable:
        connection = None  # says nothing of the backup
    if connection is None:
        return 0  # just taken away, or given another key; the next trial looks again
    try:
        return len({row[0] for row in connection.execute(_FILES)} & set(file_ids))
    finally:
        connection.close()  # and no checkpoint, as `close_connection` makes: the backup follows that log


def _is_new(path: Path) -> bool:
    """Whether a file of the workspace was stored, or sealed with another key, only just, or is gone."""
    try:
        return Clock().real_now() - path.stat().st_mtime_ns // 1_000_000 < ON_ITS_WAY
    except OSError:
        return True


def of_this_turn(known: list[Stored], at: int) -> list[Stored]:
    """All of a few; of many as many as can be opened, other ones each time."""
    step = -(-len(known) // MOST_FILES)
    return known[at // TURN % step::step] if step > 1 else known


async def _opened(files: StoredFiles, one: Stored) -> int:
    """How many bytes were read. Raises NotFound; CannotOpen, also when it is not the file that the row tells of."""
    size = files.size(one.id)
    if one.size is not None and one.size != size:
        raise CannotOpen("the file has another size")
    if size > WHOLE:
        return await _read(files, one.id, 0, EDGE) + await _read(files, one.id, size - EDGE, size)
    digest = hashlib.sha256()
    async for piece in files.read(one.id):
        digest.update(piece)
    if one.sha256 and digest.hexdigest() != one.sha256:
        raise CannotOpen("the file has another content")
    return size


async def _read(files: StoredFiles, file_id: str, start: int, end: int) -> int:
    return sum([len(piece) async for piece in files.read(file_id, start, end)])
