"""Peers that hold a socket and do not get on with it, from outside, each kind by its own hand.

Promise: a peer knows nothing of the server's deadlines; it goes on until the server ends it and notes when that was.
"""

from __future__ import annotations

import asyncio
import socket
import time

import msgspec

from tests.reliability.listeners import SMALL_BUFFER

EVERY = 0.25


class Habit(msgspec.Struct, frozen=True):
    """What a peer sends at once, and then a bit at a time. `reads` False: it takes no byte of an answer. `asks_first`
    is a whole request before all that, answered and read."""

    name: str
    at_once: bytes = b""
    bit: bytes = b""
    reads: bool = True
    asks_first: bytes = b""


class Peer(asyncio.Protocol):
    """One socket with one habit."""

    def __init__(self, habit: Habit) -> None:
        self.habit = habit
        self.seconds = 0.0
        """From the beginning of its habit until the server ended it; 0 while it has not."""
        self.answer = b""
        """The beginning of it"""
        self.taken = 0
        self.ended = asyncio.Event()
        self._begun = 0.0
        self._answered = asyncio.Event()
        self._transport: asyncio.Transport | None = None

    async def run(self, port: int) -> None:
        """Until the server ends it."""
        loop = asyncio.get_running_loop()
        sock = socket.socket()
        sock.setblocking(False)
        if not self.habit.reads:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        self._begun = time.monotonic()
        try:
            await loop.sock_connect(sock, ("127.0.0.1", port))
            self._transport, _ = await loop.create_connection(lambda: self, sock=sock)
        except OSError:  # accepted and reset before the loop got to it: there are too many, and this one had to go
            sock.close()
            self.connection_lost(None)
            return
        if self.habit.asks_first:
            self._transport.write(self.habit.asks_first)
            await self._answered.wait()
            self.answer = b""
        self._begun = time.monotonic()
        self._transport.write(self.habit.at_once)
        if not self.habit.reads:
            self._transport.pause_reading()
        while self.habit.bit and not self.ended.is_set():
            await asyncio.sleep(EVERY)
            self._transport.write(self.habit.bit)
        await self.ended.wait()

    def resume(self) -> None:
        """Read on after all."""
        if self._transport is not None and not self.ended.is_set():
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        self.taken += len(data)
        if len(self.answer) < 4_096:
            self.answer += data
        head, found, rest = self.answer.lower().partition(b"\r\n\r\n")
        if found and len(rest) >= int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0):
            self._answered.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.seconds = time.monotonic() - self._begun
        self.ended.set()
        self._answered.set()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
