"""What was shared and what happened, for scripts: the files and links of a conversation or a contact by kind, and the
timeline of a contact.

Promise: only of conversations that the key's person may read whole, as on the pages of the same.
"""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import get

from chime import audit, contacts
from chime.audit import Reading
from chime.clock import rfc3339
from chime.errors import Invalid, NotFound
from chime.inbox import gallery, gallery_pages, thread, timeline
from chime.inbox.conversation_queries import NEWEST
from chime.inbox.gallery import SharedFile, SharedLink
from chime.inbox.model import Direction
from chime.inbox.timeline import Entry
from chime.phone import shown_text
from chime.security.permissions import Permission
from chime.web.here import Here
from chime.web.listing import Page, decode_cursor, encode_cursor, page_of, page_size, query_of
from chime.web.reference import PAGED, Moment, Operation, Parameter, api

KINDS = ("image", "video", "sticker", "document", "audio", "link")
_KIND = Parameter(name="kind", meaning="Only those of this kind; all but links when not given", choices=KINDS)
_ABOUT_FILES = ("The newest first. Of links a page may hold fewer than `limit`, or a few more: the list "
                "ends where `next_cursor` is null.")


class SharedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A file or a link with the message it came in. The bytes of a file are at `/api/v1/media/{media_id}`; `url` is a
    link's address. `text` is what was written under a file."""

    kind: str
    message_id: str
    conversation_id: str
    direction: Direction
    author_name: str
    at: Moment
    media_id: str | None = None
    mime_type: str | None = None
    filename: str | None = None
    size: int | None = None
    pages: int | None = None
    text: str | None = None
    url: str | None = None

    @classmethod
    def of(cls, file: SharedFile) -> SharedAnswer:
        return cls(kind=file.kind, message_id=file.message_id, conversation_id=file.conversation_id,
                   direction=file.direction, author_name=file.author_name, at=rfc3339(file.at), media_id=file.id,
                   mime_type=file.mime_type, filename=file.filename, size=file.size, pages=file.pages, text=file.text)

    @classmethod
    def of_link(cls, link: SharedLink) -> SharedAnswer:
        return cls(kind="link", message_id=link.message_id, conversation_id=link.conversation_id,
                   direction=link.direction, author_name=link.author_name, at=rfc3339(link.at), url=link.url)


class TimelineAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened: to a conversation (`event`), to the contact itself (`record`), or a `note` that somebody
    wrote. `action` says what was done, as in the audit trail; for notes it is null and `text` holds what they say."""

    kind: str
    at: Moment
    actor_name: str
    action: str | None = None
    conversation_id: str | None = None
    note_id: str | None = None
    text: str | None = None

    @classmethod
    def of(cls, entry: Entry) -> TimelineAnswer:
        at, thread_id = rfc3339(entry.at), entry.conversation_id or None
        if entry.note is not None:
            return cls(kind="note", at=at, actor_name=entry.note.author_name, conversation_id=thread_id,
                       note_id=entry.note.id, text=shown_text(entry.note.text))
        if entry.event is not None:
            return cls(kind="event", at=at, actor_name=entry.event.actor_name, action=entry.event.kind,
                       conversation_id=thread_id)
        told = entry.record
        return cls(kind="record", at=at, actor_name=told.actor_name if told else "",
                   action=told.action if told else None)


_EXAMPLE: dict[str, Any] = {
    "kind": "image", "message_id": "01kafx2v9m3q8r5t7w1y4z6b0g", "conversation_id": "01kafx2v9m3q8r5t7w1y4z6b0h",
    "direction": "in", "author_name": "Maya", "at": "2026-11-21T09:29:00.999Z",
    "media_id": "01kafx2v9m3q8r5t7w1y4z6b0j", "mime_type": "image/jpeg", "filename": "", "size": 48213,
    "pages": None, "text": "The parcel", "url": None,
}
_HAPPENED: dict[str, Any] = {
    "kind": "note", "at": "2026-11-21T09:31:00.000Z", "actor_name": "Alice", "action": None,
    "conversation_id": "01kafx2v9m3q8r5t7w1y4z6b0h", "note_id": "01kafx2v9m3q8r5t7w1y4z6b0n", "text": "Ask the depot",
}


@get("/api/v1/conversations/{conversation_id:str}/files", opt=api(Permission.INBOX_FILES, Operation(
    tag="conversations", summary="List the files of a conversation", description=_ABOUT_FILES,
    answer=Page[SharedAnswer], parameters=(*PAGED, _KIND),
    response_example={"items": [_EXAMPLE], "next_cursor": None})))
async def list_conversation_files(here: Here, conversation_id: str) -> Page[SharedAnswer]:
    query = query_of(here.request, "kind")
    await thread.conversation_or_404(here, conversation_id)
    page = await _shared(here, [conversation_id], query)
    audit.read(here, Reading.CONVERSATION, conversation_id)
    return page


@get("/api/v1/contacts/{contact_id:str}/files", opt=api(Permission.INBOX_FILES, Operation(
    tag="contacts", summary="List the files of a contact", description="Of all their conversations. " + _ABOUT_FILES,
    answer=Page[SharedAnswer], parameters=(*PAGED, _KIND),
    response_example={"items": [_EXAMPLE], "next_cursor": None})))
async def list_contact_file_answers(here: Here, contact_id: str) -> Page[SharedAnswer]:
    query = query_of(here.request, "kind")
    page = await _shared(here, await _conversations(here, contact_id), query)
    audit.read(here, Reading.CONTACT, contact_id)
    return page


async def _conversations(here: Here, contact_id: str) -> list[str]:
    """The ids of those the reader may read whole. Raises NotFound."""
    if await contacts.contact(here.db, contact_id) is None:
        raise NotFound("There is no such contact.")
    return [one.id for one in await gallery_pages.threads_in_hand(here, contact_id)]


async def _shared(here: Here, ids: list[str], query: dict[str, str]) -> Page[SharedAnswer]:
    limit, before = page_size(query.get("limit")), decode_cursor(query.get("cursor")) or NEWEST
    kind = query.get("kind")
    if kind is not None and kind not in KINDS:
        raise Invalid.field("kind", f"One of {', '.join(KINDS)}.")
    if kind == "link":
        links = await gallery.links_of_conversations(here.workspace.db.long_reads, ids, before=before, limit=limit)
        return Page(tuple(map(SharedAnswer.of_link, links.found)), encode_cursor(*links.upto) if links.upto else None)
    rows = await gallery.files_of_conversations(here.db, ids, kinds=(kind,) if kind else KINDS[:-1], before=before,
                                                limit=limit + 1)
    return page_of(rows, limit, place=lambda file: (file.at, file.message_id), told=SharedAnswer.of)


@get("/api/v1/contacts/{contact_id:str}/timeline", opt=api(Permission.INBOX_READ, Operation(
    tag="contacts", summary="Read the timeline of a contact", answer=Page[TimelineAnswer], parameters=PAGED,
    description="What happened in their conversations and to their record, and what the team noted, the newest first. "
                "Messages are not in it.",
    response_example={"items": [_HAPPENED], "next_cursor": None})))
async def list_timeline_answers(here: Here, contact_id: str) -> Page[TimelineAnswer]:
    query = query_of(here.request)
    limit, before = page_size(query.get("limit")), decode_cursor(query.get("cursor")) or NEWEST
    rows = await timeline.entries(here.db, contact_id, await _conversations(here, contact_id), before=before,
                                  limit=limit + 1)
    audit.read(here, Reading.CONTACT, contact_id)
    return page_of(rows, limit, place=lambda entry: (entry.at, entry.id), told=TimelineAnswer.of)


ROUTES = [list_conversation_files, list_contact_file_answers, list_timeline_answers]
