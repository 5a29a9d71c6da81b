"""What the list pane shows while somebody searches: the people on top, then messages with the words, newest first."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import get
from litestar.response import Response

from chime.inbox import queries, search_queries
from chime.inbox.model import Conversation
from chime.inbox.search_queries import Found
from chime.inbox.search_words import MOST_TYPED, Part, Words, understood
from chime.security.permissions import Permission
from chime.web.here import Here
from chime.web.listing import decode_cursor, encode_cursor

PAGE = 30
FEW_PEOPLE = 5


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was found and the part of it to show; of a file found by its name, the name."""

    message: Found
    excerpt: tuple[Part, ...]
    is_filename: bool


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """`people_found` may be more than are shown. `has_words` is false when nothing typed is a word. `is_cut_short`
    says that the search took too long and ended before its end."""

    people: tuple[Conversation, ...]
    people_found: int
    hits: tuple[Hit, ...]
    next_cursor: str
    has_words: bool
    is_cut_short: bool


def typed(here: Here) -> str:
    """What is searched for, empty when nothing is."""
    return here.request.query_params.get("q", "").replace("\0", "").strip()[:MOST_TYPED]


async def results(here: Here, text: str) -> Results:
    """The first page, or of messages alone the one after the request's cursor."""
    asked = here.request.query_params
    place = decode_cursor(asked.get("cursor"))
    people = await _people(here, text) if place is None else []
    words = understood(text)
    reads = here.workspace.db.long_reads
    found, complete = await search_queries.messages(
        reads, words, before=place[0] if place else search_queries.NEWEST, limit=PAGE + 1)
    shown = found[:PAGE]
    few = len(people) if asked.get("people") == "all" else FEW_PEOPLE
    return Results(
        people=tuple(people[:few]), people_found=len(people), hits=tuple(_hit(words, message) for message in shown),
        next_cursor=encode_cursor(shown[-1].sequence, shown[-1].id) if len(found) > PAGE else "",
        has_words=bool(words.terms), is_cut_short=not complete)


async def _people(here: Here, text: str) -> list[Conversation]:
    """Conversations of the people with this name or number: those first whose name begins so, then the newest."""
    ids = await search_queries.people(here.workspace.db.long_reads, text)
    found = await queries.conversations_of_contacts(here.db, ids) if ids else []
    start = text.lower().removeprefix("@")

    def order(conversation: Conversation) -> tuple[bool, int]:
        begins = any(name.startswith(start) for name in conversation.title.lower().split())
        return not begins, -conversation.last_message_at

    return sorted(found, key=order)


def _hit(words: Words, message: Found) -> Hit:
    excerpt = words.excerpt(message.text)
    by_name = bool(message.filename) and not any(part.marked for part in excerpt)
    return Hit(message=message, excerpt=words.excerpt(message.filename) if by_name else excerpt, is_filename=by_name)


@get("/w/{slug:str}/inbox/search", opt={"permission": Permission.INBOX_READ})
async def list_found_messages(here: Here) -> Response[bytes]:
    """The further rows of a search."""
    text = typed(here)
    values: dict[str, Any] = {"q": text, "found": await results(here, text)}
    return here.page("inbox/_search_rows.html", **values)


ROUTES = [list_found_messages]
