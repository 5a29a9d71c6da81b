"""The teams of a workspace: who is in them, and their names. Works without a script."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import get, post
from litestar.response import Redirect, Response

from chime.accounts import member_queries, teams
from chime.accounts.changes import changing
from chime.accounts.member_pages import team_gone
from chime.errors import ChimeError
from chime.security.permissions import Permission, Reach
from chime.web.forms import form_fields, form_lists
from chime.web.here import Here
from chime.workspaces import Transaction

READ = {"permission": Permission.MEMBERS_READ}
EDIT = {"permission": Permission.TEAMS_EDIT}
_TEAMS = "/w/{slug:str}/settings/teams"
_ONE = _TEAMS + "/{team_id:str}"


@get(_TEAMS, opt=READ)
async def list_teams(here: Here) -> Response[bytes]:
    return await _page(here)


async def _page(here: Here, *, status: int = 200, errors: dict[str, str] | None = None, open_id: str = "",
                name: str = "") -> Response[bytes]:
    """The page; `open_id` is the team whose form could not be taken, or `new`."""
    control, workspace_id = here.services.control.db, here.record.id
    everything = here.actor.grant(Permission.MEMBERS_READ).reach is Reach.ALL
    everywhere = teams.reaches_every_team(here.actor)
    known = await member_queries.teams(control, workspace_id)
    people = [one for one in await member_queries.members(control, workspace_id)
              if one.state != "unconfirmed" and member_queries.may_see(here.actor, one)]
    return here.page(
        "accounts/teams.html", status=status, errors=errors or {}, open_id=open_id, typed=name,
        teams=[team for team in known if everything or team.id in here.actor.teams], members=people,
        editable={team.id for team in known if here.actor.may(Permission.TEAMS_EDIT)
                  and (everywhere or team.id in here.actor.teams)},
        deletes=everywhere, said=here.request.query_params.get("said", ""))


async def _done(here: Here, verb: Callable[[Transaction], Awaitable[object]], said: str, *, open_id: str,
                name: str = "") -> Response[Any]:
    try:
        async with changing(here) as tx:
            await verb(tx)
    except ChimeError as error:
        if error.status not in (403, 409, 422) or not here.actor.may(Permission.MEMBERS_READ):
            raise
        return await _page(here, status=error.status, errors=here.problems(error), open_id=open_id, name=name)
    return Redirect(f"{here.base}/settings/teams?said={said}", status_code=303)


@post(_TEAMS, opt=EDIT, status_code=303)
async def create_team(here: Here) -> Response[Any]:
    name = (await form_fields(here.request)).get("name", "")
    return await _done(here, lambda tx: teams.create(tx, here.record.id, name), "created", open_id="new", name=name)


@post(_ONE, opt=EDIT, status_code=303)
async def edit_team(here: Here, team_id: str) -> Response[Any]:
    """Its name and everybody in it."""
    name = (await form_fields(here.request)).get("name", "")
    chosen = (await form_lists(here.request, "member"))["member"]
    return await _done(here, lambda tx: teams.edit(tx, here.record.id, team_id, name=name, user_ids=chosen), "saved",
                       open_id=team_id, name=name)


@post(_ONE + "/removal", opt=EDIT, status_code=303)
async def create_team_removal(here: Here, team_id: str) -> Response[Any]:
    answer = await _done(here, lambda tx: teams.delete(tx, here.record.id, team_id), "deleted", open_id=team_id)
    team_gone(here)
    return answer


ROUTES = [list_teams, create_team, edit_team, create_team_removal]
