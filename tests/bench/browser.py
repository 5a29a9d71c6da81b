"""A signed-in browser on one kept connection: the lightest client there is, so that what is timed is the server."""

from __future__ import annotations

import http.client
import statistics
import time
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

from tests.bench.installation import percentile
from tests.support.world import PASSWORD


class Browser:
    """Alice's. Use as a context."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.cookie = ""

    def __enter__(self) -> Self:
        form = urlencode({"email": "alice@example.com", "password": PASSWORD})
        self._connection.request("POST", "/sign-in", form, {"content-type": "application/x-www-form-urlencoded"})
        answer = self._connection.getresponse()
        answer.read()
        if answer.status != 303:
            raise RuntimeError(f"signing in was answered with {answer.status}")
        self.cookie = "; ".join(value.partition(";")[0] for value in answer.headers.get_all("set-cookie") or ())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self._connection.close()

    def request(self, path: str) -> bytes:
        """A GET as it stands on the wire."""
        return f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncookie: {self.cookie}\r\n\r\n".encode()

    def read(self, path: str, *, fragment: bool = False) -> str:
        """The page. Raises RuntimeError when there is none."""
        headers = {"cookie": self.cookie} | ({"hx-request": "true"} if fragment else {})
        self._connection.request("GET", path, headers=headers)
        answer = self._connection.getresponse()
        text = answer.read().decode()
        if answer.status != 200:
            raise RuntimeError(f"{path} was answered with {answer.status}")
        return text

    def timed(self, path: str, *, fragment: bool = False) -> float:
        """Milliseconds until the page is here."""
        begun = time.perf_counter()
        self.read(path, fragment=fragment)
        return (time.perf_counter() - begun) * 1000


def spread(name: str, milliseconds: list[float]) -> dict[str, float]:
    """The figures of one kind of page."""
    return {f"{name}_p50_ms": round(statistics.median(milliseconds), 1),
            f"{name}_p95_ms": round(percentile(milliseconds, 0.95), 1)}
