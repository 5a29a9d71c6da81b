"""Browsers' open streams, on raw sockets: some read, some have stopped reading."""

from __future__ import annotations

import asyncio

import httpx

from tests.reliability.appliance import Appliance
from tests.support.world import PASSWORD


async def signed_in(appliance: Appliance) -> str:
    """Alice's cookie; it outlives the process."""
    async with httpx.AsyncClient(base_url=appliance.base, timeout=20) as client:
        answer = await client.post("/sign-in", data={"email": "alice@example.com", "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return "; ".join(f"{name}={value}" for name, value in client.cookies.items())


class Streams:
    """So many streams of the first workspace. `close` them; `ended` counts those that the server ended."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self._writers: list[asyncio.StreamWriter] = []
        self.ended = 0
        self.said_goodbye = 0

    async def open(self, appliance: Appliance, cookie: str, *, reading: int, stalled: int) -> None:
        for index in range(reading + stalled):
            # A small buffer, so that the server soon notices who does not read.
            reader, writer = await asyncio.open_connection("127.0.0.1", appliance.port, limit=4096)
            writer.write(f"GET /w/{appliance.numbers[0].slug}/events HTTP/1.1\r\nhost: 127.0.0.1\r\n"
                         f"accept: text/event-stream\r\ncookie: {cookie}\r\n\r\n".encode())
            line = await reader.readline()
            assert b" 200 " in line, line
            self._writers.append(writer)
            if index < reading:
                self._tasks.append(asyncio.create_task(self._read(reader)))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while data := await reader.read(4096):
                self.said_goodbye += b"event: bye" in data
        except OSError:
            return
        self.ended += 1

    async def close(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self._writers.clear()
