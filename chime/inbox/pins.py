"""What a person keeps at hand: pins are one's own, nobody else sees them, and a resolved conversation keeps its pin."""

from __future__ import annotations

from chime.db import Db
from chime.errors import Conflict, Sentence
from chime.workspaces import Transaction

MOST_PINS = 200


async def pinned(db: Db, user_id: str) -> frozenset[str]:
    """The conversations this person pinned."""
    rows = await db.rows("SELECT conversation_id FROM conversation_pin WHERE user_id = ?", user_id)
    return frozenset(row[0] for row in rows)


async def is_pinned(db: Db, conversation_id: str, user_id: str) -> bool:
    return bool(await db.value("SELECT 1 FROM conversation_pin WHERE user_id = ? AND conversation_id = ?",
                               user_id, conversation_id))


async def pin(tx: Transaction, conversation_id: str, *, user_id: str) -> None:
    """Keep it at hand. Raises Conflict when there are too many already."""
    if await tx.value("SELECT count(*) FROM conversation_pin WHERE user_id = ?", user_id) >= MOST_PINS:
        raise Conflict(Sentence("You have %(most)s pinned conversations; unpin one first.", most=MOST_PINS))
    if await tx.execute("INSERT INTO conversation_pin (user_id, conversation_id, at) VALUES (?, ?, ?) "
                        "ON CONFLICT DO NOTHING", user_id, conversation_id, tx.now):
        await tx.audit("conversation.pinned", "conversation", conversation_id)
        tx.publish("conversation", conversation_id)


async def unpin(tx: Transaction, conversation_id: str, *, user_id: str) -> None:
    if await tx.execute("DELETE FROM conversation_pin WHERE user_id = ? AND conversation_id = ?",
                        user_id, conversation_id):
        await tx.audit("conversation.unpinned", "conversation", conversation_id)
        tx.publish("conversation", conversation_id)


async def move(tx: Transaction, *, kept: str, gone: str) -> None:
    """Two threads became one: whoever pinned either has the kept one pinned."""
    await tx.execute("INSERT INTO conversation_pin (user_id, conversation_id, at) SELECT user_id, ?, at "
                     "FROM conversation_pin WHERE conversation_id = ? ON CONFLICT DO NOTHING", kept, gone)
    await tx.execute("DELETE FROM conversation_pin WHERE conversation_id = ?", gone)
