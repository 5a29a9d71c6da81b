"""One's own availability, in the menu of one's account and as a page; and how everybody stands, for the dots."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.response import Redirect, Response

from chime.errors import Forbidden
from chime.routing import actions, forms, queries, shift_pages
from chime.routing.model import Status
from chime.routing.pages import team
from chime.security import limits
from chime.security.permissions import Permission
from chime.web.forms import form_fields
from chime.web.here import Here
from chime.working_time import roster

OWN = {"permission": Permission.INBOX_REPLY}
_OWN = "/w/{slug:str}/availability"
_WORDS = {Status.AVAILABLE: "Available", Status.BUSY: "Busy", Status.AWAY: "Away"}


@get(_OWN, opt=OWN)
async def show_availability(here: Here) -> Response[bytes]:
    return await _shown(here)


async def _shown(here: Here) -> Response[bytes]:
    """A part of the menu for the script, a page for a link."""
    found, settings = await queries.availability(here.db, here.actor.id or ""), await queries.settings(here.db)
    name = "routing/_availability.html" if here.is_htmx else "routing/availability.html"
    off = (await roster(here.db, here.actor.id or "", now := here.services.clock.real_now())).off(now)
    names = {one.id or "": one.name for one in await team(here)} if off else {}
    return here.page(name, chosen=found.status, away_minutes=settings.away_minutes, off=off, names=names)


@post(_OWN, opt=OWN | {"small": True}, status_code=200)
async def update_availability(here: Here) -> Response[Any]:
    if here.actor.kind != "user":
        raise Forbidden("Only a member has an availability.")
    status = forms.status((await form_fields(here.request)).get("status", ""))
    async with here.workspace.write(here.actor) as tx:
        await actions.set_status(tx, here.actor.id or "", status)
    return await _shown(here) if here.is_htmx else Redirect(f"{here.base}/availability", status_code=303)


@get(_OWN + "/people", opt={"permission": Permission.INBOX_READ, "rate": limits.READ, "document": False})
async def list_availability(here: Here) -> Response[dict[str, Any]]:
    """Of each member the state and its word, by id."""
    settings, now = await queries.settings(here.db), here.services.clock.real_now()
    told = {}
    for agent in await queries.agents(here.db, await team(here)):
        if agent.actor.may(Permission.INBOX_REPLY):
            status = agent.status(settings, now)
            told[agent.id] = {"status": status.value, "words": here.words(_WORDS[status])}
    return Response(told, media_type="application/json", headers={"Cache-Control": "no-store"})


ROUTES = [show_availability, update_availability, list_availability, *shift_pages.ROUTES]
