"""Reminders: at a moment a conversation comes back on top and calls who wanted to be reminded, with their own words.

It comes as a private note that mentions them, so it stands in the thread and under Mentions; a conversation that was
snoozed wakes. A reminder is its person's own: nobody else sees it before its time, or cancels it.
"""

from __future__ import annotations

import msgspec

from chime.clock import MINUTE
from chime.db import Db
from chime.errors import Conflict, Invalid, NotFound, Sentence
from chime.inbox import notes, snooze
from chime.inbox.snooze import LONGEST
from chime.security.scope import CONVERSATIONS, Viewer
from chime.workspaces import Transaction

REMIND = "inbox.remind"
LONGEST_TEXT = 500
MOST_OF_ONE = 200
SOON = MINUTE


class Reminder(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to be told of a conversation, and when."""

    id: str
    conversation_id: str
    user_id: str
    text: str
    due_at: int
    created_at: int


_REMINDER = ("SELECT reminder.id, reminder.conversation_id, reminder.user_id, reminder.text, reminder.due_at, "
             "reminder.created_at FROM reminder")


async def reminder(db: Db, reminder_id: str, *, user_id: str) -> Reminder | None:
    """One of a person's own."""
    return await db.one(Reminder, _REMINDER + " WHERE reminder.id = ? AND reminder.user_id = ?", reminder_id, user_id)


async def of_conversation(db: Db, conversation_id: str, user_id: str) -> list[Reminder]:
    """A person's own of one conversation, the next one first."""
    return await db.all(Reminder, _REMINDER + " WHERE reminder.conversation_id = ? AND reminder.user_id = ? "
                        "ORDER BY reminder.due_at LIMIT ?", conversation_id, user_id, MOST_OF_ONE)


async def of_person(db: Db, viewer: Viewer, user_id: str, *, after: str = "", limit: int) -> list[Reminder]:
    """A page of a person's own in the conversations they reach, in the order in which they were made."""
    return await db.all(Reminder, _REMINDER + " JOIN conversation ON conversation.id = reminder.conversation_id "
                        "WHERE reminder.user_id = ?" + CONVERSATIONS[viewer.sight]
                        + " AND reminder.id > ? ORDER BY reminder.id LIMIT ?", user_id, *viewer.values, after, limit)


async def remind(tx: Transaction, conversation_id: str, *, at: int, text: str, user_id: str, user_name: str) -> str:
    """Remind this person then; the reminder's id. Raises NotFound, Invalid, Conflict."""
    text = " ".join(text.split())
    if len(text) > LONGEST_TEXT:
        raise Invalid.field("text", Sentence("A reminder has at most %(most)s characters.", most=LONGEST_TEXT))
    if not tx.now < at <= tx.now + LONGEST:
        raise Invalid.field("due", "Choose a moment to come, within a year.")
    if not await tx.value("SELECT 1 FROM conversation WHERE id = ?", conversation_id):
        raise NotFound("There is no such conversation.")
    if await tx.value("SELECT count(*) FROM reminder WHERE user_id = ?", user_id) >= MOST_OF_ONE:
        raise Conflict(Sentence("You have %(most)s reminders; cancel one first.", most=MOST_OF_ONE))
    reminder_id = tx.new_id()
    await tx.execute("INSERT INTO reminder (id, conversation_id, user_id, user_name, text, due_at, created_at) "
                     "VALUES (?, ?, ?, ?, ?, ?, ?)", reminder_id, conversation_id, user_id, user_name, text, at, tx.now)
    await tx.audit("reminder.made", "reminder", reminder_id, conversation_id=conversation_id, due_at=at)
    if at - tx.now <= SOON:
        tx.enqueue(REMIND, reminder_id, at=at)
    tx.publish("conversation", conversation_id)
    return reminder_id


async def cancel(tx: Transaction, reminder_id: str, *, user_id: str) -> None:
    """One's own. Raises NotFound."""
    found = await reminder(tx, reminder_id, user_id=user_id)
    if found is None:
        raise NotFound("There is no such reminder.")
    await tx.execute("DELETE FROM reminder WHERE id = ?", reminder_id)
    await tx.audit("reminder.cancelled", "reminder", reminder_id, conversation_id=found.conversation_id)
    tx.publish("conversation", found.conversation_id)


async def come_due(tx: Transaction, reminder_id: str) -> None:
    """Its time is here, and only once."""
    rows = await tx.rows("SELECT conversation_id, user_id, user_name, text FROM reminder WHERE id = ? AND due_at <= ?",
                         reminder_id, tx.now)
    if not rows:
        return
    conversation_id, user_id, user_name, text = rows[0]
    await tx.execute("DELETE FROM reminder WHERE id = ?", reminder_id)
    await snooze.wake(tx, conversation_id)
    await tx.execute("UPDATE conversation SET last_message_at = max(last_message_at, ?) WHERE id = ?", tx.now,
                     conversation_id)
    await notes.call(tx, conversation_id, user_id=user_id, user_name=user_name, text=text, about="reminder")
    await tx.audit("reminder.told", "reminder", reminder_id, conversation_id=conversation_id)
