"""The inbox page: list, thread, and the verbs on a conversation."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from litestar import delete, get, post
from litestar.response import Redirect, Response

from chime.errors import Invalid, NotFound
from chime.inbox import actions as verbs
from chime.inbox import doubt_queries, queries, search_pages, thread
from chime.inbox.model import View
from chime.security.permissions import Permission
from chime.web.forms import form_fields
from chime.web.here import Here
from chime.web.listing import decode_cursor, encode_cursor
from chime.web.live_stream import LiveStream

READ = {"permission": Permission.INBOX_READ}
REPLY = {"permission": Permission.INBOX_REPLY}
ASSIGN = {"permission": Permission.INBOX_ASSIGN}
SMALL = {"small": True}
_INBOX = "/w/{slug:str}/inbox"
_ONE = "/w/{slug:str}/inbox/{conversation_id:str}"


def _view(here: Here) -> View:
    text = here.request.query_params.get("v", "")
    if not text:
        return View.ALL
    try:
        return View(text)
    except ValueError as error:
        raise NotFound("There is no such view.") from error


async def _list(here: Here, *, selected: str = "") -> dict[str, Any]:
    """What the list pane needs: a view's conversations, or what a search found."""
    view, text, user_id = _view(here), search_pages.typed(here), here.actor.id or ""
    values: dict[str, Any] = {
        "view": view.value, "q": text, "selected": selected, "members": await thread.members(here),
        "doubts": {}, "counts": await queries.counts(here.db, user_id=user_id) | {
            "unread": await queries.unread(here.db), "doubt": await doubt_queries.count_asking(here.db, here.now)}}
    if text:
        return values | {"found": await search_pages.results(here, text), "conversations": [], "next_cursor": ""}
    if view is View.DOUBT:
        return values | await _in_doubt(here)
    place = decode_cursor(here.request.query_params.get("cursor")) or queries.NEWEST
    rows = await queries.conversations(here.db, view, user_id=user_id, after=place, limit=queries.PAGE + 1)
    shown = rows[:queries.PAGE]
    more = encode_cursor(shown[-1].last_message_at, shown[-1].id) if len(rows) > queries.PAGE else ""
    return values | {"conversations": shown, "next_cursor": more}


async def _in_doubt(here: Here) -> dict[str, Any]:
    """The conversations in which a message waits for a person, with that message."""
    place = decode_cursor(here.request.query_params.get("cursor")) or doubt_queries.OLDEST
    found = await doubt_queries.conversations_asking(here.db, here.now, after=place, limit=queries.PAGE + 1)
    shown = {doubt.conversation_id: doubt for doubt in found[:queries.PAGE]}
    last = found[:queries.PAGE][-1:]
    more = encode_cursor(last[0].doubted_at, last[0].message_id) if len(found) > queries.PAGE else ""
    return {"doubts": shown, "conversations": await queries.conversations_by_id(here.db, list(shown)),
            "next_cursor": more}


@get(_INBOX, opt=READ)
async def show_inbox(here: Here) -> Response[bytes]:
    return here.page("inbox/index.html", **await _list(here), thread=None)


@get(_INBOX + "/list", opt=READ)
async def list_conversations(here: Here) -> Response[bytes]:
    """The list alone, or with a cursor only its further rows."""
    asked = here.request.query_params
    selected = asked.get("selected", "")
    values = await _list(here, selected=selected)
    if asked.get("cursor"):
        return here.page("inbox/_rows.html", **values)
    # What is typed stands in the address bar, without an entry in the history for every letter.
    headers = {"HX-Replace-Url": _address(here, selected, values)} if "typed" in asked else {}
    return here.page("inbox/_list.html", headers=headers, **values)


def _address(here: Here, selected: str, values: dict[str, Any]) -> str:
    path = f"{here.base}/inbox/{quote(selected, safe='')}" if selected else f"{here.base}/inbox"
    return f"{path}?{urlencode({'v': values['view']} | ({'q': values['q']} if values['q'] else {}))}"


@get(_ONE, opt=READ)
async def show_conversation(here: Here, conversation_id: str) -> Response[bytes]:
    """A click in the list gets the pane; a link from elsewhere the whole page."""
    opened = await thread.load(here, conversation_id, around=here.request.query_params.get("at"))
    if here.is_htmx:
        return here.page("inbox/_thread_pane.html", thread=opened)
    return here.page("inbox/index.html", **await _list(here, selected=conversation_id), thread=opened)


