"""Which messages of a thread are shown together: the newest, a page before or after a place, or those around one.

A place is a cursor of ours, or `m-` and the id of a message, which a page that dropped lines can say by itself; around
may also be named a note (`n-` and its id) or a moment.
"""

from __future__ import annotations

import msgspec

from chime.db import Db
from chime.inbox import conversation_queries, notes, queries
from chime.inbox.model import Message
from chime.web.listing import decode_cursor, encode_cursor


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """Messages that follow each other, oldest first, and the time they cover: from `since` to before `until`."""

    messages: tuple[Message, ...]
    since: int
    until: int
    has_older: bool = False
    has_newer: bool = False
    shown_id: str = ""

    def cursor(self, place: int) -> str:
        return encode_cursor(self.messages[place].at, self.messages[place].id)


NOTHING = Stretch(messages=(), since=0, until=0)


async def place_of(db: Db, conversation_id: str, text: str | None) -> tuple[int, str] | None:
    """Where a cursor or a message of this conversation stands. Raises Invalid (cursor)."""
    if text is None or not text.startswith("m-"):
        return decode_cursor(text)
    rows = await db.rows("SELECT at, id FROM message WHERE id = ? AND conversation_id = ?", text[2:], conversation_id)
    return (rows[0][0], rows[0][1]) if rows else None


async def newest(db: Db, conversation_id: str, before: tuple[int, str] | None = None) -> Stretch:
    """The newest page, or the one before a place."""
    place = before or conversation_queries.NEWEST
    page = await queries.messages(db, conversation_id, before=place, limit=queries.THREAD_PAGE + 1)
    older = len(page) > queries.THREAD_PAGE
    found = tuple(reversed(page[:queries.THREAD_PAGE]))
    return Stretch(messages=found, since=found[0].at if older else 0, until=place[0], has_older=older)


async def after(db: Db, conversation_id: str, place: tuple[int, str]) -> Stretch:
    page = await queries.messages_after(db, conversation_id, after=place, limit=queries.THREAD_PAGE + 1)
    newer = len(page) > queries.THREAD_PAGE
    found = tuple(page[:queries.THREAD_PAGE])
    return Stretch(messages=found, since=place[0], until=found[-1].at if newer else conversation_queries.NEWEST[0],
                   has_newer=newer)


async def around(db: Db, conversation_id: str, name: str) -> Stretch | None:
    """Half a page on either side of a message or of a note; None when there is none of this name here."""
    if name.startswith("n-"):
        note = await notes.note(db, name[2:])
        if note is None or note.conversation_id != conversation_id:
            return None
        found = await _between(db, conversation_id, (note.at, ""), None)
        return msgspec.structs.replace(found, shown_id=name)
    shown = await queries.message(db, name)
    if shown is None or shown.conversation_id != conversation_id or shown.type == "reaction":
        return None
    return await _between(db, conversation_id, (shown.at, shown.id), shown)


async def around_moment(db: Db, conversation_id: str, at: int) -> Stretch:
    """Around the first message at or after a moment; the newest page when nothing came after it."""
    following = await queries.messages_after(db, conversation_id, after=(at, ""), limit=1)
    if not following:
        return await newest(db, conversation_id)
    return await _between(db, conversation_id, (following[0].at, following[0].id), following[0])


async def _between(db: Db, conversation_id: str, place: tuple[int, str], shown: Message | None) -> Stretch:
    half = queries.THREAD_PAGE // 2
    earlier = await queries.messages(db, conversation_id, before=place, limit=half + 1)
    later = await queries.messages_after(db, conversation_id, after=place, limit=half + 1)
    older, newer = len(earlier) > half, len(later) > half
    found = (*reversed(earlier[:half]), *((shown,) if shown else ()), *later[:half])
    return Stretch(messages=found, since=found[0].at if older else 0,
                   until=found[-1].at if newer else conversation_queries.NEWEST[0], has_older=older, has_newer=newer,
                   shown_id=shown.id if shown else "")
