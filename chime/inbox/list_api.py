"""The list of conversations for scripts, narrowed and sorted as in the inbox; and the tags conversations can carry."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import delete, get, patch, post, put

from chime import accounts
from chime.accounts import Member
from chime.errors import Invalid, NotFound, Unavailable
from chime.inbox import (
    carried_tags,
    conversation_queries,
    conversation_tags,
    filter_queries,
    list_filter,
    saved_views,
    tag_changes,
)
from chime.inbox.answers import ConversationAnswer
from chime.inbox.carried_tags import ThreadTag
from chime.inbox.conversation_api import CONVERSATION_EXAMPLE
from chime.inbox.filter_queries import Asked
from chime.inbox.list_filter import FILES, LISTS, Filter, Sort
from chime.inbox.model import ConversationState
from chime.inbox.tag_changes import TagOf
from chime.security.permissions import Permission
from chime.web.forms import json_body
from chime.web.here import Here
from chime.web.idempotency import once
from chime.web.language import zone
from chime.web.listing import Page, decode_cursor, page_of, page_size, query_of
from chime.web.reference import PAGED, Operation, Parameter, api

_TAGS = "/api/v1/conversation-tags"
_ONE_TAG = _TAGS + "/{thread_tag_id:str}"
_CARRIED = "/api/v1/conversations/{conversation_id:str}/tags/{thread_tag_id:str}"
_SOME = {"pattern": r"^[^,\x00]{1,64}(,[^,\x00]{1,64}){0,49}$"}


def _any_of(*choices: str) -> dict[str, str]:
    one = f"({'|'.join(choices)})"
    return {"pattern": f"^{one}(,{one}){{0,{len(choices) - 1}}}$"}


FILTERS = (
    Parameter(name="view", meaning="What a saved view asks for; takes no other filter", limits={"minLength": 1}),
    Parameter(name="state", meaning="Only those that stand so; several with commas",
              limits=_any_of(*ConversationState)),
    Parameter(name="assignee", meaning="Only those of these members; `none` for those of nobody, `me` for the person "
              "of the key", limits=_SOME),
    Parameter(name="team", meaning="Only those of these teams; `none` for those of none", limits=_SOME),
    Parameter(name="channel", meaning="Only those on these numbers", limits=_SOME),
    Parameter(name="tag", meaning="Only those with one of these conversation tags, by id", limits=_SOME),
    Parameter(name="contact_tag", meaning="Only those of customers with one of these tags, by id", limits=_SOME),
    Parameter(name="has", meaning="Only those with such a file", limits=_any_of(*FILES)),
    Parameter(name="reason", meaning="Only those resolved for one of these reasons, by id", limits=_SOME),
    Parameter(name="owner", meaning="Only those of customers whom one of these members looks after; `none` for those "
              "of nobody, `me` for the person of the key", limits=_SOME),
    Parameter(name="unread", meaning="Only unread ones", choices=("1",)),
    Parameter(name="waiting", meaning="Only where a customer waits; these are open", choices=("1",)),
    Parameter(name="since", meaning="The last message is of this day or later, in the workspace's time zone",
              limits={"format": "date"}),
    Parameter(name="until", meaning="The last message is of this day or earlier", limits={"format": "date"}),
    Parameter(name="sort", meaning="In which order; `waiting` and `due` tell only open ones that wait or are due",
              choices=tuple(Sort)),
)
_NAMES = tuple(parameter.name for parameter in FILTERS)


@get("/api/v1/conversations", opt=api(Permission.INBOX_READ, Operation(
    tag="conversations", summary="List conversations", description="Those with the newest messages first. Filters are "
    "joined by AND, the values of one by OR.", answer=Page[ConversationAnswer], parameters=(*PAGED, *FILTERS),
    refusals={404: "There is no such saved view.", 503: "There was no time to look through all; ask for less."},
    response_example={"items": [CONVERSATION_EXAMPLE], "next_cursor": None})))
async def list_conversations(here: Here) -> Page[ConversationAnswer]:
    query = query_of(here.request, *_NAMES)
    limit, after = page_size(query.pop("limit", None)), decode_cursor(query.pop("cursor", None))
    wanted = await filter_of(here, query)
    found = await filter_queries.page(here.workspace.db, here.viewer, asked(here, wanted), after=after, limit=limit + 1)
    if found.is_cut_short:
        raise Unavailable("There was no time to look through all conversations; ask for less.")
    told = await _told(here, found.ids[:limit])
    return page_of(found.found, limit, place=lambda place: place, told=lambda place: told[place[1]])


async def filter_of(here: Here, query: dict[str, str]) -> Filter:
    """What the parameters ask for; without a state, all. Raises Invalid, NotFound."""
    problems = [(name, "Give a value, or leave this out.") for name, value in query.items()
                if "" in (value.split(",") if name in LISTS else [value])]
    if "view" in query and len(query) > 1:
        problems.append(("view", "A saved view takes no other filter."))
    if problems:
        raise Invalid(problems)
    if "view" in query:
        found = await saved_views.view(here.db, saved_views.reader(here.actor), query["view"])
        if found is None:
            raise NotFound("There is no such view.")
        return found.filter
    return list_filter.read(({"state": ",".join(ConversationState)} | query).items())


def asked(here: Here, wanted: Filter) -> Asked:
    """As the key's person means it, on the calendar of the workspace."""
    return Asked(filter=wanted, user_id=here.actor.on_behalf or here.actor.id or "", zone=zone(here.record.time_zone))


