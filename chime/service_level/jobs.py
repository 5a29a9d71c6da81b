"""Past its moment, resolved, or by other hours than before: each found by the minute's sweep when a nudge was lost."""

from __future__ import annotations

from chime import accounts
from chime.inbox import RESOLVED
from chime.jobs import JobKind, Work
from chime.security.permissions import SYSTEM, Role
from chime.service_level import escalation, queries, recounting, satisfaction
from chime.service_level.recounting import RECOUNT

MISS = "service_level.miss"
_IN_CHARGE = frozenset({Role.OWNER, Role.ADMIN, Role.MANAGER})


async def miss(work: Work, conversation_id: str) -> None:
    """Nothing, unless a target of it is past its moment still and nobody was told."""
    workspace_id = work.workspace.id
    people = await accounts.members(work.control.db, workspace_id)
    teams = await accounts.team_names(work.control.db, workspace_id)
    async with work.workspace.write(SYSTEM) as tx:
        await escalation.miss(tx, conversation_id, teams=teams,
                              managers=[person.id for person in people if person.role in _IN_CHARGE])


async def resolved(work: Work, conversation_id: str) -> None:
    """Ask how it was, or say why not."""
    async with work.workspace.write(SYSTEM) as tx:
        await satisfaction.ask(tx, conversation_id)


async def recount(work: Work, everything: str) -> None:
    """Until everybody who waits goes by the hours and targets of now."""
    more = True
    while more:
        async with work.workspace.ingest("service level") as tx:
            more = await recounting.go_on(tx)


JOBS = [
    JobKind(MISS, miss, queries.overdue),
    JobKind(RESOLVED, resolved, queries.to_ask),
    JobKind(RECOUNT, recount, recounting.due, at_once=1),
]
