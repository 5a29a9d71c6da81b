"""Looking through what was shared: the pictures of a conversation one by one, the files of a contact by kind."""

from __future__ import annotations

from typing import Any

from litestar import get
from litestar.response import Redirect, Response

from chime import audit, contacts
from chime.audit import Reading
from chime.errors import NotFound
from chime.inbox import conversation_queries, gallery, queries, thread
from chime.inbox.model import Conversation
from chime.security.permissions import Permission
from chime.web.here import Here
from chime.web.listing import decode_cursor, encode_cursor

EACH_WAY = 25
PAGE = 30
TABS = {"pictures": gallery.SEEN_TYPES, "documents": gallery.HEARD_AND_READ_TYPES, "links": ()}
_FILES = {"permission": Permission.INBOX_FILES}


@get("/w/{slug:str}/inbox/{conversation_id:str}/gallery/{media_id:str}", opt=_FILES)
async def show_gallery(here: Here, conversation_id: str, media_id: str) -> Response[Any]:
    """A picture of a conversation, with those before and after it."""
    await thread.conversation_or_404(here, conversation_id)
    shown = await queries.message_of_media(here.db, media_id)
    if shown is None or shown.conversation_id != conversation_id or shown.revoked_at is not None:
        raise NotFound("This file is not here.")
    if not here.is_htmx:
        return Redirect(f"{here.base}/media/{media_id}", status_code=303)
    place = (shown.at, shown.id)
    earlier = await gallery.files(here.db, conversation_id, kinds=gallery.SEEN_TYPES, before=place, limit=EACH_WAY)
    later = await gallery.files_after(here.db, conversation_id, kinds=gallery.SEEN_TYPES, after=place,
                                      limit=EACH_WAY + 1)
    audit.read(here, Reading.CONVERSATION, conversation_id)
    return here.page("inbox/_gallery.html", files=[*reversed(earlier), *later], shown_id=media_id)


async def threads_in_hand(here: Here, contact_id: str) -> list[Conversation]:
    """The conversations of a contact that the reader may read whole."""
    found = await conversation_queries.conversations_of_contact(here.db, here.viewer, contact_id)
    return [one for one in found if await thread.in_hand(here, one.id)]


@get("/w/{slug:str}/contacts/{contact_id:str}/files", opt=_FILES)
async def list_contact_files(here: Here, contact_id: str) -> Response[bytes]:
    """What was shared with a contact, by kind (`tab`): for the panel, or a page of its own."""
    found = await contacts.contact(here.db, contact_id)
    if found is None:
        raise NotFound("There is no such contact.")
    asked = here.request.query_params
    tab = asked.get("tab", "pictures")
    if tab not in TABS:
        raise NotFound("There is no such list.")
    ids = [one.id for one in await threads_in_hand(here, contact_id)]
    files, links = [], []
    before = decode_cursor(asked.get("cursor")) or conversation_queries.NEWEST
    if tab == "links":
        seen = await gallery.links_of_conversations(here.workspace.db.long_reads, ids, before=before, limit=PAGE)
        links, more = seen.found, encode_cursor(*seen.upto) if seen.upto else ""
    else:
        rows = await gallery.files_of_conversations(here.db, ids, kinds=TABS[tab], before=before, limit=PAGE + 1)
        files = rows[:PAGE]
        more = encode_cursor(files[-1].at, files[-1].message_id) if len(rows) > PAGE else ""
    audit.read(here, Reading.CONTACT, contact_id)
    return here.page("contacts/_files.html" if here.is_htmx else "contacts/files.html", contact_id=contact_id,
                     title=found.title, tab=tab, files=files, links=links, more=more)


ROUTES = [show_gallery, list_contact_files]
