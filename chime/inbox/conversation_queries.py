"""Reading conversations: one, a page of a view, how many each view holds. Every list is a bounded keyset page over an
index."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from chime.db import Db
from chime.inbox.model import Conversation, ConversationState, View
from chime.security.scope import CONVERSATIONS, Viewer

PAGE = 30
MOST_COUNTED = 1000
NEWEST = (2**62, "")
OLDEST = (0, "")

_COLUMNS = """
    SELECT conversation.id, conversation.channel_id, conversation.contact_id, conversation.state,
        conversation.assignee_id, conversation.team_id, conversation.unread_count, conversation.last_message_at,
        conversation.window_expires_at, conversation.created_at, conversation.closed_at, conversation.snoozed_until,
        conversation.reason_id,
        (SELECT name FROM resolve_reason WHERE resolve_reason.id = conversation.reason_id) AS reason_name,
        conversation.waiting_since, conversation.due_at, conversation.due_soon_at, conversation.due_kind,
        contact.name AS contact_name, contact.profile_name AS contact_profile_name,
        contact.username AS contact_username, contact.phone AS contact_phone,
        contact.user_id AS contact_user_id,
        last.direction AS last_direction, last.status AS last_status, last.type AS last_type,
        last.text AS last_text, last.revoked_at AS last_revoked_at
    FROM conversation"""
_JOINED = """ JOIN contact ON contact.id = conversation.contact_id
    LEFT JOIN message AS last ON last.id = conversation.last_message_id
