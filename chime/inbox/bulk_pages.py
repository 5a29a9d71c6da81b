"""Many conversations at once, from the list: what was chosen, or all that fit what the list is narrowed by."""

from __future__ import annotations

import json
from html import unescape
from typing import Any

import msgspec
from litestar import get, post
from litestar.response import Redirect, Response

from chime import accounts
from chime.errors import Forbidden, Invalid, NotFound
from chime.inbox import (
    bulk,
    bulk_jobs,
    carried_tags,
    conversation_tags,
    filter_queries,
    handover,
    list_filter,
    list_pane,
    resolving,
    saved_views,
    snooze,
    thread,
)
from chime.inbox.bulk import Act, BulkChange, Change
from chime.inbox.list_filter import Filter
from chime.inbox.pages import READ, REPLY, SMALL, UNASKED
from chime.security.permissions import Permission
from chime.security.scope import viewer
from chime.web.forms import form_fields, form_lists
from chime.web.here import Here
from chime.web.language import zone

_BULK = "/w/{slug:str}/inbox/bulk"
_ONE = _BULK + "/{bulk_id:str}"


@get(_BULK, opt=REPLY)
async def show_bulk(here: Here) -> Response[bytes]:
    """What can be done to the chosen: people, teams, tags, moments. Fetched with the first choice."""
    teams = await accounts.team_names(here.services.control.db, here.record.id)
    return here.page("inbox/_bulk.html", members=await thread.members(here), teams=handover.choices(here.actor, teams),
                     leaves_team=handover.reaches_every_team(here.actor), tags=await carried_tags.all_tags(here.db),
                     resolving=await resolving.asked(here.db))


@get(_BULK + "/count", opt=READ | UNASKED)
async def show_bulk_count(here: Here) -> Response[bytes]:
    """How many fit the list's address, for `Select all that match`."""
    wanted = await list_pane.shown(here)
    total = await filter_queries.count(here.workspace.db, viewer(here.actor, Permission.INBOX_REPLY),
                                       list_pane.asked(here, wanted.filter), most=bulk.MOST)
    return Response(msgspec.json.encode({"count": total, "most": bulk.MOST}), media_type="application/json",
                    headers={"Cache-Control": "no-store"})


@post(_BULK, opt=REPLY | SMALL, status_code=200)
async def create_bulk_change(here: Here) -> Response[Any]:
    """`id` for each that was chosen, or `all` with the list's `query`."""
    fields = await form_fields(here.request)
    chosen = (await form_lists(here.request, "id"))["id"]
    try:
        act = Act(fields.get("act", ""))
    except ValueError as error:
        raise Invalid.field("act", "Choose what to do.") from error
    ids = await in_hand(here, act, await _matching(here, fields.get("query", "")) if fields.get("all") else chosen)
    made = await do(here, await _meant(here, act, fields), ids)
    return _told(here, made, len(chosen) - len(ids) if not fields.get("all") else 0)


async def _matching(here: Here, query: str) -> list[str]:
    """All that fit a list's address, as the page wrote it."""
    return await matching(here, await _filter_of(here, query))


async def _filter_of(here: Here, query: str) -> Filter:
    if not query.startswith("view="):
        return list_filter.parse(query)
    found = await saved_views.view(here.db, saved_views.reader(here.actor), query.removeprefix("view="))
    if found is None:
        raise NotFound("There is no such view.")
    return found.filter


async def matching(here: Here, wanted: Filter) -> list[str]:
    """Raises Invalid when they are too many, or could not all be found in time."""
    found = await filter_queries.page(here.workspace.db, viewer(here.actor, Permission.INBOX_REPLY),
                                      list_pane.asked(here, wanted), limit=bulk.MOST + 1)
    if len(found.found) > bulk.MOST or found.is_cut_short:
        raise Invalid.field("filter", "At most 10,000 conversations at once; narrow the list first.")
    return found.ids


async def in_hand(here: Here, act: Act, ids: list[str]) -> list[str]:
    """Those of these that the actor may do this to. Raises Forbidden."""
    if not here.actor.may(act.permission):
        raise Forbidden.without(act.permission.value)
    return await filter_queries.held(here.db, viewer(here.actor, act.permission), ids,
                                     with_queue=act in (Act.ASSIGN, Act.TEAM))


