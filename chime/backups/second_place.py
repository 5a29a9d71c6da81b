"""The copy of the shelf in another place: a folder, or whatever `rclone` reaches.

A piece never changes under its name, so only what is new is copied. Promise: the first place is only read; a second
place that is away, slow, full, or keeps less than it was given is noticed and said; and nothing goes there because the
first place was lost or is new (see `second_thinning`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from chime.backups.pieces import PARTIAL, BackupRefused
from chime.backups.second_thinning import thin_second
from chime.backups.shelf import Shelf, made
from chime.clock import Clock

_RCLONE = "rclone:"
_LISTED = ("--files-from", "-", "--use-json-log")
# An hour's work every hour; the very first copy may take longer than that.
LONGEST = 6 * 3600
_PIECE = 1024 * 1024


def copy_to_second(shelf: Path, second: str, *, now: int | None = None, seconds: float = LONGEST) -> int:
    """Bring the second place up to date; how many files came. Raises BackupRefused with what is wrong there."""
    if second.startswith(_RCLONE):
        return _by_rclone(shelf, second.removeprefix(_RCLONE), seconds)
    target = Path(second).expanduser()
    if not target.is_dir():
        raise BackupRefused("the second place is not there; is the disk mounted?")
    if target.resolve() == shelf.resolve() or shelf.resolve() in target.resolve().parents:
        raise BackupRefused("the second place is inside the first one")
    try:
        came, there = _into_folder(shelf, target)
        thin_second(Shelf(shelf), Shelf(target), there, Clock().real_now() if now is None else now)
    except OSError as error:
        raise BackupRefused(f"the second place cannot be written: {error.strerror}") from error
    return came


def _files(shelf: Path) -> Iterator[Path]:
    """What belongs to the backup, relative to the shelf; what tells of it comes after it."""
    for folder, folders, names in os.walk(shelf):
        folders.sort()
        for name in sorted(names, key=lambda name: (name.endswith(".json"), name)):
            if not name.endswith(PARTIAL) and not name.startswith("."):
                yield (Path(folder) / name).relative_to(shelf)


def _into_folder(shelf: Path, target: Path) -> tuple[int, set[Path]]:
    """How many came, and what the first place has."""
    came, there = 0, set()
    for path in _files(shelf):
        there.add(path)
        try:
            source = (shelf / path).stat()
        except FileNotFoundError:
            continue  # thinned out meanwhile
        found = target / path
        if found.is_file():
            kept = found.stat()
            if (kept.st_size, kept.st_mtime_ns) == (source.st_size, source.st_mtime_ns):
                continue
        _copy(shelf / path, found)
        came += 1
    return came, there


def _copy(source: Path, target: Path) -> None:
    made(target.parent)
    partial = target.with_name(f"{target.name}{PARTIAL}")
    try:
        with source.open("rb") as read, os.fdopen(
                os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as written:
            digest = hashlib.sha256()
            while piece := read.read(_PIECE):
                digest.update(piece)
                written.write(piece)
            written.flush()
            os.fsync(written.fileno())
        shutil.copystat(source, partial)
        if _digest(partial) != digest.digest():
            raise BackupRefused("the second place keeps something else than it was given")
        partial.replace(target)
    except FileNotFoundError:
        if source.exists():
            raise
    finally:
        partial.unlink(missing_ok=True)


def _digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.digest()


def _by_rclone(shelf: Path, remote: str, seconds: float) -> int:
    program = shutil.which("rclone")
    if program is None:
        raise BackupRefused("CHIME_BACKUP_SECOND names an rclone remote, but rclone is not installed")
    # Pieces come while it copies: what is compared is what was there when it began. What tells of them is written anew
    # all the time, and is compared by nobody.
    files = [str(path) for path in _files(shelf)]
    pieces = [path for path in files if not path.endswith(".json")]
    _run([program, "copy", *_LISTED, str(shelf), remote], "copy to", seconds, files)
    _run([program, "check", "--one-way", *_LISTED, str(shelf), remote], "check", seconds, pieces)
    return 0


def _run(command: list[str], doing: str, seconds: float, files: list[str]) -> None:
    names = "".join(f"{path}\n" for path in files).encode()
    try:
        done = subprocess.run(command, input=names, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise BackupRefused(f"rclone did not {doing} the second place in time") from error
    except OSError as error:
        raise BackupRefused(f"rclone cannot be run: {error.strerror}") from error
    if done.returncode != 0:
        raise BackupRefused(f"rclone could not {doing} the second place (exit status {done.returncode}); "
                            "run it by hand to see why")
