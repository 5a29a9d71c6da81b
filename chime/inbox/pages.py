"""The inbox page: list, thread, and the verbs on a conversation."""

from __future__ import annotations

import json
from typing import Any

from litestar import delete, get, post
from litestar.response import Redirect, Response
from msgspec import UNSET

from chime import accounts, notifications
from chime.errors import Conflict, Invalid, TooMany
from chime.inbox import actions as verbs
from chime.inbox import (
    conversation_queries,
    costs,
    handover,
    list_pane,
    merging,
    queries,
    resolving,
    scheduled,
    search_pages,
    snooze,
    thread,
)
from chime.security import limits
from chime.security.permissions import Permission
from chime.security.scope import viewer
from chime.web.forms import form_fields
from chime.web.here import Here
from chime.web.live_stream import InSight, LiveStream

READ = {"permission": Permission.INBOX_READ}
REPLY = {"permission": Permission.INBOX_REPLY}
START = {"permission": Permission.INBOX_START}
ASSIGN = {"permission": Permission.INBOX_ASSIGN}
SMALL = {"small": True}
# What a page sends of itself counts as reading: who looks through the list must not use up what they may change.
UNASKED = {"rate": limits.UNASKED}
_INBOX = "/w/{slug:str}/inbox"
_ONE = "/w/{slug:str}/inbox/{conversation_id:str}"


@get(_INBOX, opt=READ)
async def show_inbox(here: Here) -> Response[bytes]:
    return await _whole_page(here, thread=None)


@get(_INBOX + "/list", opt=READ)
async def list_conversations(here: Here) -> Response[bytes]:
    """The list alone, or with a cursor only its further rows."""
    asked = here.request.query_params
    selected = asked.get("selected", "")
    values = await list_pane.pane(here, selected=selected)
    if asked.get("cursor"):
        return here.page("inbox/_rows.html", **values)
    # What is typed stands in the address bar, without an entry in the history for every letter.
    named = "HX-Replace-Url" if "typed" in asked else "HX-Push-Url" if "chosen" in asked else ""
    headers = {named: list_pane.address(here, selected, values)} if named else {}
    return here.page("inbox/_list.html", headers=headers, **values)


@get(_ONE, opt=READ)
async def show_conversation(here: Here, conversation_id: str) -> Response[Any]:
    """A click in the list gets the pane; a link from elsewhere the whole page. The address of one that became part of
    another leads there."""
    asked = here.request.query_params
    if (joined := await merging.leads_to(here.db, conversation_id)) is not None:
        return Redirect(f"{here.base}/inbox/{joined}?{here.request.url.query}", status_code=303)
    opened = await thread.load(here, conversation_id, around=asked.get("at"), day=asked.get("day"))
    if here.is_htmx:
        return here.page("inbox/_thread_pane.html", thread=opened)
    return await _whole_page(here, selected=conversation_id, thread=opened)


async def _whole_page(here: Here, *, selected: str = "", **values: Any) -> Response[bytes]:
    bell = await notifications.bell(here.db, here.services.control.db, here.viewer, here.actor.id or "")
    return here.page("inbox/index.html", **await list_pane.pane(here, selected=selected), bell=bell, **values)


@get(_ONE + "/messages", opt=READ)
async def list_messages(here: Here, conversation_id: str) -> Response[bytes]:
    """An older page (`before`), a newer one (`after`), those `around` a message or the first of a `day`, the newest,
    or the messages a nudge named (`ids`)."""
    asked = here.request.query_params
    ids = asked.get("ids")
    if ids is None:
        page = await thread.load(here, conversation_id, before=asked.get("before"), after=asked.get("after"),
                                 around=asked.get("around"), day=asked.get("day"))
        return here.page("inbox/_messages.html", thread=page)
    opened = await thread.conversation_or_404(here, conversation_id)
    named, shown = ids.split(",")[:100], []
    if not await thread.in_hand(here, conversation_id):
        first = await queries.messages(here.db, conversation_id, limit=thread.FIRST_LINES)
        named = [message.id for message in reversed(first) if message.id in named]
    for message_id in named:
        found = await queries.message(here.db, message_id)
        if found is not None and found.conversation_id == conversation_id and found.type != "reaction":
            shown.append(found)
    # What the card says of a charged message stands in its menu.
    spent = await costs.of_conversation(here.db, opened, now=here.now, zone_name=here.record.time_zone) if any(
        message.pricing for message in shown) else None
    parts = [here.services.pages.render(here.request, "inbox/_message.html", message=message, costs=spent)
             for message in shown]
    return Response(b"".join(parts), media_type="text/html", headers={"Cache-Control": "no-store"})


@get(_ONE + "/state", opt=READ)
async def show_state(here: Here, conversation_id: str) -> Response[bytes]:
    """Header, window and panel after a nudge, with the newest events."""
    opened = await thread.load(here, conversation_id)
    return here.page("inbox/_state.html", thread=opened)


async def shown_again(here: Here, conversation_id: str, toast: str = "", undo: tuple[str, str] | None = None,
                      values: dict[str, str] | None = None) -> Response[Any]:
    """The answer to a verb on a conversation: fresh header for the script, the page again for a plain form. `undo`: an
    address and how it is asked, with these `values`."""
    if not here.is_htmx:
        return Redirect(f"{here.base}/inbox/{conversation_id}", status_code=303)
    headers = {}
    if toast:
        said: dict[str, Any] = {"text": toast}
        if undo:
            said["undo"] = {"url": undo[0], "method": undo[1]} | ({"values": values} if values else {})
        # A header holds no letter beyond Latin-1: what has others is escaped.
        headers["HX-Trigger"] = json.dumps({"toast": said})
    return here.page("inbox/_state.html", thread=await thread.load(here, conversation_id), headers=headers)


