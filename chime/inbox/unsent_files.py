"""The file of a message that was taken back or discarded: nothing leads to it any more, so it goes as well.

A little later, for so long the browser that took the message back may still be fetching it into the composer. What a
script uploaded stays: it is the script's to send again.
"""

from __future__ import annotations

from chime.clock import MINUTE
from chime.inbox.model import Message, Origin
from chime.workspaces import Transaction

DROP_UNSENT = "inbox.drop_unsent"
KEPT = 10 * MINUTE


async def let_go(tx: Transaction, row: Message) -> None:
    """After its message is gone."""
    if row.media is not None:
        await let_go_of(tx, row.media.id, row.origin)


async def let_go_of(tx: Transaction, media_id: str, origin: Origin) -> None:
    """After what had this file, and came from there, has it no more."""
    if origin is Origin.API:
        return
    if await tx.execute("UPDATE media SET state = 'failed', trouble = 'unsent', next_attempt_at = ?1 WHERE id = ?2 "
                        "AND direction = 'out' AND NOT EXISTS (SELECT 1 FROM message WHERE media_id = ?2) "
                        "AND NOT EXISTS (SELECT 1 FROM scheduled_message WHERE media_id = ?2)", tx.now + KEPT,
                        media_id):
        tx.enqueue(DROP_UNSENT, media_id, at=tx.now + KEPT)
