"""Where a request comes from, as the browser says: which sites may send us forms, and which may read what we answer.

Browsers say it twice. `Sec-Fetch-Site` cannot be forged by a page but is not sent over plain http to another machine;
`Origin` comes with every form and call that changes something. Scripts without a browser send neither and have no
cookie of anybody, so they are judged by their token or key alone.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from chime.errors import ChimeError, Forbidden

Connection = ASGIConnection[Any, Any, Any, Any]


_HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?")
_NO_HOST = b"The request names no host that could be ours.\n"


class NotFromHere(ChimeError):
    """A form or call that did not come from one of our own pages."""

    status = 403
    title = "The page was open too long"


def sound_hosts(app: ASGIApp) -> ASGIApp:
    """`app`, asked only by requests whose Host is one host: what is none could be read as two things by two readers."""

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or _is_sound(scope):
            await app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 400, "headers": [
            (b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(_NO_HOST)).encode())]})
        await send({"type": "http.response.body", "body": _NO_HOST, "more_body": False})

    return run


def _is_sound(scope: Scope) -> bool:
    """Monitors that speak HTTP/1.0 name none, which is fine."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    found = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    return not hosts or (found is not None and int(found[1] or 0) <= 65_535)


def need_own_page(connection: Connection, public_url: str) -> None:
    """For what changes something. Raises NotFromHere unless the browser says it is our page, or says nothing."""
    site = connection.headers.get("sec-fetch-site")
    origin = connection.headers.get("origin")
    # Sandboxed frames, too, call themselves null; our own pages do only where Sec-Fetch-Site speaks for them.
    if site is not None and site != "same-origin":
        raise NotFromHere("This form was sent from another site.")
    if origin is not None and not (origin == "null" and site) and not _is_ours(connection, origin, public_url):
        raise NotFromHere("This form was sent from another site.")


def need_own_reader(connection: Connection, *, document: bool) -> None:
    """For what shows something. Another site may lead a person to a page of ours and nothing else: no frame, no image,
    no stream, no data. Raises Forbidden."""
    site = connection.headers.get("sec-fetch-site")
    if site in (None, "same-origin", "none"):
        return
    headers = connection.headers
    if not (document and headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"):
        raise Forbidden("Another site asked for this.")


def _is_ours(connection: Connection, origin: str, public_url: str) -> bool:
    if public_url:
        try:
            parts = urlsplit(public_url)
        except ValueError:
            return False
        if origin == f"{parts.scheme}://{parts.netloc}".lower():
            return True
    # Opened by another name, as on a plain LAN; the scheme may be a proxy's that we do not trust to say so.
    scheme, separator, host = origin.partition("://")
    return bool(separator) and scheme in ("http", "https") and host == connection.headers.get("host")
