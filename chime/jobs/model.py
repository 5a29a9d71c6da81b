"""What a job is and what its body may use."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from chime.clock import Clock
from chime.db import Db
from chime.log import Log
from chime.security.pacing import Spacer, Spacing, TokenBucket
from chime.whatsapp import GraphClient
from chime.workspaces import Control, Workspace

# Meta: one message to the same person in 6 seconds, 45 at once borrowed from the future (whatsapp-messaging.md 8).
PAIR_SPACING = Spacing(45, 270)


# Seconds of a number's rate that may be on their way at once. Meta answers in 0.1 to 0.3 s; what is on its way when
# the process dies is in doubt afterwards, so it is no more than the rate needs.
SECONDS_IN_FLIGHT = 0.3
FEWEST_IN_FLIGHT = 16
# Files of one number on their way at once. Each may take Meta minutes, so they take no place from what has none.
MOST_UPLOADS = 8
# Longer than the client's own deadlines together, an upload's included.
LONGEST_SEND = 600.0
# After so many sends in a row without any answer one message at a time is tried, a second and later half a minute
# apart: a server that comes back is not met by everything that waited.
FAILURES_TO_SLOW = 3
LONGEST_PROBE = 30.0
# A number that Meta called too fast regains its rate by a tenth each minute without another word.
RECOVERY = 1.1
SAME_REFUSAL = 1.0
RECOVERY_SECONDS = 60.0


class Lane:
    """What one number has on its way to Meta. Kept in memory: at the start nothing is on its way."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.on_its_way: dict[str, float] = {}
        """Messages, and since when (monotonic seconds)"""
        self.uploading: set[str] = set()
        """Those of them whose file is not at Meta yet"""
        self.more_waits = False
        self._failures = 0
        self._probe_at = 0.0
        self._slowed_at = 0.0

    def free(self, messages_per_second: float) -> int:
        """How many more messages may be started now. One whose job never came to its end is forgotten in time."""
        late = self._clock.monotonic() - LONGEST_SEND
        for message_id in [message_id for message_id, since in self.on_its_way.items() if since < late]:
            self.ended(message_id)
        if self._failures >= FAILURES_TO_SLOW:
            return 0 if self._sending() or self.probe_in() > 0 else 1
        return max(FEWEST_IN_FLIGHT, int(messages_per_second * SECONDS_IN_FLIGHT)) - self._sending()

    def free_uploads(self) -> int:
        """How many more of them may have a file to upload."""
        return MOST_UPLOADS - len(self.uploading)

    def ended(self, message_id: str) -> None:
        self.on_its_way.pop(message_id, None)
        self.uploading.discard(message_id)

    def _sending(self) -> int:
        return len(self.on_its_way) - len(self.uploading)

    def probe_in(self) -> float:
        """Seconds until Meta may be tried again; 0 unless it did not answer lately."""
        return max(0.0, self._probe_at - self._clock.monotonic()) if self._failures >= FAILURES_TO_SLOW else 0.0

    def answered(self) -> None:
        """Meta said something, be it a refusal: it is there."""
        self._failures = 0

    def unanswered(self, message_id: str) -> None:
        """Those that were on their way already when it slowed down say nothing new: a burst that fails at once is one
        failure more, not fifty, which would leave a Meta that is back untried for half a minute."""
        now = self._clock.monotonic()
        is_slow = self._failures >= FAILURES_TO_SLOW
        if is_slow and self.on_its_way.get(message_id, now) < self._slowed_at:
            return
        self._failures += 1
        over = self._failures - FAILURES_TO_SLOW
        if over >= 0:
            self._slowed_at = now
            self._probe_at = now + min(2.0 ** min(over, 10), LONGEST_PROBE)

    def wants_more(self, messages_per_second: float) -> bool:
        """Whether it is worth looking for more to send: not for every single one that has ended, while many run."""
        capacity = max(FEWEST_IN_FLIGHT, int(messages_per_second * SECONDS_IN_FLIGHT))
        return self.more_waits and self._sending() <= capacity - capacity // 8


