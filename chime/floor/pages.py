"""The floor as a page, its live part alone, and to whom a conversation can be given.

Giving itself is the inbox's verb, with the inbox's permission: a form of the page posts there.
"""

from __future__ import annotations

from typing import Any

from litestar import get
from litestar.response import Redirect, Response

from chime import accounts, channels, inbox
from chime.errors import Forbidden, NotFound
from chime.floor import looking
from chime.floor.model import Floor, Sort, takers_first
from chime.security.permissions import Permission
from chime.security.scope import viewer
from chime.web.here import Here

LOOK = {"permission": Permission.ROUTING_EDIT}
_PAGE = "/w/{slug:str}/floor"


def online(here: Here) -> set[str]:
    """Who has a page of this workspace open at this moment; whoever looks at one has."""
    found = {user_id for workspace_id, user_id in here.services.hub.listeners() if workspace_id == here.record.id}
    return found | {here.actor.id} if here.actor.kind == "user" and here.actor.id else found


async def floor_of(here: Here, order: Sort = Sort.LONGEST) -> Floor:
    return await looking.look(here.db, here.services.control.db, here.record.id, here.actor, now=here.now,
                              real_now=here.services.clock.real_now(), online=online(here), order=order)


@get(_PAGE, opt=LOOK)
async def show_floor(here: Here) -> Response[bytes]:
    """The page; for the script its live part alone."""
    asked = here.request.query_params.get("sort", "")
    order = Sort(asked) if asked in set(Sort) else Sort.LONGEST
    numbers = {one.id: one.verified_name or one.display_phone for one in await channels.channels(here.db)}
    return here.page("floor/_now.html" if here.is_htmx else "floor/index.html", floor=await floor_of(here, order),
                     order=order.value, numbers=numbers,
                     teams=await accounts.team_names(here.services.control.db, here.record.id),
                     names={one.id: one.name for one in await accounts.members(here.services.control.db,
                                                                               here.record.id)})


@get(_PAGE + "/takers/{conversation_id:str}", opt=LOOK)
async def show_takers(here: Here, conversation_id: str) -> Response[Any]:
    """A dialog with everybody who could be given this conversation, who has room first. Without scripts the
    conversation itself, where the same is done."""
    if not here.actor.may(Permission.INBOX_ASSIGN):
        raise Forbidden.without(Permission.INBOX_ASSIGN.value)
    found = await inbox.conversations_by_id(here.db, viewer(here.actor, Permission.INBOX_READ), [conversation_id])
    if not found:
        raise NotFound("There is no such conversation.")
    if not here.is_htmx:
        return Redirect(f"{here.base}/inbox/{conversation_id}", status_code=303)
    people = await looking.takers(here.db, here.services.control.db, here.record.id, here.actor, found[0],
                                  real_now=here.services.clock.real_now(), online=online(here))
    return here.page("floor/_takers.html", conversation=found[0], people=takers_first(people))


ROUTES = [show_floor, show_takers]
