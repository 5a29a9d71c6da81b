"""Messages for later, for scripts; and taking back a message that has not left."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import delete, get, patch, post
from msgspec import UNSET, UnsetType

from chime.clock import from_rfc3339, rfc3339
from chime.db import Db
from chime.errors import Invalid, NotFound
from chime.inbox import conversation_queries, queries, scheduled, undo
from chime.inbox.addressing import SendMessage, conversation_for, draft_for, read_send
from chime.inbox.answers import MESSAGE_EXAMPLE, MessageAnswer
from chime.inbox.scheduled import Scheduled, ScheduledState
from chime.phone import shown_wamids
from chime.security.permissions import Permission
from chime.web.forms import json_body, json_value
from chime.web.here import Here
from chime.web.idempotency import client_id, once
from chime.web.listing import Page, decode_cursor, page_of, page_size, query_of
from chime.web.reference import PAGED, Moment, Operation, api
from chime.whatsapp import parse_message

_ALL = "/api/v1/scheduled-messages"
_ONE = _ALL + "/{scheduled_id:str}"
_OWN = ("send_at", "sends_anyway")


class ScheduledAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A message for later. `state`: waiting; held, when the customer wrote first and a person or script has to say
    what shall become of it; failed, with `trouble`. `sends_anyway`: it leaves although the customer wrote. Once it was
    sent it is a message, and here no more."""

    id: str
    conversation_id: str
    state: ScheduledState
    send_at: Moment
    sends_anyway: bool
    customer_wrote: bool
    type: str
    text: str
    content: dict[str, Any]
    media_id: str | None
    author_name: str
    trouble: str
    created_at: Moment

    @classmethod
    def of(cls, row: Scheduled) -> ScheduledAnswer:
        inner = row.content.get(row.type)
        return cls(id=row.id, conversation_id=row.conversation_id, state=row.state, send_at=rfc3339(row.send_at),
                   sends_anyway=row.sends_anyway, customer_wrote=row.customer_wrote, type=row.type, text=row.text,
                   content=shown_wamids(inner if isinstance(inner, dict) else {row.type: inner}),
                   media_id=row.media_id, author_name=row.author_name, trouble=row.trouble,
                   created_at=rfc3339(row.created_at))


