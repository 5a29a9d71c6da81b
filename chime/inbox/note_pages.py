"""Private notes in the thread: write, edit, delete. Whoever is mentioned must be able to see the conversation."""

from __future__ import annotations

from typing import Any

from litestar import delete, post
from litestar.response import Redirect, Response

from chime import accounts
from chime.errors import Invalid, NotFound
from chime.inbox import notes, thread
from chime.inbox.notes import Note
from chime.inbox.pages import READ, REPLY, SMALL
from chime.security.permissions import Permission
from chime.security.scope import IN_HAND, viewer
from chime.web.forms import form_fields
from chime.web.here import Here

_NOTES = "/w/{slug:str}/inbox/{conversation_id:str}/notes"
_NOTE = _NOTES + "/{note_id:str}"
_SEEN = "/w/{slug:str}/inbox/{conversation_id:str}/mentions/seen"


async def called(here: Here, conversation_id: str, text: str) -> frozenset[str]:
    """Whom a note mentions. Raises Invalid for somebody who may not see the conversation: they would hear of it and
    find nothing."""
    named = notes.mentioned(text, await thread.everybody(here))
    blind = [user_id for user_id in named if not await _sees(here, conversation_id, user_id)]
    if blind:
        members = await thread.members(here)
        names = ", ".join(sorted(members[one].name for one in blind))
        raise Invalid.field("text", here.words("%(names)s cannot see this conversation, so a note cannot mention them. "
                                               "Assign it to them, or to their team, first.") % {"names": names})
    return named


async def _sees(here: Here, conversation_id: str, user_id: str) -> bool:
    actor = await accounts.member_actor(here.services.control.db, here.record.id, user_id)
    if actor is None or not actor.may(Permission.INBOX_READ):
        return False
    seen = viewer(actor, Permission.INBOX_READ)
    return bool(await here.db.value(IN_HAND[seen.sight], conversation_id, *seen.held_values))


async def _shown(here: Here, conversation_id: str, note_id: str) -> Response[Any]:
    if not here.is_htmx:
        return Redirect(f"{here.base}/inbox/{conversation_id}#n-{note_id}", status_code=303)
    found = thread.shown_note(here, await _of_this(here, conversation_id, note_id))
    return here.page("inbox/_note.html", item=found, conversation_id=conversation_id)


async def _of_this(here: Here, conversation_id: str, note_id: str) -> Note:
    """Raises NotFound."""
    found = await notes.note(here.db, note_id)
    if found is None or found.conversation_id != conversation_id:
        raise NotFound("There is no such note.")
    return found


@post(_NOTES, opt=REPLY | SMALL, status_code=200)
async def create_note(here: Here, conversation_id: str) -> Response[Any]:
    await thread.conversation_or_404(here, conversation_id)
    fields = await form_fields(here.request)
    text = fields.get("text", "")
    mentions = await called(here, conversation_id, text)
    async with here.workspace.write(here.actor) as tx:
        note_id = await notes.write(tx, conversation_id, text, mentions=mentions,
                                    client_id=fields.get("client_id") or None)
    return await _shown(here, conversation_id, note_id)


@post(_NOTE, opt=REPLY | SMALL, status_code=200)
async def update_note(here: Here, conversation_id: str, note_id: str) -> Response[Any]:
    """A form without scripts says `_method=delete` to delete it."""
    await _of_this(here, conversation_id, note_id)
    fields = await form_fields(here.request)
    if fields.get("_method") == "delete":
        return await _delete(here, conversation_id, note_id)
    text = fields.get("text", "")
    mentions = await called(here, conversation_id, text)
    async with here.workspace.write(here.actor) as tx:
        await notes.edit(tx, note_id, text, mentions=mentions)
    return await _shown(here, conversation_id, note_id)


@delete(_NOTE, opt=REPLY, status_code=200)
async def delete_note(here: Here, conversation_id: str, note_id: str) -> Response[Any]:
    await _of_this(here, conversation_id, note_id)
    return await _delete(here, conversation_id, note_id)


async def _delete(here: Here, conversation_id: str, note_id: str) -> Response[Any]:
    async with here.workspace.write(here.actor) as tx:
        await notes.delete(tx, note_id)
    return await _shown(here, conversation_id, note_id)


@post(_SEEN, opt=READ | SMALL, status_code=204)
async def create_sight(here: Here, conversation_id: str) -> None:
    """The thread is on the screen of somebody who was mentioned in it."""
    await thread.conversation_or_404(here, conversation_id)
    if await notes.is_called(here.db, conversation_id, here.actor.id or ""):
        async with here.workspace.write(here.actor) as tx:
            await notes.see(tx, conversation_id, user_id=here.actor.id or "")


ROUTES = [create_note, update_note, delete_note, create_sight]
