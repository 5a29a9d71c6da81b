"""Messages that a restore put on hold: a person says of each, or of all they see, whether it goes."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.response import Redirect, Response

from chime import inbox
from chime.errors import Invalid, NotFound
from chime.security.permissions import Permission
from chime.web.forms import form_fields
from chime.web.here import Here

REPLY = {"permission": Permission.INBOX_REPLY}
_PAGE = "/w/{slug:str}/held"
SHOWN = 50
MOST_AT_ONCE = 500


@get(_PAGE, opt=REPLY)
async def list_held(here: Here) -> Response[bytes]:
    after = _place(here.request.query_params.get("after", ""))
    found = await inbox.held(here.db, here.viewer, after=after, limit=SHOWN + 1)
    last = found[SHOWN - 1] if len(found) > SHOWN else None
    return here.page("restores/held.html", held=found[:SHOWN], said=here.request.query_params.get("said", ""),
                     older=f"{last.held_at}-{last.message_id}" if last else "")


def _place(text: str) -> tuple[int, str] | None:
    moment, _, message_id = text.partition("-")
    return (int(moment[:15]), message_id) if moment.isascii() and moment.isdigit() else None


def _wanted(fields: dict[str, str]) -> bool:
    """Whether it shall go. Raises Invalid."""
    if fields.get("do") not in ("release", "discard"):
        raise Invalid.field("do", "Say release or discard.")
    return fields["do"] == "release"


@post(_PAGE + "/{message_id:str}", opt=REPLY, status_code=303)
async def update_held(here: Here, message_id: str) -> Response[Any]:
    goes = _wanted(await form_fields(here.request))
    async with here.workspace.write(here.actor) as tx:
        await (inbox.release if goes else inbox.let_go)(tx, message_id)
    return Redirect(f"{here.base}/held?said={'released' if goes else 'discarded'}", status_code=303)


@post(_PAGE, opt=REPLY, status_code=303)
async def update_all_held(here: Here) -> Response[Any]:
    """All that the person reaches, some hundreds at a time. One that a colleague decided meanwhile is left out."""
    goes = _wanted(await form_fields(here.request))
    for one in await inbox.held(here.db, here.viewer, limit=MOST_AT_ONCE):
        try:
            async with here.workspace.write(here.actor) as tx:
                await (inbox.release if goes else inbox.let_go)(tx, one.message_id)
        except NotFound:
            continue
    return Redirect(f"{here.base}/held?said={'released' if goes else 'discarded'}", status_code=303)


ROUTES = [list_held, update_held, update_all_held]
