"""One's own reminders of a conversation: make, see, cancel."""

from __future__ import annotations

from typing import Any

from litestar import delete, get, post
from litestar.response import Response

from chime.errors import Conflict, Invalid, NotFound
from chime.inbox import reminders, snooze, thread
from chime.inbox.pages import READ, SMALL, shown_again
from chime.inbox.scheduled_pages import spoken
from chime.web.forms import form_fields
from chime.web.here import Here
from chime.web.language import zone

_ALL = "/w/{slug:str}/inbox/{conversation_id:str}/reminders"
_ONE = _ALL + "/{reminder_id:str}"


@get(_ALL, opt=READ)
async def list_reminders(here: Here, conversation_id: str) -> Response[bytes]:
    """With the form for another one: a dialog for the script, a page for a plain link."""
    return await _shown(here, conversation_id, errors={}, values={}, status=200)


async def _shown(here: Here, conversation_id: str, *, errors: dict[str, str], values: dict[str, str], status: int
                 ) -> Response[bytes]:
    conversation = await thread.conversation_or_404(here, conversation_id)
    found = await reminders.of_conversation(here.db, conversation_id, here.actor.id or "")
    return here.page("inbox/_reminders.html" if here.is_htmx else "inbox/reminders.html", status=status,
                     conversation=conversation, reminders=found, errors=errors, values=values)


@post(_ALL, opt=READ | SMALL, status_code=200)
async def create_reminder(here: Here, conversation_id: str) -> Response[Any]:
    """`due` names a moment, or `due_own` is a day and time in the reader's zone; `about` may be empty."""
    await thread.conversation_or_404(here, conversation_id)
    fields = await form_fields(here.request)
    try:
        at = snooze.chosen_moment(fields.get("due", ""), fields.get("due_own", ""), here.now,
                                  zone(thread.zone_of(here)), field="due_own")
        if at is None:
            raise Invalid.field("due_own", "Choose a moment.")
        async with here.workspace.write(here.actor) as tx:
            await reminders.remind(tx, conversation_id, at=at, text=fields.get("about", ""),
                                   user_id=here.actor.id or "", user_name=here.actor.name)
    except (Invalid, Conflict) as error:
        errors = {"about" if name == "text" else name: words for name, words in here.problems(error).items()}
        return await _shown(here, conversation_id, errors=errors, values=fields, status=422)
    return await shown_again(here, conversation_id,
                             here.words("You will be reminded: %(time)s") % {"time": spoken(here, at)})


@delete(_ONE, opt=READ, status_code=200)
async def delete_reminder(here: Here, conversation_id: str, reminder_id: str) -> Response[Any]:
    return await _cancelled(here, conversation_id, reminder_id)


@post(_ONE, opt=READ | SMALL, status_code=200)
async def edit_reminder(here: Here, conversation_id: str, reminder_id: str) -> Response[Any]:
    """A form without scripts says `_method=delete`; nothing else can be done to one."""
    if (await form_fields(here.request)).get("_method") != "delete":
        raise Invalid.field("_method", "A reminder can only be cancelled.")
    return await _cancelled(here, conversation_id, reminder_id)


async def _cancelled(here: Here, conversation_id: str, reminder_id: str) -> Response[Any]:
    found = await reminders.reminder(here.db, reminder_id, user_id=here.actor.id or "")
    if found is None or found.conversation_id != conversation_id:
        raise NotFound("There is no such reminder.")
    async with here.workspace.write(here.actor) as tx:
        await reminders.cancel(tx, reminder_id, user_id=here.actor.id or "")
    return await shown_again(here, conversation_id, here.words("Reminder cancelled"))


ROUTES = [list_reminders, create_reminder, delete_reminder, edit_reminder]
