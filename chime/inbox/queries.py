"""Reading messages and their files. Every list is a bounded keyset page over an index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from chime.db import Db
from chime.inbox.conversation_queries import NEWEST
from chime.inbox.model import (
    ConversationEvent,
    Direction,
    Media,
    MediaState,
    Message,
    Origin,
    Quoted,
    Reaction,
    Settlement,
    Status,
)
from chime.phone import shown_content, shown_text

THREAD_PAGE = 40


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    """A message with the columns of its file and of what it quotes."""

    id: str
    conversation_id: str
    channel_id: str
    direction: Direction
    origin: Origin
    type: str
    status: Status
    text: str
    content: dict[str, Any]
    author_id: str | None
    author_name: str
    at: int
    created_at: int
    wamid: str | None
    client_id: str | None
    quoted_wamid: str | None
    referral: dict[str, Any] | None
    pricing: dict[str, Any] | None
    sent_at: int | None
    delivered_at: int | None
    read_at: int | None
    edited_at: int | None
    revoked_at: int | None
    error_code: int | None
    error_title: str | None
    error_what_to_do: str | None
    next_attempt_at: int | None
    claimed_at: int | None
    settled_as: Settlement | None
    settled_by: str | None
    settled_at: int | None
    media_id: str | None
    media_kind: str | None
    media_mime_type: str | None
    media_filename: str | None
    media_size: int | None
    media_is_voice: bool | None
    media_pages: int | None
    media_state: str | None
    media_trouble: str | None
    quoted_id: str | None
    quoted_direction: str | None
    quoted_author_name: str | None
    quoted_text: str | None
    quoted_type: str | None
    quoted_revoked_at: int | None


# The fields a row gives its message as they are.
_SAME = tuple(name for name in Message.__struct_fields__
              if name not in ("media", "quoted", "reactions", "text", "content"))
_MESSAGE = """
    SELECT message.id, message.conversation_id, message.channel_id, message.direction, message.origin, message.type,
        message.status, message.text, message.content_json, message.author_id, message.author_name, message.at,
        message.created_at, message.wamid, message.client_id, message.quoted_wamid, message.referral_json,
        message.pricing_json, message.sent_at, message.delivered_at, message.read_at, message.edited_at,
        message.revoked_at, message.error_code, message.error_title, message.error_what_to_do,
        message.next_attempt_at, message.claimed_at, message.settled_as, message.settled_by, message.settled_at,
        message.media_id, media.kind AS media_kind, media.mime_type AS media_mime_type,
        media.filename AS media_filename, media.size AS media_size, media.is_voice AS media_is_voice,
        media.pages AS media_pages,
        media.state AS media_state, media.trouble AS media_trouble, quoted.id AS quoted_id,
        quoted.direction AS quoted_direction, quoted.author_name AS quoted_author_name, quoted.text AS quoted_text,
        quoted.type AS quoted_type, quoted.revoked_at AS quoted_revoked_at
    FROM message LEFT JOIN media ON media.id = message.media_id
    LEFT JOIN message AS quoted ON quoted.channel_id = message.channel_id AND quoted.wamid = message.quoted_wamid
"""


async def messages(db: Db, conversation_id: str, *, before: tuple[int, str] = NEWEST,
                   limit: int = THREAD_PAGE) -> list[Message]:
    """A page of a thread, newest first, before the given `(at, id)`. Reactions show on their messages."""
    rows = await db.all(_Row, _MESSAGE + " WHERE message.conversation_id = ? AND message.type <> 'reaction' "
                        "AND (message.at, message.id) < (?, ?) ORDER BY message.at DESC, message.id DESC LIMIT ?",
                        conversation_id, *before, limit)
    return await _assembled(db, rows)


async def messages_after(db: Db, conversation_id: str, *, after: tuple[int, str],
                         limit: int = THREAD_PAGE) -> list[Message]:
    """The page of a thread that follows the given `(at, id)`, oldest first."""
    rows = await db.all(_Row, _MESSAGE + " WHERE message.conversation_id = ? AND message.type <> 'reaction' "
                        "AND (message.at, message.id) > (?, ?) ORDER BY message.at, message.id LIMIT ?",
                        conversation_id, *after, limit)
    return await _assembled(db, rows)


async def messages_by_id(db: Db, ids: Sequence[str]) -> list[Message]:
    """Those that are there, in the given order. The caller bounds how many."""
    rows = await db.all(_Row, _MESSAGE + " WHERE message.id IN (SELECT value FROM json_each(?))",
                        msgspec.json.encode(ids).decode())
    found = {message.id: message for message in await _assembled(db, rows)}
    return [found[message_id] for message_id in ids if message_id in found]


async def contacts_of_messages(db: Db, ids: Sequence[str]) -> dict[str, str]:
    """The contact of each message that is there. The caller bounds how many."""
    return dict(await db.rows(
        "SELECT message.id, conversation.contact_id FROM message JOIN conversation "
        "ON conversation.id = message.conversation_id WHERE message.id IN (SELECT value FROM json_each(?))",
        msgspec.json.encode(ids).decode()))


async def message(db: Db, message_id: str) -> Message | None:
    rows = await db.all(_Row, _MESSAGE + " WHERE message.id = ?", message_id)
    found = await _assembled(db, rows)
    return found[0] if found else None


async def message_named(db: Db, channel_id: str, name: str) -> Message | None:
    """The message that our id, or on this number Meta's, stands for."""
    message_id = await db.value("SELECT id FROM message WHERE id = ?1 UNION ALL SELECT id FROM message "
                                "WHERE channel_id = ?2 AND wamid = ?1", name, channel_id)
    return await message(db, message_id) if message_id else None


