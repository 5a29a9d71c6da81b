"""Verbs that decide in whose list a conversation stands and when: snooze and wake, pin and unpin."""

from __future__ import annotations

from typing import Any

from litestar import delete, post
from litestar.response import Response

from chime.inbox import pins, snooze, thread
from chime.inbox.pages import READ, REPLY, SMALL, shown_again
from chime.inbox.queue_api import moment
from chime.web.forms import form_fields
from chime.web.here import Here
from chime.web.language import zone

_SNOOZE = "/w/{slug:str}/inbox/{conversation_id:str}/snooze"
_PIN = "/w/{slug:str}/inbox/{conversation_id:str}/pin"


@post(_SNOOZE, opt=REPLY | SMALL, status_code=200)
async def create_snooze(here: Here, conversation_id: str) -> Response[Any]:
    """`until` is the name of a moment, or a day and time in the reader's zone. An undo that snoozes again says in
    `expected` how it was left, and gives the very moment. A form without scripts says `_method=delete` to wake."""
    fields = await form_fields(here.request)
    if fields.get("_method") == "delete":
        return await _wake(here, conversation_id)
    until, expected = _until(here, fields.get("until", "")), fields.get("expected") or None
    async with here.workspace.write(here.actor) as tx:
        asleep = await snooze.way_back(tx, conversation_id, tx.now)
        await snooze.snooze(tx, conversation_id, until=until, expected=expected)
    said, address = here.words("Conversation snoozed"), f"{here.base}/inbox/{conversation_id}/snooze"
    if expected is not None:
        return await shown_again(here, conversation_id, said)
    if asleep is not None:
        return await shown_again(here, conversation_id, said, (address, "POST"), asleep | {"expected": "snoozed"})
    return await shown_again(here, conversation_id, said, (address, "DELETE"))


def _until(here: Here, text: str) -> int | None:
    """Raises Invalid."""
    calendar = zone(thread.zone_of(here))
    if text in set(snooze.Preset):
        return snooze.moment(snooze.Preset(text), here.now, calendar)
    return moment(text, here.now) if text.endswith("Z") else snooze.typed_moment(text, here.now, calendar)


@delete(_SNOOZE, opt=REPLY, status_code=200)
async def delete_snooze(here: Here, conversation_id: str) -> Response[Any]:
    return await _wake(here, conversation_id)


async def _wake(here: Here, conversation_id: str) -> Response[Any]:
    async with here.workspace.write(here.actor) as tx:
        await snooze.wake(tx, conversation_id)
    return await shown_again(here, conversation_id, here.words("Back among the open conversations"))


@post(_PIN, opt=READ | SMALL, status_code=200)
async def create_pin(here: Here, conversation_id: str) -> Response[Any]:
    """A form without scripts says `_method=delete` to unpin."""
    await thread.conversation_or_404(here, conversation_id)
    if (await form_fields(here.request)).get("_method") == "delete":
        return await _unpin(here, conversation_id)
    async with here.workspace.write(here.actor) as tx:
        await pins.pin(tx, conversation_id, user_id=here.actor.id or "")
    return await shown_again(here, conversation_id, here.words("Pinned: it stands under Pinned, for you alone"))


@delete(_PIN, opt=READ, status_code=200)
async def delete_pin(here: Here, conversation_id: str) -> Response[Any]:
    await thread.conversation_or_404(here, conversation_id)
    return await _unpin(here, conversation_id)


async def _unpin(here: Here, conversation_id: str) -> Response[Any]:
    async with here.workspace.write(here.actor) as tx:
        await pins.unpin(tx, conversation_id, user_id=here.actor.id or "")
    return await shown_again(here, conversation_id, here.words("Not pinned any more"))


ROUTES = [create_snooze, delete_snooze, create_pin, delete_pin]
