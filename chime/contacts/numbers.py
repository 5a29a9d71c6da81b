"""Showing a masked number: written down before it is seen, and not without end."""

from __future__ import annotations

from chime.clock import DAY
from chime.errors import NotFound, Sentence, TooMany
from chime.workspaces import Transaction

MOST_A_DAY = 30


async def reveal_number(tx: Transaction, contact_id: str) -> None:
    """Note that the actor sees this contact's whole number; it may be told once this is committed. At most
    `MOST_A_DAY` in 24 hours. Raises NotFound, TooMany."""
    if not await tx.value("SELECT 1 FROM contact WHERE id = ? AND deleted_at IS NULL", contact_id):
        raise NotFound("There is no such contact.")
    shown, first = (await tx.rows("SELECT count(*), min(at) FROM number_shown WHERE user_id = ? AND at > ?",
                                  tx.actor.id or "", tx.now - DAY))[0]
    if shown >= MOST_A_DAY:
        raise TooMany(Sentence("You looked at %(most)s numbers in the last 24 hours; that is the most.",
                               most=MOST_A_DAY),
                      retry_after=(first + DAY - tx.now) / 1000)
    await tx.execute("INSERT INTO number_shown (id, contact_id, user_id, at) VALUES (?, ?, ?, ?)",
                     tx.new_id(), contact_id, tx.actor.id or "", tx.now)
    await tx.audit("contact.number_revealed", "contact", contact_id)
