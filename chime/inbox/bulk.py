"""One change of many conversations at once, and taking it back.

Promises: each conversation is changed by the same verb as by hand, with its line in the thread, and only where its
changer may; one row of the audit trail names them all; undone is only what nobody has changed again since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal

import msgspec

from chime import contacts
from chime.clock import MINUTE
from chime.db import Db
from chime.errors import Conflict, Invalid, NotFound
from chime.inbox import actions, clocks, conversation_tags, handover, resolving, snooze
from chime.security.permissions import Permission
from chime.workspaces import Transaction

BULK = "inbox.bulk"
FORGET_BULK = "inbox.forget_bulk"
AT_ONCE = 200
MOST = 10_000
# The page offers it for ten seconds; a slow line gets longer.
UNDO_FOR = MINUTE


class Act(StrEnum):
    """What can be done to many."""

    ASSIGN = "assign"
    TEAM = "team"
    TAG = "tag"
    UNTAG = "untag"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    SNOOZE = "snooze"
    READ = "read"
    UNREAD = "unread"
    OWNER = "owner"

    @property
    def permission(self) -> Permission:
        if self is Act.OWNER:
            return Permission.CONTACTS_EDIT
        return Permission.INBOX_ASSIGN if self in (Act.ASSIGN, Act.TEAM) else Permission.INBOX_REPLY


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """An act and what it needs: the member or team (None for nobody; an owner is a member), the tag, why it is
    resolved, the moment a snooze ends."""

    act: Act
    to: str | None = None
    until: int | None = None


class People(msgspec.Struct, frozen=True, kw_only=True):
    """Names by id, for the lines in the threads."""

    members: Mapping[str, str]
    teams: dict[str, str]


class BulkChange(msgspec.Struct, frozen=True, kw_only=True):
    """One that was asked for: how many it is to change, has been through, and has changed."""

    id: str
    act: Act
    value: Change
    person_id: str | None
    key_id: str | None
    person_name: str
    state: Literal["running", "done", "undone"]
    total: int
    done: int
    changed: int
    created_at: int
    ended_at: int | None

    @property
    def can_be_undone(self) -> bool:
        return self.state == "done" and self.changed > 0


class _Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a conversation stands, as far as any act touches it."""

    state: str
    assignee_id: str | None
    team_id: str | None
    unread_count: int
    snoozed_until: int | None
    waiting_since: int | None
    tagged: int
    reason_id: str | None = None
    owner_id: str | None = None
    newest_inbound_id: str | None = None


# What an act touches: only that must still be as it was left. Whoever wrote or was answered since is not sent back to
# how they stood before; who waited already waits since the same moment, so what they wrote counts by itself.
_STATE = ("state", "snoozed_until", "waiting_since", "newest_inbound_id")
_TOUCHED = {Act.ASSIGN: ("assignee_id",), Act.TEAM: ("team_id",), Act.TAG: ("tagged",), Act.UNTAG: ("tagged",),
            Act.RESOLVE: _STATE, Act.REOPEN: _STATE, Act.SNOOZE: _STATE, Act.READ: ("unread_count",),
            Act.UNREAD: ("unread_count",), Act.OWNER: ("owner_id",)}


async def change(db: Db, bulk_id: str) -> BulkChange | None:
    return await db.one(BulkChange, "SELECT id, act, value_json, person_id, key_id, person_name, state, total, done, "
                        "changed, created_at, ended_at FROM bulk_change WHERE id = ?", bulk_id)


async def begin(tx: Transaction, wanted: Change, conversation_ids: Sequence[str], *, people: People,
                person_id: str | None, key_id: str | None) -> str:
    """Its id. The ids are already those the actor may change. A few are changed at once, many by a job. Raises what the
    verb raises, and then nothing is changed."""
    if not conversation_ids:
        raise Conflict("None of these conversations is there, or yours to change.")
    if len(conversation_ids) > MOST:
        raise Invalid.field("filter", "At most 10,000 conversations at once; narrow the list first.")
    bulk_id = tx.new_id()
    await tx.execute(
        "INSERT INTO bulk_change (id, act, value_json, person_id, key_id, person_name, state, total, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?, 'running', ?, ?)", bulk_id, wanted.act.value, as_json(wanted), person_id, key_id,
        tx.actor.name, len(conversation_ids), tx.now)
    await tx.execute("INSERT INTO bulk_item (bulk_id, conversation_id) SELECT ?, value FROM json_each(?)", bulk_id,
                     as_json(conversation_ids))
    if len(conversation_ids) <= AT_ONCE:
        await apply(tx, bulk_id, wanted, conversation_ids, people=people)
    else:
        tx.enqueue(BULK, bulk_id)
        await tx.audit("conversations.change_begun", "conversations", bulk_id, act=wanted.act.value, to=wanted.to,
                       total=len(conversation_ids))
    return bulk_id


