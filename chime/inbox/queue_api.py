"""Snoozing and pinning, for scripts. A pin is the key's person's own."""

from __future__ import annotations

import msgspec
from litestar import delete, put

from chime.clock import from_rfc3339
from chime.errors import Forbidden, Invalid, NotFound
from chime.inbox import conversation_queries, pins, snooze
from chime.security.permissions import Permission
from chime.web.forms import json_body
from chime.web.here import Here
from chime.web.reference import Moment, Operation, api

_ONE = "/api/v1/conversations/{conversation_id:str}"


class Snooze(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Until a moment within a year; null until the customer writes."""

    until: Moment | None


@put(_ONE + "/snooze", status_code=204, opt=api(Permission.INBOX_REPLY, Operation(
    tag="conversations", summary="Snooze a conversation", status=204, body=Snooze,
    description="Out of the open lists until a moment or until the customer writes, whichever comes first.",
    request_example={"until": "2026-11-22T09:00:00Z"}), small=True))
async def update_snooze(here: Here, conversation_id: str) -> None:
    body = await json_body(here.request, Snooze)
    until = None if body.until is None else moment(body.until, here.now)
    async with here.workspace.write(here.actor) as tx:
        await snooze.snooze(tx, conversation_id, until=until)


def moment(text: str, now: int) -> int:
    try:
        until = from_rfc3339(text)
    except (ValueError, OverflowError) as error:
        raise Invalid.field("until", "Give a moment as in 2026-11-22T09:00:00Z.") from error
    if not now < until <= now + snooze.LONGEST:
        raise Invalid.field("until", "Choose a moment to come, within a year.")
    return until


@delete(_ONE + "/snooze", opt=api(Permission.INBOX_REPLY, Operation(
    tag="conversations", summary="Bring a snoozed conversation back", status=204), small=True))
async def delete_snooze_answer(here: Here, conversation_id: str) -> None:
    async with here.workspace.write(here.actor) as tx:
        await snooze.wake(tx, conversation_id)


async def _person(here: Here, conversation_id: str) -> str:
    if await conversation_queries.conversation(here.db, conversation_id) is None:
        raise NotFound("There is no such conversation.")
    if not here.actor.on_behalf:
        raise Forbidden("This key belongs to nobody who could have pins.")
    return here.actor.on_behalf


@put(_ONE + "/pin", status_code=204, opt=api(Permission.INBOX_READ, Operation(
    tag="conversations", summary="Pin a conversation", status=204,
    description="For the person whose key this is, and nobody else.",
    refusals={403: "The key belongs to nobody.", 409: "There are too many pins."}), small=True))
async def update_pin(here: Here, conversation_id: str) -> None:
    user_id = await _person(here, conversation_id)
    async with here.workspace.write(here.actor) as tx:
        await pins.pin(tx, conversation_id, user_id=user_id)


@delete(_ONE + "/pin", opt=api(Permission.INBOX_READ, Operation(
    tag="conversations", summary="Unpin a conversation", status=204,
    refusals={403: "The key belongs to nobody."}), small=True))
async def delete_pin_answer(here: Here, conversation_id: str) -> None:
    user_id = await _person(here, conversation_id)
    async with here.workspace.write(here.actor) as tx:
        await pins.unpin(tx, conversation_id, user_id=user_id)


ROUTES = [update_snooze, delete_snooze_answer, update_pin, delete_pin_answer]
