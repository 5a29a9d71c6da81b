"""Blocking somebody: at once here, and at Meta wherever Meta allows it.

Promises: what a blocked person writes is kept and can be read, and asks nothing of anybody: no unread count, no
reopening, no notification, no automation; nothing is sent to them. Meta blocks only who wrote within 24 hours, so who
writes again while blocked here is then blocked there too.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from chime.db import Db
from chime.errors import NotFound
from chime.inbox import clocks
from chime.inbox.actions import add_event
from chime.workspaces import Transaction

TELL_META = "inbox.block"


class BlockState(msgspec.Struct, frozen=True, kw_only=True):
    """How a block stands at Meta on one of our numbers. `wanted`: blocked, or let in again."""

    id: str
    contact_id: str
    channel_id: str
    wanted: bool
    state: str
    trouble: str
    attempts: int


async def block_states(db: Db, contact_id: str) -> list[BlockState]:
    return await db.all(BlockState, "SELECT id, contact_id, channel_id, wanted, state, trouble, attempts "
                        "FROM contact_block WHERE contact_id = ? ORDER BY channel_id", contact_id)


async def block_state(db: Db, block_id: str) -> BlockState | None:
    return await db.one(BlockState, "SELECT id, contact_id, channel_id, wanted, state, trouble, attempts "
                        "FROM contact_block WHERE id = ?", block_id)


async def block(tx: Transaction, contact_id: str) -> None:
    """From now on nothing of this person asks for attention. Raises NotFound."""
    await _must_exist(tx, contact_id)
    if not await tx.execute("UPDATE contact SET blocked_at = ?, blocked_by = ?, updated_at = ? WHERE id = ? "
                            "AND blocked_at IS NULL", tx.now, tx.actor.name, tx.now, contact_id):
        return
    for channel_id, window in await tx.rows(
            "SELECT channel.id, conversation.window_expires_at FROM conversation JOIN channel "
            "ON channel.id = conversation.channel_id WHERE conversation.contact_id = ? "
            "AND channel.removed_at IS NULL", contact_id):
        await _ask(tx, contact_id, channel_id, wanted=True, now=window is not None and window > tx.now)
    await tx.execute("UPDATE conversation SET unread_count = 0, waiting_since = NULL WHERE contact_id = ?", contact_id)
    for (conversation_id,) in await tx.rows("SELECT id FROM conversation WHERE contact_id = ?", contact_id):
        await clocks.resolved(tx, conversation_id, agent_id=None)  # nobody waits for us there any more
    await _tell_threads(tx, contact_id, "contact_blocked")
    await tx.audit("contact.blocked", "contact", contact_id)
    tx.publish("contact", contact_id)


async def unblock(tx: Transaction, contact_id: str) -> None:
    """They are heard again. Raises NotFound."""
    await _must_exist(tx, contact_id)
    if not await tx.execute("UPDATE contact SET blocked_at = NULL, blocked_by = '', updated_at = ? WHERE id = ? "
                            "AND blocked_at IS NOT NULL", tx.now, contact_id):
        return
    for state in await block_states(tx, contact_id):
        if state.wanted and state.state != "refused":
            await _ask(tx, contact_id, state.channel_id, wanted=False, now=True)
        else:
            await tx.execute("DELETE FROM contact_block WHERE id = ?", state.id)
    await _tell_threads(tx, contact_id, "contact_unblocked")
    await tx.audit("contact.unblocked", "contact", contact_id)
    tx.publish("contact", contact_id)


async def meets_blocked(tx: Transaction, contact_id: str, channel_id: str) -> bool:
    """Whether somebody who just wrote is blocked here; then Meta is asked too, since now it takes it."""
    if not await tx.value("SELECT blocked_at IS NOT NULL FROM contact WHERE id = ?", contact_id):
        return False
    await _ask(tx, contact_id, channel_id, wanted=True, now=True)
    return True


async def settle(tx: Transaction, block_id: str, *, state: str, trouble: str = "") -> None:
    """What Meta said. What was done to let somebody in again leaves no row."""
    await tx.execute("UPDATE contact_block SET state = ?, trouble = ?, at = ? WHERE id = ?", state, trouble, tx.now,
                     block_id)
    contact_id = await tx.value("SELECT contact_id FROM contact_block WHERE id = ?", block_id)
    await tx.execute("DELETE FROM contact_block WHERE id = ? AND wanted = 0 AND state = 'done'", block_id)
    for (conversation_id,) in await tx.rows("SELECT id FROM conversation WHERE contact_id = ?", contact_id):
        tx.publish("conversation", conversation_id)


async def put_off(tx: Transaction, block_id: str, *, at: int) -> None:
    """Meta could not be reached."""
    await tx.execute("UPDATE contact_block SET attempts = attempts + 1, next_attempt_at = ? WHERE id = ? "
                     "AND state = 'pending'", at, block_id)
    tx.enqueue(TELL_META, block_id, at=at)


async def move_blocks(tx: Transaction, *, kept: str, gone: str) -> None:
    """Two contacts turned out to be one: who was blocked as either is blocked."""
    await tx.execute("UPDATE contact SET blocked_at = coalesce(contact.blocked_at, other.blocked_at), "
                     "blocked_by = CASE contact.blocked_by WHEN '' THEN other.blocked_by ELSE contact.blocked_by END "
                     "FROM (SELECT blocked_at, blocked_by FROM contact WHERE id = ?2) AS other WHERE contact.id = ?1",
                     kept, gone)
    await tx.execute("UPDATE OR IGNORE contact_block SET contact_id = ? WHERE contact_id = ?", kept, gone)
    await tx.execute("DELETE FROM contact_block WHERE contact_id = ?", gone)


async def forget_blocks(tx: Transaction, contact_ids: Collection[str]) -> None:
    """Of a person who is being forgotten."""
    await tx.execute("DELETE FROM contact_block WHERE contact_id IN (SELECT value FROM json_each(?))",
                     msgspec.json.encode(list(contact_ids)).decode())


async def _ask(tx: Transaction, contact_id: str, channel_id: str, *, wanted: bool, now: bool) -> None:
    """Have Meta told on one number; not `now`, when it would refuse."""
    await tx.execute(
        "INSERT INTO contact_block (id, contact_id, channel_id, wanted, state, trouble, next_attempt_at, at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (contact_id, channel_id) DO UPDATE SET wanted = excluded.wanted, "
        "state = excluded.state, trouble = excluded.trouble, attempts = 0, "
        "next_attempt_at = excluded.next_attempt_at, at = excluded.at "
        "WHERE contact_block.wanted <> excluded.wanted OR contact_block.state = 'refused'",
        tx.new_id(), contact_id, channel_id, int(wanted), "pending" if now else "refused",
        "" if now else "not_recent", tx.now, tx.now)
    block_id = await tx.value("SELECT id FROM contact_block WHERE contact_id = ? AND channel_id = ? "
                              "AND state = 'pending'", contact_id, channel_id)
    if block_id is not None:
        tx.enqueue(TELL_META, block_id)


async def _tell_threads(tx: Transaction, contact_id: str, kind: str) -> None:
    for (conversation_id,) in await tx.rows("SELECT id FROM conversation WHERE contact_id = ?", contact_id):
        await add_event(tx, conversation_id, kind, actor_name=tx.actor.name)


async def _must_exist(tx: Transaction, contact_id: str) -> None:
    if not await tx.value("SELECT 1 FROM contact WHERE id = ? AND deleted_at IS NULL", contact_id):
        raise NotFound("There is no such contact.")
