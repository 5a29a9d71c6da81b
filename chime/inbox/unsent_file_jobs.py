"""Removing files whose message was taken back or discarded, once nobody fetches them any more."""

from __future__ import annotations

import asyncio

from chime.db import Db
from chime.inbox.unsent_files import DROP_UNSENT
from chime.jobs import JobKind, Work


async def drop_unsent(work: Work, media_id: str) -> None:
    """The file first: a crash in between leaves a row, which the sweep finds, and never a file nobody knows of."""
    if not await work.workspace.db.value("SELECT 1 FROM media WHERE id = ? AND trouble = 'unsent'", media_id):
        return
    await asyncio.to_thread(work.workspace.files.remove, media_id)
    async with work.workspace.ingest("media") as tx:
        await tx.execute("DELETE FROM media WHERE id = ? AND trouble = 'unsent'", media_id)


async def over(db: Db, now: int) -> list[str]:
    rows = await db.rows("SELECT id FROM media WHERE trouble = 'unsent' AND next_attempt_at <= ? LIMIT 200", now)
    return [row[0] for row in rows]


JOBS = [JobKind(DROP_UNSENT, drop_unsent, over)]
