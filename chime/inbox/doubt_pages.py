"""What a person says of a message that may have been sent: it arrived, send it again, or don't."""

from __future__ import annotations

from typing import Any

from litestar import post
from litestar.response import Response

from chime.errors import Invalid
from chime.inbox import doubts
from chime.inbox.message_pages import answer_bubble, message_or_404
from chime.inbox.model import Settlement
from chime.inbox.pages import REPLY, SMALL
from chime.web.forms import form_fields
from chime.web.here import Here

_MESSAGE = "/w/{slug:str}/inbox/{conversation_id:str}/messages/{message_id:str}"


@post(_MESSAGE + "/settlement", opt=REPLY | SMALL, status_code=200)
async def create_settlement(here: Here, conversation_id: str, message_id: str) -> Response[Any]:
    """`as` says which; `doubt` is the moment of the doubt the person was shown."""
    await message_or_404(here, conversation_id, message_id)
    fields = await form_fields(here.request)
    settlement, doubted_at = _said(fields.get("as", "")), _moment(fields.get("doubt", ""))
    async with here.workspace.write(here.actor) as tx:
        await doubts.settle(tx, message_id, settlement, doubted_at=doubted_at)
    return await answer_bubble(here, conversation_id, message_id)


def _said(text: str) -> Settlement:
    try:
        return Settlement(text)
    except ValueError as error:
        raise Invalid.field("as", "Say sent, failed or resend.") from error


def _moment(text: str) -> int | None:
    try:
        return int(text) if text else None
    except ValueError as error:
        raise Invalid.field("doubt", "Give the moment as the page showed it.") from error


ROUTES = [create_settlement]
