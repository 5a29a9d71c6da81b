"""What the list pane shows while somebody searches: the people on top, then messages with the words, newest first."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from litestar import get
from litestar.response import Response

from chime import audit, contacts
from chime.audit import Reading
from chime.contacts import FieldMatch, FieldSubject, shown_values
from chime.inbox import search_asked, search_queries
from chime.inbox.model import Conversation
from chime.inbox.search_asked import Search
from chime.inbox.search_people import FoundPeople, people_found
from chime.inbox.search_queries import LAST, Found, FoundNote
from chime.inbox.search_sifting import NEWEST
from chime.inbox.search_words import Part, Words, askable, understood
from chime.phone import shown_content, shown_text
from chime.security import limits
from chime.security.permissions import Permission
from chime.text_marks import plain
from chime.web.here import Here
from chime.web.listing import decode_cursor, encode_cursor

PAGE = 30
# What somebody types who looks for a number, and most of it is there.
_NUMBER = re.compile(r"\+?\d[\d\s().\-/]{5,}")
FEW_PEOPLE = 5
FEW_NOTES = 10
_NOBODY = FoundPeople(conversations=[], matches={})


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was found and the part of it to show; of a file found by its name, the name."""

    message: Found
    excerpt: tuple[Part, ...]
    is_filename: bool


class NoteHit(msgspec.Struct, frozen=True, kw_only=True):
    """A private note that was found and the part of it to show."""

    note: FoundNote
    excerpt: tuple[Part, ...]


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """`people_found` may be more than are shown; `fields` tells by contact in which field somebody was found, as
    (name, value). `is_askable` is false when nothing typed is a word and nothing is chosen. `is_of_notes` when notes
    alone are looked for, which then go on page by page. `is_cut_short` says that the search took too long and ended
    before its end."""

    people: tuple[Conversation, ...]
    people_found: int
    fields: dict[str, tuple[str, str]] = {}
    hits: tuple[Hit, ...]
    next_cursor: str
    is_askable: bool
    is_of_notes: bool = False
    is_cut_short: bool
    notes: tuple[NoteHit, ...] = ()


def typed(here: Here) -> str:
    """What is looked for in one conversation, empty when nothing is."""
    return askable(search_asked.typed_text(here))


async def results(here: Here, search: Search) -> Results:
    """The first page, or of messages (or notes) alone the one after the request's cursor."""
    params = here.request.query_params
    place = decode_cursor(params.get("cursor"))
    people = await _people(here, search) if place is None else _NOBODY
    words, reads, of_notes = understood(search.words), here.workspace.db.long_reads, search.wanted.only_notes
    page = await search_queries.messages(reads, here.viewer, words, wanted=search.wanted, limit=PAGE,
                                         before=place[0] if place else NEWEST)
    notes = await search_queries.notes(
        reads, here.viewer, words, wanted=search.wanted, limit=PAGE + 1 if of_notes else FEW_NOTES,
        before=place[1] if place else LAST) if of_notes or place is None else []
    cursor = encode_cursor(page.rest, "") if page.rest is not None else ""
    if of_notes:
        cursor = encode_cursor(0, notes[PAGE - 1].id) if len(notes) > PAGE else ""
    few = len(people.conversations) if params.get("people") == "all" else FEW_PEOPLE
    return Results(
        people=tuple(people.conversations[:few]), people_found=len(people.conversations),
        fields=await _fields(here, people.matches), hits=tuple(_hit(words, message) for message in page.found),
        next_cursor=cursor, is_askable=bool(words.terms) or search.filter.narrows, is_of_notes=of_notes,
        is_cut_short=page.is_cut_short,
        notes=tuple(NoteHit(note=note, excerpt=words.excerpt(plain(shown_text(note.text)))) for note in notes[:PAGE]))


async def _people(here: Here, search: Search) -> FoundPeople:
    """Nobody where the search is narrowed: then it is for messages."""
    if search.filter.narrows:
        return _NOBODY
    by_number = _NUMBER.fullmatch(search.words) is not None
    if by_number:
        here.services.limiter.need(limits.SEARCH_BY_PHONE.of(here.record.id, here.actor.id or ""))
    found = await people_found(here.workspace, here.viewer, search.words, by_number=here.actor.sees_numbers)
    if by_number:
        audit.read(here, Reading.NUMBER_SEARCH, found=len(found.conversations))
    return found


async def _fields(here: Here, matches: dict[str, FieldMatch]) -> dict[str, tuple[str, str]]:
    """What the fields are called and what stands in them, as this reader may see it."""
    defined = await contacts.custom_fields(here.db, FieldSubject.CONTACT) if matches else []
    labels = {field.key: field.label for field in defined}
    return {contact_id: (labels.get(match.key, match.key), str(shown_values(shown_content({"": match.value}))[""]))
            for contact_id, match in matches.items()}


def _hit(words: Words, message: Found) -> Hit:
    excerpt = words.excerpt(plain(shown_text(message.text)))
    filename = shown_text(message.filename)
    by_name = bool(message.filename) and not any(part.marked for part in excerpt) and bool(words.terms or not excerpt)
    return Hit(message=message, excerpt=words.excerpt(filename) if by_name else excerpt, is_filename=by_name)


@get("/w/{slug:str}/inbox/search", opt={"permission": Permission.INBOX_READ})
async def list_found_messages(here: Here) -> Response[bytes]:
    """The further rows of a search."""
    search = await search_asked.asked(here)
    values: dict[str, Any] = {"q": search.text, "search": search, "found": await results(here, search)}
    return here.page("inbox/_search_rows.html", **values)


ROUTES = [list_found_messages]
