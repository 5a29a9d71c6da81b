"""What stands beside and on top of a conversation, for scripts: its fields, its pinned messages, blocked people."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import delete, get, patch, post

from chime.clock import rfc3339
from chime.contacts import shown_values
from chime.errors import NotFound
from chime.inbox import blocking, conversation_fields, message_pins, thread
from chime.inbox.message_pins import MOST_PINNED, PinnedMessage
from chime.phone import shown_content
from chime.security.permissions import Permission
from chime.web.forms import json_body
from chime.web.here import Here
from chime.web.idempotency import once
from chime.web.listing import Page, decode_cursor, page_of, page_size, query_of
from chime.web.reference import PAGED, Moment, Operation, api

_CONVERSATION = "/api/v1/conversations/{conversation_id:str}"
_PIN = "/api/v1/messages/{message_id:str}/pin"
_BLOCK = "/api/v1/contacts/{contact_id:str}/block"


class ConversationFieldsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The values by the keys of their fields."""

    fields: dict[str, Any]


class UpdateConversationFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Only the named fields change; null empties one."""

    fields: dict[str, Any]


class PinnedMessageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A message that the team keeps on top of its conversation."""

    message_id: str
    pinned_by: str
    pinned_at: Moment

    @classmethod
    def of(cls, pinned: PinnedMessage) -> PinnedMessageAnswer:
        return cls(message_id=pinned.id, pinned_by=pinned.by_name, pinned_at=rfc3339(pinned.at))


@get(_CONVERSATION + "/fields", opt=api(Permission.INBOX_READ, Operation(
    tag="conversations", summary="Read the fields of a conversation", answer=ConversationFieldsAnswer,
    response_example={"fields": {"order": "1042"}})))
async def show_conversation_fields(here: Here, conversation_id: str) -> ConversationFieldsAnswer:
    await _held(here, conversation_id)
    values = await conversation_fields.field_values(here.db, conversation_id)
    return ConversationFieldsAnswer(fields=shown_values(shown_content(values)))


async def _held(here: Here, conversation_id: str) -> None:
    """Of one in the queue only the first lines are told. Raises NotFound."""
    await thread.conversation_or_404(here, conversation_id)
    if not await thread.in_hand(here, conversation_id):
        raise NotFound("There is no such conversation.")


@patch(_CONVERSATION + "/fields", opt=api(Permission.INBOX_REPLY, Operation(
    tag="conversations", summary="Change the fields of a conversation", body=UpdateConversationFields,
    answer=ConversationFieldsAnswer, description="Only fields that are defined (see fields) and in use.",
    request_example={"fields": {}}, response_example={"fields": {"order": "1042"}})))
async def update_conversation_fields(here: Here, conversation_id: str) -> ConversationFieldsAnswer:
    body = await json_body(here.request, UpdateConversationFields)
    async with here.workspace.write(here.actor) as tx:
        await conversation_fields.set_fields(tx, conversation_id, body.fields)
    values = await conversation_fields.field_values(here.db, conversation_id)
    return ConversationFieldsAnswer(fields=shown_values(shown_content(values)))


@get(_CONVERSATION + "/pinned-messages", opt=api(Permission.INBOX_READ, Operation(
    tag="conversations", summary="List the pinned messages of a conversation", answer=Page[PinnedMessageAnswer],
    description=f"The one pinned last first. At most {MOST_PINNED} are pinned.",
    parameters=PAGED)))
async def list_pinned_messages(here: Here, conversation_id: str) -> Page[PinnedMessageAnswer]:
    query = query_of(here.request)
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    await _held(here, conversation_id)
    rows = [pinned for pinned in await message_pins.pinned_messages(here.db, conversation_id)
            if after is None or (pinned.at, pinned.id) < after]
    return page_of(rows, limit, place=lambda pinned: (pinned.at, pinned.id), told=PinnedMessageAnswer.of)


@post(_PIN, status_code=204, opt=api(Permission.INBOX_REPLY, Operation(
    tag="messages", summary="Pin a message", status=204, refusals={409: "Too many are pinned there."},
    description="The whole team sees it on top of the conversation; the customer does not know of it."), small=True))
@once
async def create_pinned_message(here: Here, message_id: str) -> None:
    async with here.workspace.write(here.actor) as tx:
        await message_pins.pin_message(tx, message_id)


@delete(_PIN, opt=api(Permission.INBOX_REPLY, Operation(
    tag="messages", summary="Unpin a message", status=204), small=True))
async def delete_pinned_message(here: Here, message_id: str) -> None:
    async with here.workspace.write(here.actor) as tx:
        await message_pins.unpin_message(tx, message_id)


@post(_BLOCK, status_code=204, opt=api(Permission.CONTACTS_EDIT, Operation(
    tag="contacts", summary="Block a contact", status=204,
    description="What they write is kept and stays silent, and nothing can be sent to them. WhatsApp is told too; it "
                "blocks only who wrote within 24 hours, or else when they write again."), small=True))
@once
async def create_contact_block(here: Here, contact_id: str) -> None:
    async with here.workspace.write(here.actor) as tx:
        await blocking.block(tx, contact_id)


@delete(_BLOCK, opt=api(Permission.CONTACTS_EDIT, Operation(
    tag="contacts", summary="Unblock a contact", status=204), small=True))
async def delete_contact_block(here: Here, contact_id: str) -> None:
    async with here.workspace.write(here.actor) as tx:
        await blocking.unblock(tx, contact_id)


ROUTES = [show_conversation_fields, update_conversation_fields, list_pinned_messages, create_pinned_message,
          delete_pinned_message, create_contact_block, delete_contact_block]
