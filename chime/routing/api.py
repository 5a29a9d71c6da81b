"""Availability and assignment, for scripts: how members stand, the rules, and who would get the next conversation."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from litestar import get, patch
from msgspec import UNSET, Meta, UnsetType

from chime import inbox
from chime.clock import rfc3339
from chime.errors import Forbidden, NotFound
from chime.routing import actions, places, queries, shift_api
from chime.routing.model import Agent, Choice, Method, Place, Rule, Settings, Standing, Status
from chime.routing.pages import place_or_404, team
from chime.security.permissions import Actor, Permission
from chime.web.forms import json_body
from chime.web.here import Here
from chime.web.listing import Page, decode_cursor, page_of, page_size, query_of
from chime.web.reference import PAGED, Moment, Operation, api

_MEMBER = "/api/v1/members/{member_id:str}/availability"
_SETTINGS = "/api/v1/assignment"
_RULES = _SETTINGS + "/rules"
_RULE = _RULES + "/{place_id:str}"
StatusName = Literal["available", "busy", "away"]
MethodName = Literal["off", "round_robin", "least_busy"]


class AvailabilityAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How a member stands. `status` is what others see, `chosen_status` what the person chose: somebody available
    without an open page is away after a while. `capacity` 0 is no limit; `own_capacity` is null when the workspace's
    number holds."""

    member_id: str
    name: str
    status: StatusName
    chosen_status: StatusName
    open_conversations: int
    capacity: int
    own_capacity: int | None

    @classmethod
    def of(cls, agent: Agent, settings: Settings, now: int) -> AvailabilityAnswer:
        return cls(member_id=agent.id, name=agent.actor.name, status=agent.status(settings, now).value,
                   chosen_status=agent.available.status.value, open_conversations=agent.open,
                   capacity=agent.capacity(settings), own_capacity=agent.available.capacity)


