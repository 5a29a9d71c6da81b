"""Headers of every answer: the content policy, and a reference to find the request by in the log.

The policy is a constant: no nonce, no inline anything, Trusted Types enforced (ui.md 2.3).
"""

from __future__ import annotations

from typing import Any

from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPResponseStartEvent, Message, Receive, Scope, Send

from chime.ids import Ids

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types chime"
)
# A customer's file is data: it may show or play itself and do nothing else.
MEDIA_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; media-src 'self'; img-src 'self'"

_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=(), payment=()",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def secured(ids: Ids) -> Any:
    """What stands around the whole application, unknown addresses included."""

    def middleware(app: ASGIApp) -> ASGIApp:
        async def run(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP:
                await app(scope, receive, send)
                return
            reference = ids.code(12)
            scope.setdefault("state", {})["reference"] = reference

            async def send_secured(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _add(scope, message, reference)
                await send(message)

            await app(scope, receive, send_secured)

        return run

    return middleware


def _add(scope: Scope, message: HTTPResponseStartEvent, reference: str) -> None:
    headers = MutableScopeHeaders.from_message(message)
    if scope["raw_path"].startswith(b"/static/") and message["status"] < 400:
        # A script or picture is no document: the policy of a page would be a kilobyte for nothing.
        headers["X-Content-Type-Options"] = "nosniff"
        return
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    if scope["scheme"] == "https":
        # Browsers ignore it on plain http and complain on the console each time.
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers["X-Request-Id"] = reference
    if scope["scheme"] == "https":
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if scope["path"].startswith("/api/"):
        headers.setdefault("Cache-Control", "no-store")
    if "html" in headers.get("content-type", ""):
        headers.setdefault("Vary", "Cookie, HX-Request, Accept-Encoding")
    rate = scope["state"].get("rate")
    if rate is not None:
        headers["RateLimit-Policy"] = '"s";q=3;w=1, "m";q=20;w=10, "l";q=100;w=60'
        headers["RateLimit"] = f'"s";r={rate.remaining};t=1'
