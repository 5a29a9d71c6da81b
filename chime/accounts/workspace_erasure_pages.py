"""Erasing a workspace: an owner asks, another one agrees if there is one, and seven days later it happens unless
somebody changed their mind. Works without a script."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.response import Redirect, Response

from chime.accounts import erasure_queries
from chime.errors import ChimeError, Conflict, Invalid, NotFound
from chime.security.permissions import Permission
from chime.web.forms import form_fields
from chime.web.here import Here
from chime.workspaces.closing import ask_erasure, cancel_erasure, confirm_erasure

ERASE = {"permission": Permission.WORKSPACE_ERASE, "step_up": True}
_PAGE = "/w/{slug:str}/settings/erasure"


@get(_PAGE, opt=ERASE)
async def show_erasure(here: Here) -> Response[bytes]:
    return await _page(here)


async def _page(here: Here, *, status: int = 200, errors: dict[str, str] | None = None, typed: str = ""
                ) -> Response[bytes]:
    control = here.services.control.db
    wish = await erasure_queries.wish(control, here.record.id)
    asker = wish.asked_by if wish else here.actor.id
    others = [owner for owner in await erasure_queries.owners(control, here.record.id) if owner.id != asker]
    return here.page("accounts/erasure.html", status=status, errors=errors or {}, values={"name": typed}, wish=wish,
                     others=len(others), mine=asker == here.actor.id,
                     said=here.request.query_params.get("said", ""))


@post(_PAGE, opt=ERASE, status_code=303)
async def create_erasure(here: Here) -> Response[Any]:
    typed = (await form_fields(here.request)).get("name", "").strip()
    services = here.services
    try:
        if typed != here.record.name:
            raise Invalid.field("name", "Write the name of the workspace exactly as it is.")
        async with services.control.write(here.actor) as tx:
            await ask_erasure(tx, here.record.id, asked_by=here.actor.id or "", now=services.clock.real_now())
            await _tell(here, tx, "asked to erase")
    except ChimeError as error:
        if error.status not in (409, 422):
            raise
        return await _page(here, status=error.status, errors=here.problems(error), typed=typed)
    return Redirect(f"{here.base}/settings/erasure?said=asked", status_code=303)


async def _tell(here: Here, tx: Any, did: str) -> None:
    """Every owner hears of it, the one who did it too: it may not have been them."""
    mailer = here.services.mailer
    if not mailer.configured:
        return
    for owner in await erasure_queries.owners(tx, here.record.id):
        text = (f"{here.actor.name} {did} the workspace {here.record.name}.\n\nAny owner can cancel it until it "
                f"happens, seven days after it was asked for:\n{mailer.link(f'{here.base}/settings/erasure')}\n")
        await mailer.tell(owner.email, "A workspace is to be erased", text, name=owner.name, tx=tx)


@post(_PAGE + "/confirmation", opt=ERASE, status_code=303)
async def create_confirmation(here: Here) -> Response[Any]:
    try:
        async with here.services.control.write(here.actor) as tx:
            await confirm_erasure(tx, here.record.id, confirmed_by=here.actor.id or "")
            await _tell(here, tx, "agreed to erase")
    except Conflict as error:
        return await _page(here, status=409, errors=here.problems(error))
    return Redirect(f"{here.base}/settings/erasure?said=confirmed", status_code=303)


@post(_PAGE + "/cancellation", opt={"permission": Permission.WORKSPACE_ERASE, "small": True}, status_code=303)
async def create_cancellation(here: Here) -> Response[Any]:
    """Without another proof: changing one's mind must be easy."""
    try:
        async with here.services.control.write(here.actor) as tx:
            await cancel_erasure(tx, here.record.id)
            await _tell(here, tx, "cancelled the wish to erase")
    except NotFound:
        return Redirect(f"{here.base}/settings/erasure", status_code=303)
    return Redirect(f"{here.base}/settings/erasure?said=cancelled", status_code=303)


ROUTES = [show_erasure, create_erasure, create_confirmation, create_cancellation]