class Pace:
    """How fast each number may send. Kept in memory: a restart starts with full buckets and Meta's 429 corrects it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[str, TokenBucket] = {}
        self._pairs = Spacer(PAIR_SPACING)
        self._lanes: dict[str, Lane] = {}
        self._lane_of: dict[str, Lane] = {}
        self._slowed: dict[str, float] = {}

    def lane(self, channel_id: str) -> Lane:
        """What this number has on its way."""
        lane = self._lanes.get(channel_id)
        if lane is None:
            lane = self._lanes[channel_id] = Lane(self._clock)
        return lane

    def begin(self, channel_id: str, message_id: str, *, uploads: bool = False) -> None:
        """A message of this number is on its way, until `end`; with a file to upload, until `uploaded`."""
        lane = self.lane(channel_id)
        lane.on_its_way[message_id] = self._clock.monotonic()
        if uploads:
            lane.uploading.add(message_id)
        self._lane_of[message_id] = lane

    def uploaded(self, message_id: str) -> None:
        lane = self._lane_of.get(message_id)
        if lane is not None:
            lane.uploading.discard(message_id)

    def on_its_way(self, message_id: str) -> bool:
        """Whether this process is sending the message now."""
        return message_id in self._lane_of

    def end(self, message_id: str) -> None:
        lane = self._lane_of.pop(message_id, None)
        if lane is not None:
            lane.ended(message_id)

    async def slot(self, channel_id: str, messages_per_second: float) -> None:
        """Wait until this number may send one more message."""
        bucket = self._buckets.setdefault(channel_id, TokenBucket(messages_per_second))
        self._recover(channel_id, bucket, messages_per_second)
        while (wait := bucket.take(self._clock.monotonic())) > 0:  # noqa: ASYNC110 - time is what we wait for
            await asyncio.sleep(wait)

    def _recover(self, channel_id: str, bucket: TokenBucket, full: float) -> None:
        slowed = self._slowed.get(channel_id)
        if slowed is None:
            bucket.rate = full
        elif (minutes := (self._clock.monotonic() - slowed) // RECOVERY_SECONDS) > 0:
            # Also those in which it had nothing to send, or the next campaign begins where the last one was slowed.
            bucket.rate = min(full, bucket.rate * RECOVERY ** min(minutes, 100))
            self._slowed[channel_id] = slowed + minutes * RECOVERY_SECONDS
            if bucket.rate >= full:
                del self._slowed[channel_id]

    def pair(self, channel_id: str, contact_id: str) -> float:
        """Seconds until this person may get one more from this number; 0 takes the place."""
        return self._pairs.take(f"{channel_id}:{contact_id}", self._clock.monotonic())

    def slow_down(self, channel_id: str) -> None:
        """Meta said the number is too fast: send at three quarters of the rate from now on. What was on its way then
        is refused with it and says nothing new."""
        bucket, now = self._buckets.get(channel_id), self._clock.monotonic()
        if bucket is not None and now - self._slowed.get(channel_id, -SAME_REFUSAL) >= SAME_REFUSAL:
            bucket.rate = max(1.0, bucket.rate * 0.75)
            self._slowed[channel_id] = now


class Start(Protocol):
    """Has a job of the same workspace run, soon or after some seconds; False when there is no room for it now. In
    memory only: the sweep finds what is lost."""

    def __call__(self, kind: str, object_id: str, *, delay: float = 0.0) -> bool: ...


class Egress(Protocol):
    """The one client for hosts outside that are not Meta: `chime.web.egress`, which stands above this room."""

    async def fetch(self, url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes = b"",
                    most: int = 0, is_sealed: bool = False) -> Any: ...


class Mailer(Protocol):
    """Queues mails: `chime.web.mail`."""

    @property
    def configured(self) -> bool: ...

    @property
    def contact(self) -> str: ...

    def link(self, path: str) -> str: ...

    async def send(self, to: str, subject: str, text: str, *, name: str = "", html: str = "") -> str: ...

    async def tell(self, to: str, subject: str, text: str, *, name: str = "", html: str = "") -> str: ...


@dataclass(frozen=True)
class Work:
    """What a job body gets: one workspace, Meta, time, the ways out. Nothing that reaches another workspace."""

    workspace: Workspace
    control: Control
    graph: GraphClient
    clock: Clock
    pace: Pace
    log: Log
    start: Start
    egress: Egress
    mailer: Mailer


@dataclass(frozen=True)
class JobKind:
    """A kind of job: `run` does it for one id, `due` lists the ids whose time has come. At most `at_once` of a kind
    run at a time, whatever the other kinds do: a Meta that does not answer must not keep webhooks from being applied.
    After a run its id rests for `apart` seconds: what comes meanwhile is done together by the next one, instead of in
    a transaction of its own. The first after a rest is not kept waiting.
    """

    name: str
    run: Callable[[Work, str], Awaitable[None]]
    due: Callable[[Db, int], Awaitable[list[str]]]
    at_once: int = 32
    apart: float = 0.0
