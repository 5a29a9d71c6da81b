"""Messages that a restore put on hold: they waited, or were being sent, at the moment that was restored.

Nothing of it leaves by itself. What the send journal knows is believed: a message that left after that moment is sent,
one whose end nobody wrote down is in doubt. Of the rest a person says that it shall go, or shall not; whether it goes
then is asked by the same rules as ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from chime.checked import words
from chime.db import Db
from chime.errors import NotFound
from chime.inbox import claims, queries, sending, waiting_again
from chime.inbox.sending import DELIVER
from chime.phone import shown_text
from chime.security.scope import CONVERSATIONS, Viewer
from chime.workspaces import Transaction

# What became of a send that certainly did not reach anybody.
_NOTHING_LEFT = frozenset({"not_sent", "refused"})
_FIRST = (0, "")
# In `meta`: when messages for later were held last.
SCHEDULED_HELD_AT = "scheduled_held_at"
RESTORED = words("The workspace was restored to an earlier moment. Send it all the same?")


class Why(StrEnum):
    """Waited: it was queued or on its way at that moment. Written again: Chime's own answer to what came in after it,
    made once more while the journal was caught up with; most likely the customer has the first one."""

    WAITED = "waited"
    WRITTEN_AGAIN = "written_again"


class Sent(msgspec.Struct, frozen=True):
    """A line of the send journal."""

    phase: str
    outcome: str | None
    wamid: str | None


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A message on hold, as its list shows it."""

    message_id: str
    conversation_id: str
    why: Why
    held_at: int
    written_at: int
    type: str
    text: str
    author_name: str
    contact: str


async def unsettled(db: Db, limit: int) -> list[str]:
    """What would leave by itself, or was leaving: the messages that a restore has to settle."""
    rows = await db.rows("SELECT id FROM message WHERE status IN ('queued', 'sending') AND NOT EXISTS "
                         "(SELECT 1 FROM held_message WHERE message_id = message.id) LIMIT ?", limit)
    return [row[0] for row in rows]


async def settle_or_hold(tx: Transaction, message_id: str, journalled: Sequence[Sent], *, restore_id: str,
                         why: Why) -> str:
    """Settle a message by what the journal knows of its sends, or hold it: `sent`, `unconfirmed` or `held`."""
    channel_id, status = (await tx.rows("SELECT channel_id, status FROM message WHERE id = ?", message_id))[0]
    accepted = next((one.wamid for one in reversed(journalled) if one.wamid), None)
    ended = [one for one in journalled if one.phase == "ended"]
    left = any(one.outcome not in _NOTHING_LEFT for one in ended)
    begun = sum(one.phase == "begun" for one in journalled)
    if accepted is not None:
        await tx.execute("UPDATE message SET status = 'sending', claimed_at = coalesce(claimed_at, ?) WHERE id = ?",
                         tx.now, message_id)
        await claims.confirm(tx, message_id, channel_id, accepted)
        return "sent"
    if left or begun > len(ended):
        await tx.execute("UPDATE message SET status = 'unconfirmed', next_attempt_at = NULL, "
                         "claimed_at = coalesce(claimed_at, ?) WHERE id = ?", tx.now, message_id)
        return "unconfirmed"
    # Without a moment it is due at none: the sender never sees it, and a claim refuses it.
    await tx.execute("UPDATE message SET status = 'queued', next_attempt_at = NULL WHERE id = ? AND status = ?",
                     message_id, status)
    await tx.execute("INSERT OR IGNORE INTO held_message (message_id, restore_id, why, held_at) VALUES (?, ?, ?, ?)",
                     message_id, restore_id, why.value, tx.now)
    return "held"


async def hold_scheduled(tx: Transaction) -> int:
    """Messages for later ask a person again, each in its conversation; how many."""
    count = await tx.execute("UPDATE scheduled_message SET state = 'held', trouble = ? WHERE state = 'waiting'",
                             RESTORED)
    if count:
        await tx.execute("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET "
                         "value = excluded.value", SCHEDULED_HELD_AT, str(tx.now))
    return count


async def held(db: Db, viewer: Viewer, *, after: tuple[int, str] | None = None, limit: int) -> list[Held]:
    """A page of what is on hold and somebody reaches, after `(held_at, message_id)`."""
    rows = await db.all(
        Held, "SELECT held_message.message_id, message.conversation_id, held_message.why, held_message.held_at, "
        "message.at AS written_at, message.type, message.text, message.author_name, "
        "coalesce(nullif(contact.name, ''), nullif(contact.profile_name, ''), contact.username, '') AS contact "
        "FROM held_message JOIN message ON message.id = held_message.message_id "
        "JOIN conversation ON conversation.id = message.conversation_id "
        "JOIN contact ON contact.id = conversation.contact_id WHERE message.status = 'queued'"
        + CONVERSATIONS[viewer.sight] + " AND (held_message.held_at, held_message.message_id) > (?, ?) "
        "ORDER BY held_message.held_at, held_message.message_id LIMIT ?", *viewer.values, *(after or _FIRST), limit)
    return [msgspec.structs.replace(row, text=shown_text(row.text), contact=shown_text(row.contact)) for row in rows]


async def count_held(db: Db) -> int:
    return int(await db.value("SELECT count(*) FROM held_message JOIN message ON message.id = held_message.message_id "
                              "WHERE message.status = 'queued'"))


async def release(tx: Transaction, message_id: str) -> None:
    """It shall go, as soon as the rules allow. Raises NotFound when it is not on hold, or not theirs to answer."""
    conversation_id, channel_id = await _held(tx, message_id)
    await tx.execute("DELETE FROM held_message WHERE message_id = ?", message_id)
    await tx.execute("UPDATE message SET next_attempt_at = ? WHERE id = ?", tx.now, message_id)
    await tx.audit("message.released", "message", message_id)
    tx.enqueue(DELIVER, channel_id)
    tx.publish("message", message_id, conversation_id=conversation_id)
    tx.publish("conversation", conversation_id)


async def let_go(tx: Transaction, message_id: str) -> None:
    """It shall not go, and leaves the thread. Raises NotFound."""
    conversation_id, _ = await _held(tx, message_id)
    row = await queries.message(tx, message_id)
    if row is None:
        raise NotFound("There is no such message.")
    await sending.remove(tx, row)
    await waiting_again.removed(tx, row)
    await tx.audit("message.discarded", "message", message_id, was="held")
    tx.publish("conversation", conversation_id)


async def _held(tx: Transaction, message_id: str) -> tuple[str, str]:
    rows = await tx.rows("SELECT message.conversation_id, message.channel_id FROM held_message JOIN message "
                         "ON message.id = held_message.message_id WHERE message.id = ? AND message.status = 'queued'",
                         message_id)
    if not rows:
        raise NotFound("This message is not on hold any more.")
    await sending.in_hand(tx, rows[0][0])
    return rows[0][0], rows[0][1]
