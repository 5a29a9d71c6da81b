"""Waking what was snoozed until a moment: the minute's sweep finds it, also what ended while the appliance was off."""

from __future__ import annotations

from chime.db import Db
from chime.inbox.snooze import wake
from chime.jobs import JobKind, Work
from chime.security.permissions import SYSTEM

WAKE = "inbox.wake"


async def wake_due(work: Work, conversation_id: str) -> None:
    """Unless somebody chose a later moment, or woke it, in between."""
    async with work.workspace.write(SYSTEM) as tx:
        if await tx.value("SELECT 1 FROM conversation WHERE id = ? AND state = 'snoozed' AND snoozed_until <= ?",
                          conversation_id, tx.now):
            await wake(tx, conversation_id)


async def due(db: Db, now: int) -> list[str]:
    """Those whose time came."""
    rows = await db.rows("SELECT id FROM conversation WHERE state = 'snoozed' AND snoozed_until IS NOT NULL "
                         "AND snoozed_until <= ? LIMIT 200", now)
    return [row[0] for row in rows]


JOBS = [JobKind(WAKE, wake_due, due)]