"""
_CONVERSATION = _COLUMNS + _JOINED
_PAGE = (" AND (conversation.last_message_at, conversation.id) < (?, ?) "
         "ORDER BY conversation.last_message_at DESC, conversation.id DESC LIMIT ?")
_MINE = " WHERE conversation.assignee_id = ? AND conversation.state = 'open'"
_UNASSIGNED = " WHERE conversation.assignee_id IS NULL AND conversation.state = 'open'"
_OPEN = " WHERE conversation.state = 'open'"
_MENTIONS = " WHERE conversation.id IN (SELECT conversation_id FROM mention WHERE user_id = ?)"
_UNSEEN = " WHERE conversation.id IN (SELECT conversation_id FROM mention WHERE user_id = ? AND seen_at IS NULL)"
_PINNED = " WHERE conversation.id IN (SELECT conversation_id FROM conversation_pin WHERE user_id = ?)"
_WAITING = " WHERE conversation.state = 'open' AND conversation.waiting_since IS NOT NULL"
_UNREAD = " WHERE conversation.state = 'open' AND conversation.unread_count > 0"
_SNOOZED = " WHERE conversation.state = 'snoozed'"
_CLOSED = " WHERE conversation.state = 'closed'"
# Left to choose, SQLite reads all that are open to find the few.
_BY_WAITING, _BY_UNREAD = " INDEXED BY conversation_waiting", " INDEXED BY conversation_unread"
_VIEWS = {
    View.MINE: _CONVERSATION + _MINE,
    View.UNASSIGNED: _CONVERSATION + _UNASSIGNED,
    View.ALL: _CONVERSATION + _OPEN,
    View.MENTIONS: _CONVERSATION + _MENTIONS,
    View.PINNED: _CONVERSATION + _PINNED,
    View.WAITING: _COLUMNS + _BY_WAITING + _JOINED + _WAITING,
    View.UNREAD: _COLUMNS + _BY_UNREAD + _JOINED + _UNREAD,
    View.SNOOZED: _CONVERSATION + _SNOOZED,
    View.CLOSED: _CONVERSATION + _CLOSED,
}
_OF_A_PERSON = frozenset({View.MINE, View.MENTIONS, View.PINNED})
_LONGEST_WAITING = (" AND (conversation.waiting_since, conversation.id) > (?, ?) "
                    "ORDER BY conversation.waiting_since, conversation.id LIMIT ?")
_COUNT = "SELECT count(*) FROM (SELECT 1 FROM conversation"
_COUNTED = " LIMIT 1000)"
# Of all that are open, and of all that are resolved, nobody is told how many.
_COUNTS = {
    View.MINE: _COUNT + _MINE,
    View.UNASSIGNED: _COUNT + _UNASSIGNED,
    View.MENTIONS: _COUNT + _UNSEEN,
    View.PINNED: _COUNT + _PINNED,
    View.WAITING: _COUNT + _BY_WAITING + _WAITING,
    View.UNREAD: _COUNT + _BY_UNREAD + _UNREAD,
    View.SNOOZED: _COUNT + _SNOOZED,
}


async def conversations(db: Db, viewer: Viewer, view: View, *, user_id: str, after: tuple[int, str] = NEWEST,
                        limit: int = PAGE) -> list[Conversation]:
    """A page of a view, the newest first, after the given `(last_message_at, id)`."""
    values: list[Any] = [user_id] if view in _OF_A_PERSON else []
    return await db.all(Conversation, _VIEWS[view] + CONVERSATIONS[viewer.sight] + _PAGE,
                        *values, *viewer.values, *after, limit)


async def conversations_waiting(db: Db, viewer: Viewer, *, after: tuple[int, str] = OLDEST,
                                limit: int = PAGE) -> list[Conversation]:
    """A page of those whose customer waits for an answer, the longest first, after `(waiting_since, id)`."""
    return await db.all(Conversation, _VIEWS[View.WAITING] + CONVERSATIONS[viewer.sight] + _LONGEST_WAITING,
                        *viewer.values, *after, limit)


async def conversations_in(db: Db, viewer: Viewer, state: ConversationState, *, assignee_id: str | None = None,
                           unassigned: bool = False, after: tuple[int, str] = NEWEST,
                           limit: int = PAGE) -> list[Conversation]:
    """A page of everything in one state, or of what one member (or nobody) has, the newest first."""
    if assignee_id is None and not unassigned:
        return await db.all(Conversation, _CONVERSATION + " WHERE conversation.state = ?"
                            + CONVERSATIONS[viewer.sight] + _PAGE, state.value, *viewer.values, *after, limit)
    where = " WHERE conversation.assignee_id IS ? AND conversation.state = ?"
    return await db.all(Conversation, _CONVERSATION + where + CONVERSATIONS[viewer.sight] + _PAGE, assignee_id,
                        state.value, *viewer.values, *after, limit)


async def counts(db: Db, viewer: Viewer, *, user_id: str) -> dict[str, int]:
    """How many conversations each view holds, of those with mentions the unseen; 1,000 stands for that or more."""
    return {view.value: await db.value(count + CONVERSATIONS[viewer.sight] + _COUNTED,
                                       *([user_id] if view in _OF_A_PERSON else []), *viewer.values)
            for view, count in _COUNTS.items()}


async def unread(db: Db, viewer: Viewer) -> int:
    """Open conversations with something unread, up to 1,000."""
    found: int = await db.value(_COUNTS[View.UNREAD] + CONVERSATIONS[viewer.sight] + _COUNTED, *viewer.values)
    return found


async def in_sight(db: Db, viewer: Viewer, conversation_ids: Collection[str]) -> set[str]:
    """Those that are there and that the viewer reaches."""
    rows = await db.rows("SELECT id FROM conversation WHERE id IN (SELECT value FROM json_each(?))"
                         + CONVERSATIONS[viewer.sight], msgspec.json.encode(list(conversation_ids)).decode(),
                         *viewer.values)
    return {row[0] for row in rows}


async def conversation(db: Db, conversation_id: str) -> Conversation | None:
    return await db.one(Conversation, _CONVERSATION + " WHERE conversation.id = ?", conversation_id)


async def conversations_by_id(db: Db, viewer: Viewer, ids: Sequence[str]) -> list[Conversation]:
    """Those that are there, in the given order. The caller bounds how many."""
    rows = await db.all(Conversation, _CONVERSATION + " WHERE conversation.id IN (SELECT value FROM json_each(?))"
                        + CONVERSATIONS[viewer.sight], msgspec.json.encode(ids).decode(), *viewer.values)
    found = {row.id: row for row in rows}
    return [found[conversation_id] for conversation_id in ids if conversation_id in found]


async def conversations_of_contact(db: Db, viewer: Viewer, contact_id: str) -> list[Conversation]:
    return await db.all(Conversation, _CONVERSATION + " WHERE conversation.contact_id = ?"
                        + CONVERSATIONS[viewer.sight] + " ORDER BY conversation.last_message_at DESC LIMIT 20",
                        contact_id, *viewer.values)


async def conversations_of_contacts(db: Db, viewer: Viewer, contact_ids: Sequence[str]) -> list[Conversation]:
    """Of those that were not deleted, in no order. The caller bounds how many."""
    return await db.all(Conversation, _CONVERSATION + " WHERE conversation.contact_id IN "
                        "(SELECT value FROM json_each(?)) AND contact.deleted_at IS NULL" + CONVERSATIONS[viewer.sight],
                        msgspec.json.encode(contact_ids).decode(), *viewer.values)
