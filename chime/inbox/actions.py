"""What can be done to a conversation: open, assign, resolve, reopen, read, move to another contact."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from chime import notifications
from chime.accounts import QUEUE, ROUTE
from chime.errors import Conflict, NotFound
from chime.inbox import carried_tags, clocks, notes, pins, queries, waiting_again
from chime.workspaces import Transaction

SEND_READ = "inbox.send_read"
SEND_TYPING = "inbox.send_typing"
# What follows a resolved conversation is the business of features above, which have this job's body; only so much
# later, because a slip of the hand is undone by then.
RESOLVED = "inbox.resolved"
AFTERWARDS = waiting_again.SLIP
# Two become one: `?1` stays. Work that is open in either stays open, what only sleeps in one comes back when it was to,
# and both stay with the person and the team they were given to: what a team alone may read is nobody else's for that.
_JOIN_WORK = (
    "UPDATE conversation SET unread_count = conversation.unread_count + other.unread_count, "
    "window_expires_at = nullif(max(coalesce(conversation.window_expires_at, 0), "
    "coalesce(other.window_expires_at, 0)), 0), "
    "assignee_id = coalesce(conversation.assignee_id, other.assignee_id), "
    "team_id = coalesce(conversation.team_id, other.team_id), "
    "waiting_since = coalesce(min(conversation.waiting_since, other.waiting_since), "
    "conversation.waiting_since, other.waiting_since), "
    "snoozed_until = CASE WHEN 'open' NOT IN (conversation.state, other.state) "
    "THEN coalesce(min(conversation.snoozed_until, other.snoozed_until), conversation.snoozed_until, "
    "other.snoozed_until) END, "
    "closed_at = CASE WHEN other.state = 'closed' THEN conversation.closed_at END, "
    "reason_id = CASE WHEN other.state = 'closed' THEN conversation.reason_id END, "
    "state = CASE WHEN 'open' IN (conversation.state, other.state) THEN 'open' "
    "WHEN 'snoozed' IN (conversation.state, other.state) THEN 'snoozed' ELSE conversation.state END "
    "FROM (SELECT * FROM conversation WHERE id = ?2) AS other WHERE conversation.id = ?1")


class Thread(msgspec.Struct, frozen=True):
    """A conversation just found or made, and whether it had been resolved before, and when."""

    id: str
    was_closed: bool = False
    was_snoozed: bool = False
    closed_at: int | None = None


async def open_thread(tx: Transaction, channel_id: str, contact_id: str, *, at: int, reopen: bool = True) -> Thread:
    """The conversation of this contact on this number, made when there is none, reopened when it was resolved or
    snoozed."""
    rows = await tx.rows("SELECT id, state, closed_at FROM conversation WHERE channel_id = ? AND contact_id = ?",
                         channel_id, contact_id)
    if not rows:
        thread_id = tx.new_id()
        await tx.execute("INSERT INTO conversation (id, channel_id, contact_id, last_message_at, created_at) "
                         "VALUES (?, ?, ?, ?, ?)", thread_id, channel_id, contact_id, at or tx.now, tx.now)
        tx.enqueue(ROUTE, QUEUE)
        return Thread(thread_id)
    thread_id, state, closed_at = rows[0]
    if state == "open" or not reopen:
        return Thread(thread_id)
    await tx.execute("UPDATE conversation SET state = 'open', closed_at = NULL, reason_id = NULL, "
                     "snoozed_until = NULL WHERE id = ?", thread_id)
    tx.enqueue(ROUTE, QUEUE)
    return Thread(thread_id, was_closed=state == "closed", was_snoozed=state == "snoozed", closed_at=closed_at)


async def add_event(tx: Transaction, conversation_id: str, kind: str, *, at: int | None = None,
                    actor_name: str = "", **details: Any) -> None:
    """A line between the messages."""
    await tx.execute("INSERT INTO conversation_event (id, conversation_id, kind, actor_name, details_json, at) "
                     "VALUES (?, ?, ?, ?, ?, ?)", tx.new_id(), conversation_id, kind, actor_name,
                     msgspec.json.encode(details).decode(), at or tx.now)
    tx.publish("conversation", conversation_id)


async def newest_without(tx: Transaction, conversation_id: str, message_id: str) -> None:
    """This message leaves its conversation: when it is the newest of it, the one before it is from now on."""
    before = await tx.rows("SELECT id, at FROM message WHERE conversation_id = ? AND id <> ? AND type <> 'reaction' "
                           "ORDER BY at DESC, id DESC LIMIT 1", conversation_id, message_id)
    newest, at = before[0] if before else (None, None)
    await tx.execute("UPDATE conversation SET last_message_id = ?, last_message_at = coalesce(?, last_message_at) "
                     "WHERE id = ? AND last_message_id = ?", newest, at, conversation_id, message_id)


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
        await tx.execute(_JOIN_WORK, target, thread_id)
        await clocks.move(tx, kept=target, gone=thread_id)
        # It may be another team's, with targets of its own, or open again while its clock rested.
        await clocks.count_again(tx, target)
        await notes.move(tx, kept=target, gone=thread_id)
        await pins.move(tx, kept=target, gone=thread_id)
        await notifications.move(tx, kept=target, gone=thread_id)
        await carried_tags.move(tx, kept=target, gone=thread_id)
        await tx.execute("DELETE FROM bulk_item WHERE conversation_id = ?", thread_id)
        await tx.execute("UPDATE message_pin SET conversation_id = ? WHERE conversation_id = ?", target, thread_id)
        await tx.execute("UPDATE conversation SET fields_json = (SELECT json_patch(gone.fields_json, "
                         "conversation.fields_json) FROM conversation AS gone WHERE gone.id = ?2) WHERE id = ?1",
                         target, thread_id)
        await tx.execute("UPDATE scheduled_message SET conversation_id = ? WHERE conversation_id = ?", target,
                         thread_id)
        await tx.execute("UPDATE reminder SET conversation_id = ? WHERE conversation_id = ?", target, thread_id)
        await tx.execute("UPDATE conversation_alias SET conversation_id = ? WHERE conversation_id = ?", target,
                         thread_id)
        await tx.execute("INSERT INTO conversation_alias (id, conversation_id) VALUES (?, ?)", thread_id, target)
        await tx.execute("DELETE FROM conversation WHERE id = ?", thread_id)
        tx.enqueue(ROUTE, QUEUE)
        tx.publish("conversation", target)
        # Who loses sight of it because it is a team's now hears of the conversation itself no more.
        tx.publish("inbox", "list")


class Taken(Conflict):
    """Somebody else has it by now: `assignee_id`, None when nobody has."""

    def __init__(self, assignee_id: str | None) -> None:
        super().__init__("Somebody else was faster: this conversation is not as you saw it.")
        self.assignee_id = assignee_id


async def assign(tx: Transaction, conversation_id: str, *, assignee_id: str | None, assignee_name: str,
                 told_as: str = "", expected: str | UnsetType | None = UNSET, **why: Any) -> None:
    """Give a conversation to a member, or to nobody. `told_as` is the kind of the line in the thread when it was not
    simply a person's choice, `why` what that line tells. `expected` is who had it when somebody decided so: of two who
    take it at once only one does. Raises NotFound, Taken."""
    rows = await tx.rows("SELECT assignee_id FROM conversation WHERE id = ?", conversation_id)
    if not rows:
        raise NotFound("There is no such conversation.")
    before = rows[0][0]
    if before == assignee_id:
        return
    if expected is not UNSET and before != expected:
        raise Taken(before)
    # From whom a person takes it, or who gives it back, is not given it again by a rule. Chime itself lets go of
    # conversations only because somebody is gone.
    released_by = before if assignee_id is None and tx.actor.kind != "system" else None
    await tx.execute("UPDATE conversation SET assignee_id = ?, released_by = ? WHERE id = ?", assignee_id, released_by,
                     conversation_id)
    await add_event(tx, conversation_id, told_as or ("assigned" if assignee_id else "unassigned"),
                    actor_name=tx.actor.name, assignee_id=assignee_id, assignee_name=assignee_name, **why)
    await tx.audit("conversation.assigned", "conversation", conversation_id, assignee_id=assignee_id, **why)
    if assignee_id is not None:
        await notifications.taken(tx, conversation_id)
        await notifications.notify(tx, [assignee_id], notifications.Kind.ASSIGNED_TO_ME,
                                   conversation_id=conversation_id)
    if before is not None:
        tx.enqueue(ROUTE, QUEUE)
    # Who loses sight of it hears of the conversation itself no more.
    tx.publish("inbox", "list")


async def leave_team(tx: Transaction, conversation_id: str) -> None:
    """Its team is gone: everybody's from now on. Raises NotFound."""
    team_id = await tx.value("SELECT team_id FROM conversation WHERE id = ?", conversation_id)
    if not await tx.execute("UPDATE conversation SET team_id = NULL WHERE id = ?", conversation_id):
        raise NotFound("There is no such conversation.")
    await tx.audit("conversation.team_left", "conversation", conversation_id, team_id=team_id)
    tx.enqueue(ROUTE, QUEUE)
    tx.publish("conversation", conversation_id)


