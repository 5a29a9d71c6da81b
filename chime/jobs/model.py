"""What a job is and what its body may use."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from weakref import WeakValueDictionary

from chime.clock import Clock
from chime.db import Db
from chime.log import Log
from chime.security.limits import Limit, RateLimiter, TokenBucket
from chime.whatsapp import GraphClient
from chime.workspaces import Control, Workspace

# Meta: one message to the same person in 6 seconds, 45 at once borrowed from the future (whatsapp-messaging.md 8).
PAIR_LIMIT = (Limit(45, 270),)


class Pace:
    """How fast each number may send. Kept in memory: a restart starts with full buckets and Meta's 429 corrects it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[str, TokenBucket] = {}
        self._pairs = RateLimiter()
        # Gone as soon as nobody holds or awaits them.
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def slot(self, channel_id: str, messages_per_second: float) -> None:
        """Wait until this number may send one more message."""
        bucket = self._buckets.setdefault(channel_id, TokenBucket(messages_per_second))
        bucket.rate = min(bucket.rate, messages_per_second)
        while (wait := bucket.take(self._clock.monotonic())) > 0:  # noqa: ASYNC110 - time is what we wait for
            await asyncio.sleep(wait)

    def turn(self, conversation_id: str) -> asyncio.Lock:
        """Held while one message of a conversation is on its way; those behind it come in the order they asked."""
        lock = self._turns.get(conversation_id)
        if lock is None:
            lock = self._turns[conversation_id] = asyncio.Lock()
        return lock

    def pair(self, channel_id: str, contact_id: str) -> float:
        """Seconds until this person may get one more from this number; 0 takes the place."""
        return self._pairs.take(f"{channel_id}:{contact_id}", PAIR_LIMIT, self._clock.monotonic()).retry_after

    def slow_down(self, channel_id: str) -> None:
        """Meta said the number is too fast: send at three quarters of the rate from now on."""
        bucket = self._buckets.get(channel_id)
        if bucket is not None:
            bucket.rate = max(1.0, bucket.rate * 0.75)


@dataclass(frozen=True)
class Work:
    """What a job body gets: one workspace, Meta, time. Nothing that reaches another workspace."""

    workspace: Workspace
    control: Control
    graph: GraphClient
    clock: Clock
    pace: Pace
    log: Log


@dataclass(frozen=True)
class JobKind:
    """A kind of job: `run` does it for one id, `due` lists the ids whose time has come."""

    name: str
    run: Callable[[Work, str], Awaitable[None]]
    due: Callable[[Db, int], Awaitable[list[str]]]
