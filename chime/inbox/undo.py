"""Undoing a send: for the seconds each person chose, their message waits here, and nothing of it has left.

It is an ordinary queued message that is not due yet, so a crash loses nothing and the order within a conversation
stays. Once the sender has claimed it, it is too late.
"""

from __future__ import annotations

from chime.db import Db
from chime.errors import Conflict, Invalid, NotFound
from chime.inbox import queries, sending, waiting_again
from chime.inbox.model import Message
from chime.workspaces import Transaction

CHOICES = (0, 5, 10, 30)


async def seconds(db: Db, user_id: str) -> int:
    """How long this person's messages wait; 0 for those who did not choose."""
    found: int | None = await db.value("SELECT seconds FROM undo_choice WHERE user_id = ?", user_id)
    return found or 0


async def choose(tx: Transaction, user_id: str, seconds: int) -> None:
    """Raises Invalid."""
    if seconds not in CHOICES:
        raise Invalid.field("seconds", "Choose 0, 5, 10 or 30 seconds.")
    await tx.execute("INSERT INTO undo_choice (user_id, seconds) VALUES (?, ?) ON CONFLICT (user_id) "
                     "DO UPDATE SET seconds = excluded.seconds", user_id, seconds)
    await tx.audit("undo_time.changed", "user", user_id, seconds=seconds)


async def take_back(tx: Transaction, message_id: str) -> Message:
    """The message as it was; it is gone, and never left. Raises NotFound, Conflict when it is on its way."""
    row = await queries.message(tx, message_id)
    if row is None:
        raise NotFound("There is no such message.")
    held = await tx.value("SELECT 1 FROM message WHERE id = ? AND status = 'queued' AND attempts = 0 "
                          "AND claimed_at IS NULL AND next_attempt_at > ?", message_id, tx.now)
    if not held:
        raise Conflict("It is too late to undo: the message is on its way.")
    await sending.remove(tx, row)
    await waiting_again.removed(tx, row)
    await tx.audit("message.send_undone", "message", message_id, type=row.type)
    tx.publish("message", message_id, conversation_id=row.conversation_id)
    tx.publish("conversation", row.conversation_id)
    return row
