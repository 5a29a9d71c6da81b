"""The files of a conversation or of a contact by time: pictures and videos to look through, documents, links.

Every list is a keyset page, newest first. Links are looked for in a bounded number of the newest messages.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import msgspec

from chime.db import Db, LongReads
from chime.errors import Unavailable
from chime.inbox.conversation_queries import NEWEST
from chime.inbox.model import Direction
from chime.phone import shown_text

SEEN_TYPES = ("image", "video", "sticker")
HEARD_AND_READ_TYPES = ("document", "audio")
PATIENCE = 1.0  # seconds
MOST_LOOKED_THROUGH = 2_000
_LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]']")


class SharedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file with the message it came in."""

    id: str
    message_id: str
    conversation_id: str
    kind: str
    mime_type: str
    filename: str
    size: int | None
    is_voice: bool
    pages: int | None
    direction: Direction
    author_name: str
    text: str
    at: int


class SharedLink(msgspec.Struct, frozen=True, kw_only=True):
    """An address somebody wrote."""

    url: str
    message_id: str
    conversation_id: str
    direction: Direction
    author_name: str
    at: int


_FILE = (
    "SELECT media.id, message.id AS message_id, message.conversation_id, media.kind, media.mime_type, media.filename, "
    "media.size, media.is_voice, nullif(media.pages, 0) AS pages, message.direction, message.author_name, "
    "message.text, message.at "
    "FROM message INDEXED BY message_with_file CROSS JOIN media ON media.id = message.media_id "
    "WHERE message.conversation_id = ? AND message.media_id IS NOT NULL AND message.revoked_at IS NULL "
    "AND media.state = 'ready' AND media.kind IN (SELECT value FROM json_each(?)) ")


async def files(db: Db, conversation_id: str, *, kinds: Sequence[str], before: tuple[int, str] = NEWEST,
                limit: int) -> list[SharedFile]:
    """Those before a place, newest first."""
    found = await db.all(SharedFile, _FILE + "AND (message.at, message.id) < (?, ?) "
                         "ORDER BY message.at DESC, message.id DESC LIMIT ?", conversation_id, _json(kinds), *before,
                         limit)
    return [_shown(file) for file in found]


async def files_after(db: Db, conversation_id: str, *, kinds: Sequence[str], after: tuple[int, str],
                      limit: int) -> list[SharedFile]:
    """Those at a place and after it, oldest first."""
    found = await db.all(SharedFile, _FILE + "AND (message.at, message.id) >= (?, ?) "
                         "ORDER BY message.at, message.id LIMIT ?", conversation_id, _json(kinds), *after, limit)
    return [_shown(file) for file in found]


async def files_of_conversations(db: Db, conversation_ids: Collection[str], *, kinds: Sequence[str],
                                 before: tuple[int, str] = NEWEST, limit: int) -> list[SharedFile]:
    """The same over the few conversations of one contact."""
    found: list[SharedFile] = []
    for conversation_id in conversation_ids:
        found += await files(db, conversation_id, kinds=kinds, before=before, limit=limit)
    return sorted(found, key=lambda file: (file.at, file.message_id), reverse=True)[:limit]


class Links(msgspec.Struct, frozen=True, kw_only=True):
    """Some links, newest first. `upto` is where the looking ended, None at the end."""

    found: list[SharedLink]
    upto: tuple[int, str] | None


async def links_of_conversations(reads: LongReads, conversation_ids: Collection[str], *,
                                 before: tuple[int, str] = NEWEST, limit: int) -> Links:
    """What was written with an address in it before a place, newest first. Those of one message stay together, so they
    may be more than `limit`; of each conversation a bounded number of messages is looked through at a time."""
    found: list[SharedLink] = []
    ends: list[tuple[int, str]] = []
    for conversation_id in conversation_ids:
        rows, complete = await reads.rows(
            "SELECT id, CASE WHEN text LIKE '%http%' THEN text ELSE '' END, direction, author_name, at FROM message "
            "WHERE conversation_id = ? AND type <> 'reaction' AND revoked_at IS NULL AND (at, id) < (?, ?) "
            "ORDER BY at DESC, id DESC LIMIT ?", conversation_id, *before, MOST_LOOKED_THROUGH, seconds=PATIENCE)
        if not rows and not complete:
            raise Unavailable("There was no time to look through all messages; try again.")
        if len(rows) == MOST_LOOKED_THROUGH or not complete:
            ends.append((rows[-1][4], rows[-1][0]))
        for message_id, text, direction, author_name, at in rows:
            found += [SharedLink(url=url, message_id=message_id, conversation_id=conversation_id,
                                 direction=Direction(direction), author_name=author_name, at=at)
                      for url in _LINK.findall(shown_text(text))]
    found.sort(key=_place, reverse=True)
    # Beyond where the looking ended in one conversation, that one may still have some.
    upto = max(ends, default=None)
    if len(found) > limit:
        upto = max(_place(found[limit - 1]), upto or _place(found[limit - 1]))
        upto = None if upto == _place(found[-1]) and not ends else upto
    return Links(found=[link for link in found if upto is None or _place(link) >= upto], upto=upto)


def _place(link: SharedLink) -> tuple[int, str]:
    return link.at, link.message_id


def _json(values: Sequence[str]) -> str:
    return msgspec.json.encode(values).decode()


def _shown(file: SharedFile) -> SharedFile:
    return msgspec.structs.replace(file, filename=shown_text(file.filename), text=shown_text(file.text))
