"""What can be done to a team. `tx` is control's.

To put somebody into a team gives them sight of its conversations. So who does it must have that sight: whoever reads
the whole inbox, in any team; everybody else only in teams of their own. And since conversations of a team that is gone
are everybody's, only the former may delete one.
"""

from __future__ import annotations

from collections.abc import Collection

from chime.accounts import member_queries
from chime.accounts.authority import authority
from chime.accounts.member_queries import Team
from chime.accounts.model import check_name
from chime.errors import Conflict, Forbidden, Invalid, NotFound
from chime.security.permissions import Actor, Permission, Reach
from chime.workspaces import Transaction

MOST_TEAMS = 200


def reaches_every_team(actor: Actor) -> bool:
    """Whether they manage all teams, and not only those they belong to."""
    return (actor.grant(Permission.TEAMS_EDIT).reach is Reach.ALL
            and actor.grant(Permission.INBOX_READ).reach is Reach.ALL)


async def create(tx: Transaction, workspace_id: str, name: str) -> str:
    """A new team; who manages only their own teams is in it from the start. Raises Forbidden, Invalid, Conflict."""
    actor = await authority(tx, workspace_id, Permission.TEAMS_EDIT)
    name = await _free(tx, workspace_id, name)
    if await tx.value("SELECT count(*) FROM team WHERE workspace_id = ?", workspace_id) >= MOST_TEAMS:
        raise Conflict("A workspace has at most 200 teams.")
    team_id = tx.new_id()
    await tx.execute("INSERT INTO team (id, workspace_id, name, created_at) VALUES (?, ?, ?, ?)",
                     team_id, workspace_id, name, tx.now)
    if actor.kind == "user" and not reaches_every_team(actor):
        await tx.execute("INSERT INTO team_member (team_id, user_id) VALUES (?, ?)", team_id, actor.id)
    await tx.audit("team.created", "team", team_id, workspace_id=workspace_id)
    return team_id


async def rename(tx: Transaction, workspace_id: str, team_id: str, name: str) -> None:
    """Raises Forbidden, NotFound, Invalid, Conflict."""
    actor = await authority(tx, workspace_id, Permission.TEAMS_EDIT)
    team = await _within_reach(tx, workspace_id, team_id, actor)
    if check_name(name) == team.name:
        return
    name = await _free(tx, workspace_id, name, team_id)
    await tx.execute("UPDATE team SET name = ? WHERE id = ?", name, team_id)
    await tx.audit("team.renamed", "team", team_id, workspace_id=workspace_id)


async def edit(tx: Transaction, workspace_id: str, team_id: str, *, name: str, user_ids: Collection[str]) -> None:
    """Its name, and everybody in it. Raises Forbidden, NotFound, Invalid."""
    await rename(tx, workspace_id, team_id, name)
    await set_members(tx, workspace_id, team_id, user_ids)


async def delete(tx: Transaction, workspace_id: str, team_id: str) -> None:
    """Its conversations are everybody's from then on. Raises Forbidden, NotFound."""
    actor = await authority(tx, workspace_id, Permission.TEAMS_EDIT)
    await _within_reach(tx, workspace_id, team_id, actor)
    if not reaches_every_team(actor):
        raise Forbidden("Only somebody who sees every conversation can delete a team.")
    await tx.execute("DELETE FROM team WHERE id = ?", team_id)
    await tx.audit("team.deleted", "team", team_id, workspace_id=workspace_id)


async def set_members(tx: Transaction, workspace_id: str, team_id: str, user_ids: Collection[str]) -> None:
    """Exactly these people are in the team. Raises Forbidden, NotFound, Invalid."""
    actor = await authority(tx, workspace_id, Permission.TEAMS_EDIT)
    team = await _within_reach(tx, workspace_id, team_id, actor)
    known = {row[0] for row in await tx.rows("SELECT user_id FROM membership WHERE workspace_id = ? "
                                             "AND state <> 'unconfirmed'", workspace_id)}
    wanted, before = set(user_ids), set(team.members)
    if not wanted <= known:
        raise Invalid.field("members", "Somebody here is not a member of the workspace.")
    await _change(tx, workspace_id, added=[(team_id, one) for one in wanted - before],
                  removed=[(team_id, one) for one in before - wanted])


async def set_teams(tx: Transaction, workspace_id: str, user_id: str, team_ids: Collection[str]) -> None:
    """A member is in exactly these teams; teams out of the actor's reach stay as they are.

    Raises Forbidden, NotFound, Invalid."""
    actor = await authority(tx, workspace_id, Permission.TEAMS_EDIT)
    found = await member_queries.member(tx, workspace_id, user_id)
    if found is None or found.state == "unconfirmed" or not member_queries.may_see(actor, found):
        raise NotFound("There is no such member.")
    teams = {team.id for team in await member_queries.teams(tx, workspace_id)}
    if not set(team_ids) <= teams:
        raise Invalid.field("teams", "There is no such team.")
    reached = teams if reaches_every_team(actor) else teams & actor.teams
    wanted, before = set(team_ids), set(found.teams)
    if not wanted - before <= reached:
        raise Invalid.field("teams", "You can add people only to teams of your own.")
    await _change(tx, workspace_id, added=[(one, user_id) for one in wanted - before],
                  removed=[(one, user_id) for one in (before - wanted) & reached])


async def _change(tx: Transaction, workspace_id: str, *, added: list[tuple[str, str]],
                  removed: list[tuple[str, str]]) -> None:
    for team_id, user_id in added:
        await tx.execute("INSERT INTO team_member (team_id, user_id) VALUES (?, ?)", team_id, user_id)
    for team_id, user_id in removed:
        await tx.execute("DELETE FROM team_member WHERE team_id = ? AND user_id = ?", team_id, user_id)
    for team_id in sorted({pair[0] for pair in (*added, *removed)}):
        await tx.audit("team.members_changed", "team", team_id, workspace_id=workspace_id,
                       added=sorted(pair[1] for pair in added if pair[0] == team_id),
                       removed=sorted(pair[1] for pair in removed if pair[0] == team_id))


async def _within_reach(tx: Transaction, workspace_id: str, team_id: str, actor: Actor) -> Team:
    found = await member_queries.team(tx, workspace_id, team_id)
    if found is None:
        raise NotFound("There is no such team.")
    if not reaches_every_team(actor) and team_id not in actor.teams:
        raise Forbidden("This is not a team of yours.")
    return found


async def _free(tx: Transaction, workspace_id: str, name: str, team_id: str = "") -> str:
    name = check_name(name)
    if await tx.value("SELECT 1 FROM team WHERE workspace_id = ? AND name = ? AND id <> ?",
                      workspace_id, name, team_id):
        raise Invalid.field("name", "There is a team of this name already.")
    return name