class ScheduleMessage(SendMessage, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `POST /api/v1/messages` takes, and when it shall leave: `send_at`, within a year. `sends_anyway`: also when
    the customer writes first; otherwise it is held then."""

    send_at: Moment
    sends_anyway: bool = False


class UpdateScheduled(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Only what is given changes. `message` is the whole new one, with its `type` and the object of that name."""

    send_at: Moment | UnsetType = UNSET
    sends_anyway: bool | UnsetType = UNSET
    message: dict[str, Any] | UnsetType = UNSET


_EXAMPLE: dict[str, Any] = {
    "id": "01kafx2v9m3q8r5t7w1y4z6b0s", "conversation_id": "01kafx2v9m3q8r5t7w1y4z6b0h", "state": "waiting",
    "send_at": "2026-11-22T09:00:00.000Z", "sends_anyway": False, "customer_wrote": False, "type": "text",
    "text": "Your order is ready.", "content": {"body": "Your order is ready."}, "media_id": None,
    "author_name": "Shop", "trouble": "", "created_at": "2026-11-21T09:30:00.000Z"}
_REFUSALS = {422: "Fields that do not fit, in `errors`; or a rule that forbids it, in `code`: window_will_close, "
                  "opted_out, template_not_approved, channel_disconnected."}


def _moment(text: Any) -> int:
    try:
        return from_rfc3339(text)
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise Invalid.field("send_at", "Give a moment as in 2026-11-22T09:00:00Z.") from error


async def _told(db: Db, scheduled_id: str) -> ScheduledAnswer:
    found = await scheduled.scheduled(db, scheduled_id)
    if found is None:
        raise NotFound("There is no such scheduled message.")
    return ScheduledAnswer.of(found)


@get(_ALL, opt=api(Permission.INBOX_READ, Operation(
    tag="scheduled messages", summary="List scheduled messages", answer=Page[ScheduledAnswer], parameters=PAGED,
    description="Those that wait, are held or failed, the next one first.",
    response_example={"items": [_EXAMPLE], "next_cursor": None})))
async def list_scheduled_messages(here: Here) -> Page[ScheduledAnswer]:
    query = query_of(here.request)
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    rows = await scheduled.in_sight(here.db, here.viewer, after=after, limit=limit + 1)
    return page_of(rows, limit, place=lambda row: (row.send_at, row.id), told=ScheduledAnswer.of)


@post(_ALL, status_code=201, opt=api(Permission.INBOX_REPLY, Operation(
    tag="scheduled messages", summary="Schedule a message", status=201, body=ScheduleMessage, answer=ScheduledAnswer,
    description="The rules are asked now, for the reply window as it will be then, and again at that moment.",
    refusals={404: "An id in the body is none of this workspace."} | _REFUSALS,
    request_example={"conversation_id": "01kafx2v9m3q8r5t7w1y4z6b0h", "send_at": "2026-11-22T09:00:00Z",
                     "type": "text", "text": {"body": "Your order is ready."}}, response_example=_EXAMPLE)))
@once
async def create_scheduled_message(here: Here) -> ScheduledAnswer:
    body = await json_value(here.request)
    if not isinstance(body, dict):
        raise Invalid.field("body", "must be an object")
    anyway = body.get("sends_anyway", False)
    if not isinstance(anyway, bool):
        raise Invalid.field("sends_anyway", "must be true or false")
    at = _moment(body.get("send_at"))
    address, message = read_send({name: value for name, value in body.items() if name not in _OWN})
    async with here.workspace.write(here.actor) as tx:
        conversation = await conversation_for(tx, address)
        draft = await draft_for(tx, conversation, message, client_id(here))
        return await _told(tx, await scheduled.schedule(tx, conversation.id, draft, at=at, sends_anyway=anyway))


@get(_ONE, opt=api(Permission.INBOX_READ, Operation(
    tag="scheduled messages", summary="Read a scheduled message", answer=ScheduledAnswer, response_example=_EXAMPLE)))
async def show_scheduled_message(here: Here, scheduled_id: str) -> ScheduledAnswer:
    found = await scheduled.scheduled(here.db, scheduled_id)
    if found is None:
        raise NotFound("There is no such scheduled message.")
    return ScheduledAnswer.of(found)


@patch(_ONE, opt=api(Permission.INBOX_REPLY, Operation(
    tag="scheduled messages", summary="Change a scheduled message", body=UpdateScheduled, answer=ScheduledAnswer,
    description="One that is held or failed waits again. It keeps its moment unless another one is given.",
    refusals=_REFUSALS, request_example={"send_at": "2026-11-22T10:00:00Z"},
    response_example=_EXAMPLE | {"send_at": "2026-11-22T10:00:00.000Z"})))
async def update_scheduled_message(here: Here, scheduled_id: str) -> ScheduledAnswer:
    body = await json_body(here.request, UpdateScheduled)
    at = None if body.send_at is UNSET else _moment(body.send_at)
    message = None if body.message is UNSET else parse_message(body.message)
    async with here.workspace.write(here.actor) as tx:
        found = await scheduled.scheduled(tx, scheduled_id)
        if found is None:
            raise NotFound("There is no such scheduled message.")
        draft = None
        if message is not None:
            conversation = await conversation_queries.conversation(tx, found.conversation_id)
            if conversation is None:
                raise NotFound("There is no such conversation.")
            draft = await draft_for(tx, conversation, message, None)
        await scheduled.edit(tx, scheduled_id, draft=draft, at=at,
                             sends_anyway=None if body.sends_anyway is UNSET else body.sends_anyway)
        return await _told(tx, scheduled_id)


@post(_ONE + "/send", status_code=202, opt=api(Permission.INBOX_REPLY, Operation(
    tag="scheduled messages", summary="Send a scheduled message now", status=202, answer=MessageAnswer,
    description="Also one that is held or failed.", refusals=_REFUSALS, response_example=MESSAGE_EXAMPLE)))
@once
async def create_scheduled_departure(here: Here, scheduled_id: str) -> MessageAnswer:
    async with here.workspace.write(here.actor) as tx:
        message = await queries.message(tx, await scheduled.send_now(tx, scheduled_id))
        conversation = await conversation_queries.conversation(tx, message.conversation_id) if message else None
        if message is None or conversation is None:
            raise NotFound("There is no such scheduled message.")
        return MessageAnswer.of(message, conversation.contact_id)


@delete(_ONE, opt=api(Permission.INBOX_REPLY, Operation(
    tag="scheduled messages", summary="Cancel a scheduled message", status=204,
    description="People can have it back on the page for an hour."), small=True))
async def delete_scheduled_message(here: Here, scheduled_id: str) -> None:
    async with here.workspace.write(here.actor) as tx:
        await scheduled.cancel(tx, scheduled_id)


@post("/api/v1/messages/{message_id:str}/undo", status_code=204, opt=api(Permission.INBOX_REPLY, Operation(
    tag="messages", summary="Take back a message that has not left", status=204,
    description="One that waits: within the seconds its writer chose for undoing, or because its number is paused. It "
                "is gone, and nothing of it was sent.", refusals={409: "The message is on its way."}), small=True))
@once
async def create_message_undo(here: Here, message_id: str) -> None:
    async with here.workspace.write(here.actor) as tx:
        await undo.take_back(tx, message_id)


ROUTES = [list_scheduled_messages, create_scheduled_message, show_scheduled_message, update_scheduled_message,
          create_scheduled_departure, delete_scheduled_message, create_message_undo]
