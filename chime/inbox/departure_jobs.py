"""Open conversations of people who are no active members any more go back to the queue, and those of teams that are
gone are everybody's. Contacts whom somebody removed looked after have no owner then; who is suspended keeps them.

Memberships and teams are in another file than conversations, so the two cannot change together. Whoever removes
somebody has this run at once; the sweep finds what a crash or a command at the shell left. Until then nobody gains
sight of anything: a conversation of somebody who left is seen by those who saw it before.
"""

from __future__ import annotations

from chime import accounts, contacts
from chime.accounts import EVERYBODY, UNASSIGN
from chime.db import Db
from chime.inbox import departure_queries as queries
from chime.inbox.actions import assign, leave_team
from chime.jobs import JobKind, Work
from chime.security.permissions import SYSTEM

AT_A_TIME = 200


async def let_go(work: Work, whose: str) -> None:
    """Look at all who hold something; small transactions, so that the inbox goes on meanwhile."""
    workspace, control = work.workspace, work.control.db
    for user_id in await queries.assignees(workspace.db) - await accounts.active_ids(control, workspace.id):
        while held := await queries.open_of(workspace.db, user_id, AT_A_TIME):
            async with workspace.write(SYSTEM) as tx:
                for conversation_id in held:
                    await assign(tx, conversation_id, assignee_id=None, assignee_name="")
    for user_id in await contacts.owner_ids(workspace.db) - await accounts.member_ids(control, workspace.id):
        left = True
        while left:
            async with workspace.write(SYSTEM) as tx:
                left = await contacts.release(tx, user_id) > 0
    for team_id in await queries.teams_named(workspace.db) - await accounts.team_ids(control, workspace.id):
        while held := await queries.of_team(workspace.db, team_id, AT_A_TIME):
            async with workspace.write(SYSTEM) as tx:
                for conversation_id in held:
                    await leave_team(tx, conversation_id)


async def due(db: Db, now: int) -> list[str]:
    """Somebody holds something: whether they should is for the job to ask, in the other file."""
    return [EVERYBODY] if await queries.is_anything_held(db) else []


JOBS = [JobKind(UNASSIGN, let_go, due, at_once=1)]
