"""The operators' pages: the workspaces, one of them, a new one, and the machine. Works without a script.

A GET reads control.db and what was measured; it opens no workspace. Whatever changes something wants a fresh proof of
identity and is written down first.
"""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Request, get, post
from litestar.response import Redirect, Response

from chime import accounts
from chime.clock import SECOND
from chime.console import actions, measuring, queries
from chime.console.appliance import appliance
from chime.console.model import LATE, Shown, Sort, Which, quota_fields, quota_from, reason_from
from chime.errors import ChimeError, Invalid, NotFound
from chime.security.permissions import Actor, Permission
from chime.web.forms import form_fields
from chime.web.identity import Identity
from chime.web.language import catalogue
from chime.web.listing import decode_cursor, encode_cursor
from chime.web.services import Services
from chime.workspaces import create_workspace
from chime.workspaces.closing import resume, suspend
from chime.workspaces.quotas import day_of

AnyRequest = Request[Any, Any, Any]
OPERATE = {"permission": Permission.INSTALLATION}
PROVEN = {"permission": Permission.INSTALLATION, "step_up": True}
_PAGE = "/installation/workspaces"
_ONE = _PAGE + "/{workspace_id:str}"
AT_ONCE = 50


def _actor(request: AnyRequest) -> Actor:
    identity: Identity = request.scope["state"]["identity"]
    return identity.actor


def _problems(request: AnyRequest, error: ChimeError) -> dict[str, str]:
    """What is wrong, by field, in the reader's language; what belongs to no field under the empty name."""
    words = catalogue(request.scope["state"]["identity"].locale).gettext
    if isinstance(error, Invalid):
        return {problem.field: words(problem.message) for problem in error.errors}
    return {"": words(error.said)}


@get(_PAGE, opt=OPERATE)
async def list_workspaces(request: AnyRequest) -> Response[bytes]:
    services = Services.of(request)
    asked = request.query_params
    sort = Sort(asked["sort"]) if asked.get("sort") in set(Sort) else Sort.NAME
    which = Which(asked["state"]) if asked.get("state") in set(Which) else Which.ALL
    words = asked.get("q", "").strip()[:80]
    now, control = services.clock.now(), services.control.db
    found = await queries.workspaces(control, today=day_of(now), now=now, sort=sort, which=which, words=words,
                                     after=decode_cursor(asked.get("cursor")), limit=AT_ONCE)
    shown = found[:AT_ONCE]
    last = shown[-1] if len(found) > AT_ONCE else None
    cursor = "" if last is None else encode_cursor(last.place, last.name if sort is Sort.NAME else last.id)
    return services.pages.answer(
        request, "console/index.html", rows=shown, sort=sort.value, which=which.value, words=words, cursor=cursor,
        totals=await queries.totals(control, today=day_of(now)), now=now, late=LATE, backups=await _backups(request),
        is_first=not asked.get("cursor"), said=asked.get("said", ""))


async def _backups(request: AnyRequest) -> dict[str, int]:
    """How old the last restore that was checked is, by workspace, in milliseconds."""
    state = await asyncio.to_thread(request.app.state.backups.state)
    return {workspace_id: int(seconds * SECOND) for workspace_id, seconds in state.ages.items()}


@get(_PAGE + "/new", opt=PROVEN)
async def new_workspace(request: AnyRequest) -> Response[bytes]:
    return _form(request, {})


def _form(request: AnyRequest, values: dict[str, str], *, errors: dict[str, str] | None = None,
          status: int = 200) -> Response[bytes]:
    services = Services.of(request)
    return services.pages.answer(request, "console/new.html", status=status, values=values, errors=errors or {},
                                 mails=services.mailer.configured)


@post(_PAGE, opt=PROVEN, status_code=200)
async def create_new_workspace(request: AnyRequest) -> Response[Any]:
    """The workspace, and the invitation of its first owner."""
    services, actor = Services.of(request), _actor(request)
    fields = await form_fields(request)
    try:
        email = accounts.check_email(fields.get("email", ""))
        async with services.control.write(actor) as tx:
            record = await create_workspace(tx, services.control.keys.data_dir, services.control.keys, services.ids,
                                            name=fields.get("name", ""))
            made = await accounts.invite_first_owner(tx, services.ids, record.id, email)
            await _mail(services, tx, made, record.name, actor)
    except ChimeError as error:
        if error.status not in (409, 422):
            raise
        return _form(request, fields, errors=_problems(request, error), status=error.status)
    await measuring.look(services, {record.id})
    return _handed_over(request, made, record.id)


