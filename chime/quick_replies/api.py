"""Quick replies, for scripts. What is a person's own is also their key's; files are added on the page."""

from __future__ import annotations

from typing import Literal

import msgspec
from litestar import delete, get, patch, post
from msgspec import UNSET, UnsetType

from chime import accounts
from chime.clock import rfc3339
from chime.errors import Invalid, NotFound
from chime.quick_replies import actions, queries
from chime.quick_replies.model import NewReply, QuickReply, ReplyFile, Scope, reader
from chime.security.permissions import Permission
from chime.web.forms import json_body
from chime.web.here import Here
from chime.web.idempotency import once
from chime.web.listing import Page, decode_cursor, page_of, page_size, query_of
from chime.web.reference import PAGED, Moment, Operation, api

Whose = Literal["personal", "team", "everyone"]
_ALL = "/api/v1/quick-replies"
_ONE = _ALL + "/{reply_id:str}"


class QuickReplyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A quick reply. `code` is what one types after a slash; `team_id` is null unless `scope` is team. The text has
    its blanks as they were written."""

    id: str
    code: str
    title: str
    category: str
    text: str
    scope: Whose
    team_id: str | None
    files: tuple[ReplyFile, ...]
    used_count: int
    used_at: Moment | None
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, reply: QuickReply) -> QuickReplyAnswer:
        files = tuple(ReplyFile(id=file.id, kind=file.kind, mime_type=file.mime_type, filename=file.filename,
                                size=file.size) for file in reply.files)
        return cls(id=reply.id, code=reply.code, title=reply.title, category=reply.category, text=reply.text,
                   scope=reply.scope.value, team_id=reply.team_id, files=files, used_count=reply.used_count,
                   used_at=rfc3339(reply.used_at) if reply.used_at else None, created_at=rfc3339(reply.created_at),
                   updated_at=rfc3339(reply.updated_at))


class CreateQuickReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`scope` personal is for the person whose key this is; `team_id` goes with scope team."""

    code: str
    title: str
    text: str
    category: str = ""
    scope: Whose = "everyone"
    team_id: str | None = None


class UpdateQuickReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Only what is given changes."""

    code: str | UnsetType = UNSET
    title: str | UnsetType = UNSET
    text: str | UnsetType = UNSET
    category: str | UnsetType = UNSET
    scope: Whose | UnsetType = UNSET
    team_id: str | UnsetType | None = UNSET


_EXAMPLE: dict[str, object] = {
    "id": "01kafx2v9m3q8r5t7w1y4z6b0e", "code": "hours", "title": "Opening hours", "category": "Shop",
    "text": "Hello {{contact.first_name|there}}, we are open from 9 to 18.", "scope": "everyone", "team_id": None,
    "files": [], "used_count": 0, "used_at": None, "created_at": "2026-11-21T09:30:00.000Z",
    "updated_at": "2026-11-21T09:30:00.000Z",
}
_NEW: dict[str, object] = {name: _EXAMPLE[name] for name in ("code", "title", "category", "text", "scope")}


@get(_ALL, opt=api(Permission.INBOX_REPLY, Operation(
    tag="quick replies", summary="List quick replies", answer=Page[QuickReplyAnswer], parameters=PAGED,
    description="Those the key's person sees, in the order in which they were made.",
    response_example={"items": [_EXAMPLE], "next_cursor": None})))
async def list_quick_reply_answers(here: Here) -> Page[QuickReplyAnswer]:
    query = query_of(here.request)
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    rows = await queries.replies_by_id(here.db, reader(here.actor), after=after[1] if after else queries.FIRST,
                                       limit=limit + 1)
    return page_of(rows, limit, place=lambda row: (0, row.id), told=QuickReplyAnswer.of)


@post(_ALL, status_code=201, opt=api(Permission.INBOX_QUICK_REPLIES, Operation(
    tag="quick replies", summary="Create a quick reply", status=201, body=CreateQuickReply, answer=QuickReplyAnswer,
    description="Blanks stand in double braces, with a fallback after a bar: {{contact.first_name|there}}.",
    refusals={403: "The key's person may not make one of this scope.", 409: "There are too many quick replies."},
    request_example=_NEW, response_example=_EXAMPLE)))
@once
async def create_quick_reply_answer(here: Here) -> QuickReplyAnswer:
    body = await json_body(here.request, CreateQuickReply)
    new = NewReply(code=body.code, title=body.title, text=body.text, category=body.category, scope=Scope(body.scope),
                   team_id=body.team_id)
    await _need_team(here, new)
    async with here.workspace.write(here.actor) as tx:
        reply_id = await actions.create(tx, new)
    return QuickReplyAnswer.of(await _one(here, reply_id))


@patch(_ONE, opt=api(Permission.INBOX_QUICK_REPLIES, Operation(
    tag="quick replies", summary="Change a quick reply", body=UpdateQuickReply, answer=QuickReplyAnswer,
    description="Only what is given changes.", refusals={403: "The key's person may not change this one."},
    request_example={"text": "We are open from 10 to 17 this week."},
    response_example=_EXAMPLE | {"text": "We are open from 10 to 17 this week."})))
async def update_quick_reply_answer(here: Here, reply_id: str) -> QuickReplyAnswer:
    body = await json_body(here.request, UpdateQuickReply)
    known = await _one(here, reply_id)
    new = NewReply(code=_given(body.code, known.code), title=_given(body.title, known.title),
                   text=_given(body.text, known.text), category=_given(body.category, known.category),
                   scope=known.scope if body.scope is UNSET else Scope(body.scope),
                   team_id=known.team_id if body.team_id is UNSET else body.team_id)
    await _need_team(here, new)
    async with here.workspace.write(here.actor) as tx:
        await actions.edit(tx, reply_id, new)
    return QuickReplyAnswer.of(await _one(here, reply_id))


def _given(value: str | UnsetType, known: str) -> str:
    return known if value is UNSET else value


async def _need_team(here: Here, new: NewReply) -> None:
    if new.scope is Scope.TEAM and new.team_id not in await accounts.team_ids(here.services.control.db,
                                                                              here.record.id):
        raise Invalid.field("team_id", "There is no such team.")


@delete(_ONE, opt=api(Permission.INBOX_QUICK_REPLIES, Operation(
    tag="quick replies", summary="Delete a quick reply", status=204,
    description="People can have it back on the page for an hour.",
    refusals={403: "The key's person may not delete this one."}), small=True))
async def delete_quick_reply_answer(here: Here, reply_id: str) -> None:
    async with here.workspace.write(here.actor) as tx:
        await actions.delete(tx, reply_id)


async def _one(here: Here, reply_id: str) -> QuickReply:
    found = await queries.reply(here.db, reader(here.actor), reply_id)
    if found is None:
        raise NotFound("There is no such quick reply.")
    return found


ROUTES = [list_quick_reply_answers, create_quick_reply_answer, update_quick_reply_answer, delete_quick_reply_answer]
