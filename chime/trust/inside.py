"""Asking our own application a question from inside, as a stranger would from outside: no socket, no session."""

from __future__ import annotations

from typing import Any

import msgspec

from chime.trust.ground import Asgi

# An address that no machine has (RFC 6666 discards what is sent there): no caller's allowance is used up.
_NOBODY = "100:0:0:"


class Answer(msgspec.Struct, frozen=True):
    """`headers` in lower case, in order."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """Empty when there is none."""
        return next((value for found, value in self.headers if found == name), "")


async def ask(app: Asgi, method: str, path: str, *, headers: dict[str, str] | None = None, body: bytes = b"",
              scheme: str = "https", caller: int = 1) -> Answer:
    """One request. `caller` tells apart strangers, so that many questions are not one stranger's many."""
    given_headers = {"host": "chime.invalid"} | (headers or {})
    raw = [(name.lower().encode(), value.encode()) for name, value in given_headers.items()]
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": method,
        "scheme": scheme, "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "headers": [*raw, (b"content-length", str(len(body)).encode())], "state": {},
        "client": (f"{_NOBODY}{caller:x}::1", 0), "server": ("chime.invalid", 443)}
    sent: list[dict[str, Any]] = []
    given = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return given.pop() if given else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start = next(message for message in sent if message["type"] == "http.response.start")
    found = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in start["headers"])
    return Answer(start["status"], found, b"".join(message.get("body", b"") for message in sent))
