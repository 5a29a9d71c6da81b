"""The timeline of a contact: for the panel beside a thread, or a page of its own."""

from __future__ import annotations

from litestar import get
from litestar.response import Response

from chime import audit, contacts
from chime.audit import Reading
from chime.errors import NotFound
from chime.inbox import thread, timeline
from chime.inbox.conversation_queries import NEWEST
from chime.inbox.gallery_pages import threads_in_hand
from chime.inbox.pages import READ
from chime.web.here import Here
from chime.web.listing import decode_cursor, encode_cursor

PAGE = 30


@get("/w/{slug:str}/contacts/{contact_id:str}/timeline", opt=READ)
async def list_timeline(here: Here, contact_id: str) -> Response[bytes]:
    """For the panel, or a page of its own; `only=notes` for those alone."""
    found = await contacts.contact(here.db, contact_id)
    if found is None:
        raise NotFound("There is no such contact.")
    place = decode_cursor(here.request.query_params.get("cursor")) or NEWEST
    ids = [one.id for one in await threads_in_hand(here, contact_id)]
    rows = await timeline.entries(here.db, contact_id, ids, before=place, limit=PAGE + 1)
    only_notes = here.request.query_params.get("only") == "notes"
    shown = rows[:PAGE]
    more = encode_cursor(shown[-1].at, shown[-1].id) if len(rows) > PAGE else ""
    audit.read(here, Reading.CONTACT, contact_id)
    return here.page("contacts/_timeline.html" if here.is_htmx else "contacts/timeline.html", contact_id=contact_id,
                     title=found.title, more=more, only_notes=only_notes, members=await thread.members(here),
                     entries=[entry for entry in shown if entry.note or not only_notes])


ROUTES = [list_timeline]
