"""A small HTTP load generator: keep-alive connections that post prepared bytes. It runs in a process of its own, so
that the server has a core to itself.

    python -m tests.bench.load closed PORT CONNECTIONS < requests
    python -m tests.bench.load open PORT CONNECTIONS RATE < requests

`requests` is a msgpack list of byte strings, each a whole HTTP request. Prints JSON: answers by status, seconds, and
latencies in milliseconds; in open mode they count from the moment the request was due (no coordinated omission).
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

import msgspec
import uvloop

ROOT = Path(__file__).resolve().parents[2]


def run_load(mode: str, port: int, connections: int, requests: list[bytes], rate: float = 0) -> dict[str, Any]:
    """Run the generator as a process; its answer."""
    arguments = [sys.executable, "-m", "tests.bench.load", mode, str(port), str(connections), str(rate)]
    done = subprocess.run(arguments, input=msgspec.msgpack.encode(requests), stdout=subprocess.PIPE, check=True,
                          cwd=ROOT)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


class _Connection(asyncio.Protocol):
    def __init__(self, load: _Load) -> None:
        self._load = load
        self._buffer = b""
        self._due = 0.0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def send(self, request: bytes, due: float) -> None:
        self._due = due
        assert self.transport is not None
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(rest) < length:
            return
        self._buffer = b""
        self._load.answered(self, int(head[9:12]), time.perf_counter() - self._due)

    def connection_lost(self, error: Exception | None) -> None:
        self._load.lost()


class _Load:
    def __init__(self, requests: list[bytes]) -> None:
        self.requests = deque(requests)
        self.total = len(requests)
        self.statuses: Counter[int] = Counter()
        self.latencies: list[float] = []
        self.idle: deque[_Connection] = deque()
        self.waiting: deque[tuple[bytes, float]] = deque()
        self.open_loop = False
        self.done = asyncio.Event()

    def answered(self, connection: _Connection, status: int, seconds: float) -> None:
        self.statuses[status] += 1
        self.latencies.append(seconds * 1000)
        if len(self.latencies) == self.total:
            self.done.set()
        elif self.open_loop:
            if self.waiting:
                connection.send(*self.waiting.popleft())
            else:
                self.idle.append(connection)
        elif self.requests:
            connection.send(self.requests.popleft(), time.perf_counter())

    def lost(self) -> None:
        if len(self.latencies) < self.total:
            self.statuses[0] += 1
            self.done.set()


async def _main(mode: str, port: int, connections: int, rate: float, requests: list[bytes]) -> None:
    load = _Load(requests)
    loop = asyncio.get_running_loop()
    made = [(await loop.create_connection(lambda: _Connection(load), "127.0.0.1", port))[1]
            for _ in range(connections)]
    begun = time.perf_counter()
    if mode == "closed":
        for connection in made:
            if load.requests:
                connection.send(load.requests.popleft(), time.perf_counter())
    else:
        load.open_loop = True
        load.idle.extend(made)
        while load.requests:
            due = begun + (load.total - len(load.requests)) / rate
            wait = due - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            request = load.requests.popleft()
            if load.idle:
                load.idle.popleft().send(request, due)
            else:
                load.waiting.append((request, due))
    await load.done.wait()
    seconds = time.perf_counter() - begun
    ordered = sorted(load.latencies)
    print(json.dumps({
        "statuses": dict(load.statuses), "seconds": seconds, "rate": len(ordered) / seconds,
        "p50_ms": ordered[len(ordered) // 2], "p99_ms": ordered[int(len(ordered) * 0.99)], "max_ms": ordered[-1]}))


if __name__ == "__main__":
    _, how, to_port, count, per_second = sys.argv
    uvloop.run(_main(how, int(to_port), int(count), float(per_second),
                     msgspec.msgpack.decode(sys.stdin.buffer.read(), type=list[bytes])))
