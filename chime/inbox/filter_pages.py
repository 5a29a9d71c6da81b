"""The form that narrows the list, and tags of one conversation. Both work without a script."""

from __future__ import annotations

from typing import Any

from litestar import delete, get, post
from litestar.response import Response

from chime.errors import Invalid
from chime.inbox import carried_tags, conversation_tags, list_pane, search_filter_pages, thread
from chime.inbox.list_filter import Filter, Sort
from chime.inbox.model import View
from chime.inbox.pages import READ, REPLY, SMALL, shown_again
from chime.web.forms import form_fields
from chime.web.here import Here

_INBOX = "/w/{slug:str}/inbox"
_TAGS = _INBOX + "/{conversation_id:str}/tags"


async def form_values(here: Here, wanted: Filter) -> dict[str, Any]:
    """What `inbox/_filter_fields.html` needs."""
    return {"filter": wanted, "choices": await list_pane.choices(here), "sorts": [one.value for one in Sort],
            "views": [one.value for one in View if one is not View.DOUBT]}


@get(_INBOX + "/filters", opt=READ)
async def show_filters(here: Here) -> Response[bytes]:
    """The form with what the list is narrowed by; as a dialog for the script, else as a page."""
    wanted = await list_pane.shown(here)
    values = await form_values(here, wanted.filter)
    name = "inbox/_filters.html" if here.is_htmx else "inbox/filters.html"
    return here.page(name, shown=wanted, selected=here.request.query_params.get("selected", ""), **values)


@get(_TAGS, opt=REPLY)
async def list_conversation_tags(here: Here, conversation_id: str) -> Response[bytes]:
    """All tags there are, with those it carries ticked."""
    return await _tags(here, conversation_id)


async def _tags(here: Here, conversation_id: str, error: Invalid | None = None, *, name: str = "",
                **values: Any) -> Response[bytes]:
    conversation = await thread.conversation_or_404(here, conversation_id)
    has = (await carried_tags.carried(here.db, [conversation_id])).get(conversation_id, ())
    name = name or ("inbox/_tags.html" if here.is_htmx else "inbox/tags.html")
    return here.page(name, status=422 if error else 200, conversation=conversation, carried=has,
                     tags=await carried_tags.all_tags(here.db), errors=here.problems(error) if error else {}, **values)


@post(_TAGS, opt=REPLY | SMALL, status_code=200)
async def create_conversation_tag(here: Here, conversation_id: str) -> Response[Any]:
    """By its name, or by its id. `remove` with an id takes it off."""
    fields = await form_fields(here.request)
    await thread.conversation_or_404(here, conversation_id)
    try:
        async with here.workspace.write(here.actor) as tx:
            if fields.get("remove"):
                await conversation_tags.detach(tx, conversation_id, fields["remove"])
            else:
                tag_id = fields.get("tag_id") or (await conversation_tags.named(tx, fields.get("name", ""))).id
                await conversation_tags.attach(tx, conversation_id, tag_id)
    except Invalid as error:
        return await _tags(here, conversation_id, error)
    if not here.is_htmx:
        return await shown_again(here, conversation_id)
    return await _tags(here, conversation_id, name="inbox/_tags_changed.html",
                       thread=await thread.load(here, conversation_id))


@delete(_TAGS + "/{thread_tag_id:str}", opt=REPLY, status_code=200)
async def delete_conversation_tag(here: Here, conversation_id: str, thread_tag_id: str) -> Response[Any]:
    await thread.conversation_or_404(here, conversation_id)
    async with here.workspace.write(here.actor) as tx:
        await conversation_tags.detach(tx, conversation_id, thread_tag_id)
    return await shown_again(here, conversation_id)


ROUTES = [show_filters, list_conversation_tags, create_conversation_tag, delete_conversation_tag,
          *search_filter_pages.ROUTES]