async def close(tx: Transaction, conversation_id: str, *, reason_id: str | None = None, reason_name: str = "") -> None:
    """Resolve: out of the open lists until the customer writes again. Whether a reason is due, and which there are, is
    asked in `resolving`. Raises NotFound."""
    why = {"reason_id": reason_id, "reason_name": reason_name} if reason_id else {}
    if not await _set_state(tx, conversation_id, "closed", "resolved", "conversation.closed", **why):
        return
    await clocks.resolved(tx, conversation_id, agent_id=tx.actor.id if tx.actor.kind == "user" else None)
    tx.enqueue(RESOLVED, conversation_id, at=tx.now + AFTERWARDS)


async def reopen(tx: Transaction, conversation_id: str) -> None:
    """At once after it was resolved, that is undone: who waited waits on. From a snooze, what rested goes on. Raises
    NotFound."""
    rows = await tx.rows("SELECT state, closed_at FROM conversation WHERE id = ?", conversation_id)
    await _set_state(tx, conversation_id, "open", "reopened", "conversation.reopened")
    state, closed_at = rows[0]
    if state == "snoozed":
        await clocks.goes_on(tx, conversation_id)
    elif state == "closed" and closed_at is not None and tx.now - closed_at <= AFTERWARDS:
        await waiting_again.resolved_by_slip(tx, conversation_id, closed_at=closed_at)