@post(_ONE + "/owner", opt=PROVEN, status_code=200)
async def create_owner_invitation(request: AnyRequest, workspace_id: str) -> Response[Any]:
    """Again, when the first owner's invitation ran out or went to the wrong address."""
    services, actor = Services.of(request), _actor(request)
    one = await _found(services, workspace_id)
    try:
        async with services.control.write(actor) as tx:
            made = await accounts.invite_first_owner(tx, services.ids, one.id,
                                                     (await form_fields(request)).get("email", ""))
            await _mail(services, tx, made, one.name, actor)
    except ChimeError as error:
        return await _refused(request, workspace_id, error)
    return _handed_over(request, made, one.id)


async def _mail(services: Services, tx: Any, made: accounts.Made, workspace: str, actor: Actor) -> None:
    """With the invitation or not at all."""
    if services.mailer.configured:
        link = services.mailer.link(f"/invitations/{made.token}")
        await services.mailer.send(made.email, *accounts.invitation_mail(link, workspace, actor.name), tx=tx)


def _handed_over(request: AnyRequest, made: accounts.Made, workspace_id: str) -> Response[Any]:
    """Mailed; or the link on a page that is shown once."""
    services = Services.of(request)
    if services.mailer.configured:
        return _back(workspace_id, "invited")
    return services.pages.answer(request, "console/invited.html", made=made, workspace_id=workspace_id,
                                 link=accounts.link_of(services, made.token))


@get(_ONE, opt=OPERATE)
async def show_workspace(request: AnyRequest, workspace_id: str) -> Response[bytes]:
    return await _shown(request, workspace_id)


async def _shown(request: AnyRequest, workspace_id: str, *, status: int = 200, errors: dict[str, str] | None = None,
                 values: dict[str, str] | None = None) -> Response[bytes]:
    services = Services.of(request)
    one, now = await _found(services, workspace_id), services.clock.now()
    control = services.control.db
    return services.pages.answer(
        request, "console/workspace.html", status=status, one=one, days=await queries.days(control, one.id), now=now,
        errors=errors or {}, values=quota_fields(one) | {"reason": "", "email": ""} | (values or {}),
        backups=await _backups(request), owner_until=await queries.open_invitation(control, one.id, now),
        mails=services.mailer.configured,
        said=request.query_params.get("said", ""))


async def _found(services: Services, workspace_id: str) -> Shown:
    """Raises NotFound."""
    one = await queries.workspace(services.control.db, workspace_id, today=day_of(services.clock.now()))
    if one is None:
        raise NotFound("There is no such workspace.")
    return one


@post(_ONE + "/suspension", opt=PROVEN, status_code=303)
async def create_suspension(request: AnyRequest, workspace_id: str) -> Response[Any]:
    """Nobody gets in and nothing is sent until it is resumed; what comes in is kept."""
    services = Services.of(request)
    fields = await form_fields(request)
    try:
        reason = reason_from(fields.get("reason", ""))
        async with services.control.write(_actor(request)) as tx:
            await suspend(tx, workspace_id, reason)
    except ChimeError as error:
        return await _refused(request, workspace_id, error, fields)
    services.hub.end_streams_in(workspace_id)
    return _back(workspace_id, "suspended")


@post(_ONE + "/resumption", opt=PROVEN, status_code=303)
async def create_resumption(request: AnyRequest, workspace_id: str) -> Response[Any]:
    services = Services.of(request)
    async with services.control.write(_actor(request)) as tx:
        await resume(tx, workspace_id)
    # What came in meanwhile is applied now, not with the next sweep.
    await services.runner.sweep([workspace_id])
    return _back(workspace_id, "resumed")


@post(_ONE + "/quota", opt=PROVEN, status_code=303)
async def edit_quota(request: AnyRequest, workspace_id: str) -> Response[Any]:
    services = Services.of(request)
    fields = await form_fields(request)
    try:
        quota = quota_from(fields)
        async with services.control.write(_actor(request)) as tx:
            await actions.set_quota(tx, workspace_id, quota)
    except ChimeError as error:
        return await _refused(request, workspace_id, error, fields)
    await measuring.look(services, {workspace_id})
    return _back(workspace_id, "limited")


def _back(workspace_id: str, said: str) -> Response[Any]:
    return Redirect(f"{_PAGE}/{workspace_id}?said={said}", status_code=303)


async def _refused(request: AnyRequest, workspace_id: str, error: ChimeError, values: dict[str, str] | None = None
                   ) -> Response[bytes]:
    if error.status not in (409, 422):
        raise error
    return await _shown(request, workspace_id, status=error.status, errors=_problems(request, error), values=values)


@get("/installation/appliance", opt=OPERATE)
async def show_appliance(request: AnyRequest) -> Response[bytes]:
    services = Services.of(request)
    found = await appliance(services, request.app.state.gauges)
    return services.pages.answer(request, "console/appliance.html", found=found)


ROUTES = [list_workspaces, new_workspace, create_new_workspace, show_workspace, create_owner_invitation,
          create_suspension, create_resumption, edit_quota, show_appliance]
