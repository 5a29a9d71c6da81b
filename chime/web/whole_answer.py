"""An answer that leaves in one piece: for the webhook's "ok", of which thousands are given in a second.

uvicorn writes head and body apart, each a call to the kernel, and looks at every letter of every header of ours anew:
a sixth of what a webhook costs. `chime.connections` offers the shorter way among the scope's extensions; a server
that does not, as in tests, is given the same answer in the usual two messages.
"""

from __future__ import annotations

from collections.abc import Iterable

_NAME, _WRITER = "chime.whole_answer", "writer"
_Headers = Iterable[tuple[bytes, bytes]]
Extensions = dict[str, dict[object, object]]
"""As ASGI has them in a scope (asgi.readthedocs.io/en/latest/extensions.html)."""


class WritesWhole:
    """A server's connection that can."""

    def write_whole(self, scope: object, rest: bytes) -> bool:
        """Of this scope's request: status 200, the server's own headers and then these bytes, to the end of the body.
        False when nothing was written, because this answer has to go the usual way."""
        raise NotImplementedError


def offer(writer: WritesWhole) -> Extensions:
    return {_NAME: {_WRITER: writer}}


def offered(extensions: Extensions | None) -> WritesWhole | None:
    """What a scope's extensions offer."""
    writer = extensions[_NAME].get(_WRITER) if extensions and _NAME in extensions else None
    return writer if isinstance(writer, WritesWhole) else None


def header_lines(headers: _Headers) -> bytes:
    """As they stand in an answer."""
    return b"".join(name + b": " + value + b"\r\n" for name, value in headers)


def after_the_servers_headers(headers: _Headers, body: bytes) -> bytes:
    """What `write_whole` takes. One of the headers says how long the body is."""
    return header_lines(headers) + b"\r\n" + body
