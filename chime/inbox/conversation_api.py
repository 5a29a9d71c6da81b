"""Conversations, for scripts: lists, their messages, state and assignee, read and typing marks."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from litestar import get, patch, post
from msgspec import UNSET, UnsetType

from chime import accounts, audit
from chime.accounts import Member
from chime.audit import Reading
from chime.errors import Forbidden, Invalid, NotFound
from chime.inbox import actions, carried_tags, conversation_queries, handover, queries, resolving, thread
from chime.inbox.answers import ConversationAnswer, MessageAnswer
from chime.inbox.model import Conversation
from chime.security.permissions import Permission
from chime.web.forms import json_body
from chime.web.here import Here
from chime.web.idempotency import once
from chime.web.listing import Page, decode_cursor, page_of, page_size, query_of
from chime.web.reference import PAGED, Operation, api
from chime.workspaces import Transaction

_ONE = "/api/v1/conversations/{conversation_id:str}"


class UpdateConversation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Only what is given changes. `assignee_id` is a member of the workspace, or null for nobody; `team_id` one of
    its teams, or null for everybody. `reason_id` says why it is resolved. `expected_assignee_id`: refused when
    somebody else has it by now."""

    state: Literal["open", "closed"] | UnsetType = UNSET
    reason_id: str | UnsetType = UNSET
    assignee_id: str | UnsetType | None = UNSET
    team_id: str | UnsetType | None = UNSET
    expected_assignee_id: str | UnsetType | None = UNSET


CONVERSATION_EXAMPLE: dict[str, Any] = {
    "id": "01kafx2v9m3q8r5t7w1y4z6b0h", "channel_id": "01kafx2v9m3q8r5t7w1y4z6b0e",
    "contact": {"id": "01kafx2v9m3q8r5t7w1y4z6b0c", "phone": "+14155550123", "user_id": None, "username": "",
                "name": "Maya Rao", "profile_name": "Maya"},
    "state": "open", "assignee": {"id": "01kafx2v9m3q8r5t7w1y4z6b0k", "name": "Alice"}, "team_id": None,
    "unread_count": 1,
    "window_expires_at": "2026-11-22T09:29:00.000Z", "last_message_at": "2026-11-21T09:29:00.999Z",
    "last_message": {"direction": "in", "type": "text", "status": "received", "text": "Where is my order?"},
    "created_at": "2026-11-20T08:00:00.000Z", "closed_at": None, "reason": None, "snoozed_until": None,
    "waiting_since": "2026-11-21T09:29:00.999Z", "due_at": "2026-11-21T10:29:00.999Z", "due": "first",
    "tags": [{"id": "01kafx2v9m3q8r5t7w1y4z6b0t", "name": "refund"}],
}


async def _members(here: Here) -> dict[str, Member]:
    return {member.id: member for member in await accounts.members(here.services.control.db, here.record.id)}


async def _one(here: Here, conversation_id: str) -> Conversation:
    found = await conversation_queries.conversation(here.db, conversation_id)
    if found is None:
        raise NotFound("There is no such conversation.")
    return found


@get(_ONE, opt=api(Permission.INBOX_READ, Operation(
    tag="conversations", summary="Read a conversation", answer=ConversationAnswer,
    response_example=CONVERSATION_EXAMPLE)))
async def show_conversation(here: Here, conversation_id: str) -> ConversationAnswer:
    answer = await told(here, conversation_id)
    audit.read(here, Reading.CONVERSATION, conversation_id)
    return answer


async def told(here: Here, conversation_id: str) -> ConversationAnswer:
    tags = (await carried_tags.carried(here.db, [conversation_id])).get(conversation_id, ())
    return ConversationAnswer.of(await _one(here, conversation_id), await _members(here), tags)


@get(_ONE + "/messages", opt=api(Permission.INBOX_READ, Operation(
    tag="conversations", summary="List the messages of a conversation", answer=Page[MessageAnswer],
    description="The newest first. Reactions stand with the messages they are on. Of a conversation that waits in an "
                "agent's queue only the newest three are told until somebody takes it.", parameters=PAGED)))
