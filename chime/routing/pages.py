"""The settings page "Assignment": rules of numbers and teams, how much each person takes, and who would be next and
why. Works without a script."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar import get, post
from litestar.response import Redirect, Response

from chime import accounts, inbox
from chime.errors import ChimeError, Forbidden, NotFound
from chime.routing import actions, forms, places, queries
from chime.routing.model import Agent, Method, Place, Rule, Settings, Status
from chime.security.permissions import Actor, Permission
from chime.web.forms import form_fields, form_lists
from chime.web.here import Here
from chime.workspaces import Transaction

EDIT = {"permission": Permission.ROUTING_EDIT}
_PAGE = "/w/{slug:str}/settings/assignment"
_PLACE = _PAGE + "/places/{place_id:str}"


class PlaceShown(msgspec.Struct, frozen=True, kw_only=True):
    """A number or team with its rule, how many wait there and since when the first; `takers` are (id, name) of who
    could take part."""

    place: Place
    rule: Rule
    waiting: int
    since: int | None
    takers: tuple[tuple[str, str], ...]
    may_decide: bool

    @property
    def names(self) -> list[str]:
        """Of those who were chosen and still can."""
        return [name for user_id, name in self.takers if user_id in self.rule.members]


class PersonShown(msgspec.Struct, frozen=True, kw_only=True):
    """A member as the page shows them: what others see, what they chose, what they have and may have at most."""

    id: str
    name: str
    status: Status
    chosen: Status
    open: int
    capacity: int
    own_capacity: int | None
    may_manage: bool

    @classmethod
    def of(cls, agent: Agent, settings: Settings, now: int, *, may_manage: bool) -> PersonShown:
        return cls(id=agent.id, name=agent.actor.name, status=agent.status(settings, now),
                   chosen=agent.available.status, open=agent.open, capacity=agent.capacity(settings),
                   own_capacity=agent.available.capacity, may_manage=may_manage)


async def team(here: Here) -> list[Actor]:
    """Everybody of the workspace, by name."""
    return await accounts.member_actors(here.services.control.db, here.record.id)


async def place_or_404(here: Here, place_id: str) -> Place:
    found = (await places.places(here.db, here.services.control.db, here.record.id)).get(place_id)
    if found is None:
        raise NotFound("There is no such number or team.")
    return found


@get(_PAGE, opt=EDIT)
async def show_assignment(here: Here) -> Response[bytes]:
    return await _page(here)


async def _page(here: Here, *, status: int = 200, errors: dict[str, str] | None = None, open_id: str = "",
                typed: dict[str, Any] | None = None) -> Response[bytes]:
    """The page; `open_id` is whose form could not be taken (`settings`, a place or a person), `typed` what stood
    in it."""
    everybody, rules = await team(here), await queries.rules(here.db)
    settings, now = await queries.settings(here.db), here.services.clock.real_now()
    known = await places.places(here.db, here.services.control.db, here.record.id)
    since = {place_id: first.since for place_id in known for first in await queries.waiting(here.db, place_id, 1)}
    shown = [PlaceShown(place=place, rule=rules.get(place.id) or Rule(place_id=place.id), since=since.get(place.id),
                        waiting=await queries.count_waiting(here.db, place.id),
                        takers=tuple((one.id or "", one.name) for one in places.takers(everybody, place)),
                        may_decide=places.may_decide(here.actor, place)) for place in known.values()]
    people = [PersonShown.of(agent, settings, now, may_manage=places.may_manage(here.actor, agent.actor))
              for agent in await queries.agents(here.db, everybody) if agent.actor.may(Permission.INBOX_REPLY)]
    return here.page(
        "routing/assignment.html", status=status, errors=errors or {}, open_id=open_id, typed=typed or {},
        places=shown, people=people, settings=settings, claims_replies=await inbox.claims_replies(here.db),
        decides_everything=places.decides_everything(here.actor), methods=tuple(Method), statuses=tuple(Status),
        said=here.request.query_params.get("said", ""))


async def _saved(here: Here, verb: Callable[[Transaction], Awaitable[None]], *, open_id: str,
                 typed: dict[str, Any]) -> Response[Any]:
    try:
        async with here.workspace.write(here.actor) as tx:
            await verb(tx)
    except ChimeError as error:
        if error.status != 422:
            raise
        return await _page(here, status=422, errors=here.problems(error), open_id=open_id, typed=typed)
    return Redirect(f"{here.base}/settings/assignment?said=saved", status_code=303)


@post(_PAGE, opt=EDIT, status_code=303)
async def update_assignment(here: Here) -> Response[Any]:
    """What holds for the whole workspace."""
    if not places.decides_everything(here.actor):
        raise Forbidden("You decide about your own teams only.")
    fields = await form_fields(here.request)

    async def save(tx: Transaction) -> None:
        await actions.save_settings(tx, forms.settings(fields), claims_replies=fields.get("claims") == "1")

    return await _saved(here, save, open_id="settings", typed=fields)


@post(_PLACE, opt=EDIT, status_code=303)
async def update_rule(here: Here, place_id: str) -> Response[Any]:
    place = await place_or_404(here, place_id)
    if not places.may_decide(here.actor, place):
        raise Forbidden("You decide about your own teams only.")
    fields, chosen = await form_fields(here.request), (await form_lists(here.request, "member"))["member"]
    able = [one.id or "" for one in places.takers(await team(here), place)]

    async def save(tx: Transaction) -> None:
        await actions.save_rule(tx, forms.rule(place_id, fields, chosen), members=able)

    return await _saved(here, save, open_id=place_id, typed={**fields, "members": chosen})


@get(_PLACE + "/next", opt=EDIT)
async def show_next(here: Here, place_id: str) -> Response[bytes]:
    """Who would get the next conversation, and why; and of everybody else why not."""
    place, rule = await place_or_404(here, place_id), await queries.rule(here.db, place_id)
    choice = await places.who_is_next(here.db, await team(here), place, rule, here.services.clock.real_now())
    return here.page("routing/next.html", place=place, rule=rule, choice=choice,
                     waiting=await queries.count_waiting(here.db, place_id))


@post(_PAGE + "/members/{member_id:str}", opt=EDIT, status_code=303)
async def update_member_assignment(here: Here, member_id: str) -> Response[Any]:
    """How much somebody takes, and whether they take anything now."""
    found = next((one for one in await team(here) if one.id == member_id), None)
    if found is None:
        raise NotFound("There is no such member.")
    if not places.may_manage(here.actor, found):
        raise Forbidden("You decide about people of your own teams only.")
    fields = await form_fields(here.request)

    async def save(tx: Transaction) -> None:
        await actions.set_capacity(tx, member_id, forms.capacity(fields.get("capacity", "")))
        if "status" in fields:
            await actions.set_status(tx, member_id, forms.status(fields["status"]))

    return await _saved(here, save, open_id=member_id, typed=fields)


ROUTES = [show_assignment, update_assignment, update_rule, show_next, update_member_assignment]
