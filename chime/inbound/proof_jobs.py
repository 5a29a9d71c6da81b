"""Counting and replaying in the background: asked for by a person, or by the sweep when a day is over or much is new.

The result and the way so far are kept in rows, so a restart in the middle begins again and says so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from chime.clock import HOUR
from chime.db import Db
from chime.inbound import queries, runs
from chime.inbound.account import count, new_segments
from chime.inbound.model import Counted, Replayed, Task, day_of
from chime.inbound.replay import replay
from chime.jobs import JobKind, Work

PROVE = "inbound.prove"
# How often the account is counted without being asked, and how often the way so far is written down.
COUNT_EVERY = 6 * HOUR
SECONDS_BETWEEN_NOTES = 1.0


async def prove(work: Work, name: str) -> None:
    """Do what was asked for, once."""
    task = Task(name)
    run = await queries.run_of(work.workspace.db, task)
    if task is Task.REPLAY and (run is None or not run.under_way):
        return  # a second nudge for a replay that has ended asks for nothing
    try:
        result = await (_replayed(work) if task is Task.REPLAY else _counted(work))
    except Exception:
        async with work.workspace.ingest("proof") as tx:
            await runs.give_up(tx, task)
        raise
    async with work.workspace.ingest("proof") as tx:
        await runs.finish(tx, task, result)
        tx.publish("delivery_proof", task.value)


async def _replayed(work: Work) -> Replayed:
    return await replay(work.workspace, progress=_notes(work, Task.REPLAY))


async def _counted(work: Work) -> Counted:
    async for segment in new_segments(work.workspace, now=work.clock.now()):
        async with work.workspace.ingest("proof") as tx:
            await runs.keep(tx, segment)
    return await count(work.workspace, now=work.clock.now())


def _notes(work: Work, task: Task) -> Callable[[int, int], Awaitable[None]]:
    """Writes down how far it is, once a second."""
    written = work.clock.monotonic()

    async def note(done: int, total: int) -> None:
        nonlocal written
        if work.clock.monotonic() - written < SECONDS_BETWEEN_NOTES:
            return
        written = work.clock.monotonic()
        async with work.workspace.ingest("proof") as tx:
            await runs.advance(tx, task, done=done, total=total)

    return note


async def due(db: Db, now: int) -> list[str]:
    """What was asked for and is not done; and the account, when something came in since it was last counted."""
    asked = [run.kind.value for task in Task if (run := await queries.run_of(db, task)) and run.under_way]
    if Task.COUNT.value not in asked and await _is_behind(db, now):
        asked.append(Task.COUNT.value)
    return asked


async def _is_behind(db: Db, now: int) -> bool:
    run = await queries.run_of(db, Task.COUNT)
    counted = (run.finished_at or 0) if run else 0
    newest = await db.value("SELECT at FROM applied_body ORDER BY journal_id DESC LIMIT 1") or 0
    # The first count of a day also sums up the day before.
    return (newest > counted and now - counted > COUNT_EVERY) or (
        newest > day_of(counted) and day_of(counted - HOUR) < day_of(now - HOUR))


JOBS = [JobKind(PROVE, prove, due, at_once=1)]
