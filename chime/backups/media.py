"""The stored files of a workspace in its backup: linked where the disk is the same, else copied.

They are sealed and never change under their name, unless a key was replaced: then the new one takes the place of the
old one. One that is gone stays on the shelf for as long as a moment at which it was there may be asked for.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec

from chime.backups.pieces import PARTIAL
from chime.backups.shelf import Shelf, made
from chime.clock import SECOND, Clock

_UNFINISHED = ".partial"
_TICK = 2 * SECOND


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """`gone`: which files are not in the workspace any more, and since when. `seen`: when each folder of it was last
    changed, as of the last look; one that was not changed since is not looked into."""

    gone: dict[str, int] = {}
    seen: dict[str, int] = {}


def keep_media(shelf: Shelf, live: Path, owner: str, now: int, kept_for: int) -> int:
    """Bring the shelf's media up to date; how many files came. Raises OSError."""
    target, note = shelf.owner(owner) / "media", shelf.owner(owner) / "media.json"
    known = shelf.read(note, Known) or Known()
    gone, seen, came = dict(known.gone), dict(known.seen), 0
    for folder in sorted({*_folders(live), *_folders(target)}):
        changed = _changed(live / folder)
        if seen.get(folder) == changed:
            continue
        there = _files(live / folder)
        for name in there:
            gone.pop(f"{folder}/{name}", None)
            came += _keep(live / folder / name, target / folder / name)
        for name in _files(target / folder) - there:
            gone.setdefault(f"{folder}/{name}", now)
        # What changes within a tick of the disk's clock would look unchanged.
        if Clock().real_now() - changed // 1_000_000 > _TICK:
            seen[folder] = changed
    for place in [place for place, since in gone.items() if now - since > kept_for]:
        (target / place).unlink(missing_ok=True)
        del gone[place]
    if (gone, seen) != (known.gone, known.seen):
        shelf.write(note, Known(gone=gone, seen=seen))
    return came


def look_anew(shelf: Shelf, owner: str) -> None:
    """Something of them may be missing on the shelf: the next time every folder is looked into."""
    note = shelf.owner(owner) / "media.json"
    known = shelf.read(note, Known)
    if known is not None and known.seen:
        shelf.write(note, Known(gone=known.gone))


def _changed(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _files(folder: Path) -> set[str]:
    try:
        return {entry.name for entry in os.scandir(folder)
                if not entry.name.endswith(_UNFINISHED) and entry.is_file(follow_symlinks=False)}
    except FileNotFoundError:
        return set()


def _folders(path: Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(path) if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def _keep(source: Path, target: Path) -> int:
    try:
        live = source.stat()
    except FileNotFoundError:
        return 0
    try:
        kept = target.stat()
        if kept.st_ino == live.st_ino and kept.st_dev == live.st_dev:
            return 0
        if (kept.st_size, kept.st_mtime_ns) == (live.st_size, live.st_mtime_ns):
            return 0
    except FileNotFoundError:
        made(target.parent)
    _put(source, target)
    return 1


def _put(source: Path, target: Path) -> None:
    partial = target.with_name(f"{target.name}{PARTIAL}")
    partial.unlink(missing_ok=True)
    try:
        os.link(source, partial)
    except FileNotFoundError:
        return
    except OSError:  # another file system, or one that knows no links
        shutil.copyfile(source, partial)
        shutil.copystat(source, partial)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
    partial.replace(target)


def lay_media(kept: Path, target: Path) -> int:
    """All of them into a new folder; their bytes. Among them are some that no row of the moment names: they came later,
    or went before. Whoever opens the folder to people has to remove those first (see `restores.unnamed`)."""
    target.mkdir(mode=0o700)
    total = 0
    for folder in _folders(kept):
        (target / folder).mkdir(mode=0o700)
        for entry in os.scandir(kept / folder):
            if not entry.name.endswith(PARTIAL):
                _put(Path(entry.path), target / folder / entry.name)
                total += entry.stat().st_size
    return total
