"""Before any handler: who is it, may they, and did the request come from our own page.

Denied by default: a route without `permission` (or `public`) in its options answers 403, and a test lists the public
ones. The guard runs before anything is opened, so a refused request touches no workspace.
"""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from chime.errors import ChimeError, Forbidden, NotFound, NotSignedIn, TooMany
from chime.security.limits import API_LIMITS
from chime.security.permissions import Permission
from chime.web.forms import read_form
from chime.web.identity import Identity
from chime.web.services import Services

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# What goes on while the disk is nearly full; of the other methods only what a handler's `small` says is a few bytes.
_WITHOUT_SPACE = _SAFE | {"DELETE"}
Connection = ASGIConnection[Any, Any, Any, Any]


class NotFromHere(ChimeError):
    """A form or call that did not come from one of our own pages."""

    status = 403
    title = "The page was open too long"


async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
    """The application's one guard."""
    if connection.scope.get("method") == "OPTIONS" and "permission" not in handler.opt:
        raise Forbidden("Nothing to ask for here.")
    if handler.opt.get("public"):
        _from_our_page(connection, handler)
        return
    permission = handler.opt.get("permission")
    if not isinstance(permission, Permission):
        raise Forbidden("This address names no permission.")
    services = Services.of(connection)
    is_api = bool(handler.opt.get("api"))
    identity = await (services.by_api_key if is_api else services.by_session)(services, connection)
    if identity is None:
        raise NotSignedIn("Send a valid API key as a bearer token." if is_api else "Sign in to go on.")
    connection.scope.setdefault("state", {})["identity"] = identity
    if is_api:
        _limited(services, connection, identity)
    if "slug" in connection.path_params and identity.workspace is None:
        raise NotFound("There is no such workspace, or you are not a member of it.")
    if not identity.actor.may(permission):
        raise Forbidden(f"This needs the permission {permission.value}.")
    if connection.scope.get("method") not in _WITHOUT_SPACE and not handler.opt.get("small"):
        services.registry.space.need()
    if not is_api:
        await _same_site(services, connection, identity)


def _limited(services: Services, connection: Connection, identity: Identity) -> None:
    """Three limits at once for each key; what is left goes into the answer's headers."""
    verdict = services.limiter.take(f"api:{identity.actor.id}", API_LIMITS, services.clock.monotonic())
    connection.scope.setdefault("state", {})["rate"] = verdict
    if not verdict.allowed:
        raise TooMany("This key made too many calls; slow down.", retry_after=verdict.retry_after)


def _from_our_page(connection: Connection, handler: BaseRouteHandler) -> None:
    """Public forms (sign-in) have no session to tie a token to; the browser's own word must do."""
    if connection.scope.get("method") in _SAFE or handler.opt.get("no_csrf"):
        return
    site = connection.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        raise NotFromHere("This form was sent from another site.")
    origin = connection.headers.get("origin")
    if origin is not None and origin != "null" and origin.partition("://")[2] != connection.headers.get("host"):
        raise NotFromHere("This form was sent from another site.")


async def _same_site(services: Services, connection: Connection, identity: Identity) -> None:
    """Unsafe methods need the session's token, in the header (scripts) or the form."""
    if connection.scope.get("method") in _SAFE:
        return
    site = connection.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        raise NotFromHere("This request was sent from another site.")
    token = connection.headers.get("x-csrf-token")
    if token is None:
        value = (await read_form(Request(connection.scope, connection.receive, connection.send))).get("csrf_token")
        token = value if isinstance(value, str) else ""
    if not services.pages.is_csrf_token(identity.session_id, token):
        raise NotFromHere("The page was open too long, or it is not ours. Load it again; nothing was changed.")
