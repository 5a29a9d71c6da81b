"""What runs in the background: deciding who hears, ringing devices, mails, and forgetting what is old."""

from __future__ import annotations

from chime.db import Db
from chime.jobs import JobKind, Work
from chime.notifications import delivery_jobs, digest_jobs
from chime.notifications.actions import forget_old
from chime.notifications.model import KEPT_FOR

FORGET = "notifications.forget"
OLD = "old"


async def forget(work: Work, _: str) -> None:
    """In pieces, so that nobody who writes waits for long."""
    while True:
        async with work.workspace.ingest("notifications") as tx:
            if not await forget_old(tx):
                return


async def old(db: Db, now: int) -> list[str]:
    return [OLD] if await db.value("SELECT 1 FROM notification WHERE at < ? LIMIT 1", now - KEPT_FOR) else []


JOBS = [*delivery_jobs.JOBS, *digest_jobs.JOBS, JobKind(FORGET, forget, old, at_once=1)]