class UpdateAvailability(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Only what is given changes. `capacity` null is the workspace's number, 0 no limit."""

    status: StatusName | UnsetType = UNSET
    capacity: Annotated[int, Meta(ge=0, le=500)] | UnsetType | None = UNSET


class AssignmentAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for the whole workspace. 0 is no limit, or never."""

    capacity: int
    away_minutes: int
    claim_on_reply: bool


class UpdateAssignment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Only what is given changes."""

    capacity: Annotated[int, Meta(ge=0, le=500)] | UnsetType = UNSET
    away_minutes: Annotated[int, Meta(ge=0, le=480)] | UnsetType = UNSET
    claim_on_reply: bool | UnsetType = UNSET


class RuleAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The rule of a number or a team. Without `member_ids` everybody takes part who may reply there. With `owner_first`
    whoever looks after the contact comes before all others."""

    place_id: str
    kind: Literal["number", "team"]
    name: str
    method: MethodName
    previous_days: int
    owner_first: bool
    member_ids: tuple[str, ...]
    waiting: int

    @classmethod
    def of(cls, place: Place, rule: Rule, waiting: int) -> RuleAnswer:
        return cls(place_id=place.id, kind="team" if place.is_team else "number", name=place.name,
                   method=rule.method.value, previous_days=rule.previous_days, owner_first=rule.owner_first,
                   member_ids=rule.members,
                   waiting=waiting)


class UpdateRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Only what is given changes. `member_ids` replaces all of them; none means everybody."""

    method: MethodName | UnsetType = UNSET
    previous_days: Annotated[int, Meta(ge=0, le=365)] | UnsetType = UNSET
    owner_first: bool | UnsetType = UNSET
    member_ids: Annotated[tuple[str, ...], Meta(max_length=500)] | UnsetType = UNSET


class StandingAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A member before the next conversation. `verdict` is `takes`, or why not: `not_taking_part`, `no_access`,
    `absent`, `off_shift`, `away`, `busy`, `not_here`, `gave_back` or `full`. `off_until` is when an absence or the time
    off shift ends, `stand_in_id` who takes over in an absence."""

    member_id: str
    name: str
    verdict: Literal["takes", "not_taking_part", "no_access", "absent", "off_shift", "away", "busy", "not_here",
                     "gave_back", "full"]
    open_conversations: int
    capacity: int
    off_until: Moment | None
    stand_in_id: str | None

    @classmethod
    def of(cls, one: Standing) -> StandingAnswer:
        return cls(member_id=one.user_id, name=one.name, verdict=one.verdict.value, open_conversations=one.open,
                   capacity=one.capacity, stand_in_id=one.stand_in_id,
                   off_until=rfc3339(one.off.until) if one.off and one.off.until else None)


class NextAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Who would get the conversation that waits longest, or a new one when none waits; `because` is `owner`,
    `previous`, `stand_in` (for one of those two who is absent), `turn` or `least_busy`. Both are null when nobody takes
    it."""

    member_id: str | None
    because: Literal["owner", "stand_in", "previous", "turn", "least_busy"] | None
    members: tuple[StandingAnswer, ...]

    @classmethod
    def of(cls, choice: Choice) -> NextAnswer:
        return cls(member_id=choice.chosen.user_id if choice.chosen else None,
                   because=choice.because.value if choice.because else None,
                   members=tuple(StandingAnswer.of(one) for one in choice.standings))


_ID, _OTHER = "01kafx2v9m3q8r5t7w1y4z6b0e", "01kafx2v9m3q8r5t7w1y4z6b0f"
_AVAILABILITY: dict[str, object] = {
    "member_id": _ID, "name": "Mo Haddad", "status": "away", "chosen_status": "available", "open_conversations": 2,
    "capacity": 5, "own_capacity": 5,
}
_SETTINGS_EXAMPLE: dict[str, object] = {"capacity": 20, "away_minutes": 5, "claim_on_reply": True}
_RULE_EXAMPLE: dict[str, object] = {
    "place_id": _OTHER, "kind": "team", "name": "Support", "method": "least_busy", "previous_days": 7,
    "owner_first": False, "member_ids": [], "waiting": 3,
}


async def _member(here: Here, member_id: str) -> Actor:
    """Raises NotFound, also for who may not be seen."""
    found = next((one for one in await team(here) if one.id == member_id), None)
    if found is None or not (places.sees(here.actor, found) or member_id == places.person_of(here.actor)):
        raise NotFound("There is no such member.")
    return found


async def _told(here: Here, member: Actor) -> AvailabilityAnswer:
    agents = await queries.agents(here.db, [member])
    return AvailabilityAnswer.of(agents[0], await queries.settings(here.db), here.services.clock.real_now())


@get("/api/v1/availability", opt=api(Permission.MEMBERS_READ, Operation(
    tag="assignment", summary="List who is available", answer=Page[AvailabilityAnswer], parameters=PAGED,
    description="The members the key's person sees and who may reply, in the order in which their accounts were made.",
    response_example={"items": [_AVAILABILITY], "next_cursor": None})))
async def list_availability_answers(here: Here) -> Page[AvailabilityAnswer]:
    query = query_of(here.request)
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    seen = [one for one in await team(here) if one.may(Permission.INBOX_REPLY) and places.sees(here.actor, one)
            and (after is None or (one.id or "") > after[1])]
    seen.sort(key=_id)
    rows = await queries.agents(here.db, seen[:limit + 1])
    settings, now = await queries.settings(here.db), here.services.clock.real_now()
    return page_of(rows, limit, place=lambda row: (0, row.id), told=lambda row: AvailabilityAnswer.of(row, settings,
                                                                                                     now))


def _id(actor: Actor) -> str:
    return actor.id or ""


@get(_MEMBER, opt=api(Permission.MEMBERS_READ, Operation(
    tag="assignment", summary="Read a member's availability", answer=AvailabilityAnswer,
    response_example=_AVAILABILITY)))
async def show_availability_answer(here: Here, member_id: str) -> AvailabilityAnswer:
    return await _told(here, await _member(here, member_id))


@patch(_MEMBER, opt=api(Permission.INBOX_REPLY, Operation(
    tag="assignment", summary="Set a member's availability", body=UpdateAvailability, answer=AvailabilityAnswer,
    description="Only what is given changes. Of anybody but the key's own person it needs the scope `routing:edit`, "
                "and so does `capacity`.",
    refusals={403: "The key's person may not decide about this member."},
    request_example={"status": "busy"}, response_example=_AVAILABILITY | {"status": "busy", "chosen_status": "busy"}),
    small=True))
async def update_availability_answer(here: Here, member_id: str) -> AvailabilityAnswer:
    body = await json_body(here.request, UpdateAvailability)
    found, own = await _member(here, member_id), member_id == places.person_of(here.actor)
    if not (own and body.capacity is UNSET) and not places.may_manage(here.actor, found):
        raise Forbidden(f"This needs the permission {Permission.ROUTING_EDIT.value} over this member.")
    async with here.workspace.write(here.actor) as tx:
        if body.capacity is not UNSET:
            await actions.set_capacity(tx, member_id, body.capacity)
        if body.status is not UNSET:
            await actions.set_status(tx, member_id, Status(body.status))
    return await _told(here, found)


@get(_SETTINGS, opt=api(Permission.ROUTING_EDIT, Operation(
    tag="assignment", summary="Read what holds for the workspace", answer=AssignmentAnswer,
    response_example=_SETTINGS_EXAMPLE)))
async def show_assignment_answer(here: Here) -> AssignmentAnswer:
    return await _assignment(here)


async def _assignment(here: Here) -> AssignmentAnswer:
    found = await queries.settings(here.db)
    return AssignmentAnswer(capacity=found.capacity, away_minutes=found.away_minutes,
                            claim_on_reply=await inbox.claims_replies(here.db))


@patch(_SETTINGS, opt=api(Permission.ROUTING_EDIT, Operation(
    tag="assignment", summary="Change what holds for the workspace", body=UpdateAssignment, answer=AssignmentAnswer,
    description="Only what is given changes. 0 minutes: nobody is away only because no page is open.",
    refusals={403: "The key's person decides about their own teams only."},
    request_example={"capacity": 5}, response_example=_SETTINGS_EXAMPLE | {"capacity": 5})))
async def update_assignment_answer(here: Here) -> AssignmentAnswer:
    body = await json_body(here.request, UpdateAssignment)
    if not places.decides_everything(here.actor):
        raise Forbidden("You decide about your own teams only.")
    async with here.workspace.write(here.actor) as tx:
        known = await queries.settings(tx)
        new = Settings(capacity=known.capacity if body.capacity is UNSET else body.capacity,
                       away_minutes=known.away_minutes if body.away_minutes is UNSET else body.away_minutes)
        claims = await inbox.claims_replies(tx) if body.claim_on_reply is UNSET else body.claim_on_reply
        await actions.save_settings(tx, new, claims_replies=claims)
    return await _assignment(here)


async def _rule_answer(here: Here, place: Place) -> RuleAnswer:
    return RuleAnswer.of(place, await queries.rule(here.db, place.id), await queries.count_waiting(here.db, place.id))


@get(_RULES, opt=api(Permission.ROUTING_EDIT, Operation(
    tag="assignment", summary="List the rules", answer=Page[RuleAnswer], parameters=PAGED,
    description="Of every number and every team; `waiting` counts to 1,000.",
    response_example={"items": [_RULE_EXAMPLE], "next_cursor": None})))
async def list_rule_answers(here: Here) -> Page[RuleAnswer]:
    query = query_of(here.request)
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    known = await places.places(here.db, here.services.control.db, here.record.id)
    rows = [known[place_id] for place_id in sorted(known) if after is None or place_id > after[1]][:limit + 1]
    told = [await _rule_answer(here, place) for place in rows]
    return page_of(told, limit, place=lambda row: (0, row.place_id), told=lambda row: row)


@patch(_RULE, opt=api(Permission.ROUTING_EDIT, Operation(
    tag="assignment", summary="Decide the rule of a number or a team", body=UpdateRule, answer=RuleAnswer,
    description="`place_id` is the id of a channel or of a team. What waits is given at once.",
    refusals={403: "The key's person decides about their own teams only."},
    request_example={"method": "least_busy", "previous_days": 7}, response_example=_RULE_EXAMPLE)))
async def update_rule_answer(here: Here, place_id: str) -> RuleAnswer:
    body = await json_body(here.request, UpdateRule)
    place = await place_or_404(here, place_id)
    if not places.may_decide(here.actor, place):
        raise Forbidden("You decide about your own teams only.")
    able = [one.id or "" for one in places.takers(await team(here), place)]
    async with here.workspace.write(here.actor) as tx:
        known = await queries.rule(tx, place_id)
        new = Rule(place_id=place_id, method=known.method if body.method is UNSET else Method(body.method),
                   previous_days=known.previous_days if body.previous_days is UNSET else body.previous_days,
                   members=known.members if body.member_ids is UNSET else body.member_ids,
                   owner_first=known.owner_first if body.owner_first is UNSET else body.owner_first)
        await actions.save_rule(tx, new, members=able)
    return await _rule_answer(here, place)


@get(_RULE + "/next", opt=api(Permission.ROUTING_EDIT, Operation(
    tag="assignment", summary="Who would get the next conversation, and why", answer=NextAnswer,
    response_example={"member_id": _ID, "because": "least_busy", "members": [
        {"member_id": _ID, "name": "Mo Haddad", "verdict": "takes", "open_conversations": 2, "capacity": 5,
         "off_until": None, "stand_in_id": None}]})))
async def show_next_answer(here: Here, place_id: str) -> NextAnswer:
    place, rule = await place_or_404(here, place_id), await queries.rule(here.db, place_id)
    return NextAnswer.of(await places.who_is_next(here.db, await team(here), place, rule,
                                                  here.services.clock.real_now()))


ROUTES = [list_availability_answers, show_availability_answer, update_availability_answer, show_assignment_answer,
          update_assignment_answer, list_rule_answers, update_rule_answer, show_next_answer,
          *shift_api.ROUTES]
