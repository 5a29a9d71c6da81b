"""Resolving with a reason, the reasons, and what becomes of a conversation that is reopened, for scripts."""

from __future__ import annotations

from typing import Literal

import msgspec
from litestar import delete, get, patch, post, put
from msgspec import UNSET, UnsetType

from chime import channels
from chime.errors import NotFound
from chime.inbox import actions, conversation_api, reopening, resolving
from chime.inbox.answers import ConversationAnswer
from chime.inbox.conversation_api import CONVERSATION_EXAMPLE
from chime.inbox.reopening import Goes, ReopenPolicy
from chime.inbox.resolving import Asks, Reason
from chime.security.permissions import Permission
from chime.web.forms import json_body
from chime.web.here import Here
from chime.web.idempotency import once
from chime.web.listing import Page, decode_cursor, page_of, page_size, query_of
from chime.web.reference import PAGED, Operation, api

_CLOSURE = "/api/v1/conversations/{conversation_id:str}/closure"
_ALL = "/api/v1/resolve-reasons"
_ONE = _ALL + "/{reason_id:str}"
_POLICY = "/api/v1/resolve-policy"
_REOPEN = "/api/v1/channels/{channel_id:str}/reopen-policy"


class CreateClosure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why it is resolved: the id of a reason, or its name. Neither is needed where no reason is required."""

    reason_id: str | None = None
    reason: str | None = None


class ResolvePolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether whoever resolves a conversation is asked for a reason."""

    asks: Literal["off", "optional", "required"]


