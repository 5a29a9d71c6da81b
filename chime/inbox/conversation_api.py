"""Conversations, for scripts: lists, their messages, state and assignee, read and typing marks."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from litestar import get, patch, post
from msgspec import UNSET, UnsetType

from chime import accounts
from chime.accounts import Member
from chime.errors import Forbidden, Invalid, NotFound
from chime.inbox import actions, queries
from chime.inbox.answers import ConversationAnswer, MessageAnswer
from chime.inbox.model import Conversation, ConversationState
from chime.security.permissions import Permission
from chime.web.forms import json_body
from chime.web.here import Here
from chime.web.idempotency import once
from chime.web.listing import Page, decode_cursor, page_of, page_size, query_of
from chime.web.reference import PAGED, Operation, Parameter, api

_ONE = "/api/v1/conversations/{conversation_id:str}"
NOBODY = "none"


class UpdateConversation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Only what is given changes. `assignee_id` is a member of the team, or null for nobody."""

    state: Literal["open", "closed"] | UnsetType = UNSET
    assignee_id: str | UnsetType | None = UNSET


CONVERSATION_EXAMPLE: dict[str, Any] = {
    "id": "01kafx2v9m3q8r5t7w1y4z6b0h", "channel_id": "01kafx2v9m3q8r5t7w1y4z6b0e",
    "contact": {"id": "01kafx2v9m3q8r5t7w1y4z6b0c", "phone": "+14155550123", "user_id": None, "username": "",
                "name": "Maya Rao", "profile_name": "Maya"},
    "state": "open", "assignee": {"id": "01kafx2v9m3q8r5t7w1y4z6b0k", "name": "Alice"}, "unread_count": 1,
    "window_expires_at": "2026-11-22T09:29:00.000Z", "last_message_at": "2026-11-21T09:29:00.999Z",
    "last_message": {"direction": "in", "type": "text", "status": "received", "text": "Where is my order?"},
    "created_at": "2026-11-20T08:00:00.000Z", "closed_at": None,
}


async def _members(here: Here) -> dict[str, Member]:
    return {member.id: member for member in await accounts.members(here.services.control.db, here.record.id)}


async def _one(here: Here, conversation_id: str) -> Conversation:
    found = await queries.conversation(here.db, conversation_id)
    if found is None:
        raise NotFound("There is no such conversation.")
    return found


@get("/api/v1/conversations", opt=api(Permission.INBOX_READ, Operation(
    tag="conversations", summary="List conversations", description="Those with the newest messages first.",
    answer=Page[ConversationAnswer],
    parameters=(*PAGED, Parameter(name="state", meaning="Only open or only closed ones", choices=("open", "closed")),
                Parameter(name="assignee", meaning="Only those of this member; `none` for those of nobody")),
    response_example={"items": [CONVERSATION_EXAMPLE], "next_cursor": None})))
async def list_conversations(here: Here) -> Page[ConversationAnswer]:
    query = query_of(here.request, "state", "assignee")
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor")) or queries.NEWEST
    assignee = query.get("assignee")
    if assignee == "":
        raise Invalid.field("assignee", "Give the id of a member, or none.")
    rows: list[Conversation] = []
    for state in _states(query.get("state")):
        rows += await queries.conversations_in(
            here.db, state, assignee_id=None if assignee == NOBODY else assignee, unassigned=assignee == NOBODY,
            after=after, limit=limit + 1)
    rows.sort(key=_place, reverse=True)
    members = await _members(here)
    return page_of(rows[:limit + 1], limit, place=_place, told=lambda row: ConversationAnswer.of(row, members))


def _states(text: str | None) -> list[ConversationState]:
    """Each state is an index of its own, so a list of both is two of them laid together."""
    if text is None:
        return list(ConversationState)
    if text not in set(ConversationState):
        raise Invalid.field("state", "Say open or closed.")
    return [ConversationState(text)]


def _place(conversation: Conversation) -> tuple[int, str]:
    return conversation.last_message_at, conversation.id


@get(_ONE, opt=api(Permission.INBOX_READ, Operation(
    tag="conversations", summary="Read a conversation", answer=ConversationAnswer,
    response_example=CONVERSATION_EXAMPLE)))
async def show_conversation(here: Here, conversation_id: str) -> ConversationAnswer:
    return await _told(here, conversation_id)


async def _told(here: Here, conversation_id: str) -> ConversationAnswer:
    return ConversationAnswer.of(await _one(here, conversation_id), await _members(here))


@get(_ONE + "/messages", opt=api(Permission.INBOX_READ, Operation(
    tag="conversations", summary="List the messages of a conversation", answer=Page[MessageAnswer],
    description="The newest first. Reactions stand with the messages they are on.", parameters=PAGED)))
async def list_messages(here: Here, conversation_id: str) -> Page[MessageAnswer]:
    query = query_of(here.request)
    limit, before = page_size(query.get("limit")), decode_cursor(query.get("cursor")) or queries.NEWEST
    conversation = await _one(here, conversation_id)
    rows = await queries.messages(here.db, conversation_id, before=before, limit=limit + 1)
    return page_of(rows, limit, place=lambda row: (row.at, row.id),
                   told=lambda row: MessageAnswer.of(row, conversation.contact_id))


@patch(_ONE, opt=api(Permission.INBOX_REPLY, Operation(
    tag="conversations", summary="Resolve, reopen or assign a conversation", body=UpdateConversation,
    answer=ConversationAnswer, description="Giving `assignee_id` needs the scope `inbox:assign` as well.",
    request_example={"state": "closed", "assignee_id": None},
    response_example=CONVERSATION_EXAMPLE | {"state": "closed", "assignee": None,
                                             "closed_at": "2026-11-21T09:40:00.000Z"}), small=True))
async def update_conversation(here: Here, conversation_id: str) -> ConversationAnswer:
    body = await json_body(here.request, UpdateConversation)
    assignee_id, members = body.assignee_id, await _members(here)
    await _one(here, conversation_id)
    if assignee_id is not UNSET and not here.actor.may(Permission.INBOX_ASSIGN):
        raise Forbidden(f"This needs the permission {Permission.INBOX_ASSIGN.value}.")
    if isinstance(assignee_id, str) and assignee_id not in members:
        raise Invalid.field("assignee_id", "This person is not a member of the workspace.")
    async with here.workspace.write(here.actor) as tx:
        if assignee_id is not UNSET:
            name = members[assignee_id].name if assignee_id is not None else ""
            await actions.assign(tx, conversation_id, assignee_id=assignee_id, assignee_name=name)
        if body.state is not UNSET:
            await (actions.close if body.state == "closed" else actions.reopen)(tx, conversation_id)
    return await _told(here, conversation_id)


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


ROUTES = [list_conversations, show_conversation, list_messages, update_conversation, create_read, create_typing]
