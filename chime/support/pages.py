"""Support access as a workspace sees it: who asks, who is inside, what was before; and the banner of every page."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.response import Redirect, Response

from chime.errors import ChimeError, Invalid
from chime.security.permissions import Permission
from chime.security.support import READS, WRITES
from chime.support import actions, queries
from chime.support.letters import mail_decision
from chime.support.model import Bounds, Grant
from chime.support.trail import in_workspace
from chime.support.watch import told
from chime.web.forms import form_fields, form_lists
from chime.web.here import Here

END = {"permission": Permission.SUPPORT_END}
DECIDE = {"permission": Permission.SUPPORT_APPROVE}
APPROVE = {"permission": Permission.SUPPORT_APPROVE, "step_up": True}
_PAGE = "/w/{slug:str}/settings/support"
_ONE = _PAGE + "/{grant_id:str}"
MINUTES = (15, 30, 60, 120, 240)


@get(_PAGE, opt=END)
async def show_support(here: Here) -> Response[bytes]:
    return await _shown(here)


async def _shown(here: Here, *, status: int = 200, errors: dict[str, str] | None = None,
                 refused_id: str = "") -> Response[bytes]:
    control, now = here.services.control.db, here.services.clock.real_now()
    listed = await queries.of_workspace(control, here.record.id, now)
    asked, inside = await queries.waiting(control, here.record.id, now), await queries.granted_now(
        control, here.record.id, now)
    current = {grant.id for grant in (*asked, *inside)}
    return here.page("support/workspace.html", status=status, errors=errors or {}, refused_id=refused_id,
                     asked=[(grant, _choices(grant)) for grant in asked], inside=inside,
                     past=[grant for grant in listed if grant.id not in current], writable=frozenset(WRITES),
                     modules=tuple(READS), said=here.request.query_params.get("said", ""))


def _choices(grant: Grant) -> tuple[int, ...]:
    """Lengths that may be granted: what was asked for, and less."""
    return tuple(sorted({minutes for minutes in MINUTES if minutes < grant.minutes} | {grant.minutes}))


def _back(here: Here, said: str) -> Response[Any]:
    return Redirect(f"{here.base}/settings/support?said={said}", status_code=303)


@post(_ONE + "/approval", opt=APPROVE, status_code=303)
async def create_support_approval(here: Here, grant_id: str) -> Response[Any]:
    """Let support in: at most what was asked for, numbers hidden unless it says otherwise."""
    try:
        bounds = await _bounds(here)
        async with here.services.control.write(here.actor) as tx:
            granted = await actions.approve(tx, here.record.id, grant_id, bounds)
            await in_workspace(here.services, here.record.id, here.actor, "support.granted", grant_id,
                               operator=granted.operator_name, **actions.told(bounds))
            await mail_decision(here.services.mailer, tx, granted, "granted")
    except ChimeError as error:
        return await _refused(here, error, grant_id)
    told(here.services, here.record.id, grant_id)
    return _back(here, "granted")


async def _bounds(here: Here) -> Bounds:
    fields = await form_fields(here.request)
    modules = (await form_lists(here.request, "modules"))["modules"]
    minutes = fields.get("minutes", "")
    if not (minutes.isascii() and minutes.isdigit() and len(minutes) < 5):
        raise Invalid.field("minutes", "Choose how long.")
    return Bounds(modules=tuple(name for name in READS if name in modules), writes=fields.get("writes") == "yes",
                  masked=fields.get("whole_numbers") != "yes", minutes=int(minutes))


@post(_ONE + "/refusal", opt=DECIDE, status_code=303)
async def create_support_refusal(here: Here, grant_id: str) -> Response[Any]:
    now = here.services.clock.real_now()
    try:
        async with here.services.control.write(here.actor) as tx:
            asked = await queries.grant(tx, grant_id, now)
            await actions.refuse(tx, here.record.id, grant_id)
            await in_workspace(here.services, here.record.id, here.actor, "support.refused", grant_id)
            if asked is not None:
                await mail_decision(here.services.mailer, tx, asked, "refused")
    except ChimeError as error:
        return await _refused(here, error, grant_id)
    return _back(here, "refused")


@post(_ONE + "/end", opt=END, status_code=303)
async def create_support_end(here: Here, grant_id: str) -> Response[Any]:
    """It is over, now."""
    try:
        async with here.services.control.write(here.actor) as tx:
            await actions.end(tx, grant_id, workspace_id=here.record.id)
    except ChimeError as error:
        return await _refused(here, error, grant_id)
    await here.request.app.state.support.look()
    return _back(here, "ended")


async def _refused(here: Here, error: ChimeError, grant_id: str) -> Response[bytes]:
    """The page again with what was wrong, by the request it was wrong with."""
    if error.status not in (409, 422):
        raise error
    return await _shown(here, status=error.status, errors=here.problems(error), refused_id=grant_id)


@get("/w/{slug:str}/support/banner", opt={"permission": Permission.WORKSPACE_READ})
async def show_support_banner(here: Here) -> Response[bytes]:
    """Who of support is inside, for a page that stays open."""
    return here.page("support/_banner.html")


ROUTES = [show_support, create_support_approval, create_support_refusal, create_support_end, show_support_banner]
