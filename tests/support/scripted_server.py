"""A web server that does exactly what a test writes down, byte by byte: also what no decent server does."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Received:
    """A request as it came over the wire. `connection` counts from 1."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return {key: values[0] for key, values in parse_qs(urlsplit(self.target).query).items()}


@dataclass(frozen=True)
class Wire:
    """The connection a request came by, for a turn to do with as it likes."""

    received: Received
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


Turn = Callable[[Wire], Awaitable[None]]


@dataclass
class ScriptedServer:
    """Answers each request with the next of `turns`, and with the last one again when they are used up.

    A turn that closes the writer ends the connection. `eager` turns begin before the request's body is read.
    """

    turns: list[Turn | bytes]
    eager: bool = False
    tls: ssl.SSLContext | None = None
    requests: list[Received] = field(default_factory=list)
    connections: int = 0
    hung_up: int = 0

    async def __aenter__(self) -> ScriptedServer:
        self._open: list[asyncio.StreamWriter] = []
        self._news = asyncio.Event()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        await asyncio.sleep(0)

    def hang_up(self) -> None:
        """End every connection in the kernel, at once: the loop, which client and server share, has not seen it yet."""
        for writer in self._open:
            with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as copy:
                copy.shutdown(socket.SHUT_RDWR)

    def say(self, data: bytes) -> None:
        """Write to every open connection without being asked."""
        for writer in self._open:
            writer.write(data)

    async def until_asked(self) -> None:
        """Wait until a request is there."""
        await self._until(lambda: bool(self.requests))

    async def until_hung_up(self) -> None:
        """Wait until a client has closed a connection."""
        await self._until(lambda: self.hung_up > 0)

    async def _until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not happened():
                self._news.clear()
                await self._news.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        self._open.append(writer)
        try:
            while not writer.is_closing():
                received = await self._read(reader, number)
                turn = self.turns[min(len(self.requests), len(self.turns)) - 1]
                if isinstance(turn, bytes):
                    writer.write(turn)
                else:
                    await turn(Wire(received, reader, writer))
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            self.hung_up += 1
            self._news.set()
        finally:
            self._open.remove(writer)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, number: int) -> Received:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, target, _ = lines[0].split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
        length = 0 if self.eager else int(headers.get("content-length", 0))
        body = await reader.readexactly(length)
        received = Received(method, target, headers, body, number)
        self.requests.append(received)
        self._news.set()
        return received


def answer(body: bytes = b"{}", status: int = 200, *headers: str) -> bytes:
    """A plain answer with its length."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def json_answer(content: Any, status: int = 200, *headers: str) -> bytes:
    """An answer as the Graph API writes it."""
    return answer(json.dumps(content).encode(), status, "Content-Type: application/json", *headers)


def takes_messages(answered: Callable[[dict[str, Any]], Awaitable[bytes]]) -> Turn:
    """A Graph API that takes messages and nothing else: `answered` gives the answer to what is sent."""

    async def turn(wire: Wire) -> None:
        if wire.received.path.endswith("/messages"):
            wire.writer.write(await answered(json.loads(wire.received.body)))
        else:
            wire.writer.write(json_answer({"error": {"code": 2, "message": "not now"}}, 500))

    return turn


async def drop(wire: Wire) -> None:
    """Take the request and hang up."""
    wire.writer.close()


async def silence(wire: Wire) -> None:
    """Take the request and say nothing until the client gives up."""
    await wire.reader.read()
    raise ConnectionResetError


def last_words(data: bytes) -> Turn:
    """Say this and hang up."""

    async def turn(wire: Wire) -> None:
        wire.writer.write(data)
        wire.writer.close()

    return turn


def drip(data: bytes, *, size: int = 1, pause: float = 0) -> Turn:
    """Say this in pieces of `size` bytes."""

    async def turn(wire: Wire) -> None:
        for start in range(0, len(data), size):
            wire.writer.write(data[start : start + size])
            await wire.writer.drain()
            await asyncio.sleep(pause)

    return turn
