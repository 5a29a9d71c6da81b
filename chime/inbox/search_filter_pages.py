"""The form that narrows a search, with what can be typed instead. Works without a script."""

from __future__ import annotations

from litestar import get
from litestar.response import Response

from chime.inbox import list_pane, search_asked
from chime.inbox.pages import READ
from chime.inbox.search_filter import KINDS, SENDERS
from chime.web.here import Here


@get("/w/{slug:str}/inbox/search/filters", opt=READ)
async def show_search_filters(here: Here) -> Response[bytes]:
    """What was typed as an operator is ticked as if it had been chosen, and leaves the search field."""
    search, listed = await search_asked.asked(here), await list_pane.shown(here)
    kept = [("view", listed.saved.id)] if listed.saved else list(listed.filter.pairs)
    if search.words:
        kept.append(("q", search.words))
    senders = [*SENDERS, *(key for key in search.people if key != here.actor.id)]
    name = "inbox/_search_filters.html" if here.is_htmx else "inbox/search_filters.html"
    return here.page(name, search=search, kept=kept, senders=senders, kinds=tuple(KINDS),
                     selected=here.request.query_params.get("selected", ""))


ROUTES = [show_search_filters]