async def do(here: Here, wanted: Change, ids: list[str]) -> BulkChange:
    """Change them, or have a job change them. Raises as `bulk.begin`."""
    control = here.services.control.db
    asker = await accounts.requester_of(control, here.actor)
    people = await bulk_jobs.people_of(control, here.record.id)
    if wanted.act in (Act.ASSIGN, Act.OWNER) and wanted.to is not None and wanted.to not in people.members:
        raise Invalid.field("to", "This person is not a member of the workspace.")
    if wanted.act is Act.TEAM and wanted.to is not None and wanted.to not in people.teams:
        raise Invalid.field("to", "There is no such team.")
    async with here.workspace.write(here.actor) as tx:
        bulk_id = await bulk.begin(tx, wanted, ids, people=people, person_id=asker.person_id, key_id=asker.key_id)
        made = await bulk.change(tx, bulk_id)
    if made is None:
        raise NotFound("There is no such change.")
    return made


async def _meant(here: Here, act: Act, fields: dict[str, str]) -> Change:
    value = fields.get("to", "")
    if act is Act.SNOOZE:
        calendar = zone(thread.zone_of(here))
        until = (snooze.moment(snooze.Preset(value), here.now, calendar) if value in set(snooze.Preset)
                 else snooze.typed_moment(value, here.now, calendar))
        return Change(act=act, until=until)
    if act is Act.TAG and fields.get("name"):
        async with here.workspace.write(here.actor) as tx:
            return Change(act=act, to=(await conversation_tags.named(tx, fields["name"])).id)
    if act in (Act.TAG, Act.UNTAG) and await carried_tags.tag(here.db, value) is None:
        raise Invalid.field("to", "There is no such tag.")
    if act is Act.RESOLVE:
        await resolving.chosen(here.db, reason_id=value or None)
    return Change(act=act, to=value or None)


def _words(here: Here, **values: int) -> str:
    """What a toast says, from the template that knows plurals."""
    return unescape(here.services.pages.render(here.request, "inbox/_bulk_words.html", **values).decode()).strip()


def _told(here: Here, made: BulkChange, passed_over: int) -> Response[Any]:
    if not here.is_htmx:
        return Redirect(f"{here.base}/inbox", status_code=303)
    if made.state == "running":
        return here.page("inbox/_bulk_progress.html", change=made)
    text = _words(here, changed=made.changed, passed_over=passed_over)
    undo = {"url": f"{here.base}/inbox/bulk/{made.id}/undo", "method": "POST"} if made.can_be_undone else None
    said = {"text": text} | ({"undo": undo, "seconds": 10} if undo else {})
    return Response(b"", media_type="text/html", headers={
        "HX-Trigger": json.dumps({"toast": said}), "Cache-Control": "no-store"})


@get(_ONE, opt=REPLY | UNASKED)
async def show_bulk_change(here: Here, bulk_id: str) -> Response[bytes]:
    """How far it is. One's own only."""
    return here.page("inbox/_bulk_progress.html", change=await own(here, bulk_id))


async def own(here: Here, bulk_id: str) -> BulkChange:
    """Raises NotFound."""
    found = await bulk.change(here.db, bulk_id)
    asker = await accounts.requester_of(here.services.control.db, here.actor)
    if found is None or (found.person_id, found.key_id) != (asker.person_id, asker.key_id):
        raise NotFound("There is no such change, or it is long over.")
    return found


@post(_ONE + "/undo", opt=REPLY | SMALL, status_code=200)
async def create_bulk_undo(here: Here, bulk_id: str) -> Response[Any]:
    known = await own(here, bulk_id)
    people = await bulk_jobs.people_of(here.services.control.db, here.record.id)
    async with here.workspace.write(here.actor) as tx:
        restored = await bulk.undo(tx, bulk_id, people=people)
    if not here.is_htmx:
        return Redirect(f"{here.base}/inbox", status_code=303)
    text = _words(here, restored=restored, left=known.changed - restored)
    return Response(b"", media_type="text/html", headers={
        "HX-Trigger": json.dumps({"toast": {"text": text}}), "Cache-Control": "no-store"})


ROUTES = [show_bulk, show_bulk_count, create_bulk_change, show_bulk_change, create_bulk_undo]
