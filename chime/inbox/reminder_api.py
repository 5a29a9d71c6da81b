"""Reminders, for scripts. What is a person's own is also their key's; a key of nobody's has none."""

from __future__ import annotations

import msgspec
from litestar import delete, get, post

from chime import accounts
from chime.clock import from_rfc3339, rfc3339
from chime.errors import Forbidden, Invalid, NotFound
from chime.inbox import conversation_queries, reminders
from chime.inbox.reminders import Reminder
from chime.security.permissions import Permission
from chime.web.forms import json_body
from chime.web.here import Here
from chime.web.idempotency import once
from chime.web.listing import Page, decode_cursor, page_of, page_size, query_of
from chime.web.reference import PAGED, Moment, Operation, api

_OF_ONE = "/api/v1/conversations/{conversation_id:str}/reminders"


class ReminderAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """At `due_at` the conversation comes back on top and calls the key's person, with `text` as a private note."""

    id: str
    conversation_id: str
    text: str
    due_at: Moment
    created_at: Moment

    @classmethod
    def of(cls, row: Reminder) -> ReminderAnswer:
        return cls(id=row.id, conversation_id=row.conversation_id, text=row.text, due_at=rfc3339(row.due_at),
                   created_at=rfc3339(row.created_at))


class CreateReminder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For the person whose key this is, within a year."""

    due_at: Moment
    text: str = ""


_EXAMPLE: dict[str, object] = {
    "id": "01kafx2v9m3q8r5t7w1y4z6b0r", "conversation_id": "01kafx2v9m3q8r5t7w1y4z6b0h", "text": "Call the depot",
    "due_at": "2026-11-22T09:00:00.000Z", "created_at": "2026-11-21T09:30:00.000Z"}


def _person(here: Here) -> str:
    if not here.actor.on_behalf:
        raise Forbidden("This key belongs to nobody who could be reminded.")
    return here.actor.on_behalf


@get("/api/v1/reminders", opt=api(Permission.INBOX_READ, Operation(
    tag="reminders", summary="List reminders", answer=Page[ReminderAnswer], parameters=PAGED,
    description="Those of the key's person, in the order in which they were made.",
    response_example={"items": [_EXAMPLE], "next_cursor": None})))
async def list_reminder_answers(here: Here) -> Page[ReminderAnswer]:
    query = query_of(here.request)
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    rows = await reminders.of_person(here.db, here.viewer, here.actor.on_behalf, after=after[1] if after else "",
                                     limit=limit + 1) if here.actor.on_behalf else []
    return page_of(rows, limit, place=lambda row: (0, row.id), told=ReminderAnswer.of)


@post(_OF_ONE, status_code=201, opt=api(Permission.INBOX_READ, Operation(
    tag="reminders", summary="Set a reminder", status=201, body=CreateReminder, answer=ReminderAnswer,
    refusals={403: "The key belongs to nobody.", 409: "There are too many reminders."},
    request_example={"due_at": "2026-11-22T09:00:00Z", "text": "Call the depot"}, response_example=_EXAMPLE),
    small=True))
@once
async def create_reminder_answer(here: Here, conversation_id: str) -> ReminderAnswer:
    body = await json_body(here.request, CreateReminder)
    if await conversation_queries.conversation(here.db, conversation_id) is None:
        raise NotFound("There is no such conversation.")
    user_id = _person(here)
    try:
        at = from_rfc3339(body.due_at)
    except (ValueError, OverflowError) as error:
        raise Invalid.field("due_at", "Give a moment as in 2026-11-22T09:00:00Z.") from error
    person = await accounts.user(here.services.control.db, user_id)
    async with here.workspace.write(here.actor) as tx:
        reminder_id = await reminders.remind(tx, conversation_id, at=at, text=body.text, user_id=user_id,
                                             user_name=person.name if person else "")
        found = await reminders.reminder(tx, reminder_id, user_id=user_id)
    if found is None:
        raise NotFound("There is no such reminder.")
    return ReminderAnswer.of(found)


@delete("/api/v1/reminders/{reminder_id:str}", opt=api(Permission.INBOX_READ, Operation(
    tag="reminders", summary="Cancel a reminder", status=204, description="One of the key's person."), small=True))
async def delete_reminder_answer(here: Here, reminder_id: str) -> None:
    async with here.workspace.write(here.actor) as tx:
        await reminders.cancel(tx, reminder_id, user_id=here.actor.on_behalf)


ROUTES = [list_reminder_answers, create_reminder_answer, delete_reminder_answer]
