"""An answer that leaves in one piece: for the webhook's "ok", of which thousands are given in a second.

uvicorn writes head and body apart, each a call to the kernel, and looks at every letter of every header of ours anew:
a sixth of what a webhook costs. `chime.connections` offers the shorter way in the scope, under `KEY`; a server that
does not, as in tests, is given the same answer in the usual two messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

KEY = "chime.whole_answer"
WriteWhole = Callable[[object, bytes], bool]
"""Of this scope's request: writes status 200, the server's own headers and then these bytes, to the end of the body.
False when nothing was written, because this answer has to go the usual way."""

_Headers = Iterable[tuple[bytes, bytes]]


def header_lines(headers: _Headers) -> bytes:
    """As they stand in an answer."""
    return b"".join(name + b": " + value + b"\r\n" for name, value in headers)


def after_the_servers_headers(headers: _Headers, body: bytes) -> bytes:
    """What a `WriteWhole` takes. One of the headers says how long the body is."""
    return header_lines(headers) + b"\r\n" + body