class CreateReason(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A reason, in 1 to 60 characters."""

    name: str


class UpdateReason(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Only what is given changes. One that is off is not offered any more."""

    name: str | UnsetType = UNSET
    is_on: bool | UnsetType = UNSET


class ReopenRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose a conversation is when its customer writes after it was resolved; after `new_after_days` it counts as new
    and is nobody's, with 0 it never does."""

    assignee: Literal["keep", "free_when_away", "free"]
    new_after_days: int = 0


_ASKS: dict[Asks, Literal["off", "optional", "required"]] = {
    Asks.OFF: "off", Asks.OPTIONAL: "optional", Asks.REQUIRED: "required"}
_GOES: dict[Goes, Literal["keep", "free_when_away", "free"]] = {
    Goes.KEEP: "keep", Goes.FREE_WHEN_AWAY: "free_when_away", Goes.FREE: "free"}
_EXAMPLE = {"id": "01kafx2v9m3q8r5t7w1y4z6b0r", "name": "Solved", "is_on": True}
_RESOLVED = CONVERSATION_EXAMPLE | {"state": "closed", "closed_at": "2026-11-21T09:40:00.000Z",
                                    "reason": {"id": _EXAMPLE["id"], "name": "Solved"}}


@post(_CLOSURE, status_code=200, opt=api(Permission.INBOX_REPLY, Operation(
    tag="conversations", summary="Resolve a conversation", body=CreateClosure, answer=ConversationAnswer,
    description="For a reason, where one is given. What is resolved already stays as it is.",
    request_example={"reason": "Solved"}, response_example=_RESOLVED), small=True))
@once
async def create_closure_answer(here: Here, conversation_id: str) -> ConversationAnswer:
    body = await json_body(here.request, CreateClosure)
    async with here.workspace.write(here.actor) as tx:
        await resolving.resolve(tx, conversation_id, reason_id=body.reason_id, name=body.reason)
    return await conversation_api.told(here, conversation_id)


@delete(_CLOSURE, opt=api(Permission.INBOX_REPLY, Operation(
    tag="conversations", summary="Reopen a conversation", status=204), small=True))
async def delete_closure_answer(here: Here, conversation_id: str) -> None:
    async with here.workspace.write(here.actor) as tx:
        await actions.reopen(tx, conversation_id)


@get(_POLICY, opt=api(Permission.INBOX_READ, Operation(
    tag="resolve reasons", summary="Read whether a reason is asked for", answer=ResolvePolicy,
    response_example={"asks": "optional"})))
async def show_resolve_policy(here: Here) -> ResolvePolicy:
    return ResolvePolicy(asks=_ASKS[await resolving.policy(here.db)])


@put(_POLICY, opt=api(Permission.WORKSPACE_EDIT, Operation(
    tag="resolve reasons", summary="Decide whether a reason is asked for", body=ResolvePolicy, answer=ResolvePolicy,
    request_example={"asks": "required"}, response_example={"asks": "required"}), small=True))
async def update_resolve_policy(here: Here) -> ResolvePolicy:
    body = await json_body(here.request, ResolvePolicy)
    async with here.workspace.write(here.actor) as tx:
        await resolving.set_policy(tx, Asks(body.asks))
    return body


@get(_ALL, opt=api(Permission.INBOX_READ, Operation(
    tag="resolve reasons", summary="List reasons", answer=Page[Reason], parameters=PAGED,
    description="In the order in which people see them; those that are off too.",
    response_example={"items": [_EXAMPLE], "next_cursor": None})))
async def list_reason_answers(here: Here) -> Page[Reason]:
    query = query_of(here.request)
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    found = await resolving.reasons(here.db)
    begin = min(max(after[0], 0), len(found)) if after else 0
    return page_of(found[begin:begin + limit + 1], limit, place=lambda one: (found.index(one) + 1, one.id),
                   told=lambda one: one)


@post(_ALL, status_code=201, opt=api(Permission.WORKSPACE_EDIT, Operation(
    tag="resolve reasons", summary="Create a reason", status=201, body=CreateReason, answer=Reason,
    refusals={409: "There are too many reasons."}, request_example={"name": "Solved"}, response_example=_EXAMPLE)))
@once
async def create_reason_answer(here: Here) -> Reason:
    body = await json_body(here.request, CreateReason)
    async with here.workspace.write(here.actor) as tx:
        reason_id = await resolving.create_reason(tx, body.name)
    return await _told(here, reason_id)


@patch(_ONE, opt=api(Permission.WORKSPACE_EDIT, Operation(
    tag="resolve reasons", summary="Change a reason", body=UpdateReason, answer=Reason,
    request_example={"is_on": False}, response_example=_EXAMPLE | {"is_on": False}), small=True))
async def update_reason_answer(here: Here, reason_id: str) -> Reason:
    body = await json_body(here.request, UpdateReason)
    async with here.workspace.write(here.actor) as tx:
        await resolving.edit_reason(tx, reason_id, name=None if body.name is UNSET else body.name,
                                    is_on=None if body.is_on is UNSET else body.is_on)
    return await _told(here, reason_id)


@delete(_ONE, opt=api(Permission.WORKSPACE_EDIT, Operation(
    tag="resolve reasons", summary="Remove a reason", status=204,
    description="What was resolved for it stays so."), small=True))
async def delete_reason_answer(here: Here, reason_id: str) -> None:
    async with here.workspace.write(here.actor) as tx:
        await resolving.delete_reason(tx, reason_id)


async def _told(here: Here, reason_id: str) -> Reason:
    found = await resolving.reason(here.db, reason_id)
    if found is None:
        raise NotFound("There is no such reason.")
    return found


@get(_REOPEN, opt=api(Permission.INBOX_READ, Operation(
    tag="channels", summary="Read what happens when a customer writes again", answer=ReopenRule,
    response_example={"assignee": "keep", "new_after_days": 0})))
async def show_reopen_policy(here: Here, channel_id: str) -> ReopenRule:
    if await channels.channel(here.db, channel_id) is None:
        raise NotFound("There is no such number.")
    return _rule(await reopening.policy(here.db, channel_id))


@put(_REOPEN, opt=api(Permission.WORKSPACE_EDIT, Operation(
    tag="channels", summary="Decide what happens when a customer writes again", body=ReopenRule, answer=ReopenRule,
    request_example={"assignee": "free_when_away", "new_after_days": 14},
    response_example={"assignee": "free_when_away", "new_after_days": 14}), small=True))
async def update_reopen_policy_answer(here: Here, channel_id: str) -> ReopenRule:
    body = await json_body(here.request, ReopenRule)
    new = ReopenPolicy(assignee=Goes(body.assignee), new_after_days=body.new_after_days)
    async with here.workspace.write(here.actor) as tx:
        await reopening.set_policy(tx, channel_id, new)
    return _rule(new)


def _rule(found: ReopenPolicy) -> ReopenRule:
    return ReopenRule(assignee=_GOES[found.assignee], new_after_days=found.new_after_days)


ROUTES = [create_closure_answer, delete_closure_answer, show_resolve_policy, update_resolve_policy,
          list_reason_answers, create_reason_answer, update_reason_answer, delete_reason_answer, show_reopen_policy,
          update_reopen_policy_answer]
