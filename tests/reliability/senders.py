"""Meta's side of the webhooks: signs bodies and posts them over keep-alive connections, again and again until 200.

Retries come within half a second instead of within days. Promise: a delivery counts as acknowledged only when a whole
answer with status 200 was read; a connection that broke before that, or 20 silent seconds, is a failure as at Meta.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from chime.security.signatures import signature
from tests.support.world import APP_SECRET

PATIENCE = 20.0
PAUSES = (0.05, 0.4)
LONGEST_PAUSE = 1.5
# So many unanswered posts are enough to have in hand; more would only keep our own core busy with knocking.
MOST_OUTSTANDING = 600
# Statuses Meta may meet on a healthy or an overloaded server; any other is a fault of the server.
ORDINARY = frozenset({200, 503})


class Delivery(msgspec.Struct, frozen=True):
    """A body, and whatever its maker wants to know of it again."""

    body: bytes
    tells: Any = None


class Broken(Exception):
    """The connection ended before the whole answer was there."""


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request at a time."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    async def ask(self, request: bytes, patience: float = PATIENCE) -> tuple[int, bytes]:
        """Status and body of the answer. Raises Broken."""
        if self._transport is None or self._transport.is_closing():
            raise Broken
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            async with asyncio.timeout(patience):
                return await self._answer
        except TimeoutError:
            self.close()
            raise Broken from None

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
        if len(rest) < length:
            return
        self._buffer = b""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((int(head[9:12]), rest))
        if b"connection: close" in head.lower():
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Broken())

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    @property
    def usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()


class Sender:
    """Posts to one address. `acknowledged` holds the deliveries answered 200, in the order of their answers."""

    def __init__(self, port: int, path: str, luck: random.Random, *, connections: int = 32, secret: str = APP_SECRET,
                 on_acknowledged: Callable[[Delivery], None] = lambda delivery: None) -> None:
        self._port = port
        self._path = path
        self._secret = secret.encode()
        self._luck = luck
        self._places = asyncio.Semaphore(connections)
        self._idle: deque[Connection] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._on_acknowledged = on_acknowledged
        self.answers: Counter[int] = Counter()
        """By status; 0 counts the posts without a whole answer."""
        self.acknowledged: list[Delivery] = []
        self.milliseconds: list[float] = []
        """From each post that was acknowledged to its answer."""

    def request(self, body: bytes) -> bytes:
        """The whole signed HTTP request."""
        head = (f"POST {self._path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
                f"x-hub-signature-256: {signature(self._secret, body)}\r\ncontent-length: {len(body)}\r\n\r\n")
        return head.encode() + body

    async def post(self, body: bytes) -> int:
        """One try: the status, 0 when no whole answer came."""
        async with self._places:
            try:
                connection = await self._connected()
                status, _ = await connection.ask(self.request(body))
            except (OSError, Broken):
                self.answers[0] += 1
                return 0
            if connection.usable:
                self._idle.append(connection)
            self.answers[status] += 1
            return status

    async def _connected(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
        _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", self._port)
        return connection

    async def deliver(self, delivery: Delivery) -> None:
        """Post until it is answered 200, with growing pauses."""
        for attempt in itertools.count():
            begun = time.perf_counter()
            if await self.post(delivery.body) == 200:
                self.milliseconds.append((time.perf_counter() - begun) * 1000)
                self.acknowledged.append(delivery)
                self._on_acknowledged(delivery)
                return
            await asyncio.sleep(min(self._luck.uniform(*PAUSES) * 2 ** min(attempt, 8), LONGEST_PAUSE))

    def start(self, delivery: Delivery) -> None:
        """Deliver it in the background."""
        task = asyncio.create_task(self.deliver(delivery))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def at_rate(self, deliveries: Iterable[Delivery], per_second: float) -> None:
        """Start so many each second, unless too many of those before are unanswered. Cancelled, it leaves none drawn
        and unsent."""
        begun, count = time.monotonic(), 0
        drawn = iter(deliveries)
        while True:
            await asyncio.sleep(max(0.0, begun + count / per_second - time.monotonic()))
            while len(self._tasks) >= MOST_OUTSTANDING:
                begun += PAUSES[0]
                await asyncio.sleep(PAUSES[0])
            delivery = next(drawn, None)
            if delivery is None:
                return
            self.start(delivery)
            count += 1

    @property
    def outstanding(self) -> int:
        """Deliveries started and not acknowledged yet."""
        return len(self._tasks)

    async def settled(self, seconds: float = 60.0) -> None:
        """Wait until every started delivery is acknowledged. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while self._tasks:
                await asyncio.wait(list(self._tasks))

    def unusual(self) -> list[str]:
        """Faults: answers that no server in order gives to a signed body."""
        return [f"{count} webhooks were answered {status}" for status, count in sorted(self.answers.items())
                if status and status not in ORDINARY]

    async def close(self) -> None:
        """Give up what is not acknowledged."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in self._idle:
            connection.close()
