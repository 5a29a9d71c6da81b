"""Whether a backup is good, which is known only by restoring it: the newest moment is laid where nobody sees it, looked
through by SQLite, brought up to date, and examined by those who know what is in it.

Promise: nothing counts as good that one of the checks was not satisfied with; a check that could not be made is no
success; and nothing of a trial is left.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from chime.backups.checking import KEPT_STATES, note
from chime.backups.laying import Laid, lay_control, lay_workspace
from chime.backups.shelf import CONTROL, CONTROL_FILE, Result, Shelf
from chime.clock import Clock
from chime.db import DatabaseFile, Kind
from chime.db.migrate import migrate
from chime.errors import Unavailable
from chime.workspaces import Control
from chime.workspaces.keys import KeyRing, WorkspaceKeys


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a trial restore came to; `reason` when it did not go well. `files_gone`: see `shelf.Result`."""

    workspace_id: str
    ok: bool
    reason: str
    as_of: int
    at: int
    seconds: float
    bytes: int
    files_gone: int


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that is laid down and open to be read. Of control.db (`owner` is `CONTROL`) there are no `keys`."""

    owner: str
    folder: Path
    db: DatabaseFile
    keys: WorkspaceKeys | None
    at: int


Check = Callable[[Trial], Awaitable[int]]
"""What has to be true of a restored state, known by who made what is in it. Raises Unavailable with what is not; what
it counts are stored files that are gone from the workspace too, for which the backup is not to blame."""
Aside = Callable[..., Awaitable[Any]]
"""Runs a function in a thread: `asyncio.to_thread`, or one with threads of its own."""


async def verify(shelf: Shelf, workspace_id: str, keys: WorkspaceKeys, *, scratch: Path, clock: Clock,
                 checks: Sequence[Check], aside: Aside = asyncio.to_thread) -> Checked:
    """Restore the newest moment of a workspace for trial, and note what came of it."""
    def lay(target: Path) -> Laid:
        laid = lay_workspace(shelf, workspace_id, keys, at=None, target=target)
        migrate(target / "workspace.db", laid.workspace_key, Kind.WORKSPACE)
        migrate(target / "journal.db", laid.journal_key, Kind.JOURNAL)
        return laid

    async def look(laid: Laid, at: int) -> int:
        db = await DatabaseFile.open(laid.folder / "workspace.db", laid.workspace_key)
        return await _satisfied(Trial(owner=workspace_id, folder=laid.folder, db=db, keys=keys, at=at), checks)

    return await _tried(shelf, workspace_id, lay, look, scratch, clock, aside)


async def verify_control(shelf: Shelf, masters: Sequence[bytes], *, scratch: Path, clock: Clock,
                         checks: Sequence[Check], aside: Aside = asyncio.to_thread, in_use: KeyRing | None = None
                         ) -> Checked:
    """The same for control.db."""
    def lay(target: Path) -> Laid:
        laid = lay_control(shelf, masters, at=None, target=target, in_use=in_use)
        migrate(target / CONTROL_FILE, laid.control_key, Kind.CONTROL)
        return laid

    async def look(laid: Laid, at: int) -> int:
        db = await DatabaseFile.open(laid.folder / CONTROL_FILE, laid.control_key)
        return await _satisfied(Trial(owner=CONTROL, folder=laid.folder, db=db, keys=None, at=at), checks)

    return await _tried(shelf, CONTROL, lay, look, scratch, clock, aside)


async def _satisfied(trial: Trial, checks: Sequence[Check]) -> int:
    try:
        return sum([await check(trial) for check in checks])
    finally:
        await trial.db.close()


async def _tried(shelf: Shelf, owner: str, lay: Callable[[Path], Laid], look: Callable[[Laid, int], Awaitable[int]],
                 scratch: Path, clock: Clock, aside: Aside) -> Checked:
    began, at = clock.monotonic(), clock.real_now()
    target = scratch / f"{owner}-{at}-{os.getpid()}"
    reason, laid, files_gone = "", None, 0
    try:
        laid = await aside(lay, target)
        files_gone = await look(laid, at)
    except Unavailable as error:
        reason = str(error)
    except OSError as error:
        reason = f"it cannot be laid down: {error.strerror}"
    finally:
        await aside(shutil.rmtree, target, ignore_errors=True)
    good = laid is not None and not reason
    checked = Checked(workspace_id=owner, ok=good, reason=reason, as_of=laid.as_of if laid else 0, at=at,
                      seconds=round(clock.monotonic() - began, 3), bytes=laid.bytes if laid else 0,
                      files_gone=files_gone)
    if not shelf.stopped.is_set():  # what was broken off says nothing
        await aside(_note_result, shelf, checked)
    return checked


def _note_result(shelf: Shelf, checked: Checked) -> None:
    before = shelf.result(checked.workspace_id)
    shelf.note_result(checked.workspace_id, Result(
        at=checked.at, as_of=checked.as_of, good_at=checked.at if checked.ok else before.good_at,
        good_as_of=checked.as_of if checked.ok else before.good_as_of, seconds=checked.seconds, bytes=checked.bytes,
        reason=checked.reason, files_gone=checked.files_gone))


async def drill(control: Control, shelf: Shelf, scratch: Path, clock: Clock, *, checks: Sequence[Check]
                ) -> list[Checked]:
    """Restore everything for trial, one after the other, and note how long it took."""
    began = clock.monotonic()
    found = [await verify_control(shelf, control.keys.masters, scratch=scratch, clock=clock, checks=checks,
                                  in_use=control.keys)]
    for record in await control.workspaces():
        if record.state in KEPT_STATES:
            keys = await control.workspace_keys(record.id)
            found.append(await verify(shelf, record.id, keys, scratch=scratch, clock=clock, checks=checks))
    bad = next((one for one in found if not one.ok), None)
    note(shelf, drilled_at=clock.real_now(), drill_seconds=round(clock.monotonic() - began, 3),
         drill_reason=f"{bad.workspace_id}: {bad.reason}" if bad else "")
    return found
