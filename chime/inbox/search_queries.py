"""Finding messages by their words and people by name or number.

Newest first and a page at a time, straight off the index: nothing is ranked or counted, because a common word stands in
half of all messages. What works long is read beside the loop and ends after `PATIENCE`.
"""

from __future__ import annotations

import asyncio
import re

import msgspec

from chime.db import Db, LongReads
from chime.inbox import search_sifting
from chime.inbox.model import ConversationState, Direction, contact_title
from chime.inbox.search_sifting import NEWEST, Wanted
from chime.inbox.search_words import Words
from chime.phone import Phone, from_column
from chime.security.scope import CONVERSATIONS, HELD, Sight, Viewer

PATIENCE = 1.0  # seconds
# So many numbers of messages are looked through at a time.
FIRST_STRETCH = 50_000
MOST_PEOPLE = 100
LAST = "~"  # after every id
# Of one conversation so many messages are looked through for a page, and so many of them at a time.
MOST_LOOKED_THROUGH = 5_000
CHUNK = 500
SHORTEST_INDEXED = 3  # letters; contacts are indexed three at a time
TRUNK_ZERO_FROM = 7  # digits

_LETTER = re.compile(r"[^\W\d_]")
_LIKE_A_NUMBER = re.compile(r"[\d\s+().\-/]+")


class Found(msgspec.Struct, frozen=True, array_like=True):
    """A message that was found, with what a row of results shows. The fields stand as `_FOUND` selects them."""

    sequence: int
    id: str
    conversation_id: str
    direction: Direction
    type: str
    author_name: str
    text: str
    filename: str
    at: int
    state: ConversationState
    contact_name: str
    contact_profile_name: str
    contact_username: str
    contact_phone: Phone | None

    @property
    def title(self) -> str:
        return contact_title(self.contact_name, self.contact_profile_name, self.contact_username, self.contact_phone)


_FOUND = """
    SELECT message.sequence, message.id, message.conversation_id, message.direction, message.type,
        message.author_name, message.text, coalesce(media.filename, ''), message.at, conversation.state,
        contact.name, contact.profile_name, contact.username, contact.phone
"""
_JOINED = """
    CROSS JOIN conversation ON conversation.id = message.conversation_id
    CROSS JOIN contact ON contact.id = conversation.contact_id
    LEFT JOIN media ON media.id = message.media_id
    WHERE contact.deleted_at IS NULL AND message.revoked_at IS NULL AND message.type <> 'reaction'
"""
_HOLDING = " AND message_words MATCH ? AND message_words.rowid < ? AND message_words.rowid >= ?"
_NUMBERED = " AND message.sequence < ? AND message.sequence >= ?"
_WORDS_FIRST = " ORDER BY message_words.rowid DESC LIMIT ?"
_NUMBERS_FIRST = " ORDER BY message.sequence DESC LIMIT ?"
# Only people with a conversation in sight.
_PEOPLE: dict[Sight, str] = {
    sight: "" if sight is Sight.ALL else " AND EXISTS (SELECT 1 FROM conversation WHERE conversation.contact_id = "
    "indexed_contact.contact_id" + fragment + ")" for sight, fragment in CONVERSATIONS.items()}


class FoundPage(msgspec.Struct, frozen=True, kw_only=True):
    """Messages that were found; `rest` is the number before which older ones may be found, None at the end.
    `is_cut_short` when there was no time to look through all and no place to go on from."""

    found: list[Found]
    rest: int | None = None
    is_cut_short: bool = False


