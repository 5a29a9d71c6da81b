"""What the shelf says of itself: from when to when it reaches, whether it was found good (see `trial`), how old it is.

Promise: a shelf that takes nothing any more does not stay young; see `telling`.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from chime.backups.shelf import CONTROL, CONTROL_FILE, FILES, Place, Shelf, size_of
from chime.backups.telling import Told
from chime.clock import DAY
from chime.db.following import FileStamp

BASE_EVERY = DAY
_STATE = "state.json"


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list of backups. `reason` is why the last check failed; `files_gone`: see `shelf.Result`."""

    workspace_id: str
    first: int
    last: int
    verified_at: int | None
    bytes: int
    reason: str
    files_gone: int


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What the loop notes down of the whole shelf."""

    bytes: int = 0
    second_at: int = 0
    second_since: int = 0
    second_trouble: str = ""
    drilled_at: int = 0
    drill_seconds: float = 0.0
    drill_reason: str = ""


class BackupState(msgspec.Struct, frozen=True, kw_only=True):
    """How things stand. None is never. `ages` are seconds since the newest restore that was checked, 0 where nothing
    on the shelf is newer; a workspace that has none is not among them. `unlooked_seconds` have gone by since all that
    was committed was on the shelf; no age is less in `worst_age_seconds`. `trouble` is what keeps backups from being
    made, and which of them are not good; `files_gone` how many stored files are nowhere any more."""

    worst_age_seconds: float | None
    bytes: int
    second_age_seconds: float | None
    second_trouble: str
    trouble: str
    ages: dict[str, float]
    drilled_at: int | None
    drill_seconds: float
    files_gone: int
    unlooked_seconds: float = 0.0


def files_of(owner: str) -> tuple[str, ...]:
    return (CONTROL_FILE,) if owner == CONTROL else FILES


def span(shelf: Shelf, owner: str) -> tuple[int, int]:
    """The oldest and the newest moment on the shelf; zeros when there is no whole backup."""
    firsts, last = [], 0
    for file in files_of(owner):
        place = shelf.place(owner, file)
        names = [name for epoch in place.epochs() for name in place.names(epoch)]
        bases = [name.time_to for name in names if name.kind == "base"]
        if not bases:
            return 0, 0
        firsts.append(min(bases))
        last = max(last, *(name.time_to for name in names))
    return max(firsts), last


def listing(shelf: Shelf) -> list[Item]:
    """Everybody's, by the names of the pieces and the last checks."""
    found = []
    for owner in shelf.workspace_ids():
        first, last = span(shelf, owner)
        if last:
            result = shelf.result(owner)
            found.append(Item(workspace_id=owner, first=first, last=last, verified_at=result.good_at or None,
                              bytes=size_of(shelf.owner(owner)), reason=result.reason,
                              files_gone=result.files_gone))
    return found


# A muted copy is made from a backup and needs none.
KEPT_STATES = frozenset({"active", "suspended"})


def kept(shelf: Shelf) -> Kept:
    return shelf.read(shelf.folder / _STATE, Kept) or Kept()


def note(shelf: Shelf, **changes: object) -> None:
    """Write these of `Kept` down."""
    shelf.write(shelf.folder / _STATE, msgspec.structs.replace(kept(shelf), **changes))


def read_state(shelf: Shelf, now: int, told: Told | None = None) -> BackupState:
    """From what lies on the shelf and what the running backup `told` of itself, whoever runs."""
    told = told or Told()
    ages: dict[str, float] = {}
    never, troubles, files_gone = False, [told.trouble], 0
    for owner in shelf.owners():
        last = span(shelf, owner)[1]
        result = shelf.result(owner)
        files_gone += result.files_gone
        if result.reason:
            troubles.append(f"the backup of {owner} is not good: {result.reason}")
        if not last or not result.good_at:
            never = True
        else:
            ages[owner] = 0.0 if last <= result.good_as_of else max(0, now - result.good_as_of) / 1000
    known = kept(shelf)
    unlooked = max(0, now - told.looked_at) / 1000 if told.looked_at else 0.0
    return BackupState(
        worst_age_seconds=None if never or not ages else max(unlooked, *ages.values()), bytes=known.bytes,
        second_age_seconds=(now - known.second_at) / 1000 if known.second_at else None,
        second_trouble=known.second_trouble, trouble="; ".join(filter(None, troubles)), ages=ages,
        drilled_at=known.drilled_at or None, drill_seconds=known.drill_seconds, files_gone=files_gone,
        unlooked_seconds=unlooked)


def gauges(state: BackupState, *, second: bool) -> dict[str, float]:
    """For a monitor; with those of the second place if there is to be one."""
    found: dict[str, float] = {"chime_backup_bytes": state.bytes, "chime_backup_trouble": int(bool(state.trouble))}
    if state.worst_age_seconds is not None:
        found["chime_backup_age_seconds"] = round(state.worst_age_seconds)
    if second:
        found["chime_backup_second_trouble"] = int(bool(state.second_trouble))
        if state.second_age_seconds is not None:
            found["chime_backup_second_age_seconds"] = round(state.second_age_seconds)
    return found


def wants_base(place: Place, now: int) -> bool:
    """Whether the last base is a day old, and something came since."""
    known = place.followed()
    if not known.epoch or now - known.base_at <= BASE_EVERY:
        return False
    return max([name.time_to for name in place.names(known.epoch)], default=0) > known.base_at


def is_stale(shelf: Shelf, owner: str, folder: Path) -> bool:
    """Whether a closed file in `folder` is another one than when it was last on the shelf."""
    return any(FileStamp.of(folder / name) != shelf.place(owner, name).followed().stamp
               for name in files_of(owner) if (folder / name).exists())
