"""Finding messages by their words and people by name or number.

Newest first and a page at a time, straight off the index: nothing is ranked or counted, because a common word stands in
half of all messages. What works long is read beside the loop and ends after `PATIENCE`.
"""

from __future__ import annotations

import re

import msgspec

from chime.db import Db, LongReads
from chime.inbox.model import ConversationState, Direction, contact_title
from chime.inbox.search_words import Words

PATIENCE = 1.0  # seconds
NEWEST = 2**62
MOST_PEOPLE = 100
# Of one conversation so many messages are looked through for a page, and so many of them at a time.
MOST_LOOKED_THROUGH = 5_000
CHUNK = 500
SHORTEST_INDEXED = 3  # letters; contacts are indexed three at a time
TRUNK_ZERO_FROM = 7  # digits

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
    contact_phone: str | None

    @property
    def title(self) -> str:
        return contact_title(self.contact_name, self.contact_profile_name, self.contact_username, self.contact_phone)


_FOUND = """
    SELECT message.sequence, message.id, message.conversation_id, message.direction, message.type,
        message.author_name, message.text, coalesce(media.filename, ''), message.at, conversation.state,
        contact.name, contact.profile_name, contact.username, contact.phone
    FROM message_words
    CROSS JOIN message ON message.sequence = message_words.rowid
    CROSS JOIN conversation ON conversation.id = message.conversation_id
    CROSS JOIN contact ON contact.id = conversation.contact_id
    LEFT JOIN media ON media.id = message.media_id
    WHERE message_words MATCH ? AND message_words.rowid < ? AND contact.deleted_at IS NULL
        AND message.revoked_at IS NULL AND message.type <> 'reaction'
    ORDER BY message_words.rowid DESC LIMIT ?
"""


async def messages(reads: LongReads, words: Words, *, before: int = NEWEST, limit: int) -> tuple[list[Found], bool]:
    """The newest messages with these words that came before number `before`; and whether the search got to its end
    in time."""
    if not words.terms:
        return [], True
    rows, complete = await reads.rows(_FOUND, words.expression, before, limit, seconds=PATIENCE)
    return [msgspec.convert(row, Found) for row in rows], complete


async def messages_in(reads: LongReads, conversation_id: str, words: Words, *, before: tuple[int, str],
                      limit: int) -> tuple[list[str], tuple[int, str] | None]:
    """The ids of the newest messages of one conversation with these words, and where to go on, None at its beginning.

    One conversation is small: reading it is quicker than picking it out of all that the index knows of a word.
    """
    found: list[str] = []
    for _ in range(0, MOST_LOOKED_THROUGH, CHUNK):
        rows, complete = await reads.rows(
            "SELECT message.id, message.at, message.text, coalesce(media.filename, '') FROM message "
            "LEFT JOIN media ON media.id = message.media_id WHERE conversation_id = ? AND message.type <> 'reaction' "
            "AND message.revoked_at IS NULL AND (message.at, message.id) < (?, ?) "
            "ORDER BY message.at DESC, message.id DESC LIMIT ?", conversation_id, *before, CHUNK, seconds=PATIENCE)
        for message_id, at, text, filename in rows:
            before = (at, message_id)
            if words.stand_in(text, filename):
                found.append(message_id)
                if len(found) == limit:
                    return found, before
        if len(rows) < CHUNK and complete:
            return found, None
    return found, before


async def people(reads: LongReads, typed: str) -> list[str]:
    """The ids of contacts whose names, username or number hold each part of what was typed, at most `MOST_PEOPLE`."""
    indexed, short = _parts(typed)
    if not indexed and not short:
        return []
    # Fewer letters than the index knows: its texts are looked through, those of the newest contacts first.
    like = [f"%{_plain(part)}%" for part in (*short, "", "")[:2]]
    if indexed:
        rows, _ = await reads.rows(
            "SELECT indexed_contact.contact_id FROM contact_words CROSS JOIN indexed_contact "
            "ON indexed_contact.number = contact_words.rowid WHERE contact_words MATCH ? "
            "AND indexed_contact.words LIKE ? ESCAPE '\\' AND indexed_contact.words LIKE ? ESCAPE '\\' "
            "ORDER BY contact_words.rowid DESC LIMIT ?", " AND ".join(indexed), *like, MOST_PEOPLE, seconds=PATIENCE)
    else:
        rows, _ = await reads.rows(
            "SELECT contact_id FROM indexed_contact WHERE words LIKE ? ESCAPE '\\' AND words LIKE ? ESCAPE '\\' "
            "ORDER BY number DESC LIMIT ?", *like, MOST_PEOPLE, seconds=PATIENCE)
    return [row[0] for row in rows]


def _parts(typed: str) -> tuple[list[str], list[str]]:
    """What the index is asked for, ready for MATCH, and the parts too short for it.

    Only what is written like a number is looked for as one: nearly all numbers hold the 5 of "table 5"."""
    typed = typed.replace("\0", " ").replace('"', " ")
    digits = "".join(letter for letter in typed if letter.isdigit())
    if digits and _LIKE_A_NUMBER.fullmatch(typed):
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

