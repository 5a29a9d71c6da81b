"""The bar that finds words in one conversation. Whoever has not taken it out of the queue finds nothing in it."""

from __future__ import annotations

from typing import Any

from litestar import get
from litestar.response import Response

from chime import audit
from chime.audit import Reading
from chime.errors import NotFound
from chime.inbox import search_pages, thread
from chime.inbox.pages import READ
from chime.inbox.thread_search import found_lines
from chime.web.here import Here


@get("/w/{slug:str}/inbox/{conversation_id:str}/search", opt=READ)
async def list_found_lines(here: Here, conversation_id: str) -> Response[bytes]:
    """The bar to search with, what it finds (`q`), or the whole page of both for a browser without scripts."""
    conversation = await thread.conversation_or_404(here, conversation_id)
    if not await thread.in_hand(here, conversation_id):
        raise NotFound("Take this conversation first; then all of it can be searched.")
    text = search_pages.typed(here)
    found = await found_lines(here, conversation_id, text, here.request.query_params.get("cursor"))
    if text:
        audit.read(here, Reading.CONVERSATION, conversation_id)
    values: dict[str, Any] = {"conversation_id": conversation_id, "title": conversation.title, "q": text,
                              "found": found}
    if not here.is_htmx:
        return here.page("inbox/found.html", **values)
    return here.page("inbox/_found_lines.html" if "q" in here.request.query_params else "inbox/_finder.html", **values)


ROUTES = [list_found_lines]
