"""Many conversations at once, for scripts: by their ids or by what they have in common; watched, and taken back."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from litestar import get, post
from msgspec import UNSET, UnsetType

from chime.clock import rfc3339
from chime.errors import Invalid
from chime.inbox import bulk, bulk_jobs, bulk_pages, carried_tags, list_filter, merging, resolving
from chime.inbox.bulk import Act, BulkChange, Change
from chime.inbox.queue_api import moment
from chime.security.permissions import Permission
from chime.web.forms import json_body
from chime.web.here import Here
from chime.web.idempotency import once
from chime.web.reference import Moment, Operation, api

_ALL = "/api/v1/bulk-changes"
_ONE = _ALL + "/{bulk_id:str}"
_Ids = Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=200)]


class CreateBulkChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Either `conversation_ids` or `filter`, a query string of the inbox's parameters. `to` is the member or team
    (null for none), the tag, or the reason for which it is resolved, `until` when a snooze ends (null for the
    customer's next message)."""

    act: Literal["assign", "team", "tag", "untag", "resolve", "reopen", "snooze", "read", "unread", "owner"]
    conversation_ids: _Ids | UnsetType = UNSET
    filter: str | UnsetType = UNSET
    to: str | None = None
    until: Moment | None = None


class BulkChangeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How far it is: `done` of `total` have been looked at, `changed` are others than before. It can be undone for a
    minute, and is forgotten after that."""

    id: str
    act: str
    state: Literal["running", "done", "undone"]
    total: int
    done: int
    changed: int
    created_at: Moment
    ended_at: Moment | None


_EXAMPLE = {"id": "01kafx2v9m3q8r5t7w1y4z6b0u", "act": "resolve", "state": "done", "total": 2, "done": 2, "changed": 2,
            "created_at": "2026-11-21T09:30:00.000Z", "ended_at": "2026-11-21T09:30:00.000Z"}


def _told(made: BulkChange) -> BulkChangeAnswer:
    return BulkChangeAnswer(id=made.id, act=made.act.value, state=made.state, total=made.total, done=made.done,
                            changed=made.changed, created_at=rfc3339(made.created_at),
                            ended_at=rfc3339(made.ended_at) if made.ended_at else None)


@post(_ALL, status_code=202, opt=api(Permission.INBOX_REPLY, Operation(
    tag="bulk changes", summary="Change many conversations", status=202, body=CreateBulkChange,
    answer=BulkChangeAnswer,
    description="Those the key may not change are left out. Up to 200 are changed at once, up to 10,000 one after the "
                "other. The acts assign and team need the scope `inbox:assign` as well.",
    refusals={403: "The key may not do this.", 409: "None of these is there, or the key's to change."},
    request_example={"act": "resolve", "conversation_ids": ["01kafx2v9m3q8r5t7w1y4z6b0h"]},
    response_example=_EXAMPLE)))
@once
async def create_bulk_change_answer(here: Here) -> BulkChangeAnswer:
    body = await json_body(here.request, CreateBulkChange)
    if (body.conversation_ids is UNSET) == (body.filter is UNSET):
        raise Invalid.field("filter", "Give either conversation_ids or filter.")
    act = Act(body.act)
    ids = (await merging.lead_to(here.db, list(body.conversation_ids)) if body.conversation_ids is not UNSET
           else await bulk_pages.matching(here, list_filter.parse(body.filter or "")))
    wanted = await _meant(here, act, body)
    return _told(await bulk_pages.do(here, wanted, await bulk_pages.in_hand(here, act, ids)))


async def _meant(here: Here, act: Act, body: CreateBulkChange) -> Change:
    if act is Act.SNOOZE:
        return Change(act=act, until=None if body.until is None else moment(body.until, here.now))
    if act in (Act.TAG, Act.UNTAG) and await carried_tags.tag(here.db, body.to or "") is None:
        raise Invalid.field("to", "There is no such tag.")
    if act is Act.RESOLVE:
        await resolving.chosen(here.db, reason_id=body.to)
    return Change(act=act, to=body.to)


@get(_ONE, opt=api(Permission.INBOX_REPLY, Operation(
    tag="bulk changes", summary="Watch a change of many conversations", answer=BulkChangeAnswer,
    description="Only of one's own, and until a minute after its end.", response_example=_EXAMPLE)))
async def show_bulk_change_answer(here: Here, bulk_id: str) -> BulkChangeAnswer:
    return _told(await bulk_pages.own(here, bulk_id))


@post(_ONE + "/undo", status_code=200, opt=api(Permission.INBOX_REPLY, Operation(
    tag="bulk changes", summary="Undo a change of many conversations", answer=BulkChangeAnswer,
    description="For a minute after its end. What somebody has changed again since stays as it is.",
    refusals={409: "It is too late, or it is undone already."}, response_example=_EXAMPLE | {"state": "undone"}),
    small=True))
@once
async def create_bulk_undo_answer(here: Here, bulk_id: str) -> BulkChangeAnswer:
    await bulk_pages.own(here, bulk_id)
    people = await bulk_jobs.people_of(here.services.control.db, here.record.id)
    async with here.workspace.write(here.actor) as tx:
        await bulk.undo(tx, bulk_id, people=people)
    return _told(await bulk_pages.own(here, bulk_id))


ROUTES = [create_bulk_change_answer, show_bulk_change_answer, create_bulk_undo_answer]