async def message_by_client_id(db: Db, client_id: str) -> Message | None:
    """The message that a browser or script made under its own id, when it said it twice."""
    message_id = await db.value("SELECT id FROM message WHERE client_id = ?", client_id)
    return await message(db, message_id) if message_id else None


async def _assembled(db: Db, rows: list[_Row]) -> list[Message]:
    reactions: dict[str, list[Reaction]] = {}
    if rows:
        ids = msgspec.json.encode([row.id for row in rows]).decode()
        for message_id, side, emoji, author in await db.rows(
                "SELECT message_id, side, emoji, author_name FROM reaction WHERE message_id IN "
                "(SELECT value FROM json_each(?)) ORDER BY at", ids):
            reactions.setdefault(message_id, []).append(
                Reaction(side=Direction(side), emoji=emoji, author_name=author))
    return [_message(row, tuple(reactions.get(row.id, ()))) for row in rows]


def _message(row: _Row, reactions: tuple[Reaction, ...]) -> Message:
    known = {name: getattr(row, name) for name in _SAME}
    media = None
    if row.media_id is not None:
        media = Media(id=row.media_id, kind=row.media_kind or "", mime_type=row.media_mime_type or "",
                      filename=shown_text(row.media_filename or ""), size=row.media_size,
                      is_voice=bool(row.media_is_voice), pages=row.media_pages or None,
                      state=MediaState(row.media_state or "failed"), trouble=row.media_trouble or "")
    quoted = None
    if row.quoted_id is not None:
        quoted = Quoted(id=row.quoted_id, direction=Direction(row.quoted_direction or "in"),
                        author_name=row.quoted_author_name or "",
                        preview=shown_text(row.quoted_text or ""), type=row.quoted_type or "",
                        is_revoked=row.quoted_revoked_at is not None)
    return Message(**known, text=shown_text(row.text), content=shown_content(row.content), media=media, quoted=quoted,
                   reactions=reactions)


async def events(db: Db, conversation_id: str, *, newer_than: int, older_than: int) -> list[ConversationEvent]:
    """What happened to a conversation in a stretch of time, oldest first."""
    return await db.all(ConversationEvent, "SELECT id, kind, actor_name, details_json, at FROM conversation_event "
                        "WHERE conversation_id = ? AND at >= ? AND at < ? ORDER BY at LIMIT 200",
                        conversation_id, newer_than, older_than)


async def is_read(db: Db, conversation_id: str) -> bool:
    """Whether there is such a conversation and nothing in it is unread."""
    return bool(await db.value("SELECT unread_count = 0 FROM conversation WHERE id = ?", conversation_id))


async def last_inbound(db: Db, conversation_id: str) -> tuple[str, str] | None:
    """The id and wamid of the newest message of the customer, for read receipts and typing."""
    rows = await db.rows("SELECT id, wamid FROM message WHERE conversation_id = ? AND direction = 'in' "
                         "AND wamid IS NOT NULL ORDER BY at DESC, id DESC LIMIT 1", conversation_id)
    return (rows[0][0], rows[0][1]) if rows else None


async def sendable(db: Db, message_id: str) -> tuple[str, str | None, int] | None:
    """Channel, file and the number's rate of a queued message; None when it is not queued any more."""
    rows = await db.rows("SELECT message.channel_id, message.media_id, channel.messages_per_second FROM message "
                         "JOIN channel ON channel.id = message.channel_id "
                         "WHERE message.id = ? AND message.status = 'queued'", message_id)
    return rows[0] if rows else None


class StoredMedia(msgspec.Struct, frozen=True, kw_only=True):
    """A file's row: what is needed to fetch, store and serve it."""

    id: str
    channel_id: str
    direction: Direction
    kind: str
    meta_media_id: str | None
    mime_type: str
    filename: str
    sha256: str | None
    size: int | None
    is_voice: bool
    state: MediaState
    trouble: str
    attempts: int
    created_at: int
    pages: int | None


async def media(db: Db, media_id: str) -> StoredMedia | None:
    return await db.one(StoredMedia, "SELECT id, channel_id, direction, kind, meta_media_id, mime_type, filename, "
                        "sha256, size, is_voice, state, trouble, attempts, created_at, pages FROM media WHERE id = ?",
                        media_id)


async def message_of_media(db: Db, media_id: str) -> Message | None:
    message_id = await db.value("SELECT id FROM message WHERE media_id = ?", media_id)
    return await message(db, message_id) if message_id else None
