"""After the wizard, in the running appliance: what to do next, and a polite word for whoever still has it open."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from litestar import Request, get, post
from litestar.response import Redirect, Response

from chime import accounts, practice
from chime.security.passkeys import relying_party
from chime.security.permissions import Permission
from chime.web.forms import LARGEST_OF_STRANGERS
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
    practice_id = await practice.workspace_id(services.control.db)
    record = next((one for one in identity.workspaces if one.id != practice_id), identity.workspaces[0])
    channel_id = await services.control.db.value(
        "SELECT channel_id FROM channel_route WHERE workspace_id = ? ORDER BY created_at LIMIT 1", record.id)
    config = services.config
    return services.pages.answer(request, "first_run/welcome.html", workspace=record, channel_id=channel_id or "",
                                 practice=next((one for one in identity.workspaces if one.id == practice_id), None),
                                 passkey=_passkey(request, identity), public_url=config.public_url,
                                 device=accounts.device_words(request.headers.get("user-agent", "")[:200]),
                                 has_address=bool(config.public_url), has_mail=services.mailer.configured)


def _passkey(request: AnyRequest, identity: Identity) -> str:
    """Whether one can be made here, or why not. A browser makes and takes one on the very address it belongs to."""
    public_url = Services.of(request).config.public_url
    if "passkey" in identity.second_factors:
        return "there"
    if not public_url:
        return "no_address"
    if relying_party(public_url) is None:
        return "not_secure"
    return "offered" if request.headers.get("host", "") == urlsplit(public_url).netloc else "elsewhere"


@get(["/setup", "/setup/{step:str}"], opt={"public": True}, include_in_schema=False)
async def show_setup_done() -> Response[Any]:
    return Redirect("/sign-in?said=set-up", status_code=303)


@post("/setup/{step:str}", opt={"public": True}, include_in_schema=False, status_code=303,
      request_max_body_size=LARGEST_OF_STRANGERS)
async def create_setup_done() -> Response[Any]:
    """A form of the wizard that comes too late changes nothing."""
    return Redirect("/sign-in?said=set-up", status_code=303)


ROUTES = [show_welcome, show_setup_done, create_setup_done]
