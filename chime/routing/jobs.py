"""Giving what waits: rung in the very transaction in which something came to wait or somebody had a hand free."""

from __future__ import annotations

from chime import accounts
from chime.db import Db
from chime.inbox import QUEUE, ROUTE
from chime.jobs import JobKind, Work
from chime.routing import actions, queries, shift_queries, standing_in
from chime.routing.standing_in import STAND_IN
from chime.security.permissions import SYSTEM


async def drain(work: Work, queue: str) -> None:
    """Until nothing more can be given; small transactions, so that the inbox goes on meanwhile."""
    workspace = work.workspace
    if not await queries.is_anything_to_give(workspace.db):
        return
    team = await accounts.member_actors(work.control.db, workspace.id)
    more = await actions.has_takers(workspace.db, team, work.clock.real_now())
    while more:
        async with workspace.write(SYSTEM) as tx:
            more = await actions.drain(tx, team) >= actions.AT_A_TIME


async def due(db: Db, now: int) -> list[str]:
    """What changed in the other file, or by the clock alone, rings nothing: somebody joined a team, or left."""
    return [QUEUE] if await queries.is_anything_to_give(db) else []


async def stand_in(work: Work, queue: str) -> None:
    """Customers of people who are away wrote: to whoever stands in, as each absence says."""
    workspace, now = work.workspace, work.clock.real_now()
    absent = [one for one in await shift_queries.stood_in_for(workspace.db, now)
              if await shift_queries.called_on(workspace.db, one)]
    team = await accounts.member_actors(work.control.db, workspace.id) if absent else []
    for one in absent:
        async with workspace.write(SYSTEM) as tx:
            await standing_in.stand_in(tx, one, team)


async def to_stand_in(db: Db, now: int) -> list[str]:
    """An absence began, or who stands in has room now: the clock alone rings nothing."""
    return [QUEUE] if await shift_queries.is_anybody_stood_in_for(db, now) else []


# Seconds between two rounds of giving: who comes to wait meanwhile is looked at together with the others.
APART = 0.1
JOBS = [JobKind(ROUTE, drain, due, at_once=4, apart=APART),
        JobKind(STAND_IN, stand_in, to_stand_in, at_once=1, apart=APART)]
