"""Giving a conversation to a team: to which, by whom, and what follows.

Promises: nobody gives it out of their own sight, or into everybody's, unless their right to assign reaches everywhere;
whoever loses sight of it is told nothing but that their list is another one.
"""

from __future__ import annotations

from chime.accounts import QUEUE, ROUTE
from chime.errors import Forbidden, Invalid, NotFound
from chime.inbox import clocks
from chime.inbox.actions import add_event
from chime.security.permissions import Actor, Permission, Reach
from chime.workspaces import Transaction


def reaches_every_team(actor: Actor) -> bool:
    """Whether they may give conversations to teams they do not belong to, and take them out of any."""
    return actor.kind in ("system", "operator") or actor.grant(Permission.INBOX_ASSIGN).reach is Reach.ALL


def choices(actor: Actor, teams: dict[str, str]) -> dict[str, str]:
    """Of these teams, by id, those to which somebody may give a conversation."""
    if reaches_every_team(actor):
        return teams
    return {team_id: name for team_id, name in teams.items() if team_id in actor.teams}


async def give_to_team(tx: Transaction, conversation_id: str, team_id: str | None, *, teams: dict[str, str]) -> None:
    """It is this team's from now on, or everybody's. `teams` are those there are, by id. Raises NotFound, Invalid,
    Forbidden."""
    rows = await tx.rows("SELECT team_id FROM conversation WHERE id = ?", conversation_id)
    if not rows:
        raise NotFound("There is no such conversation.")
    before = rows[0][0]
    if team_id == before:
        return
    if team_id is None:
        if not reaches_every_team(tx.actor):
            raise Forbidden("Only somebody who assigns every conversation can take one out of its team.")
    elif team_id not in teams:
        raise Invalid.field("team_id", "There is no such team.")
    elif team_id not in choices(tx.actor, teams):
        raise Forbidden("You can give a conversation only to a team of your own.")
    await hand_over(tx, conversation_id, before, team_id, teams=teams)


async def hand_over(tx: Transaction, conversation_id: str, before: str | None, team_id: str | None, *,
                    teams: dict[str, str]) -> None:
    """The same without asking whether they may: what is undone was allowed when it was done."""
    await tx.execute("UPDATE conversation SET team_id = ? WHERE id = ?", team_id, conversation_id)
    await clocks.count_again(tx, conversation_id)
    await add_event(tx, conversation_id, "given_to_team" if team_id else "taken_from_team", actor_name=tx.actor.name,
                    team_id=team_id or before, team_name=teams.get(team_id or before or "", ""))
    await tx.audit("conversation.team_assigned", "conversation", conversation_id, before={"team_id": before},
                   after={"team_id": team_id})
    tx.enqueue(ROUTE, QUEUE)
    tx.publish("inbox", "list")
