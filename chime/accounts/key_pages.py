"""The installation's keys, for its operators: how they are, what to do, and the recovery sheet. No page shows a key but
the sheet, which is made on a fresh proof of identity, is written down, and stored by nobody on the way."""

from __future__ import annotations

from typing import Any

from litestar import Request, get, post
from litestar.response import Redirect, Response

from chime.clock import rfc3339
from chime.errors import ChimeError, NotFound
from chime.security.permissions import Permission
from chime.web.identity import Identity
from chime.web.services import Services
from chime.workspaces.key_status import key_status
from chime.workspaces.keys import Purpose
from chime.workspaces.recovery_sheet import sheet
from chime.workspaces.rotation import ask

OPERATE = {"permission": Permission.INSTALLATION}
PROVEN = {"permission": Permission.INSTALLATION, "step_up": True}
_PAGE = "/installation/keys"
AnyRequest = Request[Any, Any, Any]


@get(_PAGE, opt=OPERATE)
async def show_keys(request: AnyRequest) -> Response[bytes]:
    return await _page(request)


async def _page(request: AnyRequest, *, status: int = 200, error: str = "") -> Response[bytes]:
    services = Services.of(request)
    found = await key_status(services.control, now=services.clock.real_now())
    where = next((setting.source for setting in services.config.settings if setting.option.name == "master_key"), "")
    return services.pages.answer(request, "installation/keys.html", status=status, keys=found, error=error,
                                 configured=services.config.master_key is not None and where != "default",
                                 source=where, said=request.query_params.get("said", ""))


@post(_PAGE + "/workspaces/{workspace_id:str}/rotation", opt=PROVEN, status_code=303)
async def create_rotation(request: AnyRequest, workspace_id: str) -> Response[Any]:
    """New keys for a workspace; what is older is moved in the background."""
    services, identity = Services.of(request), _identity(request)
    if not await services.control.is_active(workspace_id):
        raise NotFound("There is no such workspace.")
    try:
        async with services.control.write(identity.actor) as tx:
            await ask(tx, services.control.keys, services.ids, workspace_id=workspace_id, purposes=list(Purpose))
    except ChimeError as error:
        if error.status != 409:
            raise
        return await _page(request, status=409, error=str(error))
    return Redirect(f"{_PAGE}?said=rotating", status_code=303)


@post(_PAGE + "/recovery-sheet", opt=PROVEN, status_code=200)
async def create_recovery_sheet(request: AnyRequest) -> Response[bytes]:
    """Shown this once, and only to who has just proved who they are; first it is written down that they saw it."""
    services, identity = Services.of(request), _identity(request)
    keys = services.control.keys
    async with services.control.write(identity.actor) as tx:
        await tx.audit("key.sheet_made", "installation", "", master_key_id=keys.master_key_id)
    now = services.clock.real_now()
    text = sheet(keys.opened_by, data_dir=services.config.data_dir, public_url=services.config.public_url, at=now)
    return services.pages.answer(request, "installation/recovery_sheet.html", sheet=text, day=rfc3339(now)[:10])


def _identity(request: AnyRequest) -> Identity:
    found: Identity = request.scope["state"]["identity"]
    return found


ROUTES = [show_keys, create_rotation, create_recovery_sheet]