async def list_messages(here: Here, conversation_id: str) -> Page[MessageAnswer]:
    query = query_of(here.request)
    limit, before = page_size(query.get("limit")), decode_cursor(query.get("cursor")) or conversation_queries.NEWEST
    conversation = await _one(here, conversation_id)
    audit.read(here, Reading.CONVERSATION, conversation_id)
    if await thread.in_hand(here, conversation_id):
        rows = await queries.messages(here.db, conversation_id, before=before, limit=limit + 1)
    else:
        rows = await queries.messages(here.db, conversation_id, limit=min(limit, thread.FIRST_LINES))
    return page_of(rows, limit, place=lambda row: (row.at, row.id),
                   told=lambda row: MessageAnswer.of(row, conversation.contact_id))


@patch(_ONE, opt=api(Permission.INBOX_REPLY, Operation(
    tag="conversations", summary="Resolve, reopen or assign a conversation", body=UpdateConversation,
    answer=ConversationAnswer,
    description="Giving `assignee_id` or `team_id` needs the scope `inbox:assign` as well. A key of somebody who "
                "assigns only in their own teams gives to those only.",
    refusals={409: "Somebody else than `expected_assignee_id` has it."},
    request_example={"state": "closed", "assignee_id": None},
    response_example=CONVERSATION_EXAMPLE | {"state": "closed", "assignee": None,
                                             "closed_at": "2026-11-21T09:40:00.000Z"}), small=True))
async def update_conversation(here: Here, conversation_id: str) -> ConversationAnswer:
    body = await json_body(here.request, UpdateConversation)
    assignee_id, members = body.assignee_id, await _members(here)
    await _one(here, conversation_id)
    if (assignee_id is not UNSET or body.team_id is not UNSET) and not here.actor.may(Permission.INBOX_ASSIGN):
        raise Forbidden.without(Permission.INBOX_ASSIGN.value)
    if isinstance(assignee_id, str) and assignee_id not in members:
        raise Invalid.field("assignee_id", "This person is not a member of the workspace.")
    teams = await accounts.team_names(here.services.control.db, here.record.id)
    async with here.workspace.write(here.actor) as tx:
        if assignee_id is not UNSET:
            name = members[assignee_id].name if assignee_id is not None else ""
            await actions.assign(tx, conversation_id, assignee_id=assignee_id, assignee_name=name,
                                 expected=body.expected_assignee_id)
        if body.team_id is not UNSET:
            await handover.give_to_team(tx, conversation_id, body.team_id, teams=teams)
        if body.state is not UNSET:
            await _set_state(body, conversation_id, tx)
    return await told(here, conversation_id)


async def _set_state(body: UpdateConversation, conversation_id: str, tx: Transaction) -> None:
    if body.state == "closed":
        await resolving.resolve(tx, conversation_id, reason_id=None if body.reason_id is UNSET else body.reason_id)
    else:
        await actions.reopen(tx, conversation_id)


@post(_ONE + "/read", status_code=204, opt=api(Permission.INBOX_REPLY, Operation(
    tag="conversations", summary="Mark a conversation as read", status=204,
    description="Nothing is unread any more, and the customer sees blue ticks."), small=True))
@once
async def create_read(here: Here, conversation_id: str) -> None:
    async with here.workspace.write(here.actor) as tx:
        await actions.mark_read(tx, conversation_id)


@post(_ONE + "/typing", status_code=204, opt=api(Permission.INBOX_REPLY, Operation(
    tag="conversations", summary="Show that an answer is being written", status=204,
    description="The customer's phone shows it for up to 25 seconds, or until the answer comes; it also marks the "
                "conversation as read there."), small=True))
@once
async def create_typing(here: Here, conversation_id: str) -> None:
    await _one(here, conversation_id)
    newest = await queries.last_inbound(here.db, conversation_id)
    if newest is not None:
        here.services.runner.start(here.workspace.id, actions.SEND_TYPING, newest[0])


ROUTES = [show_conversation, list_messages, update_conversation, create_read, create_typing]
