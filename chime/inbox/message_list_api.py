"""Messages of the whole workspace, for scripts: those with certain words, or those in doubt."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import get

from chime.db import Db
from chime.errors import Invalid, NotFound
from chime.inbox import doubt_queries, queries, search_queries
from chime.inbox.answers import MessageAnswer
from chime.inbox.conversation_api import CONVERSATION_EXAMPLE
from chime.inbox.model import Message, Status
from chime.inbox.search_words import MOST_TYPED, Words, understood
from chime.security.permissions import Permission
from chime.web.here import Here
from chime.web.listing import Page, decode_cursor, encode_cursor, page_size, query_of
from chime.web.reference import PAGED, Operation, Parameter, api

Place = tuple[int, str]


class ListedMessage(MessageAnswer, frozen=True, kw_only=True):
    """A message of a list. `snippet` is the part of it around the first word that was searched for."""

    snippet: str | None = None

    @classmethod
    def of(cls, message: Message, contact_id: str) -> ListedMessage:
        told = MessageAnswer.of(message, contact_id)
        return cls(**{name: getattr(told, name) for name in MessageAnswer.__struct_fields__})

    @classmethod
    def found(cls, message: Message, contact_id: str, words: Words) -> ListedMessage:
        excerpt = words.excerpt(message.text)
        if message.media is not None and not any(part.marked for part in excerpt):
            excerpt = words.excerpt(message.media.filename)
        return msgspec.structs.replace(cls.of(message, contact_id), snippet="".join(part.text for part in excerpt))


_EXAMPLE: dict[str, Any] = {
    "id": "01kafx2v9m3q8r5t7w1y4z6b0g", "direction": "in", "origin": "customer", "type": "text", "status": "received",
    "conversation_id": CONVERSATION_EXAMPLE["id"], "contact_id": "01kafx2v9m3q8r5t7w1y4z6b0c",
    "channel_id": "01kafx2v9m3q8r5t7w1y4z6b0e", "wamid": "wamid.HBgLMTQxNTU1NTAxMjMVAgARGBI5QTNDQTVCMw==",
    "error": None, "text": "Where is my order?", "content": {"body": "Where is my order?"}, "media": None,
    "context": None, "reactions": [], "referral": None, "pricing": None, "author_name": "Maya",
    "at": "2026-11-21T09:29:00.999Z", "created_at": "2026-11-21T09:29:01.204Z", "sent_at": None, "delivered_at": None,
    "read_at": None, "edited_at": None, "revoked_at": None, "unconfirmed_since": None,
    "settlement": None, "snippet": "Where is my order?",
}


@get("/api/v1/messages", opt=api(Permission.INBOX_READ, Operation(
    tag="messages", summary="List messages", answer=Page[ListedMessage],
    description="Those that hold the words of `search`, the newest first; or those that may have been sent "
                "(`status=unconfirmed`), the oldest first; WhatsApp may yet settle the younger of them by itself. "
                "A message or the name of its file must hold every word; the last one may be the beginning of a word, "
                "and words in quotation marks must follow each other. Capitals and accents make no difference. "
                "A message is found within two seconds after it came. A page may hold fewer messages than `limit`: "
                "the list ends where `next_cursor` is null.",
    parameters=(*PAGED, Parameter(name="search", meaning="The words, at most 200 letters"),
                Parameter(name="status", meaning="Instead of words: the messages in doubt",
                          choices=(Status.UNCONFIRMED.value,)),
                Parameter(name="conversation_id", meaning="Only messages of this conversation")),
    response_example={"items": [_EXAMPLE], "next_cursor": None})))
async def list_workspace_messages(here: Here) -> Page[ListedMessage]:
    query = query_of(here.request, "search", "status", "conversation_id")
    limit, place = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    if "status" in query:
        return await _in_doubt(here.db, query, place, limit)
    words = _words(query.get("search", ""))
    if "conversation_id" in query:
        return await _in_conversation(here, query["conversation_id"], words, place, limit)
    return await _everywhere(here, words, place, limit)


def _words(typed: str) -> Words:
    words = understood(typed)
    if len(typed) > MOST_TYPED:
        raise Invalid.field("search", f"At most {MOST_TYPED} letters.")
    if not words.terms:
        raise Invalid.field("search", "Give at least one word or number, or a status.")
    return words


async def _in_doubt(db: Db, query: dict[str, str], place: Place | None, limit: int) -> Page[ListedMessage]:
    if query["status"] != Status.UNCONFIRMED:
        raise Invalid.field("status", "Only unconfirmed can be asked for.")
    if "search" in query:
        raise Invalid.field("search", "Give words or a status, not both.")
    conversation_id = query.get("conversation_id")
    if conversation_id is not None and await queries.conversation(db, conversation_id) is None:
        raise NotFound("There is no such conversation.")
    found = await doubt_queries.unconfirmed(db, conversation_id=conversation_id, after=place or doubt_queries.OLDEST,
                                            limit=limit + 1)
    ids = [doubt.message_id for doubt in found[:limit]]
    contacts = await queries.contacts_of_messages(db, ids)
    items = tuple(ListedMessage.of(message, contacts[message.id]) for message in await queries.messages_by_id(db, ids))
    more = encode_cursor(found[limit - 1].doubted_at, found[limit - 1].message_id) if len(found) > limit else None
    return Page(items, more)


async def _everywhere(here: Here, words: Words, place: Place | None, limit: int) -> Page[ListedMessage]:
    found, complete = await search_queries.messages(
        here.workspace.db.long_reads, words, before=place[0] if place else search_queries.NEWEST, limit=limit + 1)
    if not complete and not found:
        raise Invalid.field("search", "This search takes too long. Add a rarer word.")
    shown = found[:limit]
    more = len(found) > limit or not complete
    return Page(await _told(here.db, [message.id for message in shown], words),
                encode_cursor(shown[-1].sequence, shown[-1].id) if more else None)


async def _in_conversation(here: Here, conversation_id: str, words: Words, place: Place | None, limit: int
                           ) -> Page[ListedMessage]:
    if await queries.conversation(here.db, conversation_id) is None:
        raise NotFound("There is no such conversation.")
    ids, rest = await search_queries.messages_in(here.workspace.db.long_reads, conversation_id, words,
                                                 before=place or queries.NEWEST, limit=limit)
    return Page(await _told(here.db, ids, words), encode_cursor(*rest) if rest else None)


async def _told(db: Db, ids: list[str], words: Words) -> tuple[ListedMessage, ...]:
    contacts = await queries.contacts_of_messages(db, ids)
    return tuple(ListedMessage.found(message, contacts[message.id], words)
                 for message in await queries.messages_by_id(db, ids))


ROUTES = [list_workspace_messages]
