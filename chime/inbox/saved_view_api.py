"""Saved views, for scripts. What is a person's own is also their key's."""

from __future__ import annotations

from typing import Literal

import msgspec
from litestar import delete, get, patch, post
from msgspec import UNSET, UnsetType

from chime import accounts
from chime.clock import rfc3339
from chime.errors import Invalid, NotFound
from chime.inbox import filter_queries, list_api, list_filter, saved_views
from chime.inbox.saved_views import NewView, SavedView, Scope, reader
from chime.security.permissions import Permission
from chime.web.forms import json_body
from chime.web.here import Here
from chime.web.idempotency import once
from chime.web.reference import Moment, Operation, api

Whose = Literal["personal", "team", "everyone"]
_ALL = "/api/v1/saved-views"
_ONE = _ALL + "/{view_id:str}"


class SavedViewAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A saved view. `filter` is what the inbox's address says of it; `count` is up to 1,000 of what this key sees."""

    id: str
    name: str
    filter: str
    scope: Whose
    team_id: str | None
    count: int
    created_at: Moment
    updated_at: Moment


class SavedViewList(msgspec.Struct, frozen=True):
    """All views a person has, in the order of their menu: at most 100."""

    items: tuple[SavedViewAnswer, ...]


class CreateSavedView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`filter` is a query string of the inbox's parameters; `team_id` goes with scope team."""

    name: str
    filter: str
    scope: Whose = "personal"
    team_id: str | None = None


class UpdateSavedView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Only what is given changes. `before`: the view it is to stand in front of, null for last."""

    name: str | UnsetType = UNSET
    filter: str | UnsetType = UNSET
    scope: Whose | UnsetType = UNSET
    team_id: str | UnsetType | None = UNSET
    before: str | UnsetType | None = UNSET


_EXAMPLE = {"id": "01kafx2v9m3q8r5t7w1y4z6b0v", "name": "Refunds", "filter": "v=all&unread=1", "scope": "everyone",
            "team_id": None, "count": 12, "created_at": "2026-11-21T09:30:00.000Z",
            "updated_at": "2026-11-21T09:30:00.000Z"}


async def _told(here: Here, view: SavedView) -> SavedViewAnswer:
    count = await filter_queries.count(here.workspace.db, here.viewer, list_api.asked(here, view.filter))
    return SavedViewAnswer(id=view.id, name=view.name, filter=view.query, scope=view.scope.value, team_id=view.team_id,
                           count=count, created_at=rfc3339(view.created_at), updated_at=rfc3339(view.updated_at))


async def _one(here: Here, view_id: str) -> SavedView:
    found = await saved_views.view(here.db, reader(here.actor), view_id)
    if found is None:
        raise NotFound("There is no such view.")
    return found


@get(_ALL, opt=api(Permission.INBOX_READ, Operation(
    tag="saved views", summary="List saved views", answer=SavedViewList,
    description="Those the key's person has, in the order of their menu. List what one holds with "
                "`/api/v1/conversations?view=`.", response_example={"items": [_EXAMPLE]})))
async def list_saved_view_answers(here: Here) -> SavedViewList:
    found = await saved_views.views(here.db, reader(here.actor))
    return SavedViewList(tuple([await _told(here, view) for view in found]))


@post(_ALL, status_code=201, opt=api(Permission.INBOX_READ, Operation(
    tag="saved views", summary="Save a view", status=201, body=CreateSavedView, answer=SavedViewAnswer,
    description="One for a team or everybody needs the scope `views:share` as well.",
    refusals={403: "The key's person may not make one of this scope.", 409: "There are too many views."},
    request_example={"name": "Refunds", "filter": "v=all&unread=1", "scope": "everyone"}, response_example=_EXAMPLE),
    small=True))
@once
async def create_saved_view_answer(here: Here) -> SavedViewAnswer:
    body = await json_body(here.request, CreateSavedView)
    new = NewView(name=body.name, filter=list_filter.parse(body.filter), scope=Scope(body.scope), team_id=body.team_id)
    await _need_team(here, new)
    async with here.workspace.write(here.actor) as tx:
        view_id = await saved_views.create(tx, new)
    return await _told(here, await _one(here, view_id))


@patch(_ONE, opt=api(Permission.INBOX_READ, Operation(
    tag="saved views", summary="Change a saved view", body=UpdateSavedView, answer=SavedViewAnswer,
    description="Only what is given changes.", refusals={403: "The key's person may not change this one."},
    request_example={"name": "Refunds to make"}, response_example=_EXAMPLE | {"name": "Refunds to make"}), small=True))
async def update_saved_view_answer(here: Here, view_id: str) -> SavedViewAnswer:
    body = await json_body(here.request, UpdateSavedView)
    known = await _one(here, view_id)
    new = NewView(name=known.name if body.name is UNSET else body.name,
                  filter=known.filter if body.filter is UNSET else list_filter.parse(body.filter),
                  scope=known.scope if body.scope is UNSET else Scope(body.scope),
                  team_id=known.team_id if body.team_id is UNSET else body.team_id)
    await _need_team(here, new)
    async with here.workspace.write(here.actor) as tx:
        await saved_views.edit(tx, view_id, new)
        if body.before is not UNSET:
            await saved_views.move(tx, view_id, before=body.before)
    return await _told(here, await _one(here, view_id))


@delete(_ONE, opt=api(Permission.INBOX_READ, Operation(
    tag="saved views", summary="Delete a saved view", status=204,
    refusals={403: "The key's person may not delete this one."}), small=True))
async def delete_saved_view_answer(here: Here, view_id: str) -> None:
    async with here.workspace.write(here.actor) as tx:
        await saved_views.delete(tx, view_id)


async def _need_team(here: Here, new: NewView) -> None:
    if new.scope is Scope.TEAM and new.team_id not in await accounts.team_ids(here.services.control.db,
                                                                              here.record.id):
        raise Invalid.field("team_id", "There is no such team.")


ROUTES = [list_saved_view_answers, create_saved_view_answer, update_saved_view_answer, delete_saved_view_answer]
