"""The doctor of a running service: a while after the start, every hour, and when somebody asks.

Promises: what it found is kept; whoever must act is told once that something is out of order, after it was found so
twice in a row, and once that it is well again; one workspace whose files are away costs the others nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from chime import channels
from chime.checked import State
from chime.clock import HOUR, SECOND
from chime.doctor import actions, numbers, queries, rounds
from chime.doctor.alarms import Alarms
from chime.doctor.ground import Ground
from chime.doctor.model import APART, INSTALLATION, Found, Turn
from chime.doctor.numbers import Trips
from chime.errors import NotFound, TooMany, Unavailable
from chime.log import Log
from chime.security.permissions import SYSTEM

FIRST_AFTER = 45.0
EVERY = HOUR / SECOND
# Something that was in order and is not any more is looked at again soon: only what is found twice is told.
AGAIN_AFTER = 300.0
LONGEST_LOOK = 300.0
_log = Log("doctor")
# Keeps a task running under a name: the supervisor's.
Start = Callable[[str, Callable[[], Awaitable[None]]], None]


class Doctor:
    """Looks around and tells. `failing` is how many checks fail, by workspace, for the badge of the settings."""

    def __init__(self, ground: Ground, alarms: Alarms, start: Start) -> None:
        self.ground = ground
        self.alarms = alarms
        self._start = start
        self.first_after = FIRST_AFTER
        self.failing: dict[str, int] = {}
        self._looking: dict[str, asyncio.Event] = {}
        self._one_at_a_time = asyncio.Lock()
        self._again: set[str] = set()

    async def run(self) -> None:
        """For ever."""
        self.failing = await queries.out_of_order(self.ground.control.db)
        await asyncio.sleep(self.first_after)
        while True:
            began = self.ground.clock.monotonic()
            await self.look_everywhere()
            if self._again:
                await asyncio.sleep(AGAIN_AFTER)
                for workspace_id in sorted(self._again):
                    await self.look(workspace_id)
            await asyncio.sleep(max(0.0, EVERY - (self.ground.clock.monotonic() - began)))

    async def look_everywhere(self) -> None:
        """The installation and every workspace, one after the other."""
        trips = Trips(self.ground)
        await self._guarded(INSTALLATION, trips)
        for record in await self.ground.control.workspaces():
            if record.state == "active":
                await self._guarded(record.id, trips)
        async with self.ground.control.ingest("doctor") as tx:
            await actions.forget_workspaces(tx)

    async def look(self, workspace_id: str) -> None:
        """One workspace, or with an empty id the installation."""
        await self._guarded(workspace_id, Trips(self.ground))

    def is_looking(self, workspace_id: str) -> bool:
        """Whether somebody's own look is under way."""
        return workspace_id in self._looking

    async def look_soon(self, workspace_id: str) -> None:
        """Somebody asks; they come back for the answer. Raises TooMany when it was looked at just now."""
        if self.is_looking(workspace_id):
            return
        waited = self.ground.clock.real_now() - await queries.looked_at(self.ground.control.db, workspace_id)
        if 0 <= waited < APART:
            raise TooMany("This was looked at just now; wait half a minute.", retry_after=(APART - waited) / SECOND)
        done = self._looking[workspace_id] = asyncio.Event()

        async def look() -> None:
            try:
                await self.look(workspace_id)
            finally:
                self._looking.pop(workspace_id, None)
                done.set()

        self._start(f"doctor {workspace_id}", look)

    async def looked(self, workspace_id: str, seconds: float) -> bool:
        """Wait so long for the look that somebody asked for; whether it was done by then."""
        done = self._looking.get(workspace_id)
        if done is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), seconds)
        return workspace_id not in self._looking

    async def _guarded(self, workspace_id: str, trips: Trips) -> None:
        """Whatever ails one workspace, the others are looked at."""
        async with self._one_at_a_time:
            try:
                async with asyncio.timeout(LONGEST_LOOK):
                    await self._look(workspace_id, trips)
            except (NotFound, Unavailable, TimeoutError) as error:
                _log.warning("doctor.not_looked", workspace=workspace_id, reason=type(error).__name__)
            except Exception as error:  # whatever it was, the others are looked at, and the log says where
                _log.error("doctor.not_looked", error, workspace=workspace_id)

    async def _look(self, workspace_id: str, trips: Trips) -> None:
        if workspace_id == INSTALLATION:
            found = [Found("", check) for check in await rounds.of_installation(self.ground, trips)]
            await self._keep(workspace_id, found, {})
            return
        async with self.ground.registry.use(workspace_id) as workspace:
            found = await numbers.of_workspace(self.ground, workspace, trips)
            titles = {channel.id: channel.title for channel in await channels.channels(workspace.db)}
        await self._keep(workspace_id, found, titles)

    async def _keep(self, workspace_id: str, found: list[Found], titles: dict[str, str]) -> None:
        """`titles` are what the numbers are called."""
        now, control = self.ground.clock.real_now(), self.ground.control
        async with control.ingest("doctor") as tx:
            turns = await actions.keep(tx, workspace_id, found, now=now)
            await self.alarms.write(tx, workspace_id, turns, titles)
        kept = await queries.kept(control.db, workspace_id)
        self.failing = await queries.out_of_order(control.db)
        (self._again.add if any(one.streak == 1 for one in kept) else self._again.discard)(workspace_id)
        await self._tell(workspace_id, turns, titles)

    async def _tell(self, workspace_id: str, turns: list[Turn], titles: dict[str, str]) -> None:
        """The log, the trail, and the bell. The mail went with what was kept."""
        if not turns:
            return
        for turn in turns:
            (_log.info if turn.is_well else _log.warning)(
                "doctor.well" if turn.is_well else "doctor.trouble", check=turn.check.name, workspace=workspace_id,
                channel=turn.channel_id)
        async with self.ground.control.write(SYSTEM) as tx:
            for turn in turns:
                if turn.is_well:
                    await tx.audit("check.mended", "check", turn.check.name, workspace_id=workspace_id,
                                   channel_id=turn.channel_id)
                else:
                    await tx.audit("check.trouble_found", "check", turn.check.name, workspace_id=workspace_id,
                                   channel_id=turn.channel_id)
        await self.alarms.ring(workspace_id, turns, titles)

    async def gauges(self, _: object) -> dict[str, int]:
        """For a monitor: how many checks were found how, of the installation and of all numbers."""
        found = await queries.counts(self.ground.control.db)
        return {f'chime_checks{{state="{state.value}"}}': found[state] for state in State}