async def apply(tx: Transaction, bulk_id: str, wanted: Change, conversation_ids: Sequence[str], *,
                people: People, passed_over: int = 0) -> None:
    """Some of it, in this transaction; the last of them ends it. `passed_over` were not to be changed after all."""
    changed = 0
    async with tx.audited_together("conversations.changed", "conversations", bulk_id, act=wanted.act.value,
                                   to=wanted.to):
        for conversation_id in conversation_ids:
            before = await _standing(tx, conversation_id, wanted)
            if before is not None:
                await _do(tx, wanted, conversation_id, people)
            after = await _standing(tx, conversation_id, wanted) if before else None
            differs = after != before
            changed += differs
            await tx.execute("UPDATE bulk_item SET done_at = ?, before_json = ?, after_json = ? WHERE bulk_id = ? "
                             "AND conversation_id = ?", tx.now, as_json(before) if differs else None,
                             as_json(after) if differs else None, bulk_id, conversation_id)
    await tx.execute(
        "UPDATE bulk_change SET changed = changed + ?2, done = done + ?3, "
        "state = CASE WHEN done + ?3 >= total THEN 'done' ELSE state END, "
        "ended_at = CASE WHEN done + ?3 >= total THEN ?4 END WHERE id = ?1", bulk_id, changed,
        len(conversation_ids) + passed_over, tx.now)


async def give_up(tx: Transaction, bulk_id: str) -> None:
    """Whoever asked for it may not any more, or what they asked for is refused by now: what is not done stays as it
    is."""
    if await tx.execute("UPDATE bulk_change SET state = 'done', ended_at = ? WHERE id = ? AND state = 'running'",
                        tx.now, bulk_id):
        await tx.audit("conversations.change_stopped", "conversations", bulk_id)


async def undo(tx: Transaction, bulk_id: str, *, people: People) -> int:
    """How many stand as before again: those that nobody has changed since. That it is the
    actor's own is asked before. Raises NotFound, Conflict."""
    known = await change(tx, bulk_id)
    if known is None:
        raise NotFound("There is no such change, or it is too late to undo it.")
    if not known.can_be_undone or (known.ended_at or 0) < tx.now - UNDO_FOR:
        raise Conflict("It is too late to undo this.")
    rows = await tx.rows("SELECT conversation_id, before_json, after_json FROM bulk_item WHERE bulk_id = ? "
                         "AND after_json IS NOT NULL", bulk_id)
    restored = 0
    async with tx.audited_together("conversations.change_undone", "conversations", bulk_id, act=known.act.value):
        for conversation_id, before, after in rows:
            left = msgspec.json.decode(after, type=_Standing)
            now = await _standing(tx, conversation_id, known.value)
            if now is None or any(getattr(now, name) != getattr(left, name) for name in _TOUCHED[known.act]):
                continue
            await _restore(tx, known.value, conversation_id, msgspec.json.decode(before, type=_Standing), now, people)
            restored += 1
    await tx.execute("UPDATE bulk_change SET state = 'undone' WHERE id = ?", bulk_id)
    return restored


async def forget(tx: Transaction, bulk_id: str) -> None:
    """Nobody can undo it any more; the audit trail still tells of it."""
    await tx.execute("DELETE FROM bulk_change WHERE id = ? AND ended_at < ?", bulk_id, tx.now - UNDO_FOR)


async def _standing(tx: Transaction, conversation_id: str, wanted: Change) -> _Standing | None:
    return await tx.one(
        _Standing, "SELECT state, assignee_id, team_id, unread_count, snoozed_until, waiting_since, reason_id, "
        "(SELECT owner_id FROM contact WHERE contact.id = conversation.contact_id) AS owner_id, "
        "(SELECT id FROM message WHERE conversation_id = conversation.id AND direction = 'in' "
        "ORDER BY at DESC, id DESC LIMIT 1) AS newest_inbound_id, "
        "EXISTS (SELECT 1 FROM conversation_tag WHERE tag_id = ?1 AND conversation_id = conversation.id) AS tagged "
        "FROM conversation WHERE id = ?2", wanted.to, conversation_id)