@get(_ONE + "/messages", opt=READ)
async def list_messages(here: Here, conversation_id: str) -> Response[bytes]:
    """An older page (`before`), a newer one (`after`), the newest, or the messages a nudge named (`ids`)."""
    asked = here.request.query_params
    ids = asked.get("ids")
    if ids is None:
        opened = await thread.load(here, conversation_id, before=asked.get("before"), after=asked.get("after"))
        return here.page("inbox/_messages.html", thread=opened)
    await thread.conversation_or_404(here, conversation_id)
    parts = []
    for message_id in ids.split(",")[:100]:
        found = await queries.message(here.db, message_id)
        if found is not None and found.conversation_id == conversation_id and found.type != "reaction":
            parts.append(here.services.pages.render(here.request, "inbox/_message.html", message=found))
    return Response(b"".join(parts), media_type="text/html", headers={"Cache-Control": "no-store"})


@get(_ONE + "/state", opt=READ)
async def show_state(here: Here, conversation_id: str) -> Response[bytes]:
    """Header, window and panel after a nudge, with the newest events."""
    opened = await thread.load(here, conversation_id)
    return here.page("inbox/_state.html", thread=opened)


async def _after(here: Here, conversation_id: str, toast: str = "", undo: tuple[str, str] | None = None
                 ) -> Response[Any]:
    """The answer to a verb on a conversation: fresh header for the script, the page again for a plain form."""
    if not here.is_htmx:
        return Redirect(f"{here.base}/inbox/{conversation_id}", status_code=303)
    headers = {}
    if toast:
        said: dict[str, Any] = {"text": toast}
        if undo:
            said["undo"] = {"url": undo[0], "method": undo[1]}
        headers["HX-Trigger"] = msgspec.json.encode({"toast": said}).decode()
    return here.page("inbox/_state.html", thread=await thread.load(here, conversation_id), headers=headers)


@post(_ONE + "/closure", opt=REPLY | SMALL, status_code=200)
async def create_closure(here: Here, conversation_id: str) -> Response[Any]:
    """Resolve. A form without scripts says `_method=delete` to reopen."""
    if not here.is_htmx and (await form_fields(here.request)).get("_method") == "delete":
        return await _reopen(here, conversation_id)
    async with here.workspace.write(here.actor) as tx:
        await verbs.close(tx, conversation_id)
    return await _after(here, conversation_id, here.words("Conversation resolved"),
                        (f"{here.base}/inbox/{conversation_id}/closure", "DELETE"))


@delete(_ONE + "/closure", opt=REPLY, status_code=200)
async def delete_closure(here: Here, conversation_id: str) -> Response[Any]:
    return await _reopen(here, conversation_id)


async def _reopen(here: Here, conversation_id: str) -> Response[Any]:
    async with here.workspace.write(here.actor) as tx:
        await verbs.reopen(tx, conversation_id)
    return await _after(here, conversation_id, here.words("Conversation reopened"))


@post(_ONE + "/assignment", opt=ASSIGN | SMALL, status_code=200)
async def create_assignment(here: Here, conversation_id: str) -> Response[Any]:
    """`assignee_id` empty for nobody."""
    assignee_id = (await form_fields(here.request)).get("assignee_id", "") or None
    team = await thread.members(here)
    if assignee_id is not None and assignee_id not in team:
        raise Invalid.field("assignee_id", "This person is not a member of the workspace.")
    async with here.workspace.write(here.actor) as tx:
        await verbs.assign(tx, conversation_id, assignee_id=assignee_id,
                           assignee_name=team[assignee_id].name if assignee_id else "")
    return await _after(here, conversation_id)


@post(_ONE + "/read", opt=REPLY | SMALL, status_code=204)
async def create_read(here: Here, conversation_id: str) -> None:
    """The thread is on somebody's screen."""
    async with here.workspace.write(here.actor) as tx:
        await verbs.mark_read(tx, conversation_id)


@post(_ONE + "/typing", opt=REPLY | SMALL, status_code=204)
async def create_typing(here: Here, conversation_id: str) -> None:
    """Somebody writes an answer: the customer's phone may show it."""
    await thread.conversation_or_404(here, conversation_id)
    newest = await queries.last_inbound(here.db, conversation_id)
    if newest is not None:
        here.services.runner.start(here.workspace.id, verbs.SEND_TYPING, newest[0])


@get("/w/{slug:str}/events", opt=READ)
async def stream_events(here: Here) -> LiveStream:
    """Live nudges of the workspace."""
    query = here.request.query_params
    after = here.request.headers.get("last-event-id") or query.get("after") or ""
    return LiveStream(here.services.hub, here.workspace.id, here.actor.id, after)


ROUTES = [show_inbox, list_conversations, show_conversation, list_messages, show_state, create_closure,
          delete_closure, create_assignment, create_read, create_typing, stream_events, *search_pages.ROUTES]
