"""Messages of the whole workspace, for scripts: those with certain words, or those in doubt."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import get

from chime.db import Db
from chime.errors import Invalid, NotFound, Sentence
from chime.inbox import conversation_queries, doubt_queries, merging, queries, search_filter, search_queries
from chime.inbox.answers import MessageAnswer
from chime.inbox.conversation_api import CONVERSATION_EXAMPLE
from chime.inbox.model import Message, Status
from chime.inbox.search_filter import FOR_SCRIPTS, KINDS, NOTE, SENDERS
from chime.inbox.search_sifting import NEWEST, Wanted
from chime.inbox.search_words import MOST_TYPED, Words, askable, understood
from chime.security.permissions import Permission
from chime.security.scope import IN_HAND
from chime.web.here import Here
from chime.web.language import zone
from chime.web.listing import Page, decode_cursor, encode_cursor, page_size, query_of
from chime.web.reference import PAGED, Operation, Parameter, api

Place = tuple[int, str]
_ONE_ID = "[0-9a-z]{26}"


def _any_of(*choices: str) -> dict[str, str]:
    one = f"({'|'.join(choices)})"
    return {"pattern": f"^{one}(,{one}){{0,{search_filter.MOST_VALUES - 1}}}$"}


FILTERS = (
    Parameter(name="from", meaning="Only what these wrote, several with commas: ids of members; `customer`; `me`, the "
              "person of the key; `team`, anybody of it; `bot`, what Chime sends by itself; `api`, scripts; `phone`, "
              "the WhatsApp app of the number", limits=_any_of(*SENDERS, _ONE_ID)),
    Parameter(name="type", meaning="Only these kinds, several with commas. `voice` is the audio that is a voice note",
              limits=_any_of(*(kind for kind in KINDS if kind != NOTE))),
    Parameter(name="channel", meaning="Only messages on these numbers, by id", limits=_any_of(_ONE_ID)),
    Parameter(name="since", meaning="Of this day or later, in the workspace's time zone", limits={"format": "date"}),
    Parameter(name="until", meaning="Of this day or earlier", limits={"format": "date"}),
    Parameter(name="has_file", meaning="Only those with a picture, a video, a sound or a document", choices=("1",)),
)


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
                "the list ends where `next_cursor` is null. The filters narrow a search, or do without one: they are "
                "joined by AND, the values of one by OR.",
    parameters=(*PAGED, Parameter(name="search", meaning=f"The words, at most {MOST_TYPED} letters",
                          limits={"minLength": 1, "maxLength": MOST_TYPED}),
                Parameter(name="status", meaning="Instead of words: the messages in doubt",
                          choices=(Status.UNCONFIRMED.value,)),
                Parameter(name="conversation_id", meaning="Only messages of this conversation"), *FILTERS),
    refusals={404: "There is no such conversation."},
    response_example={"items": [_EXAMPLE], "next_cursor": None})))
async def list_workspace_messages(here: Here) -> Page[ListedMessage]:
    query = query_of(here.request, "search", "status", "conversation_id", *FOR_SCRIPTS)
    if "conversation_id" in query:
        named = query["conversation_id"]
        query["conversation_id"] = await merging.leads_to(here.db, named) or named
    limit, place = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    if "status" in query:
        return await _in_doubt(here, query, place, limit)
    wanted = _wanted(here, query)
    words = _words(askable(query.get("search", "")), is_needed="search" in query or not wanted.filter.narrows)
    if "conversation_id" in query:
        return await _in_conversation(here, query["conversation_id"], words, wanted, place, limit)
    return await _everywhere(here, words, wanted, place, limit)


def _words(typed: str, *, is_needed: bool) -> Words:
    words = understood(typed)
    if len(typed) > MOST_TYPED:
        raise Invalid.field("search", Sentence("At most %(most)s letters.", most=MOST_TYPED))
    if is_needed and not words.terms:
        raise Invalid.field("search", "Give at least one word or number, a filter, or a status.")
    return words


def _wanted(here: Here, query: dict[str, str]) -> Wanted:
    """The filters as the key's person means them, on the calendar of the workspace. Raises Invalid."""
    given = {name: value for name, value in query.items() if name in FOR_SCRIPTS}
    empty = [(name, "Give a value, or leave this out.") for name, value in given.items() if "" in value.split(",")]
    if empty:
        raise Invalid(empty)
    found = search_filter.read(given.items(), FOR_SCRIPTS)
    if NOTE in found.kind:
        raise Invalid.field("type", "Notes are no messages; read them from their conversation.")
    return Wanted(filter=found, user_id=here.actor.on_behalf or here.actor.id or "",
                  zone=zone(here.record.time_zone))


async def _in_doubt(here: Here, query: dict[str, str], place: Place | None, limit: int) -> Page[ListedMessage]:
    if query["status"] != Status.UNCONFIRMED:
        raise Invalid.field("status", "Only unconfirmed can be asked for.")
    for name in ("search", *FOR_SCRIPTS):
        if name in query:
            raise Invalid.field(name, "A status takes neither words nor filters.")
    conversation_id, db = query.get("conversation_id"), here.db
    if conversation_id is not None:
        await _reached(here, conversation_id)
    found = await doubt_queries.unconfirmed(db, here.viewer, conversation_id=conversation_id,
                                            after=place or doubt_queries.OLDEST, limit=limit + 1)
    ids = [doubt.message_id for doubt in found[:limit]]
    contacts = await queries.contacts_of_messages(db, ids)
    items = tuple(ListedMessage.of(message, contacts[message.id]) for message in await queries.messages_by_id(db, ids))
    more = encode_cursor(found[limit - 1].doubted_at, found[limit - 1].message_id) if len(found) > limit else None
    return Page(items, more)


async def _everywhere(here: Here, words: Words, wanted: Wanted, place: Place | None, limit: int
                      ) -> Page[ListedMessage]:
    page = await search_queries.messages(here.workspace.db.long_reads, here.viewer, words, wanted=wanted,
                                         before=place[0] if place else NEWEST, limit=limit)
    if page.is_cut_short and not page.found:
        raise Invalid.field("search", "This search takes too long. Add a rarer word.")
    return Page(await _told(here.db, [message.id for message in page.found], words),
                encode_cursor(page.rest, "") if page.rest is not None else None)


async def _in_conversation(here: Here, conversation_id: str, words: Words, wanted: Wanted, place: Place | None,
                           limit: int) -> Page[ListedMessage]:
    await _reached(here, conversation_id)
    ids, rest = await search_queries.messages_in(
        here.workspace.db.long_reads, conversation_id, words, wanted=wanted,
        before=place or conversation_queries.NEWEST, limit=limit)
    return Page(await _told(here.db, ids, words), encode_cursor(*rest) if rest else None)


async def _reached(here: Here, conversation_id: str) -> None:
    """A query names a conversation as a path does, so it is held to the same. Raises NotFound."""
    seen = here.viewer
    if not await here.db.value(IN_HAND[seen.sight], conversation_id, *seen.held_values):
        raise NotFound("There is no such conversation.")


async def _told(db: Db, ids: list[str], words: Words) -> tuple[ListedMessage, ...]:
    contacts = await queries.contacts_of_messages(db, ids)
    return tuple(ListedMessage.found(message, contacts[message.id], words)
                 for message in await queries.messages_by_id(db, ids))


ROUTES = [list_workspace_messages]
