"""What goes in the second place: what the first one thinned out, and who was erased.

That something is not in the first place says nothing by itself: its disk may be another one, new and empty, and then
the second place is all there is. Promise: a piece goes when a longer one, or an older base of its own epoch, stands for
it in the first place, or when a later base is older than what is kept; nothing goes without such a reason to be seen.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from chime.backups.checking import files_of
from chime.backups.levels import KEPT
from chime.backups.pieces import Name
from chime.backups.shelf import CONTROL, CONTROL_FILE, Place, Shelf
from chime.clock import DAY

# The folder of an owner that was lost in the first place is made anew within minutes; if not, somebody has to look.
ERASED_WAIT = 7 * DAY
_GIVEN = ".given"


def thin_second(first: Shelf, second: Shelf, there: Collection[Path], now: int) -> None:
    """`there`: what the first place has. Raises OSError."""
    lives = first.place(CONTROL, CONTROL_FILE).epochs()
    for owner in second.owners():
        given = second.owner(owner) / _GIVEN
        if first.owner(owner).is_dir():
            _note_given(second, given, lives)
            for file in files_of(owner):
                _thin_file(first.place(owner, file), second.place(owner, file), now)
            _thin_media(first, second, owner, there, now)
        elif _was_erased(second, given, lives, now):
            shutil.rmtree(second.owner(owner))


def _note_given(second: Shelf, given: Path, lives: list[str]) -> None:
    """Who gives this owner's pieces, and when last: the epochs of control.db are names that no other shelf has."""
    if not lives:
        return
    if second.read(given, list[str]) == lives:
        os.utime(given)
    else:
        second.write(given, lives)


def _was_erased(second: Shelf, given: Path, lives: list[str], now: int) -> bool:
    """Whether this very first place gave it once, and has not had it for a while. The backup has a folder of every
    workspace there is, and takes it away when the workspace is erased."""
    if not set(second.read(given, list[str]) or ()) & set(lives):
        return False
    return now - given.stat().st_mtime_ns // 1_000_000 > ERASED_WAIT


def _thin_file(first: Place, second: Place, now: int) -> None:
    edge = max([*_old_bases(first, now), *_old_bases(second, now)], default=("", 0))
    for epoch in second.epochs():
        held = first.names(epoch)
        filenames = {name.filename for name in held}
        bases = [name.number_to for name in held if name.kind == "base"]
        longer = [name for name in held if name.kind in ("hour", "day")]
        for name in second.names(epoch):
            if name.filename not in filenames and (_is_over(name, epoch, edge)
                                                   or _is_stood_for(name, bases, longer)):
                name.path.unlink(missing_ok=True)
        if not held:
            with suppress(OSError):
                (second.folder / epoch).rmdir()  # when nothing is left in it


def _old_bases(place: Place, now: int) -> list[tuple[str, int]]:
    """Those from before everything that is kept, by epoch and number: nothing before the last of them is needed."""
    return [(epoch, name.number_to) for epoch in place.epochs() for name in place.names(epoch)
            if name.kind == "base" and name.time_to < now - KEPT]


def _is_over(name: Name, epoch: str, edge: tuple[str, int]) -> bool:
    at = (epoch, name.number_to)
    return at < edge or (at == edge and name.kind != "base")


def _is_stood_for(name: Name, bases: list[int], longer: list[Name]) -> bool:
    """Whether the first place, which reaches further back than this piece, does without it."""
    if not bases or min(bases) >= name.number_to:
        return False
    return name.kind == "base" or any(
        one.kind != name.kind and one.number_from <= name.number_from and name.number_to <= one.number_to
        for one in longer)


def _thin_media(first: Shelf, second: Shelf, owner: str, there: Collection[Path], now: int) -> None:
    """A first place that reaches back far enough had every stored file that a kept moment needs."""
    if not any(_old_bases(first.place(owner, file), now) for file in files_of(owner)):
        return
    for folder, _, names in os.walk(second.owner(owner) / "media"):
        for name in names:
            path = Path(folder, name)
            if path.relative_to(second.folder) not in there:
                path.unlink(missing_ok=True)
