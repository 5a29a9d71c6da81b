"""Pinning a message inside a conversation, and taking the pin away."""

from __future__ import annotations

from typing import Any

from litestar import delete, post
from litestar.response import Response

from chime.inbox import message_pins
from chime.inbox.message_pages import message_or_404
from chime.inbox.pages import REPLY, SMALL, shown_again
from chime.web.forms import form_fields
from chime.web.here import Here

_PIN = "/w/{slug:str}/inbox/{conversation_id:str}/messages/{message_id:str}/pin"


@post(_PIN, opt=REPLY | SMALL, status_code=200)
async def create_message_pin(here: Here, conversation_id: str, message_id: str) -> Response[Any]:
    """Pin it. A form says `_method=delete` to unpin, the menu of a message `toggle` for whichever is due."""
    await message_or_404(here, conversation_id, message_id)
    fields = await form_fields(here.request)
    is_pinned = await message_pins.is_message_pinned(here.db, message_id)
    if fields.get("_method") == "delete" or ("toggle" in fields and is_pinned):
        return await _unpin(here, conversation_id, message_id)
    async with here.workspace.write(here.actor) as tx:
        await message_pins.pin_message(tx, message_id)
    return await shown_again(here, conversation_id, here.words("Message pinned for the team"),
                             (f"{here.base}/inbox/{conversation_id}/messages/{message_id}/pin", "DELETE"))


@delete(_PIN, opt=REPLY, status_code=200)
async def delete_message_pin(here: Here, conversation_id: str, message_id: str) -> Response[Any]:
    await message_or_404(here, conversation_id, message_id)
    return await _unpin(here, conversation_id, message_id)


async def _unpin(here: Here, conversation_id: str, message_id: str) -> Response[Any]:
    async with here.workspace.write(here.actor) as tx:
        await message_pins.unpin_message(tx, message_id)
    return await shown_again(here, conversation_id, here.words("Message unpinned"))


ROUTES = [create_message_pin, delete_message_pin]
