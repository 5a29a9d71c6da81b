"""An answer that never reaches the customer was none: they wait again, since what they wrote and nobody answered.

Read from the messages themselves and only when a send has failed for good or was taken away, so receiving and
delivering pay nothing for it. Another answer of ours that stands, or a conversation that was resolved meanwhile, leaves
everything as it is. What arrives after all, against Meta's first word, is an answer again. And whoever waited when
their conversation was resolved by a slip of the hand waits on.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chime.clock import DAY, SECOND
from chime.inbox import clocks
from chime.inbox.model import Message, Origin
from chime.workspaces import Transaction

# So long after it was resolved opening a conversation again means that resolving it was a slip of the hand.
SLIP = 20 * SECOND
# So long does Meta repeat what it could not bring to us: it was written before our answer, and nobody had read it then.
_LATEST = 7 * DAY
_STANDS = ("SELECT origin, at, created_at FROM message WHERE conversation_id = ? AND direction = 'out' "
           "AND type <> 'reaction' AND origin <> 'automatic' AND status <> 'failed' ORDER BY at DESC, id DESC LIMIT 1")
# Until then nothing waited: it was resolved and stayed so, or the customer was blocked.
_OVER = ("SELECT max(at) FROM conversation_event WHERE conversation_id = ?1 AND (kind IN ('contact_blocked', "
         "'contact_unblocked') OR (kind = 'resolved' AND NOT EXISTS (SELECT 1 FROM conversation_event AS undone "
         "WHERE undone.conversation_id = ?1 AND undone.kind = 'reopened' AND undone.actor_name <> '' "
         "AND undone.at BETWEEN conversation_event.at AND conversation_event.at + ?2)))")
_NOT_BLOCKED = "NOT EXISTS (SELECT 1 FROM contact WHERE contact.id = contact_id AND blocked_at IS NOT NULL)"
# A rating is no question: it was kept in the moment in which its message came.
_UNANSWERED = (
    "SELECT min(at) FROM message WHERE conversation_id = ?1 AND direction = 'in' AND origin = 'customer' "
    "AND type <> 'reaction' AND at > ?2 AND created_at > ?3 AND NOT EXISTS (SELECT 1 FROM satisfaction "
    "WHERE satisfaction.conversation_id = ?1 AND satisfaction.answered_at = message.created_at)")


class _Lost(msgspec.Struct, frozen=True, kw_only=True):
    conversation_id: str
    type: str
    origin: Origin
    author_id: str | None
    created_at: int
    claimed_at: int | None


async def failed(tx: Transaction, message_id: str) -> None:
    """This message will not be sent, or was refused."""
    lost = await tx.one(_Lost, "SELECT conversation_id, type, origin, author_id, created_at, claimed_at FROM message "
                        "WHERE id = ?", message_id)
    if lost is not None and _answers(lost):
        await _wait(tx, lost.conversation_id, said_at=lost.claimed_at or lost.created_at)


async def removed(tx: Transaction, lost: Message) -> None:
    """This message is gone from its thread, and never arrived as far as anybody knows."""
    if _answers(lost):
        await _wait(tx, lost.conversation_id, said_at=lost.claimed_at or lost.created_at)


async def sent_again(tx: Transaction, lost: Message) -> None:
    """Somebody sends a message that had failed once more: that is their answer now."""
    if _answers(lost) and await tx.execute(
            "UPDATE conversation SET waiting_since = NULL, answered_at = coalesce(answered_at, ?2) WHERE id = ?1 "
            "AND waiting_since IS NOT NULL", lost.conversation_id, tx.now):
        await clocks.answered(tx, lost.conversation_id, agent_id=tx.actor.id if tx.actor.kind == "user" else None)


async def arrived(tx: Transaction, message_id: str) -> None:
    """Meta says that a message which counted as lost is there: whoever wrote before it waits no more."""
    found = await tx.one(_Lost, "SELECT conversation_id, type, origin, author_id, created_at, claimed_at FROM message "
                         "WHERE id = ?", message_id)
    if found is None or not _answers(found):
        return
    waits: int | None = await tx.value("SELECT waiting_since FROM conversation WHERE id = ?", found.conversation_id)
    since, _ = await _unanswered(tx, found.conversation_id)
    if waits is None or (since is not None and since <= waits):
        return
    await tx.execute("UPDATE conversation SET waiting_since = ?, answered_at = coalesce(answered_at, ?) WHERE id = ?",
                     since, found.created_at, found.conversation_id)
    await clocks.answered(tx, found.conversation_id, at=found.created_at,
                          agent_id=found.author_id if found.origin is Origin.AGENT else None)
    if since is not None:
        await clocks.customer_wrote(tx, found.conversation_id, at=since)


async def resolved_by_slip(tx: Transaction, conversation_id: str, *, closed_at: int) -> None:
    """It was resolved at this moment, and is open again at once: it stands as it did before."""
    since, last_said = await _unanswered(tx, conversation_id)
    answered_at = last_said if last_said > await _over(tx, conversation_id) else None
    await tx.execute("UPDATE conversation SET waiting_since = ?, answered_at = ? WHERE id = ? AND " + _NOT_BLOCKED,
                     since, answered_at, conversation_id)
    await clocks.resolution_undone(tx, conversation_id, closed_at=closed_at)


def _answers(message: Any) -> bool:
    return message.type != "reaction" and message.origin is not Origin.AUTOMATIC


async def _wait(tx: Transaction, conversation_id: str, *, said_at: int) -> None:
    since, last_said = await _unanswered(tx, conversation_id)
    if since is not None and await tx.execute(
            "UPDATE conversation SET waiting_since = ?2, answered_at = CASE WHEN answered_at > ?3 THEN NULL "
            "ELSE answered_at END WHERE id = ?1 AND state <> 'closed' AND (waiting_since IS NULL "
            "OR waiting_since > ?2) AND " + _NOT_BLOCKED, conversation_id, since, last_said):
        await clocks.answer_undone(tx, conversation_id, since=since, said_at=said_at)


async def _unanswered(tx: Transaction, conversation_id: str) -> tuple[int | None, int]:
    """Since when the customer waits, going by what stands in the thread; and the moment of our last answer there, 0
    without one."""
    over = await _over(tx, conversation_id)
    rows = await tx.rows(_STANDS, conversation_id)
    if not rows:
        return await tx.value(_UNANSWERED, conversation_id, 0, over), 0
    origin, at, made_at = rows[0]
    if origin in (Origin.PHONE, Origin.HISTORY):
        # Told to us later than it was written: its own moment says what came before it.
        return await tx.value(_UNANSWERED, conversation_id, at, over), at
    return await tx.value(_UNANSWERED, conversation_id, at - _LATEST, max(over, made_at)), made_at


async def _over(tx: Transaction, conversation_id: str) -> int:
    found: int | None = await tx.value(_OVER, conversation_id, SLIP)
    return found or 0
