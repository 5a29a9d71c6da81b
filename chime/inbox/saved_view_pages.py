"""The page of saved views: made from what a list is narrowed by, renamed, changed, reordered, deleted. Works without a
script. The menu of the list gets its counts here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import get, post
from litestar.response import Redirect, Response

from chime import accounts
from chime.errors import ChimeError, Invalid, NotFound
from chime.inbox import filter_pages, filter_queries, list_filter, list_pane, saved_views
from chime.inbox.conversation_queries import MOST_COUNTED
from chime.inbox.list_filter import Filter
from chime.inbox.pages import READ, SMALL
from chime.inbox.saved_views import NewView, SavedView, Scope, may_change, reader
from chime.web.forms import form_fields, read_form
from chime.web.here import Here
from chime.workspaces import Transaction

_PAGE = "/w/{slug:str}/inbox/views"
_ONE = _PAGE + "/{view_id:str}"
# A look at the menu asks again after so many seconds.
SECONDS = 30


@get(_PAGE, opt=READ)
async def list_saved_views(here: Here) -> Response[bytes]:
    found = await saved_views.views(here.db, reader(here.actor))
    return here.page(
        "inbox/views.html", saved=found, counts=await _counts(here, found), teams=await _teams(here),
        said=here.request.query_params.get("said", ""),
        editable={one.id for one in found if may_change(here.actor, one.scope, one.team_id)})


@get(_PAGE + "/counts", opt=READ)
async def list_view_counts(here: Here) -> Response[bytes]:
    """How many each saved view of the menu holds, by its id; the browser keeps the answer for half a minute."""
    found = await saved_views.views(here.db, reader(here.actor))
    told = {"counts": await _counts(here, found), "most": MOST_COUNTED}
    return Response(msgspec.json.encode(told), media_type="application/json",
                    headers={"Cache-Control": f"private, max-age={SECONDS}"})


async def _counts(here: Here, found: list[SavedView]) -> dict[str, int]:
    """Up to 1,000 of each, of what the reader may see."""
    return {one.id: await filter_queries.count(here.workspace.db, here.viewer, list_pane.asked(here, one.filter))
            for one in found}


async def _teams(here: Here) -> dict[str, str]:
    return await accounts.team_names(here.services.control.db, here.record.id)


@get(_PAGE + "/new", opt=READ)
async def new_saved_view(here: Here) -> Response[bytes]:
    """With the filter of the list one comes from."""
    wanted = (await list_pane.shown(here)).filter
    return await _form(here, None, {"scope": Scope.PERSONAL.value}, wanted)


@get(_ONE, opt=READ)
async def show_saved_view(here: Here, view_id: str) -> Response[bytes]:
    found = await _view_or_404(here, view_id)
    return await _form(here, found, {"name": found.name, "scope": found.scope.value, "team_id": found.team_id or ""},
                       found.filter)


async def _view_or_404(here: Here, view_id: str) -> SavedView:
    found = await saved_views.view(here.db, reader(here.actor), view_id)
    if found is None:
        raise NotFound("There is no such view.")
    return found


async def _form(here: Here, view: SavedView | None, typed: dict[str, str], wanted: Filter, *, status: int = 200,
                errors: dict[str, str] | None = None) -> Response[bytes]:
    teams = {team_id: name for team_id, name in (await _teams(here)).items()
             if may_change(here.actor, Scope.TEAM, team_id)}
    scopes = [scope.value for scope in Scope
              if scope is Scope.PERSONAL or (teams if scope is Scope.TEAM else may_change(here.actor, scope, None))]
    return here.page("inbox/view_form.html", status=status, saved=view, typed=typed, errors=errors or {},
                     teams=teams, scopes=scopes,
                     edits=view is None or may_change(here.actor, view.scope, view.team_id),
                     **await filter_pages.form_values(here, wanted))


@post(_PAGE, opt=READ | SMALL, status_code=303)
async def create_saved_view(here: Here) -> Response[Any]:
    fields = await form_fields(here.request)
    wanted = Filter()
    try:
        wanted, new = await _typed(here, fields)
        async with here.workspace.write(here.actor) as tx:
            view_id = await saved_views.create(tx, new)
    except ChimeError as error:
        return await _refused(here, None, fields, wanted, error)
    return Redirect(f"{here.base}/inbox?{urlencode({'view': view_id})}", status_code=303)


@post(_ONE, opt=READ | SMALL, status_code=303)
async def update_saved_view(here: Here, view_id: str) -> Response[Any]:
    found = await _view_or_404(here, view_id)
    fields = await form_fields(here.request)
    wanted = found.filter
    try:
        wanted, new = await _typed(here, fields)
        async with here.workspace.write(here.actor) as tx:
            await saved_views.edit(tx, view_id, new)
    except ChimeError as error:
        return await _refused(here, found, fields, wanted, error)
    return _back(here, "saved")


async def _typed(here: Here, fields: dict[str, str]) -> tuple[Filter, NewView]:
    """Raises Invalid."""
    form = await read_form(here.request)
    wanted = list_filter.read((name, value) for name, value in form.multi_items() if isinstance(value, str))
    if fields.get("scope", "") not in set(Scope):
        raise Invalid.field("scope", "Choose who sees it.")
    scope = Scope(fields["scope"])
    if scope is Scope.TEAM and fields.get("team_id", "") not in await _teams(here):
        raise Invalid.field("team_id", "Choose a team.")
    return wanted, NewView(name=fields.get("name", ""), filter=wanted, scope=scope, team_id=fields.get("team_id"))


async def _refused(here: Here, view: SavedView | None, fields: dict[str, str], wanted: Filter, error: ChimeError
                   ) -> Response[bytes]:
    if error.status not in (403, 409, 422):
        raise error
    return await _form(here, view, fields, wanted, status=error.status, errors=here.problems(error))


@post(_ONE + "/removal", opt=READ | SMALL, status_code=303)
async def create_view_removal(here: Here, view_id: str) -> Response[Any]:
    return await _done(here, lambda tx: saved_views.delete(tx, view_id), "deleted")


@post(_ONE + "/place", opt=READ | SMALL, status_code=303)
async def create_view_place(here: Here, view_id: str) -> Response[Any]:
    """`before`: the view it is to stand in front of; empty for last."""
    before = (await form_fields(here.request)).get("before") or None
    return await _done(here, lambda tx: saved_views.move(tx, view_id, before=before), "moved")


async def _done(here: Here, verb: Callable[[Transaction], Awaitable[None]], said: str) -> Response[Any]:
    async with here.workspace.write(here.actor) as tx:
        await verb(tx)
    return _back(here, said)


def _back(here: Here, said: str) -> Response[Any]:
    return Redirect(f"{here.base}/inbox/views?{urlencode({'said': said})}", status_code=303)


ROUTES = [list_saved_views, list_view_counts, new_saved_view, show_saved_view, create_saved_view, update_saved_view,
          create_view_removal, create_view_place]
