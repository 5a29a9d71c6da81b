"""Headers of every answer, errors and files included: what a browser may do with it, and a reference to find the
request by in the log.

The policy is a constant: no nonce, no inline anything, Trusted Types enforced (ui.md 2.3). Referrers stay inside, as
Origin does only under that policy; what HTTPS alone understands is said over HTTPS alone, or a plain LAN would lose its
styles. No answer ever names another origin that may read it.
"""

from __future__ import annotations

from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPResponseStartEvent, Message, Receive, Scope, Send

from chime.ids import Ids

REPORTS = "/csp-report"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; object-src 'none'; require-trusted-types-for 'script'; trusted-types chime; "
    f"report-to csp; report-uri {REPORTS}"
)
# A customer's file is data: it may show or play itself and do nothing else.
MEDIA_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; media-src 'self'; img-src 'self'"
# What no page is made of: the answers of machines.
BARE_POLICY = "default-src 'none'; frame-ancestors 'none'"

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(self), geolocation=(), payment=(), usb=(), browsing-topics=()",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Reporting-Endpoints": f'csp="{REPORTS}"',
}
# Browsers ignore these on an untrustworthy origin, and complain on the console each time.
_TRUSTWORTHY = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
_UNLESS_SAID = {
    "Cache-Control": "no-store",
    "Vary": "Cookie, HX-Request, Sec-Fetch-Site, Accept-Encoding",
}
# A script, style or picture of ours is no page: nothing is framed, opened or sent on from it. Shown by itself it may
# load nothing at all. A first page takes a dozen of them, and the whole set weighs more than some of the files.
_FILE = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": BARE_POLICY,
}
HSTS = "max-age=63072000; includeSubDomains"
_THIS_MACHINE = (b"127.0.0.1", b"localhost", b"[::1]")


def _raw(headers: dict[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.lower().encode(), value.encode("latin-1")) for name, value in headers.items())


_PLAIN = _raw(_ALWAYS | _UNLESS_SAID | {"Content-Security-Policy": POLICY})
_LOOPBACK = _raw(_ALWAYS | _TRUSTWORTHY | _UNLESS_SAID | {"Content-Security-Policy": POLICY})
_HTTPS = _raw(_ALWAYS | _TRUSTWORTHY | _UNLESS_SAID | {
    "Content-Security-Policy": f"{POLICY}; upgrade-insecure-requests", "Strict-Transport-Security": HSTS})
_PLAIN_FILE, _HTTPS_FILE = _raw(_FILE), _raw(_FILE | {"Strict-Transport-Security": HSTS})
# For what answers in front of the application.
BARE = _raw(_ALWAYS | {"Content-Security-Policy": BARE_POLICY, "Cache-Control": "no-store"})


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
    headers = list(message["headers"])
    said = {name.lower() for name, _ in headers}
    is_file = scope["path"].startswith("/static/") and message["status"] == 200
    headers += [header for header in (_of_file(scope) if is_file else _for(scope)) if header[0] not in said]
    headers.append((b"x-request-id", reference.encode()))
    headers += _raw(scope["state"].get("rate_headers", {}))
    message["headers"] = headers


def _of_file(scope: Scope) -> tuple[tuple[bytes, bytes], ...]:
    return _HTTPS_FILE if scope["scheme"] == "https" else _PLAIN_FILE


def _for(scope: Scope) -> tuple[tuple[bytes, bytes], ...]:
    if scope["scheme"] == "https":
        return _HTTPS
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")
    return _LOOPBACK if host.rpartition(b":")[0] in _THIS_MACHINE or host in _THIS_MACHINE else _PLAIN