async def messages(reads: LongReads, viewer: Viewer, words: Words, *, wanted: Wanted | None = None,
                   before: int = NEWEST, limit: int) -> FoundPage:
    """The newest messages with these words that fit and came before number `before`; without words, all that fit."""
    wanted = wanted or Wanted()
    if wanted.only_notes or not (words.terms or wanted.filter.narrows):
        return FoundPage(found=[])
    low, high = await search_sifting.stretch(reads, wanted) if wanted.filter.narrows else (0, NEWEST)
    high, step = min(high, before), FIRST_STRETCH if wanted.filter.narrows else NEWEST
    found: list[Found] = []
    clock = asyncio.get_running_loop()
    begun = clock.time()
    while low < high:
        start = max(low, high - step)
        more, complete = await _between(reads, viewer, words, wanted, start, high, limit + 1 - len(found))
        found += more
        if len(found) > limit:
            return FoundPage(found=found[:limit], rest=found[limit - 1].sequence)
        if not complete:
            return FoundPage(found=found, rest=found[-1].sequence if more else None, is_cut_short=not more)
        high = start
        step = step * 4 if words.terms else step
        if clock.time() - begun > PATIENCE and low < high:
            return FoundPage(found=found, rest=high)
    return FoundPage(found=found)


async def _between(reads: LongReads, viewer: Viewer, words: Words, wanted: Wanted, start: int, end: int, limit: int
                   ) -> tuple[list[Found], bool]:
    """Those with numbers from `start` to before `end`, and whether there was time to look at each."""
    sifted = search_sifting.sifted(wanted, has_words=bool(words.terms), start=start, end=end)
    held = HELD[viewer.sight]
    if words.terms:
        sql = "".join((_FOUND, sifted.source, _JOINED, _HOLDING, *sifted.clauses, held, _WORDS_FIRST))
        values: tuple[object, ...] = (words.expression, end, start)
    else:
        sql = "".join((_FOUND, sifted.source, _JOINED, _NUMBERED, *sifted.clauses, held, _NUMBERS_FIRST))
        values = (end, start)
    rows, complete = await reads.rows(sql, *values, *sifted.values, *viewer.held_values, limit, seconds=PATIENCE)
    return [msgspec.convert(row, Found, dec_hook=from_column) for row in rows], complete


_IN_THREAD = (
    "SELECT message.id, message.at, message.text, coalesce(media.filename, '') FROM message "
    "LEFT JOIN media ON media.id = message.media_id WHERE conversation_id = ? AND message.type <> 'reaction' "
    "AND message.revoked_at IS NULL AND (message.at, message.id) < (?, ?)")
_THREAD_ORDER = " ORDER BY message.at DESC, message.id DESC LIMIT ?"


async def messages_in(reads: LongReads, conversation_id: str, words: Words, *, wanted: Wanted | None = None,
                      before: tuple[int, str], limit: int) -> tuple[list[str], tuple[int, str] | None]:
    """The ids of the newest messages of one conversation with these words that fit, and where to go on, None at its
    beginning.

    One conversation is small: reading it is quicker than picking it out of all that the index knows of a word.
    """
    found: list[str] = []
    sifted = search_sifting.sifted_in_thread(wanted or Wanted())
    sql = "".join((_IN_THREAD, *sifted.clauses, _THREAD_ORDER))
    for _ in range(0, MOST_LOOKED_THROUGH, CHUNK):
        rows, complete = await reads.rows(sql, conversation_id, *before, *sifted.values, CHUNK, seconds=PATIENCE)
        for message_id, at, text, filename in rows:
            before = (at, message_id)
            if words.stand_in(text, filename):
                found.append(message_id)
                if len(found) == limit:
                    return found, before
        if len(rows) < CHUNK and complete:
            return found, None
    return found, before


class FoundNote(msgspec.Struct, frozen=True, array_like=True):
    """A private note that was found, in the order of its statement's columns."""

    id: str
    conversation_id: str
    author_name: str
    text: str
    at: int
    contact_name: str
    contact_profile_name: str
    contact_username: str
    contact_phone: Phone | None

    @property
    def title(self) -> str:
        return contact_title(self.contact_name, self.contact_profile_name, self.contact_username, self.contact_phone)


_NOTE = (
    "SELECT note.id, note.conversation_id, note.author_name, note.text, note.at, contact.name, "
    "contact.profile_name, contact.username, contact.phone FROM note "
    "CROSS JOIN conversation ON conversation.id = note.conversation_id "
    "CROSS JOIN contact ON contact.id = conversation.contact_id "
    "WHERE note.id < ? AND note.deleted_at IS NULL AND contact.deleted_at IS NULL")
_NOTE_ORDER = " ORDER BY note.id DESC LIMIT ?"


