"""The way from `/` to somebody's workspace, and the theme."""

from __future__ import annotations

from typing import Any

from litestar import Request, get, post
from litestar.response import Redirect, Response

from chime.accounts import queries
from chime.accounts.entry_pages import is_secure
from chime.errors import Invalid
from chime.security.permissions import Permission
from chime.web.forms import form_fields
from chime.web.identity import Identity
from chime.web.own_path import path_of
from chime.web.services import Services

AnyRequest = Request[Any, Any, Any]


@get("/", opt={"permission": Permission.SESSION}, include_in_schema=False)
async def show_home(request: AnyRequest) -> Redirect:
    """The first workspace of the person; for an operator who has none, the operators' pages."""
    identity: Identity = request.scope["state"]["identity"]
    if not identity.workspaces:
        gone = await queries.suspended_slugs(Services.of(request).control.db, identity.actor.id or "")
        if gone:
            return Redirect(f"/w/{gone[0]}", status_code=303)
        if identity.actor.may(Permission.INSTALLATION):
            return Redirect("/installation/workspaces", status_code=303)
        raise Invalid.field("workspace", "You are not a member of any workspace; ask an owner to invite you.")
    return Redirect(f"/w/{identity.workspaces[0].slug}", status_code=303)


@post("/preferences/theme", opt={"permission": Permission.SESSION, "small": True}, include_in_schema=False)
async def edit_theme(request: AnyRequest) -> Response[Any]:
    """Kept in a cookie of this browser, so that the server can draw the right colours at once."""
    theme = (await form_fields(request)).get("theme", "")
    if theme not in ("light", "dark", "system"):
        raise Invalid.field("theme", "Choose light, dark or system.")
    plain = request.headers.get("hx-request") is None
    response: Response[Any] = (Redirect(path_of(request.headers.get("referer", "/")), status_code=303)
                               if plain else Response(b"", status_code=204))
    response.set_cookie("theme", theme, samesite="lax", path="/", secure=is_secure(request), max_age=31_536_000)
    return response


ROUTES = [show_home, edit_theme]
