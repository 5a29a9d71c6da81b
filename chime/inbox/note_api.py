"""Private notes, for scripts. A key writes in its own name and changes only what it wrote."""

from __future__ import annotations

import msgspec
from litestar import delete, get, patch, post

from chime.clock import rfc3339
from chime.errors import NotFound
from chime.inbox import conversation_queries, note_pages, notes, thread
from chime.inbox.notes import Note
from chime.phone import shown_text
from chime.security.permissions import Permission
from chime.web.forms import json_body
from chime.web.here import Here
from chime.web.idempotency import client_id, once
from chime.web.listing import Page, decode_cursor, page_of, page_size, query_of
from chime.web.reference import PAGED, Moment, Operation, api

_OF_ONE = "/api/v1/conversations/{conversation_id:str}/notes"
_NOTE = "/api/v1/notes/{note_id:str}"
_FIRST = (0, "")


class NoteAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the team says among itself; the customer never sees it. Of a deleted one the words are gone. `about` is
    empty for what somebody wrote; else reminder, scheduled_held or scheduled_failed."""

    id: str
    conversation_id: str
    author_id: str | None
    author_name: str
    text: str
    about: str
    at: Moment
    edited_at: Moment | None
    deleted_at: Moment | None

    @classmethod
    def of(cls, row: Note) -> NoteAnswer:
        return cls(id=row.id, conversation_id=row.conversation_id, author_id=row.author_id,
                   author_name=row.author_name, text=shown_text(row.text), about=row.about, at=rfc3339(row.at),
                   edited_at=rfc3339(row.edited_at) if row.edited_at else None,
                   deleted_at=rfc3339(row.deleted_at) if row.deleted_at else None)


class WriteNote(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`@name` mentions a member or a team, who must be able to see the conversation."""

    text: str


_EXAMPLE: dict[str, object] = {
    "id": "01kafx2v9m3q8r5t7w1y4z6b0n", "conversation_id": "01kafx2v9m3q8r5t7w1y4z6b0h",
    "author_id": "01kafx2v9m3q8r5t7w1y4z6b0k", "author_name": "Alice", "text": "Ask the depot, @Mo", "about": "",
    "at": "2026-11-21T09:30:00.000Z", "edited_at": None, "deleted_at": None}


async def _one(here: Here, note_id: str) -> Note:
    found = await notes.note(here.db, note_id)
    if found is None:
        raise NotFound("There is no such note.")
    return found


@get(_OF_ONE, opt=api(Permission.INBOX_READ, Operation(
    tag="notes", summary="List the private notes of a conversation", answer=Page[NoteAnswer], parameters=PAGED,
    description="The oldest first.", response_example={"items": [_EXAMPLE], "next_cursor": None})))
async def list_note_answers(here: Here, conversation_id: str) -> Page[NoteAnswer]:
    query = query_of(here.request)
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor")) or _FIRST
    if (await conversation_queries.conversation(here.db, conversation_id) is None
            or not await thread.in_hand(here, conversation_id)):
        raise NotFound("There is no such conversation.")
    rows = await notes.notes_after(here.db, conversation_id, after=after, limit=limit + 1)
    return page_of(rows, limit, place=lambda row: (row.at, row.id), told=NoteAnswer.of)


@post(_OF_ONE, status_code=201, opt=api(Permission.INBOX_REPLY, Operation(
    tag="notes", summary="Write a private note", status=201, body=WriteNote, answer=NoteAnswer,
    request_example={"text": "Ask the depot, @Mo"}, response_example=_EXAMPLE), small=True))
@once
async def create_note_answer(here: Here, conversation_id: str) -> NoteAnswer:
    body = await json_body(here.request, WriteNote)
    if await conversation_queries.conversation(here.db, conversation_id) is None:
        raise NotFound("There is no such conversation.")
    called = await note_pages.called(here, conversation_id, body.text)
    async with here.workspace.write(here.actor) as tx:
        note_id = await notes.write(tx, conversation_id, body.text, mentions=called, client_id=client_id(here))
    return NoteAnswer.of(await _one(here, note_id))


@patch(_NOTE, opt=api(Permission.INBOX_REPLY, Operation(
    tag="notes", summary="Change a private note", body=WriteNote, answer=NoteAnswer,
    refusals={403: "Somebody else wrote it."}, request_example={"text": "Ask the other depot, @Mo"},
    response_example=_EXAMPLE | {"text": "Ask the other depot, @Mo", "edited_at": "2026-11-21T09:35:00.000Z"}),
    small=True))
async def update_note_answer(here: Here, note_id: str) -> NoteAnswer:
    body = await json_body(here.request, WriteNote)
    called = await note_pages.called(here, (await _one(here, note_id)).conversation_id, body.text)
    async with here.workspace.write(here.actor) as tx:
        await notes.edit(tx, note_id, body.text, mentions=called)
    return NoteAnswer.of(await _one(here, note_id))


@delete(_NOTE, opt=api(Permission.INBOX_REPLY, Operation(
    tag="notes", summary="Delete a private note", status=204, refusals={403: "Somebody else wrote it."}), small=True))
async def delete_note_answer(here: Here, note_id: str) -> None:
    async with here.workspace.write(here.actor) as tx:
        await notes.delete(tx, note_id)


ROUTES = [list_note_answers, create_note_answer, update_note_answer, delete_note_answer]
