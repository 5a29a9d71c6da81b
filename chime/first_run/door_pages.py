"""What the first run shows besides its steps: where the token is shown, what machines ask, and everything else.

Promise: every address of the product that is not the wizard's answers 503 or leads to the door; none tells anything.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from babel import negotiate_locale
from litestar import Request, get, post, route
from litestar.connection import ASGIConnection
from litestar.enums import HttpMethod
from litestar.handlers import BaseRouteHandler
from litestar.response import Redirect, Response

from chime import resources
from chime.errors import NotSignedIn, TooMany
from chime.first_run.checks import REACHED
from chime.first_run.desk import Desk
from chime.log import Log
from chime.security import limits
from chime.security.permissions import Actor
from chime.web import errors
from chime.web.forms import form_fields, read_form
from chime.web.identity import Identity
from chime.web.language import catalogue
from chime.web.limits import SAFE, limit_stranger
from chime.web.origins import NotFromHere, need_own_page, need_own_reader
from chime.web.proxies import client_address, counted_address

AnyRequest = Request[Any, Any, Any]
# For a monitor and for Meta, who come again.
RETRY_AFTER = {"Retry-After": "60", "Cache-Control": "no-store"}
WRONG_TOKEN = limits.rate("first-run", (5, 10), (20, 600))
WAITING = "waiting for set-up"
_log = Log("first_run")


def cookie_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    return "__Host-chime-setup" if connection.scope["scheme"] == "https" else "chime-setup"


def language_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """The one of ours that the browser likes best."""
    known = ["en", *(name.removesuffix(".mo") for name in resources.catalogue_files())]
    wanted = [part.partition(";")[0].strip() for part in connection.headers.get("accept-language", "").split(",")][:20]
    return negotiate_locale([text.replace("-", "_") for text in wanted if text], known) or "en"


async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Who sits at the desk may do everything, everybody else what is `public`. Raises NotSignedIn, NotFromHere."""
    desk, session = Desk.of(connection), connection.cookies.get(cookie_of(connection), "")
    locale = desk.draft.owner.locale if desk.draft.owner and desk.sits_here(session) else language_of(connection)
    # What pages are drawn for: nobody is signed in, but a form's token belongs to one browser all the same.
    connection.scope.setdefault("state", {})["identity"] = Identity(
        actor=Actor(kind="operator", id=None, name=""), session_id=session, locale=locale)
    unsafe = connection.scope.get("method") not in SAFE
    if handler.opt.get("public"):
        limit_stranger(desk.limiter, connection, handler)
        if unsafe and not handler.opt.get("no_csrf"):
            need_own_page(connection, desk.config.public_url)
        return
    if not desk.sits_here(session):
        limit_stranger(desk.limiter, connection, handler)
        raise NotSignedIn("Open the address that Chime printed.")
    if not unsafe:
        need_own_reader(connection, document=True)
        return
    need_own_page(connection, desk.config.public_url)
    token = (await read_form(Request(connection.scope, connection.receive, connection.send))).get("csrf_token")
    if not desk.pages.is_csrf_token(session, token if isinstance(token, str) else ""):
        raise NotFromHere("The page was open too long, or it is not ours. Load it again; nothing was changed.")


@get("/setup", opt={"public": True}, include_in_schema=False)
async def show_door(request: AnyRequest) -> Response[Any]:
    """Nothing but a field for the token, which a script fills in from the address."""
    desk = Desk.of(request)
    session = request.cookies.get(cookie_of(request), "")
    if desk.sits_here(session):
        return Redirect("/setup/owner", status_code=303)
    return _door(request, taken_over=desk.sat_here(session))


def _door(request: AnyRequest, *, error: str = "", status: int = 200, taken_over: bool = False) -> Response[bytes]:
    desk = Desk.of(request)
    words = catalogue(request.scope["state"]["identity"].locale)
    errors_shown = {"token": words.gettext(error)} if error else {}
    return desk.pages.answer(request, "first_run/door.html", status=status, errors=errors_shown,
                             taken_over=taken_over, is_over=desk.token.is_over)


@post("/setup/session", opt={"public": True, "rate": limits.UNLIMITED}, include_in_schema=False, status_code=303)
async def create_setup_session(request: AnyRequest) -> Response[Any]:
    """The token for a cookie. A right one is always taken: wrong ones of others keep nobody out."""
    desk = Desk.of(request)
    if not desk.token.is_it((await form_fields(request)).get("token", "")):
        return _wrong(request)
    secret = desk.sit_down()
    _log.info("first_run.opened")
    response: Response[Any] = Redirect("/setup/owner", status_code=303)
    response.set_cookie(cookie_of(request), secret, httponly=True, samesite="strict", path="/",
                        secure=request.scope["scheme"] == "https")
    return response


def _wrong(request: AnyRequest) -> Response[bytes]:
    desk = Desk.of(request)
    verdict = desk.limiter.take(WRONG_TOKEN.of(counted_address(client_address(request))))
    if not verdict.allowed:
        raise TooMany("That was too much at once; wait a moment and try again.", retry_after=verdict.retry_after)
    _log.warning("first_run.wrong_token")
    said = "This is not the code that Chime printed, or its day is over."
    return _door(request, error=said, status=422)


@get(REACHED + "{nonce:str}", opt={"public": True}, include_in_schema=False)
async def show_reached(request: AnyRequest, nonce: str) -> Response[bytes]:
    """Our own call through the public address comes in here; nobody else knows what to ask."""
    desk = Desk.of(request)
    if nonce not in desk.reached:
        return Response(b"", status_code=404, media_type="text/plain")
    forwarded = request.headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower()
    desk.reached[nonce] = (request.scope["scheme"], _peer(request), forwarded)
    return Response(nonce[::-1].encode(), media_type="text/plain")


def _peer(request: AnyRequest) -> str:
    try:
        address = ipaddress.ip_address(request.client.host if request.client else "")
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


@get("/readyz", opt={"public": True, "rate": limits.UNLIMITED}, include_in_schema=False)
async def show_waiting() -> Response[bytes]:
    """Not ready, and why: a monitor that knows Chime tells this from trouble."""
    return Response(f"{WAITING}\n".encode(), status_code=503, media_type="text/plain", headers=RETRY_AFTER)


@get(["/", "/{rest:path}"], opt={"public": True}, include_in_schema=False)
async def show_elsewhere(request: AnyRequest) -> Response[Any]:
    """A person is led to the door, a machine told to come again."""
    if errors.is_api(request) or request.url.path.startswith("/webhooks/"):
        return _not_yet()
    return Redirect("/setup", status_code=303)


@route(["/", "/{rest:path}"], http_method=[HttpMethod.POST, HttpMethod.PUT, HttpMethod.PATCH, HttpMethod.DELETE],
       opt={"public": True, "no_csrf": True, "rate": limits.UNLIMITED}, include_in_schema=False, status_code=503)
async def create_nothing() -> Response[bytes]:
    return _not_yet()


def _not_yet() -> Response[bytes]:
    return Response(f"Chime is {WAITING}. Come again later.\n".encode(), status_code=503, media_type="text/plain",
                    headers=RETRY_AFTER)


ROUTES = [show_waiting, show_door, create_setup_session, show_reached, show_elsewhere, create_nothing]