async def _told(here: Here, ids: list[str]) -> dict[str, ConversationAnswer]:
    rows = await conversation_queries.conversations_by_id(here.db, here.viewer, ids)
    members: dict[str, Member] = {one.id: one for one in
                                  await accounts.members(here.services.control.db, here.record.id)}
    tags = await carried_tags.carried(here.db, ids)
    return {row.id: ConversationAnswer.of(row, members, tags.get(row.id, ())) for row in rows}


class TagName(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a tag is called, in 1 to 40 characters."""

    name: str


_TAG_EXAMPLE = {"id": "01kafx2v9m3q8r5t7w1y4z6b0t", "name": "refund"}


@get(_TAGS, opt=api(Permission.INBOX_READ, Operation(
    tag="conversation tags", summary="List the tags of conversations", description="By name.", answer=Page[ThreadTag],
    parameters=PAGED, response_example={"items": [_TAG_EXAMPLE], "next_cursor": None})))
async def list_thread_tags(here: Here) -> Page[ThreadTag]:
    query = query_of(here.request)
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    rows = await carried_tags.tags_page(here.db, after=after[1] if after else "", limit=limit + 1)
    return page_of(rows, limit, place=lambda tag: (0, tag.name), told=lambda tag: tag)


@post(_TAGS, status_code=201, opt=api(Permission.TAGS_EDIT, Operation(
    tag="conversation tags", summary="Create a tag of conversations", status=201, body=TagName,
    answer=ThreadTag, refusals={409: "There is a tag of this name already, or there are 500."},
    request_example={"name": "refund"}, response_example=_TAG_EXAMPLE), small=True))
@once
async def create_thread_tag(here: Here) -> ThreadTag:
    body = await json_body(here.request, TagName)
    async with here.workspace.write(here.actor) as tx:
        return await conversation_tags.create(tx, body.name)


@patch(_ONE_TAG, opt=api(Permission.TAGS_EDIT, Operation(
    tag="conversation tags", summary="Rename a tag of conversations", body=TagName, answer=ThreadTag,
    refusals={409: "There is a tag of this name already."}, request_example={"name": "refund"},
    response_example=_TAG_EXAMPLE), small=True))
async def update_thread_tag(here: Here, thread_tag_id: str) -> ThreadTag:
    body = await json_body(here.request, TagName)
    async with here.workspace.write(here.actor) as tx:
        await tag_changes.rename(tx, TagOf.CONVERSATION, thread_tag_id, body.name)
        found = await carried_tags.tag(tx, thread_tag_id)
    if found is None:
        raise NotFound("There is no such tag.")
    return found


@delete(_ONE_TAG, opt=api(Permission.TAGS_EDIT, Operation(
    tag="conversation tags", summary="Delete a tag of conversations", status=204,
    description="Every conversation loses it; for a day it can be had back."), small=True))
async def delete_thread_tag(here: Here, thread_tag_id: str) -> None:
    async with here.workspace.write(here.actor) as tx:
        await tag_changes.delete(tx, TagOf.CONVERSATION, thread_tag_id)


@put(_CARRIED, status_code=204, opt=api(Permission.INBOX_REPLY, Operation(
    tag="conversation tags", summary="Put a tag on a conversation", status=204,
    description="One that is there stays; a conversation has at most 20."), small=True))
async def update_carried_tag(here: Here, conversation_id: str, thread_tag_id: str) -> None:
    async with here.workspace.write(here.actor) as tx:
        await conversation_tags.attach(tx, conversation_id, thread_tag_id)


@delete(_CARRIED, opt=api(Permission.INBOX_REPLY, Operation(
    tag="conversation tags", summary="Take a tag off a conversation", status=204), small=True))
async def delete_carried_tag(here: Here, conversation_id: str, thread_tag_id: str) -> None:
    await _need_conversation(here, conversation_id)
    async with here.workspace.write(here.actor) as tx:
        await conversation_tags.detach(tx, conversation_id, thread_tag_id)


async def _need_conversation(here: Here, conversation_id: str) -> None:
    if await conversation_queries.conversation(here.db, conversation_id) is None:
        raise NotFound("There is no such conversation.")


ROUTES: list[Any] = [list_conversations, list_thread_tags, create_thread_tag, update_thread_tag, delete_thread_tag,
                     update_carried_tag, delete_carried_tag]
