"""Colleagues see who is in a conversation and who writes in it.

What a tab says goes to the others as a live event with names of colleagues and nothing of the customer, to those only
who may see the conversation (the stream asks for each event). Nothing of it is stored.
"""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import get, post
from litestar.response import Response

from chime.errors import Invalid
from chime.inbox import conversation_queries, thread
from chime.inbox.pages import READ, SMALL, UNASKED
from chime.inbox.presence import Mode, Presence
from chime.web.forms import form_fields
from chime.web.here import Here

_ALL = "/w/{slug:str}/presence"
_ONE = "/w/{slug:str}/inbox/{conversation_id:str}/presence"
LEAVE = "leave"
LONGEST_TAB = 40


def _presence(here: Here) -> Presence:
    found: Presence = here.request.app.state.presence
    return found


@get(_ALL, opt=READ | {"document": False})
async def list_presence(here: Here) -> Response[bytes]:
    """Who is where, of the conversations the reader sees; later the live stream tells what changes."""
    everywhere = _presence(here).everywhere(here.workspace.id)
    seen = await conversation_queries.in_sight(here.db, here.viewer, everywhere) if everywhere else set()
    return Response(msgspec.json.encode({"people": {key: value for key, value in everywhere.items() if key in seen}}),
                    media_type="application/json", headers={"Cache-Control": "no-store"})


@post(_ONE, opt=READ | SMALL | UNASKED, status_code=204)
async def create_presence(here: Here, conversation_id: str) -> None:
    """`mode`: view, type, note, or leave when the `tab` goes away."""
    fields = await form_fields(here.request)
    text, tab = fields.get("mode", ""), fields.get("tab", "")[:LONGEST_TAB]
    presence, user_id = _presence(here), here.actor.id or ""
    if text == LEAVE:
        for one in presence.leave(here.workspace.id, user_id=user_id, tab=tab or "-"):
            _tell(here, one)
        return
    if text not in set(Mode) or not tab:
        raise Invalid.field("mode", "Say view, type, note or leave, and which tab.")
    await thread.conversation_or_404(here, conversation_id)
    left = presence.enter(here.workspace.id, conversation_id, user_id=user_id, name=here.actor.name, tab=tab,
                          mode=Mode(text))
    for one in (conversation_id, *left):
        _tell(here, one)


def _tell(here: Here, conversation_id: str) -> None:
    people: list[Any] = msgspec.to_builtins(_presence(here).here(here.workspace.id, conversation_id))
    here.services.hub.mention(here.workspace.id, "presence", {"conversation": conversation_id, "people": people},
                              conversation_id)


ROUTES = [list_presence, create_presence]
