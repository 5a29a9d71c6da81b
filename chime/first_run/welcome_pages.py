"""After the wizard, in the running appliance: what to do next, and a polite word for whoever still has it open."""

from __future__ import annotations

from typing import Any

from litestar import Request, get, post
from litestar.response import Redirect, Response

from chime.security.permissions import Permission
from chime.web.identity import Identity
from chime.web.services import Services

AnyRequest = Request[Any, Any, Any]


@get("/welcome", opt={"permission": Permission.SESSION}, include_in_schema=False)
async def show_welcome(request: AnyRequest) -> Response[Any]:
    """The next steps of the workspace that was made first."""
    services = Services.of(request)
    identity: Identity = request.scope["state"]["identity"]
    if not identity.workspaces:
        return Redirect("/", status_code=303)
    record = identity.workspaces[0]
    channel_id = await services.control.db.value(
        "SELECT channel_id FROM channel_route WHERE workspace_id = ? ORDER BY created_at LIMIT 1", record.id)
    config = services.config
    return services.pages.answer(request, "first_run/welcome.html", workspace=record, channel_id=channel_id or "",
                                 has_address=bool(config.public_url), has_mail=services.mailer.configured)


@get(["/setup", "/setup/{step:str}"], opt={"public": True}, include_in_schema=False)
async def show_setup_done() -> Response[Any]:
    return Redirect("/sign-in?said=set-up", status_code=303)


@post("/setup/{step:str}", opt={"public": True}, include_in_schema=False, status_code=303)
async def create_setup_done() -> Response[Any]:
    """A form of the wizard that comes too late changes nothing."""
    return Redirect("/sign-in?said=set-up", status_code=303)


ROUTES = [show_welcome, show_setup_done, create_setup_done]
