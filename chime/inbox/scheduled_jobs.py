"""The moments of scheduled messages. Rows are the truth: what a restart or a lost nudge left is found by the sweep."""

from __future__ import annotations

import asyncio

from chime import accounts
from chime.db import Db
from chime.inbox import scheduled, unheard
from chime.inbox.scheduled import DROP_CANCELLED, KEPT, SEND_SCHEDULED, SOON, Scheduled
from chime.jobs import JobKind, Work
from chime.security.permissions import SYSTEM, Actor, Permission


async def send_scheduled(work: Work, scheduled_id: str) -> None:
    """Send it in the name of who scheduled it, with the rights they have now."""
    row = await scheduled.scheduled(work.workspace.db, scheduled_id)
    if row is None:
        return
    left = row.send_at - work.clock.now()
    if left > 0:
        if left <= SOON:
            work.start(SEND_SCHEDULED, scheduled_id, delay=left / 1000)
        return
    if await unheard.is_behind(work.workspace, work.clock.now()):
        work.start(SEND_SCHEDULED, scheduled_id, delay=unheard.LOOKS_AGAIN_IN)
        return
    actor = await _author(work, row)
    async with work.workspace.write(actor or SYSTEM) as tx:
        await scheduled.come_due(tx, scheduled_id, may_send=actor is not None)


async def _author(work: Work, row: Scheduled) -> Actor | None:
    """None when they may not answer any more."""
    db, workspace_id = work.control.db, work.workspace.id
    actor = (await accounts.member_actor(db, workspace_id, row.author_id or "") if row.author_kind == "user"
             else await accounts.key_actor(db, workspace_id, row.author_id or "", work.clock.real_now()))
    return actor if actor is not None and actor.may(Permission.INBOX_REPLY) else None


async def due(db: Db, now: int) -> list[str]:
    """Those whose moment came, or comes before the next sweep."""
    rows = await db.rows("SELECT id FROM scheduled_message WHERE state = 'waiting' AND send_at <= ? "
                         "ORDER BY send_at LIMIT 500", now + SOON)
    return [row[0] for row in rows]


async def drop_cancelled(work: Work, scheduled_id: str) -> None:
    """Nobody can have it back any more: the row goes, then the file that only it had."""
    async with work.workspace.write(SYSTEM) as tx:
        if not await tx.value("SELECT 1 FROM scheduled_message WHERE id = ? AND state = 'cancelled'", scheduled_id):
            return
        media_id = await scheduled.drop(tx, scheduled_id)
        await tx.audit("message.schedule_removed", "scheduled_message", scheduled_id)
    if media_id is not None:
        await asyncio.to_thread(work.workspace.files.remove, media_id)


async def over(db: Db, now: int) -> list[str]:
    rows = await db.rows("SELECT id FROM scheduled_message WHERE state = 'cancelled' AND cancelled_at <= ? LIMIT 200",
                         now - KEPT)
    return [row[0] for row in rows]


JOBS = [JobKind(SEND_SCHEDULED, send_scheduled, due, at_once=16), JobKind(DROP_CANCELLED, drop_cancelled, over)]
