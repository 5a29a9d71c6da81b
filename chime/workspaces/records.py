"""Audit rows that no change carries: what was read, and what was refused.

`first` is durable when it returns: for what lets data out (a number revealed, an export, a download) and for refusals.
`soon` costs its caller nothing: the row is written within half a second, together with whatever else came meanwhile,
so that opening a conversation waits for no disk. A crash loses at most that half second of `soon`. When the disk takes
nothing, rows wait, and after `MOST_WAITING` of them nothing more may be read: no audit, no reading.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from typing import Any

import msgspec

from chime.clock import HOUR
from chime.errors import ChimeError, Unavailable
from chime.log import Log
from chime.security.permissions import SYSTEM, Actor
from chime.workspaces.transaction import Writes

SOON = 0.5
AGAIN_IN = 5.0
MOST_TOGETHER = 200
MOST_WAITING = 2_000
MOST_KEPT = 20_000
_log = Log("audit")


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One row to be."""

    actor: Actor
    action: str
    object_kind: str
    object_id: str
    details: dict[str, Any] = {}
    denied: bool = False


class Lately:
    """What was done within this hour. In memory: after a restart a row too many is written, never one too few."""

    def __init__(self) -> None:
        self._done: OrderedDict[tuple[str, ...], int] = OrderedDict()

    def was_done(self, what: tuple[str, ...], now: int) -> bool:
        return what in self._done and 0 <= now - self._done[what] < HOUR

    def do(self, what: tuple[str, ...], now: int) -> None:
        self._done[what] = now
        self._done.move_to_end(what)
        for _ in range(2):  # two at a time, so that an hour's are all that is kept
            if not 0 <= now - next(iter(self._done.values())) < HOUR:
                self._done.popitem(last=False)
        if len(self._done) > MOST_KEPT:
            self._done.popitem(last=False)

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._done)


class Records:
    """Writes the records of one file, many in one transaction. `lately` is for what need not be said twice an hour."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes
        self._waiting: deque[tuple[Record, asyncio.Future[None] | None]] = deque()
        self._running: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.lately = Lately()

    def soon(self, record: Record) -> None:
        """Have it written in a moment. Raises Unavailable when too much waits for a disk that takes nothing."""
        if len(self._waiting) >= MOST_WAITING:
            raise Unavailable("What is read here is written down, and that is not possible now.")
        self._waiting.append((record, None))
        self._later(SOON)

    async def first(self, record: Record) -> None:
        """Write it before going on. Raises Unavailable."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((record, done))
        self._drain_now()
        await done

    def _later(self, seconds: float) -> None:
        if self._timer is None and (self._running is None or self._running.done()):
            self._timer = asyncio.get_running_loop().call_later(seconds, self._drain_now)

    def _drain_now(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_TOGETHER))]
            try:
                async with self._writes.write(SYSTEM) as tx:
                    for record, _ in batch:
                        await tx.audit_for(record.actor, record.action, record.object_kind, record.object_id,
                                           record.details, denied=record.denied)
            except BaseException as error:
                self._give_back(batch, error)
                if not isinstance(error, Exception):
                    raise
                _log.error("audit.records_wait", error, waiting=len(self._waiting))
                if self._waiting:
                    asyncio.get_running_loop().call_later(AGAIN_IN, self._drain_now)
                return
            for _, done in batch:
                if done is not None and not done.done():
                    done.set_result(None)

    def _give_back(self, batch: list[tuple[Record, asyncio.Future[None] | None]], error: BaseException) -> None:
        """Who waits is told; what nobody waits for is tried again."""
        for record, done in reversed(batch):
            if done is None:
                self._waiting.appendleft((record, None))
            elif not done.done():
                done.set_exception(error if isinstance(error, Exception) else ChimeError("it was given up"))

    async def close(self) -> None:
        """Write what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._running is not None and not self._running.done():
            await asyncio.wait([self._running])
        if self._waiting:
            await self._drain()
