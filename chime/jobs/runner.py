"""Runs job bodies on the loop: bounded, each id once at a time and not at once again, a raising one counted and the
process unharmed.

Nudges are only hints, so no queue of them grows without end: beyond `MOST_WAITING` of a kind they are forgotten, and
the workspace is looked through for what is due as soon as there is room again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from chime.clock import Clock
from chime.errors import NotFound, Unavailable
from chime.jobs.model import JobKind, Work
from chime.log import Log
from chime.workspaces import Registry

MOST_WAITING = 2_000
# Seconds after which a job is tried again when storage could not take what it did.
STORAGE_AGAIN_IN = 10.0
Target = tuple[str, str, str]
OpenWork = Callable[[str], AbstractAsyncContextManager[Work]]


class Runner:
    """`start` is called on the loop; a nudge for a job that is running makes it run once more afterwards."""

    open_work: OpenWork

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock
        self._kinds: dict[str, JobKind] = {}
        self._running: dict[Target, asyncio.Task[None]] = {}
        self._again: set[Target] = set()
        self._places: dict[str, asyncio.Semaphore] = {}
        self._held: Counter[str] = Counter()
        self._forgotten: dict[str, set[str]] = {}
        self._timers: dict[Target, asyncio.TimerHandle] = {}
        self._resting: dict[Target, asyncio.TimerHandle] = {}
        self._stopping = False
        self._log = Log("jobs")
        self.sweeps = 0
        self.swept = False
        """Whether all workspaces were looked through for what the last process left."""
        self.finished: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()

    def register(self, kinds: list[JobKind]) -> None:
        """Each kind has one body; a second one of the same name is a programming error."""
        for kind in kinds:
            if kind.name in self._kinds:
                raise ValueError(f"two jobs are called {kind.name}")
            self._kinds[kind.name] = kind
            self._places[kind.name] = asyncio.Semaphore(kind.at_once)

    def start_later(self, workspace_id: str, kind: str, object_id: str, delay: float) -> None:
        """Run a job in `delay` seconds, or sooner when it is asked for sooner."""
        target = (workspace_id, kind, object_id)
        loop = asyncio.get_running_loop()
        timer = self._timers.get(target)
        if timer is not None:
            if timer.when() <= loop.time() + delay:
                return
            timer.cancel()
        self._timers[target] = loop.call_later(delay, self._ring, target)

    def _ring(self, target: Target) -> None:
        del self._timers[target]
        self.start(*target)

    def start(self, workspace_id: str, kind: str, object_id: str) -> bool:
        """Run a job soon; False when it will not be. Unknown kinds (a newer Chime's queue file) are ignored: the rows
        stay."""
        target = (workspace_id, kind, object_id)
        if self._stopping or kind not in self._kinds:
            return False
        if self.holds(*target):
            self._again.add(target)
            return True
        if self._held[kind] >= MOST_WAITING:
            self._forgotten.setdefault(kind, set()).add(workspace_id)
            return False
        self._held[kind] += 1
        self._running[target] = asyncio.create_task(self._run(target))
        return True

    def holds(self, workspace_id: str, kind: str, object_id: str) -> bool:
        """Whether the job runs or rests now: to be told of it costs it no new start."""
        target = (workspace_id, kind, object_id)
        return target in self._running or target in self._resting

    async def _run(self, target: Target) -> None:
        workspace_id, kind, object_id = target
        apart = self._kinds[kind].apart
        try:
            while True:
                async with self._places[kind]:
                    await self._guarded(kind, self._body(workspace_id, kind, object_id))
                if target not in self._again or self._stopping or apart:
                    return
                self._again.discard(target)
        finally:
            if apart and not self._stopping:
                self._resting[target] = asyncio.get_running_loop().call_later(apart, self._rested, target)
            else:
                self._again.discard(target)
            del self._running[target]
            self._held[kind] -= 1
            if self._held[kind] < MOST_WAITING // 2 and kind in self._forgotten and not self._stopping:
                await self.sweep(list(self._forgotten.pop(kind)))

    def _rested(self, target: Target) -> None:
        del self._resting[target]
        if target in self._again:
            self._again.discard(target)
            self.start(*target)

    async def _body(self, workspace_id: str, kind: str, object_id: str) -> None:
        try:
            async with self.open_work(workspace_id) as work:
                await self._kinds[kind].run(work, object_id)
        except Unavailable:
            if not self._stopping:
                self.start_later(workspace_id, kind, object_id, STORAGE_AGAIN_IN)
            raise

    async def _guarded(self, kind: str, work: Awaitable[None]) -> None:
        try:
            await work
            self.finished[kind] += 1
        except (NotFound, Unavailable) as error:
            self.failed[kind] += 1
            self._log.warning("job.not_done", kind=kind, reason=type(error).__name__)
        except Exception as error:  # one job's fault must not end the others; the sweep tries it again
            self.failed[kind] += 1
            self._log.error("job.failed", error, kind=kind)

    async def sweep(self, workspace_ids: list[str]) -> None:
        """Start whatever is due in these workspaces."""
        for workspace_id in workspace_ids:
            await self._guarded("sweep", self._sweep_one(workspace_id))
            await asyncio.sleep(0)

    async def _sweep_one(self, workspace_id: str) -> None:
        async with self._registry.use(workspace_id) as workspace:
            for kind in self._kinds.values():
                for object_id in await kind.due(workspace.db, self._clock.now()):
                    self.start(workspace_id, kind.name, object_id)

    @property
    def busy(self) -> int:
        """How many jobs run, or will as soon as they have rested."""
        return len(self._running) + sum(target in self._again for target in self._resting)

    async def idle(self) -> None:
        """Wait until nothing runs (tests, and the end of a drain)."""
        while self.busy:
            if self._running:
                await asyncio.wait(list(self._running.values()))
            else:
                await asyncio.sleep(0.01)

    async def stop(self, seconds: float) -> None:
        """Take nothing new, let what runs finish; what is still running after `seconds` is cancelled (its row says
        where it was)."""
        self._stopping = True
        for timer in (*self._timers.values(), *self._resting.values()):
            timer.cancel()
        self._timers.clear()
        self._resting.clear()
        if self._running:
            _, late = await asyncio.wait(list(self._running.values()), timeout=seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
