"""Erasures run in the background, and one that began is gone on with until it is done."""

from __future__ import annotations

from chime import approvals
from chime.db import Db
from chime.erasure import queries, retention_jobs
from chime.erasure.run import run
from chime.jobs import JobKind

RUN = "erasure.run"


async def due(db: Db, now: int) -> list[str]:
    begun = await queries.unfinished(db)
    return [*begun, *(one for one in await approvals.due(db, RUN, now) if one not in begun)]


JOBS = [JobKind(RUN, run, due, at_once=1), *retention_jobs.JOBS]
