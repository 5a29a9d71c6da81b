"""What happened around a contact, newest first: in their conversations, to their record, what the team noted.

Messages are not in it: they are the conversation. Each source is read along its index, a bounded piece before a moment,
and the pieces are laid together. What the record and the thread both tell (somebody was blocked) stands here once.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from chime.db import Db
from chime.inbox.model import ConversationEvent
from chime.inbox.notes import Note

# What was done to the record itself; of edits it is told that they were, not what was written.
RECORD_ACTIONS = ("contact.created", "contact.edited", "contact.tagged", "contact.untagged", "contact.merged",
                  "contact.merge_undone", "contact.identity_changed", "contact.consent_recorded", "contact.blocked",
                  "contact.unblocked", "contact.deleted", "contact.restored", "contact.number_revealed",
                  "contact.owner_changed")


class RecordEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the audit trail about the contact; `owner_id` where it tells of who looks after it."""

    id: str
    action: str
    actor_name: str
    at: int
    owner_id: str | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line: something of a conversation, of the record, or a note."""

    at: int
    id: str
    conversation_id: str = ""
    event: ConversationEvent | None = None
    record: RecordEntry | None = None
    note: Note | None = None


async def entries(db: Db, contact_id: str, conversation_ids: Collection[str], *, before: tuple[int, str], limit: int
                  ) -> list[Entry]:
    """The newest before a place: a moment, and of that moment an id."""
    found = [Entry(at=row.at, id=row.id, record=row) for row in await db.all(
        RecordEntry, "SELECT printf('%020d', sequence) AS id, action, actor_name, at, "
        "details_json ->> 'owner_id' AS owner_id FROM audit_event "
        "WHERE object_kind = 'contact' AND object_id = ? AND action IN (SELECT value FROM json_each(?)) "
        "AND result = 'done' AND (at, printf('%020d', sequence)) < (?, ?) ORDER BY sequence DESC LIMIT ?",
        contact_id, msgspec.json.encode(RECORD_ACTIONS).decode(), *before, limit)]
    for conversation_id in conversation_ids:
        found += [Entry(at=row.at, id=row.id, conversation_id=conversation_id, event=row) for row in await db.all(
            ConversationEvent, "SELECT id, kind, actor_name, details_json, at FROM conversation_event "
            "WHERE conversation_id = ? AND (at, id) < (?, ?) AND kind NOT IN ('contact_blocked', 'contact_unblocked') "
            "ORDER BY at DESC, id DESC LIMIT ?", conversation_id, *before, limit)]
        found += [Entry(at=row.at, id=row.id, conversation_id=conversation_id, note=row) for row in await db.all(
            Note, "SELECT id, conversation_id, author_id, author_name, text, at, edited_at, deleted_at FROM note "
            "WHERE conversation_id = ? AND (at, id) < (?, ?) AND deleted_at IS NULL ORDER BY at DESC, id DESC LIMIT ?",
            conversation_id, *before, limit)]
    return sorted(found, key=lambda entry: (entry.at, entry.id), reverse=True)[:limit]