async def _set_state(tx: Transaction, conversation_id: str, state: str, kind: str, action: str, **why: Any) -> bool:
    """Whether it was in another state."""
    current = await tx.value("SELECT state FROM conversation WHERE id = ?", conversation_id)
    if current is None:
        raise NotFound("There is no such conversation.")
    if current == state:
        return False
    await tx.execute("UPDATE conversation SET state = ?1, closed_at = CASE ?1 WHEN 'closed' THEN ?2 END, "
                     "snoozed_until = NULL, waiting_since = CASE ?1 WHEN 'closed' THEN NULL ELSE waiting_since END, "
                     "answered_at = CASE ?1 WHEN 'closed' THEN NULL ELSE answered_at END, released_by = NULL, "
                     "reason_id = ?4 WHERE id = ?3", state, tx.now, conversation_id, why.get("reason_id"))
    await add_event(tx, conversation_id, kind, actor_name=tx.actor.name, **why)
    told = {"reason_id": why["reason_id"]} if why else {}
    await tx.audit(action, "conversation", conversation_id, **told)
    tx.enqueue(ROUTE, QUEUE)
    return True


async def mark_read(tx: Transaction, conversation_id: str) -> None:
    """Somebody of the team saw the newest message: nothing is unread, and the customer may know. Raises NotFound."""
    unread = await tx.value("SELECT unread_count FROM conversation WHERE id = ?", conversation_id)
    if unread is None:
        raise NotFound("There is no such conversation.")
    if unread == 0:
        return
    await tx.execute("UPDATE conversation SET unread_count = 0 WHERE id = ?", conversation_id)
    await tx.audit("conversation.read", "conversation", conversation_id)
    await notifications.see(tx, tx.actor.id or "", conversation_id=conversation_id)
    newest = await queries.last_inbound(tx, conversation_id)
    if newest is not None:
        tx.enqueue(SEND_READ, newest[0])
    tx.publish("conversation", conversation_id)


async def mark_unread(tx: Transaction, conversation_id: str) -> None:
    """Somebody wants to come back to it: unread for everybody, until it is opened again. Raises NotFound."""
    unread = await tx.value("SELECT unread_count FROM conversation WHERE id = ?", conversation_id)
    if unread is None:
        raise NotFound("There is no such conversation.")
    if unread:
        return
    await tx.execute("UPDATE conversation SET unread_count = 1 WHERE id = ?", conversation_id)
    await tx.audit("conversation.unread_marked", "conversation", conversation_id)
    tx.publish("conversation", conversation_id)
