"""Browsers from outside: many open live streams on plain sockets, some of which stop reading, some come and go.

Promise: a listener notes every nudge with its time and place in the stream, and understands nothing else of Chime.
"""

from __future__ import annotations

import asyncio
import re
import socket
import time

import httpx

from tests.support.world import PASSWORD

MESSAGE = re.compile(rb'"seq":(\d+),"topic":"message","id":"(\w+)"')
LAST_ID = re.compile(rb"^id: (\S+)$", re.MULTILINE)
RETRY = re.compile(rb"^retry: (\d+)$", re.MULTILINE)
# Of a browser that stops reading: what its machine still takes for it.
SMALL_BUFFER = 4096


class Listener(asyncio.Protocol):
    """One browser in one workspace. It keeps what it heard over several connections."""

    def __init__(self, port: int, slug: str, cookie: str) -> None:
        self._port = port
        self._request = (f"GET /w/{slug}/events HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncookie: {cookie}\r\n"
                         "accept: text/event-stream\r\n")
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self.last_id = ""
        self.retry_ms = 0
        self.hellos = 0
        self.resyncs = 0
        self.heard: dict[bytes, float] = {}
        """message -> when its nudge came"""
        self.twice = 0
        self.greeted = asyncio.Event()
        self.gone = asyncio.Event()

    async def open(self, *, stalls: bool = False) -> None:
        """Connect; a browser that stalls reads its greeting and nothing after it. Raises OSError."""
        self.greeted.clear()
        self.gone.clear()
        self._buffer = b""
        loop = asyncio.get_running_loop()
        sock = socket.socket()
        sock.setblocking(False)
        if stalls:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        try:
            await loop.sock_connect(sock, ("127.0.0.1", self._port))
        except OSError:
            sock.close()
            raise
        transport, _ = await loop.create_connection(lambda: self, sock=sock)
        self._transport = transport
        resume = f"last-event-id: {self.last_id}\r\n" if self.last_id else ""
        transport.write(f"{self._request}{resume}\r\n".encode())
        if stalls:
            await self.greeted.wait()
            transport.pause_reading()

    async def comes_back(self, seconds: float) -> None:
        """As a browser does that lost the server: after the pause it was told, until it is greeted again."""
        async with asyncio.timeout(seconds):
            while not self.greeted.is_set():
                await asyncio.sleep(self.retry_ms / 1000)
                try:
                    await self.open()
                    waits = [asyncio.ensure_future(each.wait()) for each in (self.greeted, self.gone)]
                    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                    for each in waits:
                        each.cancel()
                except OSError:
                    continue

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        whole, found, rest = self._buffer.rpartition(b"\n\n")
        if not found:
            return
        self._buffer = rest
        self._hear(whole)

    def _hear(self, events: bytes) -> None:
        now = time.perf_counter()
        if b"event: hello" in events:
            self.hellos += 1
            self.greeted.set()
            self.retry_ms = int(RETRY.findall(events)[-1])
        self.resyncs += events.count(b"event: resync")
        for _, message in MESSAGE.findall(events):
            if message in self.heard:
                self.twice += 1
            self.heard.setdefault(message, now)
        for last in LAST_ID.findall(events)[-1:]:
            self.last_id = last.decode()

    def connection_lost(self, error: Exception | None) -> None:
        self.greeted.clear()
        self.gone.set()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def cookie_of_alice(base: str) -> str:
    """Sign in as the owner; the Cookie header of her browser."""
    async with httpx.AsyncClient(base_url=base, timeout=20) as client:
        answer = await client.post("/sign-in", data={"email": "alice@example.com", "password": PASSWORD})
        assert answer.status_code == 303, answer.status_code
        return "; ".join(f"{name}={value}" for name, value in client.cookies.items())
