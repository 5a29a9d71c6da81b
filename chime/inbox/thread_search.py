"""Finding words inside one conversation: in what was said, in the names of files and in the team's notes.

Newest first and a page at a time. Whoever has not taken a conversation of the queue finds nothing in it.
"""

from __future__ import annotations

import msgspec

from chime.inbox import notes, queries, search_queries
from chime.inbox.conversation_queries import NEWEST
from chime.inbox.model import Message
from chime.inbox.notes import Note
from chime.inbox.search_words import Part, Words, understood
from chime.phone import shown_text
from chime.text_marks import plain
from chime.web.here import Here
from chime.web.listing import decode_cursor, encode_cursor

PAGE = 100


class FoundLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the thread that holds the words. `name` is its id on the page: `m-` or `n-` and the id."""

    name: str
    at: int
    author_name: str
    is_ours: bool
    is_note: bool
    excerpt: tuple[Part, ...]


class FoundLines(msgspec.Struct, frozen=True, kw_only=True):
    """`words` are those to mark, without capitals and accents, with whether only their beginning is known."""

    lines: tuple[FoundLine, ...]
    next_cursor: str
    words: tuple[tuple[str, bool], ...]


async def found_lines(here: Here, conversation_id: str, text: str, cursor: str | None) -> FoundLines:
    """A page of what is found. Raises Invalid (cursor)."""
    words = understood(text)
    if not words.terms:
        return FoundLines(lines=(), next_cursor="", words=())
    before = decode_cursor(cursor) or NEWEST
    reads = here.workspace.db.long_reads
    ids, following = await search_queries.messages_in(reads, conversation_id, words, before=before, limit=PAGE)
    lines = [_of_message(words, one) for one in await queries.messages_by_id(here.db, ids)]
    lines += [_of_note(words, one) for one in await notes.notes_between(
        here.db, conversation_id, newer_than=following[0] if following else 0, older_than=before[0])
        if words.stand_in(one.text)]
    lines.sort(key=lambda line: (line.at, line.name), reverse=True)
    return FoundLines(
        lines=tuple(lines), next_cursor=encode_cursor(*following) if following else "",
        words=tuple((word, term.beginning and word == term.words[-1]) for term in words.terms for word in term.words))


def _of_message(words: Words, message: Message) -> FoundLine:
    excerpt = words.excerpt(plain(message.text))
    if message.media is not None and not any(part.marked for part in excerpt):
        excerpt = words.excerpt(message.media.filename)
    return FoundLine(name=f"m-{message.id}", at=message.at, author_name=message.author_name,
                     is_ours=message.direction.value == "out", is_note=False, excerpt=excerpt)


def _of_note(words: Words, note: Note) -> FoundLine:
    return FoundLine(name=f"n-{note.id}", at=note.at, author_name=note.author_name, is_ours=True, is_note=True,
                     excerpt=words.excerpt(plain(shown_text(note.text))))
