"""A thousand open inboxes and messages that arrive: how long until every one of them has heard of each.

A nudge names a message by Chime's id, which who posted it does not know. But one connection posts all messages of a
workspace, so the workspace's n-th nudge about a message is that of its n-th post.
"""

from __future__ import annotations

import asyncio
import time

import msgspec

from tests.bench.bodies import envelope, request
from tests.bench.installation import Line

PATIENCE = 20.0
OPENED_AT_ONCE = 50


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds from the moment a post was due to each listener's nudge; nudges that never came; streams told to
    load anew instead, or ended."""

    milliseconds: list[float]
    missing: int
    resyncs: int


class _Listener(asyncio.Protocol):
    """One browser's open stream."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._rest = b""
        self.greeted = asyncio.Event()
        self.heard: list[float] = []
        self.resyncs = 0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        assert self.transport is not None
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        *events, self._rest = (self._rest + data).split(b"\n\n")
        for event in events:
            if b'"topic":"message"' in event:
                self.heard.append(now)
            elif b"event: hello" in event:
                self.greeted.set()
            elif b"event: resync" in event:
                self.resyncs += 1

    def connection_lost(self, error: Exception | None) -> None:
        self.resyncs += 1


class Audience:
    """Listeners spread evenly over the workspaces of `lines`: `open` them, `play` to them, `close`."""

    def __init__(self, port: int, cookie: str, lines: tuple[Line, ...], size: int) -> None:
        self._port = port
        self._cookie = cookie
        self._lines = lines
        self._size = size
        self._listeners: list[list[_Listener]] = [[] for _ in lines]

    async def open(self) -> None:
        for start in range(0, self._size, OPENED_AT_ONCE):
            numbers = range(start, min(start + OPENED_AT_ONCE, self._size))
            await asyncio.gather(*(self._open_one(number % len(self._lines)) for number in numbers))

    async def _open_one(self, place: int) -> None:
        whole = (f"GET /w/{self._lines[place].slug}/events HTTP/1.1\r\nhost: 127.0.0.1\r\n"
                 f"accept: text/event-stream\r\ncookie: {self._cookie}\r\n\r\n").encode()
        _, listener = await asyncio.get_running_loop().create_connection(
            lambda: _Listener(whole), "127.0.0.1", self._port)
        self._listeners[place].append(listener)
        async with asyncio.timeout(PATIENCE):
            await listener.greeted.wait()

    async def play(self, path: str, *, rate: int, seconds: int) -> Heard:
        """Post `rate` messages a second, the workspaces in turns."""
        everyone = [listener for group in self._listeners for listener in group]
        for listener in everyone:
            listener.heard.clear()
        begun = time.perf_counter() + 0.2
        count = rate * seconds
        dues = [[begun + number / rate for number in range(place, count, len(self._lines))]
                for place in range(len(self._lines))]
        await asyncio.gather(*(self._post(path, place, due) for place, due in enumerate(dues)))
        await self._until_heard([len(due) for due in dues])
        took = [(at - due) * 1000 for place, group in enumerate(self._listeners) for listener in group
                for at, due in zip(listener.heard, dues[place], strict=False)]
        expected = sum(len(due) * len(group) for due, group in zip(dues, self._listeners, strict=True))
        return Heard(milliseconds=took, missing=expected - sum(len(listener.heard) for listener in everyone),
                     resyncs=sum(listener.resyncs for listener in everyone))

    async def _post(self, path: str, place: int, dues: list[float]) -> None:
        line = self._lines[place]
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        for number, due in enumerate(dues):
            item = {"from": f"1888{place:04d}{number % 40:03d}", "id": f"wamid.fan.{place}.{due}.{number}",
                    "timestamp": str(int(time.time())), "type": "text", "text": {"body": f"Number {number}"}}
            people = [{"profile": {"name": f"Customer {number % 40}"}, "wa_id": item["from"]}]
            whole = request(path, envelope({"contacts": people, "messages": [item]}, line.phone_number_id,
                                           line.waba_id))
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            writer.write(whole)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError("a post was not taken")
            await reader.readexactly(2)
        writer.close()

    async def _until_heard(self, expected: list[int]) -> None:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and any(
                len(listener.heard) < count for count, group in zip(expected, self._listeners, strict=True)
                for listener in group):
            await asyncio.sleep(0.05)

    def close(self) -> None:
        for group in self._listeners:
            for listener in group:
                if listener.transport is not None:
                    listener.transport.abort()
