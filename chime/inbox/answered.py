"""Two people answer one customer: the second is told before anything leaves.

Whoever sends says which message was the newest they had seen. A colleague's reply after that one is shown to them
first; their own, a script's and a machine's hold nobody up.
"""

from __future__ import annotations

from chime.db import Db
from chime.errors import Conflict
from chime.workspaces import Transaction


class Answered(Conflict):
    """A colleague replied meanwhile: `message_id`."""

    title = "Somebody answered meanwhile"

    def __init__(self, message_id: str) -> None:
        super().__init__("A colleague has answered since you last looked. Read it, then send yours, change it or "
                         "leave it.")
        self.message_id = message_id


async def newest(db: Db, conversation_id: str) -> str:
    """The id of the newest message; empty when there is none."""
    found: str | None = await db.value("SELECT id FROM message WHERE conversation_id = ? AND type <> 'reaction' "
                                       "ORDER BY at DESC, id DESC LIMIT 1", conversation_id)
    return found or ""


async def check(tx: Transaction, conversation_id: str, *, last_seen: str | None) -> None:
    """Raises Answered. Who does not say what they saw, or saw what is gone, is not held up."""
    if not last_seen:
        return
    place = await tx.rows("SELECT at, id FROM message WHERE id = ? AND conversation_id = ?", last_seen,
                          conversation_id)
    if not place:
        return
    found = await tx.value(
        "SELECT id FROM message WHERE conversation_id = ? AND (at, id) > (?, ?) AND direction = 'out' "
        "AND type <> 'reaction' AND (origin = 'phone' OR (origin = 'agent' AND author_id IS NOT ?)) "
        "ORDER BY at DESC, id DESC LIMIT 1", conversation_id, *place[0], tx.actor.on_behalf or tx.actor.id)
    if found is not None:
        raise Answered(found)
