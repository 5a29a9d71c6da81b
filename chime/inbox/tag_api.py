"""Renaming, merging and deleting tags as a whole, and having them back, for scripts."""

from __future__ import annotations

import msgspec
from litestar import delete, get, patch, post

from chime.clock import rfc3339
from chime.errors import NotFound
from chime.inbox import tag_changes
from chime.inbox.tag_changes import CountedTag, TagChange, TagOf
from chime.security.permissions import Permission
from chime.web.forms import json_body
from chime.web.here import Here
from chime.web.idempotency import once
from chime.web.listing import Page, decode_cursor, page_of, page_size, query_of
from chime.web.reference import PAGED, Moment, Operation, api

_TAG = "/api/v1/tags/{tag_id:str}"
_THREAD_TAG = "/api/v1/conversation-tags/{thread_tag_id:str}"
_CHANGES = "/api/v1/tag-changes"


class NewTagName(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a tag is called, in 1 to 40 characters."""

    name: str


class MergeTag(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The tag that takes its place, of the same kind."""

    into_id: str


class TagChangeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A tag that was deleted, or merged into `into_id`; it can be had back until `undo_until`."""

    id: str
    subject: TagOf
    tag_id: str
    name: str
    into_id: str | None
    at: Moment
    undo_until: Moment


_EXAMPLE = {"id": "01kafx2v9m3q8r5t7w1y4z6b0v", "subject": "contact", "tag_id": "01kafx2v9m3q8r5t7w1y4z6b0t",
            "name": "vip", "into_id": None, "at": "2026-11-21T09:30:00.000Z",
            "undo_until": "2026-11-22T09:30:00.000Z"}


def _told(change: TagChange) -> TagChangeAnswer:
    return TagChangeAnswer(id=change.id, subject=change.subject, tag_id=change.tag_id, name=change.name,
                           into_id=change.into_id, at=rfc3339(change.at),
                           undo_until=rfc3339(change.at + tag_changes.UNDO_FOR))


@patch(_TAG, opt=api(Permission.TAGS_EDIT, Operation(
    tag="tags", summary="Rename a tag", body=NewTagName, answer=CountedTag,
    refusals={409: "There is a tag of this name already."}, request_example={"name": "regular"},
    response_example={"id": _EXAMPLE["tag_id"], "name": "regular", "count": 12}), small=True))
async def update_tag_answer(here: Here, tag_id: str) -> CountedTag:
    body = await json_body(here.request, NewTagName)
    async with here.workspace.write(here.actor) as tx:
        await tag_changes.rename(tx, TagOf.CONTACT, tag_id, body.name)
        found = [one for one in await tag_changes.counted(tx, TagOf.CONTACT) if one.id == tag_id]
    if not found:
        raise NotFound("There is no such tag.")
    return found[0]


@delete(_TAG, opt=api(Permission.TAGS_EDIT, Operation(
    tag="tags", summary="Delete a tag", status=204,
    description="Every contact loses it; for a day it can be had back."), small=True))
async def delete_tag_answer(here: Here, tag_id: str) -> None:
    async with here.workspace.write(here.actor) as tx:
        await tag_changes.delete(tx, TagOf.CONTACT, tag_id)


@post(_TAG + "/merge", status_code=200, opt=api(Permission.TAGS_EDIT, Operation(
    tag="tags", summary="Merge a tag into another", body=MergeTag, answer=TagChangeAnswer,
    request_example={"into_id": "01kafx2v9m3q8r5t7w1y4z6b0x"},
    response_example=_EXAMPLE | {"into_id": "01kafx2v9m3q8r5t7w1y4z6b0x"}), small=True))
@once
async def create_tag_merge_answer(here: Here, tag_id: str) -> TagChangeAnswer:
    return await _merge(here, TagOf.CONTACT, tag_id)


@post(_THREAD_TAG + "/merge", status_code=200, opt=api(Permission.TAGS_EDIT, Operation(
    tag="conversation tags", summary="Merge a tag of conversations into another", body=MergeTag,
    answer=TagChangeAnswer, request_example={"into_id": "01kafx2v9m3q8r5t7w1y4z6b0x"},
    response_example=_EXAMPLE | {"subject": "conversation", "into_id": "01kafx2v9m3q8r5t7w1y4z6b0x"}), small=True))
@once
async def create_thread_tag_merge_answer(here: Here, thread_tag_id: str) -> TagChangeAnswer:
    return await _merge(here, TagOf.CONVERSATION, thread_tag_id)


async def _merge(here: Here, subject: TagOf, tag_id: str) -> TagChangeAnswer:
    body = await json_body(here.request, MergeTag)
    async with here.workspace.write(here.actor) as tx:
        change_id = await tag_changes.merge(tx, subject, tag_id, body.into_id)
        made = [one for one in await tag_changes.changes(tx, tx.now) if one.id == change_id]
    if not made:
        raise NotFound("There is no such change.")
    return _told(made[0])


@get(_CHANGES, opt=api(Permission.TAGS_EDIT, Operation(
    tag="tags", summary="List tags that can be had back", answer=Page[TagChangeAnswer], parameters=PAGED,
    description="Deleted or merged within a day, the newest first; 20 at most.",
    response_example={"items": [_EXAMPLE], "next_cursor": None})))
async def list_tag_change_answers(here: Here) -> Page[TagChangeAnswer]:
    query = query_of(here.request)
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    found = await tag_changes.changes(here.db, here.now)
    begin = min(max(after[0], 0), len(found)) if after else 0
    return page_of(found[begin:begin + limit + 1], limit, place=lambda one: (found.index(one) + 1, one.id), told=_told)


@post(_CHANGES + "/{tag_change_id:str}/undo", status_code=204, opt=api(Permission.TAGS_EDIT, Operation(
    tag="tags", summary="Have a tag back", status=204, description="On those that are still there.",
    refusals={409: "There is a tag of this name again."}), small=True))
@once
async def create_tag_undo_answer(here: Here, tag_change_id: str) -> None:
    async with here.workspace.write(here.actor) as tx:
        await tag_changes.undo(tx, tag_change_id)


ROUTES = [update_tag_answer, delete_tag_answer, create_tag_merge_answer, create_thread_tag_merge_answer,
          list_tag_change_answers, create_tag_undo_answer]
