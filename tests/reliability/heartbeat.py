"""How long an appliance's event loop is held up: /healthz asked again and again on one connection of a thread's own.

/healthz does nothing but answer, so what it takes longer than usual is what something else took of the loop. A thread
that sleeps and reads knows nothing of the test's own loop; a pause of the machine is told apart by a second thread
that only sleeps.
"""

from __future__ import annotations

import socket
import threading
import time
from types import TracebackType
from typing import Self

EVERY = 0.01
_ASK = b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"


class Heartbeat:
    """`with` it while things happen; then `stalls` in seconds, longest first, less the pauses of the machine."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ends = threading.Event()
        self._asked: list[tuple[float, float]] = []
        self._overslept: list[tuple[float, float]] = []
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._ask, self._sleep)]
        self.failures = 0
        """1 when the connection ended."""

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join(40)

    def _ask(self) -> None:
        with socket.create_connection(("127.0.0.1", self._port), timeout=30) as connection:
            while not self._ends.wait(EVERY):
                begun = time.monotonic()
                connection.sendall(_ASK)
                answer = b""
                while not answer.endswith(b"ok\n"):
                    part = connection.recv(4096)
                    if not part:
                        self.failures += 1
                        return
                    answer += part
                self._asked.append((begun, time.monotonic()))

    def _sleep(self) -> None:
        while not self._ends.is_set():
            begun = time.monotonic()
            time.sleep(EVERY)
            if time.monotonic() - begun > 3 * EVERY:
                self._overslept.append((begun, time.monotonic()))

    @property
    def stalls(self) -> list[float]:
        """How long each answer took, less the time in which this machine ran nothing of ours either."""
        return sorted((end - begun - self._paused(begun, end) for begun, end in self._asked), reverse=True)

    def _paused(self, begun: float, end: float) -> float:
        return sum(max(0.0, min(end, last) - max(begun, first)) for first, last in self._overslept
                   if last > begun and first < end)
