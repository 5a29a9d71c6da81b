"""The moments of reminders; what came while the appliance was off is told as soon as it runs."""

from __future__ import annotations

from chime.db import Db
from chime.inbox import reminders
from chime.inbox.reminders import REMIND, SOON
from chime.jobs import JobKind, Work
from chime.security.permissions import SYSTEM


async def tell(work: Work, reminder_id: str) -> None:
    """Once its time is here."""
    at = await work.workspace.db.value("SELECT due_at FROM reminder WHERE id = ?", reminder_id)
    if at is None:
        return
    left = at - work.clock.now()
    if left > 0:
        if left <= SOON:
            work.start(REMIND, reminder_id, delay=left / 1000)
        return
    async with work.workspace.write(SYSTEM) as tx:
        await reminders.come_due(tx, reminder_id)


async def due(db: Db, now: int) -> list[str]:
    rows = await db.rows("SELECT id FROM reminder WHERE due_at <= ? ORDER BY due_at LIMIT 500", now + SOON)
    return [row[0] for row in rows]


JOBS = [JobKind(REMIND, tell, due)]
