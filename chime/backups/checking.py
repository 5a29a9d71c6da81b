"""Whether a backup is good, which is known only by restoring it; and what the shelf says of itself."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from chime.backups.laying import Laid, lay_control, lay_workspace
from chime.backups.shelf import CONTROL, CONTROL_FILE, FILES, Result, Shelf, size_of
from chime.clock import Clock
from chime.errors import Unavailable
from chime.workspaces import Control
from chime.workspaces.keys import WorkspaceKeys

_STATE = "state.json"


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a trial restore came to; `reason` when it did not go well."""

    workspace_id: str
    ok: bool
    reason: str
    as_of: int
    at: int
    seconds: float
    bytes: int


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list of backups. `reason` is why the last check failed."""

    workspace_id: str
    first: int
    last: int
    verified_at: int | None
    bytes: int
    reason: str


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What the loop notes down of the whole shelf."""

    bytes: int = 0
    trouble: str = ""
    second_at: int = 0
    second_since: int = 0
    second_trouble: str = ""
    drilled_at: int = 0
    drill_seconds: float = 0.0
    drill_reason: str = ""


class BackupState(msgspec.Struct, frozen=True, kw_only=True):
    """How things stand. None is never. `ages` are seconds since the newest restore that was checked, 0 where nothing
    changed since; a workspace that has none is not among them."""

    worst_age_seconds: float | None
    bytes: int
    second_age_seconds: float | None
    second_trouble: str
    trouble: str
    ages: dict[str, float]
    drilled_at: int | None
    drill_seconds: float


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
                              bytes=size_of(shelf.owner(owner)), reason=result.reason))
    return found


def verify(shelf: Shelf, workspace_id: str, keys: WorkspaceKeys, *, scratch: Path, clock: Clock) -> Checked:
    """Restore the newest moment of a workspace where nobody sees it, look through it, and note what came of it."""
    def lay(target: Path) -> Laid:
        return lay_workspace(shelf, workspace_id, keys, at=None, target=target)

    return _tried(shelf, workspace_id, lay, scratch, clock)


def verify_control(shelf: Shelf, masters: Sequence[bytes], *, scratch: Path, clock: Clock) -> Checked:
    """The same for control.db."""
    def lay(target: Path) -> Laid:
        return lay_control(shelf, masters, at=None, target=target)

    return _tried(shelf, CONTROL, lay, scratch, clock)


def _tried(shelf: Shelf, owner: str, lay: Callable[[Path], Laid], scratch: Path, clock: Clock) -> Checked:
    began, at = clock.monotonic(), clock.real_now()
    target = scratch / f"{owner}-{at}-{os.getpid()}"
    reason, laid = "", None
    try:
        laid = lay(target)
    except Unavailable as error:
        reason = str(error)
    except OSError as error:
        reason = f"it cannot be laid down: {error.strerror}"
    finally:
        shutil.rmtree(target, ignore_errors=True)
    seconds = round(clock.monotonic() - began, 3)
    checked = Checked(workspace_id=owner, ok=laid is not None, reason=reason, as_of=laid.as_of if laid else 0, at=at,
                      seconds=seconds, bytes=laid.bytes if laid else 0)
    before = shelf.result(owner)
    shelf.note_result(owner, Result(
        at=at, as_of=checked.as_of, good_at=at if laid else before.good_at,
        good_as_of=checked.as_of if laid else before.good_as_of, seconds=seconds, bytes=checked.bytes, reason=reason))
    return checked


async def drill(control: Control, shelf: Shelf, scratch: Path, clock: Clock) -> list[Checked]:
    """Restore everything for trial, one after the other, and note how long it took."""
    began = clock.monotonic()
    found = [await asyncio.to_thread(verify_control, shelf, control.keys.masters, scratch=scratch, clock=clock)]
    for record in await control.workspaces():
        if record.state in KEPT_STATES:
            keys = await control.workspace_keys(record.id)
            found.append(await asyncio.to_thread(verify, shelf, record.id, keys, scratch=scratch, clock=clock))
    bad = next((one for one in found if not one.ok), None)
    note(shelf, drilled_at=clock.real_now(), drill_seconds=round(clock.monotonic() - began, 3),
         drill_reason=f"{bad.workspace_id}: {bad.reason}" if bad else "")
    return found


# A muted copy is made from a backup and needs none.
KEPT_STATES = frozenset({"active", "suspended"})


def kept(shelf: Shelf) -> Kept:
    return shelf.read(shelf.folder / _STATE, Kept) or Kept()


def note(shelf: Shelf, **changes: object) -> None:
    """Write these of `Kept` down."""
    shelf.write(shelf.folder / _STATE, msgspec.structs.replace(kept(shelf), **changes))


def read_state(shelf: Shelf, now: int) -> BackupState:
    """From what lies on the shelf, whoever runs."""
    ages: dict[str, float] = {}
    never = False
    for owner in shelf.owners():
        last = span(shelf, owner)[1]
        result = shelf.result(owner)
        if not last or not result.good_at:
            never = True
        else:
            ages[owner] = 0.0 if last <= result.good_as_of else max(0, now - result.good_as_of) / 1000
    known = kept(shelf)
    return BackupState(
        worst_age_seconds=None if never or not ages else max(ages.values()), bytes=known.bytes,
        second_age_seconds=(now - known.second_at) / 1000 if known.second_at else None,
        second_trouble=known.second_trouble, trouble=known.trouble, ages=ages, drilled_at=known.drilled_at or None,
        drill_seconds=known.drill_seconds)