@post(_ONE + "/closure", opt=REPLY | SMALL, status_code=200)
async def create_closure(here: Here, conversation_id: str) -> Response[Any]:
    """Resolve, for the reason `reason_id` if one is given. A form without scripts says `_method=delete` to reopen."""
    fields = await form_fields(here.request)
    if not here.is_htmx and fields.get("_method") == "delete":
        return await _reopen(here, conversation_id)
    async with here.workspace.write(here.actor) as tx:
        asleep = await snooze.way_back(tx, conversation_id, tx.now)
        await resolving.resolve(tx, conversation_id, reason_id=fields.get("reason_id") or None)
    waits = await scheduled.of_conversation(here.db, conversation_id)
    said = (here.words("Conversation resolved. What is scheduled will still be sent.") if waits
            else here.words("Conversation resolved"))
    address = f"{here.base}/inbox/{conversation_id}"
    if asleep is not None:
        return await shown_again(here, conversation_id, said, (f"{address}/snooze", "POST"),
                                 asleep | {"expected": "closed"})
    return await shown_again(here, conversation_id, said, (f"{address}/closure", "DELETE"))


@delete(_ONE + "/closure", opt=REPLY, status_code=200)
async def delete_closure(here: Here, conversation_id: str) -> Response[Any]:
    return await _reopen(here, conversation_id)


async def _reopen(here: Here, conversation_id: str) -> Response[Any]:
    async with here.workspace.write(here.actor) as tx:
        await verbs.reopen(tx, conversation_id)
    return await shown_again(here, conversation_id, here.words("Conversation reopened"))


@post(_ONE + "/assignment", opt=ASSIGN | SMALL, status_code=200)
async def create_assignment(here: Here, conversation_id: str) -> Response[Any]:
    """To a member, `assignee_id` empty for nobody; or to a team, `team_id` empty for everybody. Who takes it says in
    `expected` who had it then."""
    fields = await form_fields(here.request)
    if "team_id" in fields:
        return await _give_to_team(here, conversation_id, fields["team_id"] or None)
    assignee_id = fields.get("assignee_id", "") or None
    team = await thread.members(here)
    if assignee_id is not None and assignee_id not in team:
        raise Invalid.field("assignee_id", "This person is not a member of the workspace.")
    try:
        async with here.workspace.write(here.actor) as tx:
            await verbs.assign(tx, conversation_id, assignee_id=assignee_id,
                               assignee_name=team[assignee_id].name if assignee_id else "",
                               expected=fields["expected"] or None if "expected" in fields else UNSET)
    except verbs.Taken as error:
        holder = team.get(error.assignee_id or "")
        raise Conflict(here.words("%(name)s was faster and has this conversation now.") % {"name": holder.name}
                       if holder else here.words(error.said)) from error
    return await shown_again(here, conversation_id)


async def _give_to_team(here: Here, conversation_id: str, team_id: str | None) -> Response[Any]:
    teams = await accounts.team_names(here.services.control.db, here.record.id)
    async with here.workspace.write(here.actor) as tx:
        await handover.give_to_team(tx, conversation_id, team_id, teams=teams)
    return await shown_again(here, conversation_id)


@post(_ONE + "/read", opt=REPLY | SMALL | UNASKED, status_code=204)
async def create_read(here: Here, conversation_id: str) -> None:
    """The thread is on somebody's screen."""
    if await queries.is_read(here.db, conversation_id):
        return  # most are: nobody should wait for the file to be told nothing
    async with here.workspace.write(here.actor) as tx:
        await verbs.mark_read(tx, conversation_id)


@post(_ONE + "/unread", opt=REPLY | SMALL, status_code=200)
async def create_unread_mark(here: Here, conversation_id: str) -> Response[Any]:
    """Somebody wants to come back to it later."""
    async with here.workspace.write(here.actor) as tx:
        await verbs.mark_unread(tx, conversation_id)
    return await shown_again(here, conversation_id, here.words("Marked as unread"))


@post(_ONE + "/typing", opt=REPLY | SMALL | UNASKED, status_code=204)
async def create_typing(here: Here, conversation_id: str) -> None:
    """Somebody writes an answer: the customer's phone may show it."""
    await thread.conversation_or_404(here, conversation_id)
    newest = await queries.last_inbound(here.db, conversation_id)
    if newest is not None:
        here.services.runner.start(here.workspace.id, verbs.SEND_TYPING, newest[0])


@get("/w/{slug:str}/events", opt=READ | {"document": False})
async def stream_events(here: Here) -> LiveStream:
    """Live nudges of the workspace."""
    query = here.request.query_params
    after = here.request.headers.get("last-event-id") or query.get("after") or ""
    if not here.services.hub.has_place(here.actor.id, here.identity.session_id):
        raise TooMany("So many windows are open already; close one.", retry_after=5)
    return LiveStream(here.services.hub, here.workspace.id, here.actor.id, here.identity.session_id, after,
                      in_sight=_in_sight(here) if here.viewer.is_limited else None)


def _in_sight(here: Here) -> InSight:
    """Asked for every few events of a stream: rights may change, and conversations move, while it is open."""
    services, identity = here.services, here.identity

    async def ask(conversation_ids: set[str]) -> set[str]:
        actor = await services.actor_again(services, identity)
        if actor is None:
            return set()
        async with services.registry.use(here.record.id) as workspace:
            sight = viewer(actor, Permission.INBOX_READ)
            return await conversation_queries.in_sight(workspace.db, sight, conversation_ids)

    return ask


ROUTES = [show_inbox, list_conversations, show_conversation, list_messages, show_state, create_closure,
          delete_closure, create_assignment, create_read, create_unread_mark, create_typing, stream_events,
          *search_pages.ROUTES]
