"""Messages and files, for scripts: the same verbs as the inbox's, as JSON."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import delete, get, post
from litestar.response import Response
from msgspec import Meta

from chime import audit
from chime.audit import Reading
from chime.db import Db
from chime.errors import Invalid, NotFound
from chime.inbox import (
    bulk_api,
    conversation_api,
    conversation_queries,
    cost_api,
    doubt_api,
    doubts,
    list_api,
    merge_api,
    message_list_api,
    note_api,
    panel_api,
    queries,
    queue_api,
    reminder_api,
    resolving_api,
    saved_view_api,
    scheduled_api,
    sending,
    shared_api,
    tag_api,
)
from chime.inbox.addressing import SendMessage, channel_for, conversation_for, draft_for, read_send
from chime.inbox.answers import MESSAGE_EXAMPLE, MessageAnswer
from chime.inbox.files import store_upload
from chime.inbox.joined_api import lead_on
from chime.inbox.media_pages import served
from chime.inbox.model import Message
from chime.security.permissions import Permission
from chime.web.forms import form_fields, json_value, uploaded_file
from chime.web.here import Here
from chime.web.idempotency import client_id, once
from chime.web.reference import Operation, api
from chime.workspaces import Transaction

__all__ = ["LARGEST_UPLOAD", "ROUTES", "lead_on"]

_ONE = "/api/v1/messages/{message_id:str}"
# The largest file WhatsApp takes, and the form around it.
LARGEST_UPLOAD = 101 * 1024 * 1024


class NewFile(msgspec.Struct, frozen=True, kw_only=True):
    """A form with the file. `channel_id` says from which number it will go; not needed when there is one."""

    file: Annotated[str, Meta(extra_json_schema={"format": "binary"})]
    channel_id: str | None = None


class FileAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A stored file: give its `id` in a message. `kind` is what it is best sent as."""

    id: str
    kind: str
    mime_type: str
    size: int


_SETTLED = {409: "The message neither failed nor is in doubt."}


@post("/api/v1/messages", status_code=202, opt=api(Permission.INBOX_REPLY, Operation(
    tag="messages", summary="Send a message", status=202, body=SendMessage, answer=MessageAnswer,
    description="Takes the message; what becomes of it, its state tells. Outside the 24-hour window after the "
                "customer's last message only templates are taken.",
    refusals={404: "An id in the body is none of this workspace.",
              409: "A colleague has answered after `last_seen_message_id`.",
              422: "Fields that do not fit, in `errors`; or a rule that forbids it, in `code`: window_closed, "
                   "opted_out, template_not_approved, channel_disconnected."},
    request_example={"to": "+14155550123", "type": "text", "text": {"body": "Your order is on its way."}},
    response_example=MESSAGE_EXAMPLE)))
@once
async def create_message(here: Here) -> MessageAnswer:
    address, message = read_send(await json_value(here.request))
    named = client_id(here)
    async with here.workspace.write(here.actor) as tx:
        known = await queries.message_by_client_id(tx, named) if named is not None else None
        if known is not None:
            return await _told(tx, known.id)
        conversation = await conversation_for(tx, address)
        draft = await draft_for(tx, conversation, message, named)
        if address.last_seen_message_id:
            draft = msgspec.structs.replace(draft, last_seen=address.last_seen_message_id)
        return await _told(tx, await sending.queue_message(tx, conversation.id, draft))


async def _told(tx: Transaction, message_id: str) -> MessageAnswer:
    """As it stands in this transaction: once it is committed, the send begins and the state moves on."""
    return await _answer(await queries.message(tx, message_id), tx)


async def _answer(message: Message | None, db: Db) -> MessageAnswer:
    conversation = await conversation_queries.conversation(db, message.conversation_id) if message is not None else None
    if message is None or conversation is None:
        raise NotFound("There is no such message.")
    return MessageAnswer.of(message, conversation.contact_id)


