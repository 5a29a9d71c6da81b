"""Changing a scheduled message: the form it was made in, with its moment."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import get, post
from litestar.response import Response

from chime.errors import Conflict, Invalid, NotFound, Refused
from chime.inbox import form_values, message_pages, scheduled, snooze, thread
from chime.inbox.model import Origin
from chime.inbox.pages import REPLY, shown_again
from chime.inbox.scheduled import Scheduled
from chime.inbox.scheduled_pages import OF_THIS, Fields, moment_of, of_this
from chime.inbox.sending import Draft
from chime.web.forms import form_fields
from chime.web.here import Here
from chime.web.language import zone
from chime.whatsapp import OutboundMessage, parse_message


@get(OF_THIS, opt=REPLY)
async def show_scheduled(here: Here, conversation_id: str, scheduled_id: str) -> Response[bytes]:
    """The form."""
    row = await of_this(here, conversation_id, scheduled_id)
    found = form_values.form_of(row.type, row.content, row.text)
    kind, fields = found or ("moment", {})
    fields = fields | {"send_at_own": _typed(here, row),
                       "sends_anyway": "1" if row.sends_anyway else ""}
    return await _form(here, row, kind, fields, {}, 200)


def _typed(here: Here, row: Scheduled) -> str:
    return snooze.as_typed(row.send_at, zone(thread.zone_of(here)))


async def _form(here: Here, row: Scheduled, kind: str, fields: Fields, errors: dict[str, str], status: int
                ) -> Response[bytes]:
    if kind in message_pages.KINDS or kind == "template":
        return await message_pages.compose(here, row.conversation_id, kind, errors=errors, values=fields,
                                           status=status, editing=row)
    # The composer behind the dialog has the name `text` already.
    fields = fields | {"words": fields.get("text", "")}
    errors = {"words" if name == "text" else name: words for name, words in errors.items()}
    return here.page("inbox/_scheduled_form.html", status=status, conversation_id=row.conversation_id, editing=row,
                     kind=kind, values=fields, errors=errors)


@post(OF_THIS, opt=REPLY, status_code=200)
async def update_scheduled(here: Here, conversation_id: str, scheduled_id: str) -> Response[Any]:
    """Without a moment in the form it keeps the one it has."""
    row = await of_this(here, conversation_id, scheduled_id)
    fields = await form_fields(here.request)
    fields = fields | {"text": fields.get("words", "")}
    found = form_values.form_of(row.type, row.content, row.text)
    kind = found[0] if found else "moment"
    try:
        at = None if fields.get("send_at_own") == _typed(here, row) else moment_of(here, fields)
        message = await _message(here, row, kind, fields)
        draft = Draft(message=message, origin=Origin.AGENT, reply_to=row.reply_to, media_id=row.media_id)
        # Who reads numbers masked must not write the masks into words they left as they were.
        changed = msgspec.to_builtins(message) != msgspec.to_builtins(parse_message(row.content))
        async with here.workspace.write(here.actor) as tx:
            await scheduled.edit(tx, scheduled_id, draft=draft if changed else None, at=at,
                                 sends_anyway=fields.get("sends_anyway") == "1")
    except (Invalid, Refused, Conflict) as error:
        errors = here.problems(error)
        if "" in errors:
            errors["send_at"] = errors.pop("")
        return await _form(here, row, kind, fields, errors, 422)
    return await shown_again(here, conversation_id, here.words("Saved"))


async def _message(here: Here, row: Scheduled, kind: str, fields: Fields) -> OutboundMessage:
    if kind == "moment":
        return parse_message(row.content)
    if kind == "file":
        if row.media_id is None or not isinstance(row.content.get(row.type), dict):
            raise NotFound("The file of this message is gone.")
        inner: dict[str, Any] = {name: value for name, value in row.content[row.type].items() if name != "caption"}
        if fields.get("caption", "").strip() and row.type in ("image", "video", "document"):
            inner["caption"] = fields["caption"].strip()
        return parse_message(msgspec.to_builtins({"type": row.type, row.type: inner}))
    return await message_pages.message_from(here, row.conversation_id, kind, fields)


ROUTES = [show_scheduled, update_scheduled]
