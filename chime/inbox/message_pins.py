"""Messages pinned inside a conversation: the whole team sees them on top of it, the customer does not know of it."""

from __future__ import annotations

import msgspec

from chime.db import Db
from chime.errors import Conflict, NotFound, Sentence
from chime.inbox.actions import add_event
from chime.inbox.model import Direction
from chime.phone import shown_text
from chime.workspaces import Transaction

MOST_PINNED = 20


class PinnedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message as the bar on top of a thread names it. `text` is empty for a file without a caption."""

    id: str
    direction: Direction
    type: str
    author_name: str
    text: str
    by_name: str
    at: int


async def pinned_messages(db: Db, conversation_id: str) -> list[PinnedMessage]:
    """Those of a conversation, the one pinned last first."""
    found = await db.all(
        PinnedMessage, "SELECT message.id, message.direction, message.type, message.author_name, message.text, "
        "message_pin.by_name, message_pin.at FROM message_pin "
        "CROSS JOIN message ON message.id = message_pin.message_id "
        "WHERE message_pin.conversation_id = ? AND message.revoked_at IS NULL ORDER BY message_pin.at DESC, "
        "message_pin.message_id DESC",
        conversation_id)
    return [msgspec.structs.replace(one, text=shown_text(one.text)) for one in found]


async def pin_message(tx: Transaction, message_id: str) -> None:
    """Keep it on top of its conversation. Raises NotFound, Conflict."""
    conversation_id = await _conversation_of(tx, message_id)
    if await tx.value("SELECT count(*) FROM message_pin WHERE conversation_id = ?", conversation_id) >= MOST_PINNED:
        raise Conflict(Sentence("%(most)s messages are pinned here already; unpin one first.", most=MOST_PINNED))
    if not await tx.execute("INSERT INTO message_pin (message_id, conversation_id, by_name, at) VALUES (?, ?, ?, ?) "
                            "ON CONFLICT DO NOTHING", message_id, conversation_id, tx.actor.name, tx.now):
        return
    await add_event(tx, conversation_id, "message_pinned", actor_name=tx.actor.name, message_id=message_id)
    await tx.audit("message.pinned", "message", message_id, conversation_id=conversation_id)


async def unpin_message(tx: Transaction, message_id: str) -> None:
    """Raises NotFound."""
    conversation_id = await _conversation_of(tx, message_id)
    if not await tx.execute("DELETE FROM message_pin WHERE message_id = ?", message_id):
        return
    await tx.audit("message.unpinned", "message", message_id, conversation_id=conversation_id)
    tx.publish("conversation", conversation_id)


async def is_message_pinned(db: Db, message_id: str) -> bool:
    return bool(await db.value("SELECT 1 FROM message_pin WHERE message_id = ?", message_id))


async def _conversation_of(tx: Transaction, message_id: str) -> str:
    found: str | None = await tx.value("SELECT conversation_id FROM message WHERE id = ? AND type <> 'reaction'",
                                       message_id)
    if found is None:
        raise NotFound("There is no such message.")
    return found
