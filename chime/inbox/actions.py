"""What can be done to a conversation: open, assign, resolve, reopen, read, move to another contact."""

from __future__ import annotations

from typing import Any

import msgspec

from chime.errors import NotFound
from chime.inbox import queries
from chime.workspaces import Transaction

SEND_READ = "inbox.send_read"
SEND_TYPING = "inbox.send_typing"


class Thread(msgspec.Struct, frozen=True):
    """A conversation just found or made, and whether it had been resolved before."""

    id: str
    was_closed: bool


async def open_thread(tx: Transaction, channel_id: str, contact_id: str, *, at: int, reopen: bool = True) -> Thread:
    """The conversation of this contact on this number, made when there is none, reopened when it was resolved."""
    rows = await tx.rows("SELECT id, state FROM conversation WHERE channel_id = ? AND contact_id = ?",
                         channel_id, contact_id)
    if not rows:
        thread_id = tx.new_id()
        await tx.execute("INSERT INTO conversation (id, channel_id, contact_id, last_message_at, created_at) "
                         "VALUES (?, ?, ?, ?, ?)", thread_id, channel_id, contact_id, at or tx.now, tx.now)
        return Thread(thread_id, False)
    thread_id, state = rows[0]
    if state == "closed" and reopen:
        await tx.execute("UPDATE conversation SET state = 'open', closed_at = NULL WHERE id = ?", thread_id)
    return Thread(thread_id, state == "closed" and reopen)


async def add_event(tx: Transaction, conversation_id: str, kind: str, *, at: int | None = None,
                    actor_name: str = "", **details: Any) -> None:
    """A line between the messages."""
    await tx.execute("INSERT INTO conversation_event (id, conversation_id, kind, actor_name, details_json, at) "
                     "VALUES (?, ?, ?, ?, ?, ?)", tx.new_id(), conversation_id, kind, actor_name,
                     msgspec.json.encode(details).decode(), at or tx.now)
    tx.publish("conversation", conversation_id)


async def move_threads(tx: Transaction, *, kept: str, gone: str) -> None:
    """Two contacts turned out to be one: the threads of the gone one go on under the kept one."""
    for thread_id, channel_id in await tx.rows("SELECT id, channel_id FROM conversation WHERE contact_id = ?", gone):
        target = await tx.value("SELECT id FROM conversation WHERE channel_id = ? AND contact_id = ?",
                                channel_id, kept)
        if target is None:
            await tx.execute("UPDATE conversation SET contact_id = ? WHERE id = ?", kept, thread_id)
            continue
        await tx.execute("UPDATE message SET conversation_id = ? WHERE conversation_id = ?", target, thread_id)
        await tx.execute("UPDATE conversation_event SET conversation_id = ? WHERE conversation_id = ?",
                         target, thread_id)
        await tx.execute(
            "UPDATE conversation SET last_message_id = other.last_message_id, last_message_at = other.last_message_at "
            "FROM (SELECT * FROM conversation WHERE id = ?2) AS other WHERE conversation.id = ?1 "
            "AND other.last_message_id IS NOT NULL AND (conversation.last_message_id IS NULL "
            "OR other.last_message_at > conversation.last_message_at)", target, thread_id)
        # Work that is open in either stays open, and stays with whom it was given to.
        await tx.execute(
            "UPDATE conversation SET unread_count = conversation.unread_count + other.unread_count, "
            "window_expires_at = nullif(max(coalesce(conversation.window_expires_at, 0), "
            "coalesce(other.window_expires_at, 0)), 0), "
            "assignee_id = coalesce(conversation.assignee_id, other.assignee_id), "
            "closed_at = CASE WHEN other.state = 'open' THEN NULL ELSE conversation.closed_at END, "
            "state = CASE WHEN other.state = 'open' THEN 'open' ELSE conversation.state END "
            "FROM (SELECT * FROM conversation WHERE id = ?2) AS other WHERE conversation.id = ?1", target, thread_id)
        await tx.execute("DELETE FROM conversation WHERE id = ?", thread_id)
        tx.publish("conversation", target)


async def assign(tx: Transaction, conversation_id: str, *, assignee_id: str | None, assignee_name: str) -> None:
    """Give a conversation to a member, or to nobody. Raises NotFound."""
    rows = await tx.rows("SELECT assignee_id FROM conversation WHERE id = ?", conversation_id)
    if not rows:
        raise NotFound("There is no such conversation.")
    if rows[0][0] == assignee_id:
        return
    await tx.execute("UPDATE conversation SET assignee_id = ? WHERE id = ?", assignee_id, conversation_id)
    await add_event(tx, conversation_id, "assigned" if assignee_id else "unassigned", actor_name=tx.actor.name,
                    assignee_id=assignee_id, assignee_name=assignee_name)
    await tx.audit("conversation.assigned", "conversation", conversation_id, assignee_id=assignee_id)


async def close(tx: Transaction, conversation_id: str) -> None:
    """Resolve: out of the open lists until the customer writes again. Raises NotFound."""
    await _set_state(tx, conversation_id, "closed", "resolved", "conversation.closed")


async def reopen(tx: Transaction, conversation_id: str) -> None:
    """Raises NotFound."""
    await _set_state(tx, conversation_id, "open", "reopened", "conversation.reopened")


async def _set_state(tx: Transaction, conversation_id: str, state: str, kind: str, action: str) -> None:
    current = await tx.value("SELECT state FROM conversation WHERE id = ?", conversation_id)
    if current is None:
        raise NotFound("There is no such conversation.")
    if current == state:
        return
    await tx.execute("UPDATE conversation SET state = ?1, closed_at = CASE ?1 WHEN 'closed' THEN ?2 END WHERE id = ?3",
                     state, tx.now, conversation_id)
    await add_event(tx, conversation_id, kind, actor_name=tx.actor.name)
    await tx.audit(action, "conversation", conversation_id)


async def mark_read(tx: Transaction, conversation_id: str) -> None:
    """Somebody of the team saw the newest message: nothing is unread, and the customer may know. Raises NotFound."""
    unread = await tx.value("SELECT unread_count FROM conversation WHERE id = ?", conversation_id)
    if unread is None:
        raise NotFound("There is no such conversation.")
    if unread == 0:
        return
    await tx.execute("UPDATE conversation SET unread_count = 0 WHERE id = ?", conversation_id)
    await tx.audit("conversation.read", "conversation", conversation_id)
    newest = await queries.last_inbound(tx, conversation_id)
    if newest is not None:
        tx.enqueue(SEND_READ, newest[0])
    tx.publish("conversation", conversation_id)
