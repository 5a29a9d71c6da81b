"""What somebody was told of, for scripts: that of the person whose key it is."""

from __future__ import annotations

import msgspec
from litestar import get, post

from chime.clock import rfc3339
from chime.errors import Invalid
from chime.notifications import actions, queries
from chime.notifications.model import Kind, Notification
from chime.notifications.queries import NEWEST
from chime.notifications.words import address, headline
from chime.security.permissions import Permission
from chime.web.forms import json_body
from chime.web.here import Here
from chime.web.idempotency import once
from chime.web.listing import Page, decode_cursor, page_of, page_size, query_of
from chime.web.reference import PAGED, Moment, Operation, Parameter, api

_ALL = "/api/v1/notifications"
MOST_READ = 200


class NotificationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One thing somebody was told of. `text` is one sentence in English, with the customer's name as the key's person
    may see it; `path` leads to its page; `count` is how often it happened since it was last read."""

    id: str
    kind: Kind
    text: str
    path: str
    conversation_id: str | None
    count: int
    at: Moment
    read_at: Moment | None


class ReadNotifications(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`ids` null: all of them."""

    ids: list[str] | None = None


class ReadAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How many were unread until now."""

    count: int


_EXAMPLE: dict[str, object] = {
    "id": "01kafx2v9m3q8r5t7w1y4z6b0e", "kind": "mention", "text": "Mo mentioned you in a note about Maya Chen",
    "path": "/w/acme/inbox/01kafwz0aq5t9p3r7m1c6x8v2d", "conversation_id": "01kafwz0aq5t9p3r7m1c6x8v2d", "count": 1,
    "at": "2026-11-21T09:30:00.000Z", "read_at": None,
}


def _person(here: Here) -> str:
    return here.actor.on_behalf if here.actor.kind == "api_key" else here.actor.id or ""


@get(_ALL, opt=api(Permission.INBOX_READ, Operation(
    tag="notifications", summary="List notifications", answer=Page[NotificationAnswer],
    parameters=(Parameter(name="unread", meaning="`true` leaves out what was read", choices=("true", "false")), *PAGED),
    description="Those of the key's person, the newest first; none of what is out of their sight now.",
    response_example={"items": [_EXAMPLE], "next_cursor": None})))
async def list_notification_answers(here: Here) -> Page[NotificationAnswer]:
    query = query_of(here.request, "unread")
    if query.get("unread", "false") not in ("true", "false"):
        raise Invalid.field("unread", "true or false.")
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    rows = await queries.notifications(here.db, here.viewer, _person(here), kinds=tuple(Kind),
                                       unread_only=query.get("unread") == "true", after=after or NEWEST,
                                       limit=limit + 1)

    def told(row: Notification) -> NotificationAnswer:
        return NotificationAnswer(
            id=row.id, kind=row.kind, text=headline(str, row), path=address(row, here.base),
            conversation_id=row.conversation_id, count=row.count, at=rfc3339(row.at),
            read_at=rfc3339(row.read_at) if row.read_at else None)

    return page_of(rows, limit, place=lambda row: (row.at, row.id), told=told)


@post(_ALL + "/read", status_code=200, opt=api(Permission.INBOX_READ, Operation(
    tag="notifications", summary="Mark notifications read", body=ReadNotifications, answer=ReadAnswer,
    description="Of the key's person: those named, or all.", request_example={"ids": [_EXAMPLE["id"]]},
    response_example={"count": 1}), small=True))
@once
async def create_notification_reading(here: Here) -> ReadAnswer:
    body = await json_body(here.request, ReadNotifications)
    ids = body.ids[:MOST_READ] if body.ids is not None else None
    async with here.workspace.write(here.actor) as tx:
        count = await actions.read_by_person(tx, _person(here), ids)
    return ReadAnswer(count=count)


ROUTES = [list_notification_answers, create_notification_reading]