@get(_ONE, opt=api(Permission.INBOX_READ, Operation(
    tag="messages", summary="Read a message and its state", answer=MessageAnswer,
    response_example=MESSAGE_EXAMPLE | {"status": "read", "wamid": "wamid.HBgLMTQxNTU1NTAxMjMVAgARGBI5QTNDQTVCMw==",
                                        "sent_at": "2026-11-21T09:30:01.000Z",
                                        "delivered_at": "2026-11-21T09:30:02.000Z",
                                        "read_at": "2026-11-21T09:31:10.000Z"})))
async def show_message(here: Here, message_id: str) -> MessageAnswer:
    message = await queries.message(here.db, message_id)
    told = await _answer(message, here.db)
    audit.read(here, Reading.CONVERSATION, told.conversation_id)
    return told


@post(_ONE + "/retry", status_code=202, opt=api(Permission.INBOX_REPLY, Operation(
    tag="messages", summary="Send a message again", status=202, answer=MessageAnswer, refusals=_SETTLED,
    description="For a message that failed or whose fate is unknown. Of the latter the customer may get two.",
    response_example=MESSAGE_EXAMPLE)))
@once
async def create_retry(here: Here, message_id: str) -> MessageAnswer:
    async with here.workspace.write(here.actor) as tx:
        await doubts.send_again(tx, message_id)
        return await _told(tx, message_id)


@delete(_ONE, opt=api(Permission.INBOX_REPLY, Operation(
    tag="messages", summary="Discard a message", status=204, refusals=_SETTLED,
    description="Takes a message that failed, or whose fate is unknown, out of its conversation.")))
async def delete_message(here: Here, message_id: str) -> None:
    async with here.workspace.write(here.actor) as tx:
        await sending.discard(tx, message_id)


@post("/api/v1/media", status_code=201, request_max_body_size=LARGEST_UPLOAD, opt=api(
    Permission.INBOX_REPLY, Operation(
        tag="media", summary="Upload a file", status=201, body=NewFile, body_type="multipart/form-data",
        answer=FileAnswer, refusals={404: "The channel is none of this workspace.", 413: "Larger than 100 MB."},
        description="Checked against WhatsApp's limits and kept encrypted. Send it by its id as often as you like.",
        response_example={"id": "01kafx2v9m3q8r5t7w1y4z6b0j", "kind": "image", "mime_type": "image/jpeg",
                          "size": 48213})))
@once
async def create_media(here: Here) -> FileAnswer:
    fields = await form_fields(here.request)
    unknown = [(name[:100], "There is no such field.") for name in fields if name != "channel_id"]
    if unknown:
        raise Invalid(unknown)
    upload = await uploaded_file(here.request, "file")
    channel_id = await channel_for(here.db, fields.get("channel_id") or None)
    stored = await store_upload(here, channel_id, upload)
    return FileAnswer(id=stored.id, kind=stored.kind, mime_type=stored.mime_type, size=stored.size)


@get("/api/v1/media/{media_id:str}", opt=api(Permission.INBOX_FILES, Operation(
    tag="media", summary="Download a file", answer=bytes,
    description="The bytes of a file that came with a message or was uploaded; a Range header gets a part.")))
async def show_media_file(here: Here, media_id: str) -> Response[Any]:
    return await served(here, media_id)


ROUTES = [create_message, show_message, create_retry, delete_message, create_media, show_media_file,
          *doubt_api.ROUTES, *message_list_api.ROUTES, *conversation_api.ROUTES, *queue_api.ROUTES, *note_api.ROUTES,
          *scheduled_api.ROUTES, *reminder_api.ROUTES, *list_api.ROUTES, *saved_view_api.ROUTES, *bulk_api.ROUTES,
          *resolving_api.ROUTES, *cost_api.ROUTES, *merge_api.ROUTES, *tag_api.ROUTES,
          *shared_api.ROUTES, *panel_api.ROUTES]
