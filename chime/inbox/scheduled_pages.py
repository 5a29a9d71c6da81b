"""Send later, as the composer and the thread do it; and how long a person can undo a send.

A form of the composer that names a moment (`send_at`) is scheduled instead of sent; see `message_pages`.
"""

from __future__ import annotations

from typing import Any

from litestar import delete, post
from litestar.response import Redirect, Response

from chime.errors import Conflict, Invalid, NotFound, Refused
from chime.inbox import scheduled, snooze, thread, undo
from chime.inbox.pages import REPLY, SMALL, shown_again
from chime.inbox.scheduled import Scheduled
from chime.inbox.sending import Draft
from chime.web.forms import form_fields
from chime.web.here import Here
from chime.web.language import Reader, zone

OF_THIS = "/w/{slug:str}/inbox/{conversation_id:str}/scheduled/{scheduled_id:str}"
_UNDO_TIME = "/w/{slug:str}/undo-time"
Fields = dict[str, str]


def moment_of(here: Here, fields: Fields) -> int | None:
    """When a form wants its message to leave; None for now. Raises Invalid."""
    return snooze.chosen_moment(fields.get("send_at", ""), fields.get("send_at_own", ""), here.now,
                                zone(thread.zone_of(here)), field="send_at")


async def take(here: Here, conversation_id: str, draft: Draft, at: int, fields: Fields) -> Response[Any]:
    """Schedule it, and show the thread with it. Raises Invalid, Refused, Conflict."""
    async with here.workspace.write(here.actor) as tx:
        await scheduled.schedule(tx, conversation_id, draft, at=at, sends_anyway=fields.get("sends_anyway") == "1")
    return await shown_again(here, conversation_id, here.words("Scheduled for %(time)s") % {"time": spoken(here, at)})


def spoken(here: Here, at: int) -> str:
    """A moment in words of the reader's."""
    return Reader(here.identity.locale, thread.zone_of(here), here.now).full_when(at)


async def of_this(here: Here, conversation_id: str, scheduled_id: str) -> Scheduled:
    """Raises NotFound, also for one of another conversation."""
    found = await scheduled.scheduled(here.db, scheduled_id)
    if found is None or found.conversation_id != conversation_id:
        raise NotFound("There is no such scheduled message.")
    return found


@post(OF_THIS + "/now", opt=REPLY | SMALL, status_code=200)
async def create_departure(here: Here, conversation_id: str, scheduled_id: str) -> Response[Any]:
    """It leaves at once."""
    await of_this(here, conversation_id, scheduled_id)
    try:
        async with here.workspace.write(here.actor) as tx:
            await scheduled.send_now(tx, scheduled_id)
    except (Refused, Invalid) as error:
        raise Conflict(here.words(error.said)) from error
    return await shown_again(here, conversation_id)


@post(OF_THIS + "/keep", opt=REPLY | SMALL, status_code=200)
async def create_confirmation(here: Here, conversation_id: str, scheduled_id: str) -> Response[Any]:
    """The customer wrote, and it shall go all the same."""
    await of_this(here, conversation_id, scheduled_id)
    try:
        async with here.workspace.write(here.actor) as tx:
            await scheduled.keep(tx, scheduled_id)
    except (Refused, Invalid) as error:
        raise Conflict(here.words(error.said)) from error
    return await shown_again(here, conversation_id)


@post(OF_THIS + "/cancel", opt=REPLY | SMALL, status_code=200)
async def create_cancellation(here: Here, conversation_id: str, scheduled_id: str) -> Response[Any]:
    await of_this(here, conversation_id, scheduled_id)
    async with here.workspace.write(here.actor) as tx:
        await scheduled.cancel(tx, scheduled_id)
    again = f"{here.base}/inbox/{conversation_id}/scheduled/{scheduled_id}/cancel"
    return await shown_again(here, conversation_id, here.words("Cancelled: it will not be sent"), (again, "DELETE"))


@delete(OF_THIS + "/cancel", opt=REPLY, status_code=200)
async def delete_cancellation(here: Here, conversation_id: str, scheduled_id: str) -> Response[Any]:
    """It was cancelled a moment ago and shall go after all."""
    async with here.workspace.write(here.actor) as tx:
        if conversation_id != await tx.value("SELECT conversation_id FROM scheduled_message WHERE id = ?",
                                             scheduled_id):
            raise NotFound("There is no such scheduled message.")
        await scheduled.restore(tx, scheduled_id)
    return await shown_again(here, conversation_id)


@post(_UNDO_TIME, opt=REPLY | SMALL, status_code=200)
async def edit_undo_time(here: Here) -> Response[Any]:
    """`seconds` for which a message of one's own can be taken back."""
    text = (await form_fields(here.request)).get("seconds", "")
    async with here.workspace.write(here.actor) as tx:
        await undo.choose(tx, here.actor.id or "", int(text) if text.isdecimal() and len(text) < 4 else -1)
    if not here.is_htmx:
        return Redirect(f"{here.base}/inbox", status_code=303)
    return here.page("inbox/_undo_time.html", undo_seconds=int(text))


ROUTES = [create_departure, create_confirmation, create_cancellation, delete_cancellation, edit_undo_time]
