"""The running backup: what was committed goes to the shelf every few seconds, and once a minute there is a look at what
else is due: bases, media, merging, thinning, trial restores, the second place.

Promise: no step of it holds up a writer, the loop, or another workspace's step; a workspace that nobody touches costs
two looks at its files a minute; one process at a time writes the shelf.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

from chime.backups import checking
from chime.backups.checking import KEPT_STATES, files_of, note, read_state, span, wants_base
from chime.backups.chores import answer, asked_of, keep_control_key, to_second
from chime.backups.follower import FileFollower, Found
from chime.backups.levels import KEPT, merge, thin
from chime.backups.media import keep_media, look_anew
from chime.backups.pieces import Proofs
from chime.backups.shelf import CONTROL, CONTROL_FILE, Shelf, control_proofs, made, size_of, workspace_proofs
from chime.backups.telling import Teller, reason
from chime.backups.trial import Check, Checked, drill, verify, verify_control
from chime.clock import DAY, HOUR, Clock
from chime.config import Config
from chime.db import DatabaseFile
from chime.errors import NotFound, Unavailable
from chime.ids import Ids
from chime.log import Log
from chime.workspaces import Control, Registry, Workspace, control_key
from chime.workspaces.keys import WorkspaceKeys
from chime.workspaces.registry import workspace_folder

STEP_EVERY = 5.0
LOOK_EVERY = 60.0
# Seconds, when a file could not be followed.
LOOK_AGAIN = 3
CHECK_EVERY = 6 * HOUR
DRILL_EVERY = 7 * DAY
SCRATCH = "backup-scratch"
_LOCK = ".writer"
_ALL = "the shelf"
_READ = "a file could not be looked through because it is being read; try again"
T = TypeVar("T")
_log = Log("backups")


class Backups:
    """Of one installation."""

    def __init__(self, config: Config, control: Control, registry: Registry, clock: Clock, ids: Ids, *,
                 checks: Sequence[Check]) -> None:
        """`checks`: what is true of every restored state, besides that its files are whole."""
        self._config = config
        self._second = config.backup_second if config else ""
        self._control = control
        self._registry = registry
        self._clock = clock
        self._ids = ids
        self._checks = checks
        self._followers: dict[tuple[str, str], FileFollower] = {}
        self._to_look: set[str] = set()
        self._changed: set[str] = set()
        self._done_hour: dict[str, int] = {}
        self._second_hour = 0
        self._lock: int | None = None
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="backups")
        self._one_at_a_time = asyncio.Lock()
        self._key_stamp: object = None

    @cached_property
    def shelf(self) -> Shelf:
        return Shelf(self._config.backup_dir)

    @cached_property
    def teller(self) -> Teller:
        return Teller(self.shelf, self._data_dir)

    @property
    def scratch(self) -> Path:
        """Where restores are tried."""
        return self._data_dir / SCRATCH

    @property
    def _data_dir(self) -> Path:
        return self._config.data_dir

    async def _aside(self, work: Callable[..., T], *values: Any, **named: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *values, **named))

    # Who is followed

    def follow(self, workspace: Workspace) -> None:
        """A workspace was opened."""
        if self._lock is None or (workspace.id, "workspace.db") in self._followers or workspace.keys.is_copy:
            return

        def proofs() -> Proofs:
            return workspace_proofs(workspace.keys)

        self._add(workspace.id, "workspace.db", workspace.db, proofs)
        workspace.journal.follow(self._add(workspace.id, "journal.db", workspace.journal_db, proofs))

    def _add(self, owner: str, name: str, file: DatabaseFile, proofs: Callable[[], Proofs]) -> FileFollower:
        follower = FileFollower(file, self.shelf.place(owner, name), proofs, self._clock, self._ids,
                                self._registry.space)
        self._followers[owner, name] = follower
        file.follow(follower)
        return follower

    def closed(self, workspace_id: str) -> None:
        """A workspace was closed; what it had is on the shelf."""
        for name in files_of(workspace_id):
            self._followers.pop((workspace_id, name), None)
        self._changed.add(workspace_id)

    # The loop

    async def run(self) -> None:
        """For as long as the appliance runs."""
        await self._aside(self.teller.began, self._clock.real_now())
        taken = await self._aside(self._have_shelf)
        while not taken:
            await asyncio.sleep(1.0)
            taken = await self._aside(self._have_shelf)
        await self._attach()
        await asyncio.gather(self._steps(), self._looks())

    async def once(self) -> str:
        """Everything that is due, now, in a command; who calls has the shelf. What was in the way of it. Files that
        were opened before are let go when they are closed."""
        await self._attach()
        self._second_hour = 0
        return await self.look_after_all(now_all=True)

    async def _attach(self) -> None:
        if (CONTROL, CONTROL_FILE) not in self._followers:
            self._add(CONTROL, CONTROL_FILE, self._control.db, lambda: control_proofs(self._control.keys))
        self._registry.on_open, self._registry.on_close = self.follow, self.closed
        for workspace in self._registry.open_workspaces:
            self.follow(workspace)
        self._done_hour = dict.fromkeys(await self._owners(), 0)

    def _have_shelf(self) -> bool:
        """`take_shelf`, to be tried again whatever keeps us from it."""
        taken, trouble = False, ""
        try:
            taken = self.take_shelf()
        except OSError as error:
            trouble = reason(error)
        self.teller.say(_ALL, trouble)
        return taken

    def take_shelf(self) -> bool:
        """Be the one who writes it; False while another process does. Raises OSError."""
        if self._lock is not None:
            return True
        made(self.shelf.folder)
        descriptor = os.open(self.shelf.folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._lock = descriptor
        shutil.rmtree(self.scratch, ignore_errors=True)
        for owner in self.shelf.owners():
            for name in files_of(owner):
                self.shelf.place(owner, name).clear_up()
        return True

    def close(self) -> None:
        """When every file is closed."""
        self.shelf.stopped.set()
        self._threads.shutdown(wait=True, cancel_futures=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _steps(self) -> None:
        while True:
            began = self._clock.monotonic()
            await self._aside(self._step_all)
            await asyncio.sleep(max(0.5, STEP_EVERY - (self._clock.monotonic() - began)))

    def _step_all(self, *, busy_too: bool = False) -> str:
        """What was in the way. With `busy_too`, what somebody else was at has to be looked at, too."""
        trouble = ""
        for (owner, _), follower in list(self._followers.items()):
            try:
                found = follower.step()
            except (Unavailable, OSError) as error:
                trouble = f"{owner}: {reason(error)}"
                self.teller.say(owner, trouble)  # until it was looked at
                found = Found.LOOK
            if found is Found.LOOK or (busy_too and found is Found.BUSY):
                self._to_look.add(owner)
            elif found is Found.SHIPPED:
                self._changed.add(owner)
        return trouble

    async def _looks(self) -> None:
        answered = ""
        while True:
            asked = await self._aside(asked_of, self.shelf)
            trouble = await self.look_after_all(now_all=asked != answered)
            if asked != answered:
                answered = asked
                with suppress(OSError):  # who asked gives up after a while
                    await self._aside(answer, self.shelf, f"{asked}\n{trouble}")
            for second in range(int(LOOK_EVERY)):
                await asyncio.sleep(1.0)
                newer = await self._aside(asked_of, self.shelf)
                if (self._to_look and second >= LOOK_AGAIN) or newer not in ("", asked):
                    break

    # What is due

    async def _owners(self) -> list[str]:
        return [CONTROL, *(record.id for record in await self._control.workspaces() if record.state in KEPT_STATES)]

    async def look_after_all(self, *, now_all: bool = False) -> str:
        """Do everything that is due, with `now_all` also what was committed just now. What was in the way of it."""
        async with self._one_at_a_time:
            trouble = broken_off = ""
            try:
                trouble = await self._look_after_all(now_all=now_all)
            except (Unavailable, OSError) as error:
                broken_off = reason(error)
            await self._aside(self.teller.say, _ALL, broken_off)
            return trouble or broken_off

    async def _look_after_all(self, *, now_all: bool) -> str:
        now = self._clock.real_now()
        await self._aside(self._keep_control_key)
        await self._remove_erased()
        if now_all:
            await self._aside(self._step_all, busy_too=True)
        owners = await self._owners()
        self.teller.forget({_ALL, *owners})
        trouble = await self._look_after_due(owners, now)
        if now_all and not trouble:
            trouble = await self._aside(self._step_all) or (_READ if self._to_look.intersection(owners) else "")
        if not trouble and not self._to_look.intersection(owners):
            await self._aside(self.teller.looked, now)
        if kept := checking.kept(self.shelf):
            if kept.drilled_at and now - kept.drilled_at > DRILL_EVERY:
                await drill(self._control, self.shelf, self.scratch, self._clock, checks=self._checks)
            elif not kept.drilled_at:
                await self._aside(note, self.shelf, drilled_at=now)
        await self._to_second(now)
        return trouble

    async def _look_after_due(self, owners: list[str], now: int) -> str:
        trouble = ""
        for owner in await self._aside(lambda: [one for one in owners if self._is_due(one, now)]):
            said = ""
            try:
                await self._look_after(owner, now)
            except (Unavailable, NotFound, OSError) as error:
                trouble = said = f"{owner}: {reason(error)}"
                self._changed.add(owner)
            await self._aside(self.teller.say, owner, said)
        return trouble

    def _is_due(self, owner: str, now: int) -> bool:
        return (owner in self._to_look or owner in self._changed or self._done_hour.get(owner) == 0
                or self._wants_look(owner, now) or self._hour_is_over(owner, now))

    def _wants_look(self, owner: str, now: int) -> bool:
        """Whether its files have to be opened: nobody follows them and they changed, or a base is due."""
        is_open = (owner, files_of(owner)[0]) in self._followers
        return (not is_open and self._is_stale(owner)) or self._base_due(owner, now)

    def _hour_is_over(self, owner: str, now: int) -> bool:
        """Whether there may be something to merge or to thin out. Asked of each once an hour."""
        hour = now // HOUR
        if self._done_hour.get(owner) == hour:
            return False
        if hour % 24 == 0 or now - span(self.shelf, owner)[1] < 2 * DAY:
            return True
        self._done_hour[owner] = hour
        return False

    def _is_stale(self, owner: str) -> bool:
        folder = self._data_dir if owner == CONTROL else workspace_folder(self._data_dir, owner)
        return checking.is_stale(self.shelf, owner, folder)

    def _base_due(self, owner: str, now: int) -> bool:
        return any(wants_base(self.shelf.place(owner, name), now) for name in files_of(owner))

    async def _look_after(self, owner: str, now: int) -> None:
        self._to_look.discard(owner)
        self._changed.discard(owner)
        based = await self._look(owner, now)
        hour = self._done_hour.get(owner) != now // HOUR
        if owner == CONTROL:
            proofs = control_proofs(self._control.keys)
        else:
            keys = await self._control.workspace_keys(owner)
            proofs = workspace_proofs(keys)
            live = workspace_folder(self._data_dir, owner) / "media"
            await self._aside(keep_media, self.shelf, live, owner, now, KEPT)
        tight = not self._registry.space.enough
        if hour:
            for name in files_of(owner):
                place = self.shelf.place(owner, name)
                if not tight:
                    await self._aside(merge, place, proofs, now)
                await self._aside(thin, place, now, tight=tight)
            self._done_hour[owner] = now // HOUR
        if not tight and (based or await self._aside(self._check_due, owner, now)):
            await self.check(owner)

    def _check_due(self, owner: str, now: int) -> bool:
        result = self.shelf.result(owner)
        last = span(self.shelf, owner)[1]
        return bool(last) and now - result.at > CHECK_EVERY and (last > result.good_as_of or bool(result.reason))

    async def check(self, owner: str) -> Checked:
        """Restore it for trial, where nobody sees it."""
        if owner == CONTROL:
            checked = await verify_control(self.shelf, self._control.keys.masters, scratch=self.scratch,
                                           clock=self._clock, checks=self._checks, aside=self._aside,
                                           in_use=self._control.keys)
        else:
            keys: WorkspaceKeys = await self._control.workspace_keys(owner)
            checked = await verify(self.shelf, owner, keys, scratch=self.scratch, clock=self._clock,
                                   checks=self._checks, aside=self._aside)
        if not checked.ok:
            _log.error("backup.not_good", owner=owner, reason=checked.reason)
            await self._aside(look_anew, self.shelf, owner)
        return checked

    async def _look(self, owner: str, now: int) -> bool:
        """Look the files through where they could not be followed, and make bases; whether one was made."""
        if owner == CONTROL:
            return await self._look_files(owner, now)
        is_open = (owner, files_of(owner)[0]) in self._followers
        if not is_open and not await self._aside(self._wants_look, owner, now):
            return False
        async with self._registry.use(owner) as workspace:
            self.follow(workspace)
            return await self._look_files(owner, now)

    async def _look_files(self, owner: str, now: int) -> bool:
        based = False
        for name in files_of(owner):
            follower = self._followers.get((owner, name))
            if follower is None:
                continue
            before = await self._aside(follower.place.followed)
            due = await self._aside(wants_base, follower.place, now)
            found = await self._aside(follower.step)
            if due or found in (Found.LOOK, Found.BUSY):
                if not await self._aside(follower.look, base=due):
                    self._to_look.add(owner)
                after = await self._aside(follower.place.followed)
                based = based or after.base_at != before.base_at
        return based

    def _keep_control_key(self) -> None:
        stamp = control_key.stamp(self._data_dir)
        if stamp != self._key_stamp and stamp is not None:
            keep_control_key(self.shelf, self._data_dir, self._clock.real_now())
            self._key_stamp = stamp

    async def _remove_erased(self) -> None:
        """What was erased is not kept here either; its keys are gone."""
        there = set(await self._aside(self.shelf.workspace_ids))
        rows = await self._control.db.rows("SELECT id FROM workspace WHERE state = 'erased'")
        for (workspace_id,) in rows:
            if workspace_id in there:
                await self._aside(shutil.rmtree, self.shelf.owner(workspace_id), ignore_errors=True)

    async def _to_second(self, now: int) -> None:
        if now // HOUR == self._second_hour:
            return
        total = await self._aside(size_of, self.shelf.folder)
        await self._aside(note, self.shelf, bytes=total)
        self._second_hour = now // HOUR
        if self._second:
            await self._aside(to_second, self.shelf, self._second, now)

    # What others ask

    def state(self) -> checking.BackupState:
        return read_state(self.shelf, self._clock.real_now(), self.teller.now())

    async def gauges(self, _: object = None) -> dict[str, float]:
        """For /metrics."""
        state = await asyncio.to_thread(self.state)
        return checking.gauges(state, second=bool(self._second))
