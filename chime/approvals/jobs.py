"""What nobody decided, ran or fetched in time ends by itself."""

from __future__ import annotations

from chime.approvals import actions, queries
from chime.db import Db
from chime.jobs import JobKind, Work
from chime.security.permissions import SYSTEM

EXPIRE = "approvals.expire"


async def expire(work: Work, approval_id: str) -> None:
    async with work.workspace.write(SYSTEM) as tx:
        await actions.expire(tx, approval_id)


async def due(db: Db, now: int) -> list[str]:
    return await queries.expired(db, now)


JOBS = [JobKind(EXPIRE, expire, due, at_once=4)]