async def notes(reads: LongReads, viewer: Viewer, words: Words, *, wanted: Wanted | None = None, before: str = LAST,
                limit: int) -> list[FoundNote]:
    """The newest notes with these words that fit, of the conversations that this viewer may read whole. There are few
    notes beside messages, so they stand in no index: the newest are looked through."""
    wanted = wanted or Wanted()
    if not wanted.notes_too or not (words.terms or wanted.filter.narrows):
        return []
    found: list[FoundNote] = []
    sifted = search_sifting.sifted_notes(wanted)
    sql = "".join((_NOTE, *sifted.clauses, HELD[viewer.sight], _NOTE_ORDER))
    for _ in range(0, MOST_LOOKED_THROUGH, CHUNK):
        rows, complete = await reads.rows(sql, before, *sifted.values, *viewer.held_values, CHUNK, seconds=PATIENCE)
        found += [msgspec.convert(row, FoundNote, dec_hook=from_column) for row in rows if words.stand_in(row[3])]
        if len(found) >= limit or len(rows) < CHUNK or not complete:
            break
        before = rows[-1][0]
    return found[:limit]


async def people(reads: LongReads, viewer: Viewer, typed: str, *, by_number: bool) -> list[str]:
    """The ids of contacts whose names, username or number hold each part of what was typed, at most `MOST_PEOPLE`. For
    those who see masked numbers (`by_number` false) digits alone find nobody: guessing them one by one would tell the
    number."""
    indexed, short = _parts(typed, by_number)
    if not indexed and not short:
        return []
    # Fewer letters than the index knows: its texts are looked through, those of the newest contacts first.
    like = [f"%{_plain(part)}%" for part in (*short, "", "")[:2]]
    if indexed:
        rows, _ = await reads.rows(
            "SELECT indexed_contact.contact_id FROM contact_words CROSS JOIN indexed_contact "
            "ON indexed_contact.number = contact_words.rowid WHERE contact_words MATCH ? "
            "AND indexed_contact.words LIKE ? ESCAPE '\\' AND indexed_contact.words LIKE ? ESCAPE '\\'"
            + _PEOPLE[viewer.sight] + " ORDER BY contact_words.rowid DESC LIMIT ?", " AND ".join(indexed), *like,
            *viewer.values, MOST_PEOPLE, seconds=PATIENCE)
    else:
        rows, _ = await reads.rows(
            "SELECT contact_id FROM indexed_contact WHERE words LIKE ? ESCAPE '\\' AND words LIKE ? ESCAPE '\\'"
            + _PEOPLE[viewer.sight] + " ORDER BY number DESC LIMIT ?", *like, *viewer.values, MOST_PEOPLE,
            seconds=PATIENCE)
    return [row[0] for row in rows]


def _parts(typed: str, by_number: bool) -> tuple[list[str], list[str]]:
    """What the index is asked for, ready for MATCH, and the parts too short for it.

    Only what is written like a number is looked for as one: nearly all numbers hold the 5 of "table 5"."""
    typed = typed.replace("\0", " ").replace('"', " ")
    digits = "".join(letter for letter in typed if letter.isdigit())
    if not by_number:
        parts = [part.removeprefix("@") for part in typed.split() if _LETTER.search(part)]
    elif digits and _LIKE_A_NUMBER.fullmatch(typed):
        # The zero in front of a number at home is no part of it abroad.
        parts = [digits.lstrip("0") if len(digits) >= TRUNK_ZERO_FROM else digits]
    else:
        parts = [part.removeprefix("@") for part in typed.split()]
    return ([f'"{part}"' for part in parts if len(part) >= SHORTEST_INDEXED],
            [part for part in parts if 0 < len(part) < SHORTEST_INDEXED])


def _plain(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


async def waiting(db: Db) -> bool:
    """Whether something is not in the index yet."""
    return bool(await db.value(
        "SELECT EXISTS (SELECT 1 FROM message WHERE sequence > (SELECT indexed_upto FROM search_progress)) "
        "OR EXISTS (SELECT 1 FROM unindexed_contact)"))

