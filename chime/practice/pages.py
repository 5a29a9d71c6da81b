"""The practice workspace, for the operators of the installation: making it, removing it, and the customers' phones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Litestar, Request, asgi, get, post
from litestar.response import Redirect, Response
from litestar.types import Receive, Scope, Send

from chime.checked import words
from chime.errors import ChimeError, NotFound
from chime.practice import queries
from chime.practice.making import make
from chime.practice.model import DISPLAY_PHONE, workspace_name
from chime.practice.running import Practice
from chime.security.limits import UNLIMITED
from chime.security.permissions import Permission
from chime.web.identity import Identity
from chime.web.language import catalogue
from chime.web.services import Services
from chime.workspaces.closing import erase

if TYPE_CHECKING:
    from chime.simulator import Simulator

AnyRequest = Request[Any, Any, Any]
PAGE = "/installation/practice"
PHONES = "/simulator"
_CLOCK = f"{PHONES}/clock"
_NO_CLOCK = words("The other workspaces live by the same clock, so it is not moved here. In a demo it is.")
OPERATE = {"permission": Permission.INSTALLATION}
PROVEN = {"permission": Permission.INSTALLATION, "step_up": True}


@get(PAGE, opt=OPERATE, include_in_schema=False)
async def show_practice(request: AnyRequest) -> Response[bytes]:
    return await _page(request)


async def _page(request: AnyRequest, *, status: int = 200, error: str = "") -> Response[bytes]:
    services, identity = Services.of(request), _identity(request)
    workspace_id = await queries.workspace_id(services.control.db)
    record = await services.control.workspace(workspace_id) if workspace_id else None
    mine = next((one for one in identity.workspaces if record and one.id == record.id), None)
    return services.pages.answer(
        request, "practice/index.html", status=status, error=error, workspace=record, mine=mine is not None,
        has_real=await queries.real_number(services.control.db), number=DISPLAY_PHONE,
        said=request.query_params.get("said", ""))


@post(PAGE, opt=PROVEN, include_in_schema=False, status_code=303)
async def create_practice(request: AnyRequest) -> Response[Any]:
    services, identity = Services.of(request), _identity(request)
    zone = identity.workspaces[0].time_zone if identity.workspaces else "UTC"
    try:
        record = await make(services.control, services.registry, services.ids, identity.actor,
                            data_dir=services.config.data_dir, user_id=identity.actor.id or "",
                            name=workspace_name(catalogue(identity.locale).gettext), time_zone=zone)
    except ChimeError as error:
        if error.status not in (409, 422):
            raise
        return await _page(request, status=error.status, error=catalogue(identity.locale).gettext(error.said))
    _practice(request).look()
    return Redirect(f"/w/{record.slug}/inbox", status_code=303)


@post(PAGE + "/removal", opt=PROVEN, include_in_schema=False, status_code=303)
async def delete_practice(request: AnyRequest) -> Response[Any]:
    """At once and for good: nothing in it is anybody's."""
    services, identity = Services.of(request), _identity(request)
    workspace_id = await queries.workspace_id(services.control.db)
    if workspace_id is None:
        return Redirect(f"{PAGE}?said=removed", status_code=303)
    async with services.control.write(identity.actor) as tx:
        await erase(tx, workspace_id)
    _practice(request).look()
    return Redirect(f"{PAGE}?said=removed", status_code=303)


@asgi(PHONES, is_mount=True, opt=OPERATE | {"rate": UNLIMITED}, copy_scope=True)
async def show_phones(scope: Scope, receive: Receive, send: Send) -> None:
    """The simulator's own pages, for whoever passed the guard. Raises NotFound while nothing is simulated."""
    path = PHONES + "/" + scope["path"].removeprefix(PHONES).strip("/")
    phones = _practice(Request(scope)).phones
    if phones is None:
        raise NotFound("There is no practice workspace.")
    if path == _CLOCK:
        await _refuse(send, catalogue(_identity(Request(scope)).locale).gettext(_NO_CLOCK))
        return
    await phones({**scope, "path": path, "raw_path": path.encode()}, receive, send)


async def _refuse(send: Send, reason: str) -> None:
    """As the phone's script reads it."""
    problem = {"type": "about:blank", "title": "Conflict", "status": 409, "detail": reason}
    await send({"type": "http.response.start", "status": 409, "headers": [
        (b"content-type", b"application/problem+json")]})
    await send({"type": "http.response.body", "body": msgspec.json.encode(problem), "more_body": False})


def _identity(request: AnyRequest) -> Identity:
    found: Identity = request.scope["state"]["identity"]
    return found


def _practice(request: AnyRequest) -> Practice:
    found: Practice = request.app.state.practice
    return found


def phone_routes(simulator: Simulator | None) -> list[Any]:
    """What answers below `/simulator`: the demo's simulator as a whole, or the phones for who may see them."""
    if simulator is None:
        return [show_phones]
    from chime.simulator import routes

    return [*routes(simulator)]


def practice_of(services: Services, app: Litestar) -> Practice:
    """Beside the application whose state will hold it."""
    found = Practice(services.control, services.registry, services.graph, services.runner, lambda: app.asgi_handler)
    app.state.hang_up.append(found.hang_up)
    if services.pages:
        services.pages.practises_in = found.is_in
    return found


ROUTES = [show_practice, create_practice, delete_practice]
