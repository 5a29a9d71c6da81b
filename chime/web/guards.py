"""Before any handler: who is it, may they, and did the request come from our own page.

Denied by default: a route without `permission` (or `public`) in its options answers 403, and a test lists the public
ones. The guard runs before anything is opened, so a refused request touches no workspace.
"""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from chime.checked import words
from chime.errors import ChimeError, Conflict, Forbidden, NotFound, NotSignedIn
from chime.phone import numbers_shown_to
from chime.security import networks
from chime.security.permissions import Permission
from chime.web.forms import read_form
from chime.web.identity import Identity
from chime.web.language import catalogue
from chime.web.limits import SAFE, limit_known, limit_stranger
from chime.web.origins import NotFromHere, need_own_page, need_own_reader
from chime.web.services import Services
from chime.web.step_up import need_proof, need_second_factor
from chime.web.support_trail import note_support

# What goes on while the disk is nearly full; of the other methods only what a handler's `small` says is a few bytes.
_WITHOUT_SPACE = SAFE | {"DELETE"}
Connection = ASGIConnection[Any, Any, Any, Any]
_SUSPENDED = words("Nobody can open it now, and nothing is sent. What customers write is kept, and is there when it "
                   "is resumed. Ask whoever runs this server.")


class WorkspaceSuspended(NotFound):
    """To its members; to everybody else there is none."""

    title = "This workspace is suspended"


async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
    """The application's one guard."""
    if connection.scope.get("method") == "OPTIONS" and "permission" not in handler.opt:
        raise Forbidden("Nothing to ask for here.")
    services = Services.of(connection)
    if handler.opt.get("public"):
        limit_stranger(services.limiter, connection, handler)
        if connection.scope.get("method") not in SAFE and not handler.opt.get("no_csrf"):
            # No session to tie a token to; the browser's own word must do.
            need_own_page(connection, services.config.public_url)
        return
    permission = handler.opt.get("permission")
    if not isinstance(permission, Permission):
        raise Forbidden("This address names no permission.")
    is_api = bool(handler.opt.get("api"))
    identity = await (services.by_api_key if is_api else services.by_session)(services, connection)
    if identity is None:
        limit_stranger(services.limiter, connection, handler)
        raise NotSignedIn("Send a valid API key as a bearer token." if is_api else "Sign in to go on.")
    connection.scope.setdefault("state", {})["identity"] = identity
    if is_api or connection.scope.get("method") in SAFE:
        need_own_reader(connection, document=not is_api and handler.opt.get("document", True))
    numbers_shown_to(identity.actor.sees_numbers, masks_texts=identity.actor.masks_texts)
    limit_known(services.limiter, connection, handler, identity)
    need_second_factor(identity, handler)
    if "slug" in connection.path_params and identity.workspace is None:
        if identity.suspended is not None:
            raise _suspended(identity)
        await services.denials.note(identity, "membership", handler.handler_name)
        raise NotFound("There is no such workspace, or you are not a member of it.")
    if identity.addresses and not networks.holds(identity.addresses, identity.actor.origin.address):
        await services.denials.note(identity, "address", handler.handler_name)
        raise Forbidden("This workspace can be opened only from certain addresses, and yours is none of them.")
    if (identity.workspace is not None and identity.workspace.is_muted
            and connection.scope.get("method") not in SAFE and not handler.opt.get("in_copies")):
        raise Conflict("This is a restored copy: look at whatever you like, but nothing in it can be changed. It can "
                       "take the workspace's place, or be thrown away, under Settings, Backups.")
    if not identity.actor.may(permission):
        await services.denials.note(identity, permission.value, handler.handler_name)
        raise Forbidden.without(permission.value)
    if connection.scope.get("method") not in _WITHOUT_SPACE and not handler.opt.get("small"):
        services.registry.space.need()
    if not is_api:
        try:
            await _same_site(services, connection, identity)
        except NotFromHere:
            await services.denials.note(identity, "form", handler.handler_name)
            raise
        need_proof(identity, handler, permission, services.clock.real_now())
        await note_support(services, connection, handler, identity)


def _suspended(identity: Identity) -> ChimeError:
    """What its members read: not that there is no such thing."""
    of_reader = catalogue(identity.locale)
    reason = of_reader.gettext(identity.suspended) if identity.suspended else ""
    return WorkspaceSuspended(f"{of_reader.gettext(_SUSPENDED)} {reason}".strip())


async def _same_site(services: Services, connection: Connection, identity: Identity) -> None:
    """Unsafe methods need the session's token, in the header (scripts) or the form."""
    if connection.scope.get("method") in SAFE:
        return
    need_own_page(connection, services.config.public_url)
    token = connection.headers.get("x-csrf-token")
    if token is None:
        value = (await read_form(Request(connection.scope, connection.receive, connection.send))).get("csrf_token")
        token = value if isinstance(value, str) else ""
    if not services.pages.is_csrf_token(identity.session_id, token):
        raise NotFromHere("The page was open too long, or it is not ours. Load it again; nothing was changed.")
