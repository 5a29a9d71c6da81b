"""What becomes of a conversation whose customer writes after it was resolved, by the rule of its number.

It goes back to whoever had it, or to nobody; after so many days it is a new matter, which nobody has. Who is away is
read as routing keeps it. Without a rule it stays with whoever had it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from chime.clock import DAY, MINUTE, SECOND
from chime.db import Db
from chime.errors import Invalid, NotFound
from chime.inbox import actions
from chime.inbox.actions import Thread
from chime.working_time import roster
from chime.workspaces import Transaction

MOST_DAYS = 365


class Goes(StrEnum):
    """To whom one goes that is reopened."""

    KEEP = "keep"
    FREE_WHEN_AWAY = "free_when_away"
    FREE = "free"


class ReopenPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Of a number. With 0 days it never counts as new."""

    assignee: Goes = Goes.KEEP
    new_after_days: int = 0


class _Rule(ReopenPolicy, frozen=True, kw_only=True):
    channel_id: str


async def policy(db: Db, channel_id: str) -> ReopenPolicy:
    """As it is by default where nobody decided."""
    return await db.one(ReopenPolicy, "SELECT assignee, new_after_days FROM reopen_policy WHERE channel_id = ?",
                        channel_id) or ReopenPolicy()


async def policies(db: Db) -> dict[str, ReopenPolicy]:
    """Those that somebody made, by number."""
    found = await db.all(_Rule, "SELECT channel_id, assignee, new_after_days FROM reopen_policy LIMIT 1000")
    return {one.channel_id: ReopenPolicy(assignee=one.assignee, new_after_days=one.new_after_days) for one in found}


async def set_policy(tx: Transaction, channel_id: str, new: ReopenPolicy) -> None:
    """Raises NotFound, Invalid."""
    if await tx.value("SELECT 1 FROM channel WHERE id = ?", channel_id) is None:
        raise NotFound("There is no such number.")
    if not 0 <= new.new_after_days <= MOST_DAYS:
        raise Invalid.field("new_after_days", "From 1 to 365 days, or 0 for never.")
    before = await policy(tx, channel_id)
    if before == new:
        return
    await tx.execute(
        "INSERT INTO reopen_policy (channel_id, assignee, new_after_days) VALUES (?, ?, ?) ON CONFLICT (channel_id) "
        "DO UPDATE SET assignee = excluded.assignee, new_after_days = excluded.new_after_days", channel_id,
        new.assignee.value, new.new_after_days)
    await tx.audit("reopen_policy.changed", "channel", channel_id, before=msgspec.to_builtins(before),
                   after=msgspec.to_builtins(new))


async def customer_came(tx: Transaction, channel_id: str, contact_id: str, *, at: int, reopen: bool = True) -> Thread:
    """The conversation of a customer who wrote, reacted or called, as `actions.open_thread` has it; one that was
    resolved goes on as the rule of the number says."""
    thread = await actions.open_thread(tx, channel_id, contact_id, at=at, reopen=reopen)
    if not thread.was_closed:
        return thread
    # Meta's moments are whole seconds: what came in the second in which it was resolved came after it.
    rule, came = await policy(tx, channel_id), at - at % SECOND + SECOND - 1
    days = max(0, came - (thread.closed_at or came)) // DAY
    is_new = bool(rule.new_after_days) and days >= rule.new_after_days
    told: dict[str, Any] = {"new_after": days} if is_new else {}
    await actions.add_event(tx, thread.id, "reopened", at=at, **told)
    because = await _freed(tx, thread.id, rule, is_new)
    if because:
        await actions.assign(tx, thread.id, assignee_id=None, assignee_name="", told_as="freed", because=because)
    if is_new:
        # Whoever waits now waits for a first answer, and nothing of the old matter keeps anybody from getting it.
        await tx.execute("UPDATE conversation SET answered_at = NULL, released_by = NULL WHERE id = ?", thread.id)
    return thread


async def _freed(tx: Transaction, conversation_id: str, rule: ReopenPolicy, is_new: bool) -> str:
    """Why it is nobody's now; empty when it stays with whoever has it."""
    assignee_id: Any = await tx.value("SELECT assignee_id FROM conversation WHERE id = ?", conversation_id)
    if assignee_id is None or (rule.assignee is Goes.KEEP and not is_new):
        return ""
    if is_new:
        return "new"
    if rule.assignee is Goes.FREE:
        return "rule"
    return "away" if await is_away(tx, assignee_id, now=tx.audited_at) else ""


async def is_away(db: Db, user_id: str, *, now: int) -> bool:
    """Whether somebody said so, is off shift or absent, or no page of theirs was open for as long as routing waits.
    `now` is the machine's time, in which presence is kept."""
    rows = await db.rows(
        "SELECT coalesce((SELECT status FROM availability WHERE user_id = ?1), 'available'), "
        "coalesce((SELECT seen_at FROM presence WHERE user_id = ?1), 0), "
        "coalesce((SELECT away_minutes FROM routing_settings), 5)", user_id)
    status, seen_at, minutes = rows[0]
    if (await roster(db, user_id, now)).off(now) is not None:
        return True
    if status == "available" and minutes:
        return bool(seen_at <= now - minutes * MINUTE)
    return bool(status == "away")
