"""What was deleted goes for good: first the bytes of its files, then the rows that name them."""

from __future__ import annotations

from chime.db import Db
from chime.jobs import JobKind, Work
from chime.quick_replies import queries
from chime.quick_replies.actions import FORGET
from chime.quick_replies.actions import forget as forget_rows
from chime.security.permissions import SYSTEM


async def forget(work: Work, reply_id: str) -> None:
    workspace = work.workspace
    for file_id in await queries.doomed_files(workspace.db, reply_id, work.clock.now()):
        workspace.files.remove(file_id)
    async with workspace.write(SYSTEM) as tx:
        await forget_rows(tx, reply_id)


async def to_forget(db: Db, now: int) -> list[str]:
    return await queries.due(db, now)


JOBS = [JobKind(FORGET, forget, to_forget, at_once=1)]
