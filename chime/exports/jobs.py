"""Exports run in the background; files of exports that have ended are removed."""

from __future__ import annotations

from chime import approvals
from chime.db import Db
from chime.exports import files
from chime.exports.run import run
from chime.jobs import JobKind, Work

RUN = "exports.run"
REMOVE = "exports.remove"


async def due(db: Db, now: int) -> list[str]:
    return await approvals.due(db, RUN, now)


async def remove(work: Work, export_id: str) -> None:
    await files.remove(work.workspace, export_id)


async def to_remove(db: Db, now: int) -> list[str]:
    return await files.left_over(db, now)


JOBS = [JobKind(RUN, run, due, at_once=1), JobKind(REMOVE, remove, to_remove, at_once=2)]
