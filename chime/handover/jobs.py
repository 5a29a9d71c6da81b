"""The file of a workspace is made in the background, one at a time."""

from __future__ import annotations

from chime import approvals
from chime.db import Db
from chime.handover.run import run
from chime.jobs import JobKind

RUN = "handover.run"


async def due(db: Db, now: int) -> list[str]:
    return await approvals.due(db, RUN, now)


JOBS = [JobKind(RUN, run, due, at_once=1)]
