"""Settling a message in doubt, for scripts."""

from __future__ import annotations

from typing import Literal

import msgspec
from litestar import post

from chime.db import Db
from chime.errors import NotFound
from chime.inbox import doubts, queries
from chime.inbox.answers import MESSAGE_EXAMPLE, MessageAnswer
from chime.inbox.model import Settlement
from chime.security.permissions import Permission
from chime.web.forms import json_body
from chime.web.here import Here
from chime.web.idempotency import once
from chime.web.reference import Operation, api


class SettleMessage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`sent`: somebody knows that it arrived. `failed`: it is not sent again. `resend`: it is sent again, and may
    arrive twice."""

    said: Literal["sent", "failed", "resend"] = msgspec.field(name="as")


@post("/api/v1/messages/{message_id:str}/settlement", status_code=200, opt=api(Permission.INBOX_REPLY, Operation(
    tag="messages", summary="Settle a message in doubt", body=SettleMessage, answer=MessageAnswer,
    description="For a message in the state unconfirmed: the connection broke before WhatsApp answered, so it may "
                "have been sent. Most of them are settled by WhatsApp itself within minutes; the others wait for this. "
                "Chime never sends one again by itself. A status that comes later goes on from what was said.",
    refusals={409: "The message is not in doubt, or not any more; `detail` tells how it stands."},
    request_example={"as": "sent"},
    response_example=MESSAGE_EXAMPLE | {"status": "sent", "settlement": {
        "as": "sent", "by": "Shop", "at": "2026-11-21T09:50:00.000Z"}}), small=True))
@once
async def create_message_settlement(here: Here, message_id: str) -> MessageAnswer:
    body = await json_body(here.request, SettleMessage)
    async with here.workspace.write(here.actor) as tx:
        await doubts.settle(tx, message_id, Settlement(body.said))
        return await _told(tx, message_id)


async def _told(db: Db, message_id: str) -> MessageAnswer:
    found, contacts = await queries.message(db, message_id), await queries.contacts_of_messages(db, [message_id])
    if found is None:
        raise NotFound("There is no such message.")
    return MessageAnswer.of(found, contacts[message_id])


ROUTES = [create_message_settlement]