async def _do(tx: Transaction, wanted: Change, conversation_id: str, people: People) -> None:
    match wanted.act:
        case Act.ASSIGN:
            await actions.assign(tx, conversation_id, assignee_id=wanted.to,
                                 assignee_name=people.members.get(wanted.to or "", ""))
        case Act.TEAM:
            await handover.give_to_team(tx, conversation_id, wanted.to, teams=people.teams)
        case Act.TAG:
            await _tag(tx, conversation_id, wanted.to or "")
        case Act.UNTAG:
            await conversation_tags.detach(tx, conversation_id, wanted.to or "")
        case Act.RESOLVE:
            await _resolve(tx, conversation_id, wanted.to)
        case Act.REOPEN:
            await actions.reopen(tx, conversation_id)
        case Act.SNOOZE:
            await snooze.snooze(tx, conversation_id, until=wanted.until)
        case Act.READ:
            await actions.mark_read(tx, conversation_id)
        case Act.UNREAD:
            await actions.mark_unread(tx, conversation_id)
        case Act.OWNER:
            await _set_owner(tx, conversation_id, wanted.to, people)


async def _resolve(tx: Transaction, conversation_id: str, reason_id: str | None) -> None:
    """That a reason is there where one is due was asked before; one that is gone since then is passed over."""
    why = await resolving.reason(tx, reason_id) if reason_id else None
    await actions.close(tx, conversation_id, reason_id=why.id if why else None, reason_name=why.name if why else "")


async def _set_owner(tx: Transaction, conversation_id: str, owner_id: str | None, people: People) -> None:
    """Of the contact behind it; one that was deleted is left as it is. The one row of many tells nobody's timeline, so
    the conversation gets a line."""
    contact_id = await tx.value("SELECT contact.id FROM conversation JOIN contact ON contact.id = contact_id "
                                "WHERE conversation.id = ? AND contact.deleted_at IS NULL", conversation_id)
    if contact_id is not None and await contacts.set_owner(tx, contact_id, owner_id):
        await actions.add_event(tx, conversation_id, "owner_changed", actor_name=tx.actor.name, owner_id=owner_id,
                                owner_name=people.members.get(owner_id or "", ""))


async def _tag(tx: Transaction, conversation_id: str, tag_id: str) -> None:
    """One that is full of tags already is left as it is; the others get theirs."""
    try:
        await conversation_tags.attach(tx, conversation_id, tag_id)
    except Invalid:
        return


async def _restore(tx: Transaction, wanted: Change, conversation_id: str, before: _Standing, now: _Standing,
                   people: People) -> None:
    match wanted.act:
        case Act.ASSIGN:
            await actions.assign(tx, conversation_id, assignee_id=before.assignee_id,
                                 assignee_name=people.members.get(before.assignee_id or "", ""))
        case Act.TEAM:
            await handover.hand_over(tx, conversation_id, now.team_id, before.team_id, teams=people.teams)
        case Act.TAG:
            await conversation_tags.detach(tx, conversation_id, wanted.to or "")
        case Act.UNTAG:
            await _tag(tx, conversation_id, wanted.to or "")
        case Act.OWNER:
            await _set_owner(tx, conversation_id, before.owner_id, people)
        case Act.READ | Act.UNREAD:
            await tx.execute("UPDATE conversation SET unread_count = ? WHERE id = ?", before.unread_count,
                             conversation_id)
            await tx.audit("conversation.unread_restored", "conversation", conversation_id)
            tx.publish("conversation", conversation_id)
        case Act.RESOLVE | Act.REOPEN | Act.SNOOZE:
            await _restore_state(tx, conversation_id, before)


async def _restore_state(tx: Transaction, conversation_id: str, before: _Standing) -> None:
    if before.state == "closed":
        await _resolve(tx, conversation_id, before.reason_id)
    elif before.state == "snoozed":
        await snooze.snooze(tx, conversation_id, until=before.snoozed_until)
    else:
        await actions.reopen(tx, conversation_id)
    # Who waited before it was resolved waits on, since the same moment.
    await tx.execute("UPDATE conversation SET waiting_since = ? WHERE id = ?", before.waiting_since, conversation_id)
    if before.state == "open":
        await clocks.customer_wrote(tx, conversation_id, at=tx.now)


def as_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
