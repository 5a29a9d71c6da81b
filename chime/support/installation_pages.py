"""Support access as operators see it: asking, the second operator of an emergency, and what they have open."""

from __future__ import annotations

from typing import Any

from litestar import Request, get, post
from litestar.response import Redirect, Response

from chime.errors import ChimeError, Invalid
from chime.security.permissions import Actor, Permission
from chime.security.support import READS, WRITES
from chime.support import actions, queries
from chime.support.letters import mail_emergency, mail_request
from chime.support.model import Bounds, Wish
from chime.support.trail import in_workspace
from chime.support.watch import told
from chime.web.forms import form_fields, form_lists
from chime.web.identity import Identity
from chime.web.language import catalogue
from chime.web.services import Services

AnyRequest = Request[Any, Any, Any]
OPERATE = {"permission": Permission.INSTALLATION}
PROVEN = {"permission": Permission.INSTALLATION, "step_up": True}
_PAGE = "/installation/support"
_ONE = _PAGE + "/{grant_id:str}"
MINUTES = (15, 30, 60, 120, 240)


def _actor(request: AnyRequest) -> Actor:
    identity: Identity = request.scope["state"]["identity"]
    return identity.actor


@get(_PAGE, opt=OPERATE)
async def show_support_requests(request: AnyRequest) -> Response[bytes]:
    return await _shown(request)


async def _shown(request: AnyRequest, *, status: int = 200, error: ChimeError | None = None,
                 values: dict[str, Any] | None = None) -> Response[bytes]:
    """The page; `values` are what was typed when it could not be taken."""
    services, actor = Services.of(request), _actor(request)
    control = services.control.db
    listed = await queries.of_installation(control, services.clock.real_now())
    return services.pages.answer(
        request, "support/installation.html", status=status, grants=listed, me=actor.id,
        now=services.clock.real_now(), workspaces=await queries.choices(control, actor.id or ""), modules=tuple(READS),
        minutes=MINUTES, writable=frozenset(WRITES), has_second=await queries.operators(control) > 1,
        values=values or {"minutes": "60", "modules": []},
        errors=_problems(request, error) if error else {},
        said=request.query_params.get("said", ""))


def _problems(request: AnyRequest, error: ChimeError) -> dict[str, str]:
    """What is wrong, by field, in the reader's language; what belongs to no field under the empty name."""
    words = catalogue(request.scope["state"]["identity"].locale).gettext
    if isinstance(error, Invalid):
        return {problem.field: words(problem.message) for problem in error.errors}
    return {"": words(error.said)}


def _back(said: str) -> Response[Any]:
    return Redirect(f"{_PAGE}?said={said}", status_code=303)


@post(_PAGE, opt=PROVEN, status_code=303)
async def create_support_request(request: AnyRequest) -> Response[Any]:
    """Ask the owners of a workspace."""
    services, actor = Services.of(request), _actor(request)
    fields = await form_fields(request)
    modules = (await form_lists(request, "modules"))["modules"]
    minutes = fields.get("minutes", "")
    workspace_id = fields.get("workspace_id", "")
    wish = Wish(reason=fields.get("reason", ""), ticket=fields.get("ticket", ""),
                is_emergency=fields.get("emergency") == "yes",
                bounds=Bounds(modules=tuple(name for name in READS if name in modules),
                              writes=fields.get("writes") == "yes", masked=fields.get("whole_numbers") != "yes",
                              minutes=int(minutes) if minutes.isascii() and minutes.isdigit() and len(minutes) < 5
                              else 0))
    try:
        async with services.control.write(actor) as tx:
            grant_id = await actions.ask(tx, workspace_id, wish)
            asked = await queries.grant(tx, grant_id, tx.audited_at)
            assert asked is not None
            await in_workspace(services, workspace_id, actor, "support.requested", grant_id,
                               emergency=asked.is_emergency, **actions.told(asked.bounds))
            if not asked.is_emergency:
                await mail_request(services.mailer, tx, asked)
    except ChimeError as error:
        return await _refused(request, error, {**fields, "modules": modules})
    told(services, workspace_id, grant_id)
    return _back("asked")


@post(_ONE + "/confirmation", opt=PROVEN, status_code=303)
async def create_support_confirmation(request: AnyRequest, grant_id: str) -> Response[Any]:
    """The second operator agrees that it is an emergency; the owners hear of it in the same moment."""
    services, actor = Services.of(request), _actor(request)
    try:
        async with services.control.write(actor) as tx:
            granted = await actions.confirm(tx, grant_id)
            await in_workspace(services, granted.workspace_id, actor, "support.granted", grant_id, emergency=True,
                               operator=granted.operator_name, **actions.told(granted.bounds))
            await mail_emergency(services.mailer, tx, granted)
    except ChimeError as error:
        return await _refused(request, error)
    told(services, granted.workspace_id, grant_id)
    return _back("confirmed")


@post(_ONE + "/withdrawal", opt=OPERATE, status_code=303)
async def create_support_withdrawal(request: AnyRequest, grant_id: str) -> Response[Any]:
    services, actor = Services.of(request), _actor(request)
    try:
        async with services.control.write(actor) as tx:
            await actions.withdraw(tx, grant_id)
    except ChimeError as error:
        return await _refused(request, error)
    return _back("withdrawn")


@post(_ONE + "/end", opt=OPERATE, status_code=303)
async def create_support_leave(request: AnyRequest, grant_id: str) -> Response[Any]:
    """An operator ends an access, their own or a colleague's."""
    services, actor = Services.of(request), _actor(request)
    try:
        async with services.control.write(actor) as tx:
            await actions.end(tx, grant_id)
    except ChimeError as error:
        return await _refused(request, error)
    await request.app.state.support.look()
    return _back("ended")


async def _refused(request: AnyRequest, error: ChimeError, values: dict[str, Any] | None = None) -> Response[bytes]:
    if error.status not in (409, 422):
        raise error
    return await _shown(request, status=error.status, error=error, values=values)


ROUTES = [show_support_requests, create_support_request, create_support_confirmation, create_support_withdrawal,
          create_support_leave]
