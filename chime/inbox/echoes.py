"""Our own message, told to us as an echo or as history of the phone before WhatsApp's answer to our send named it.

Promise: it stands in its thread once, and every id of Meta's leads to one message.
"""

from __future__ import annotations

from chime.inbox import changes
from chime.inbox.actions import newest_without
from chime.workspaces import Transaction


async def take_over(tx: Transaction, message_id: str, channel_id: str, wamid: str) -> bool:
    """Make room for Meta's id at our own message: whether an echo had it. Statuses and changes that were told of the
    echo wait for the message that gets the id now."""
    rows = await tx.rows("SELECT id, conversation_id FROM message WHERE channel_id = ? AND wamid = ? AND id <> ? "
                         "AND origin IN ('phone', 'history')", channel_id, wamid, message_id)
    for echo_id, conversation_id in rows:
        await tx.execute("UPDATE message_status SET message_id = NULL WHERE message_id = ?", echo_id)
        # Of a number with a new holder the echo may stand in another thread than the message.
        await newest_without(tx, conversation_id, echo_id)
        await tx.execute("DELETE FROM reaction WHERE message_id = ?", echo_id)
        await changes.take_back_file(tx, echo_id)
        await tx.execute("DELETE FROM message WHERE id = ?", echo_id)
        tx.publish("conversation", conversation_id)
    return bool(rows)
