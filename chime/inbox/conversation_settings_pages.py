"""The settings page of conversations: why they are resolved, and what becomes of one whose customer writes again.
Works without a script."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.response import Redirect, Response

from chime import channels
from chime.errors import ChimeError, Invalid
from chime.inbox import reopening, resolving
from chime.inbox.reopening import Goes, ReopenPolicy
from chime.inbox.resolving import Asks
from chime.security.permissions import Permission
from chime.web.forms import form_fields
from chime.web.here import Here

_EDIT = {"permission": Permission.WORKSPACE_EDIT}
_SMALL = {"small": True}
_PAGE = "/w/{slug:str}/settings/conversations"
_ONE = _PAGE + "/reasons/{reason_id:str}"


@get(_PAGE, opt=_EDIT)
async def show_conversation_settings(here: Here) -> Response[bytes]:
    return await _page(here)


async def _page(here: Here, *, error: ChimeError | None = None, wrong: str = "",
                typed: dict[str, str] | None = None) -> Response[bytes]:
    """`wrong` names the form that was refused, as `typed` has it."""
    return here.page(
        "inbox/conversation_settings.html", status=422 if error else 200, wrong=wrong, typed=typed or {},
        errors=here.problems(error) if error else {}, said=here.request.query_params.get("said", ""),
        asks=(await resolving.policy(here.db)).value, reasons=await resolving.reasons(here.db),
        numbers=await channels.channels(here.db), policies=await reopening.policies(here.db), usual=ReopenPolicy(),
        ways=[one.value for one in Asks], goes=[one.value for one in Goes])


def _back(here: Here, said: str) -> Response[Any]:
    return Redirect(f"{here.base}/settings/conversations?said={said}", status_code=303)


@post(_PAGE, opt=_EDIT | _SMALL, status_code=303)
async def update_conversation_settings(here: Here) -> Response[Any]:
    """Whether whoever resolves is asked why."""
    asks = (await form_fields(here.request)).get("asks", "")
    if asks not in set(Asks):
        return await _page(here, error=Invalid.field("asks", "Choose one of these."), wrong="asks")
    async with here.workspace.write(here.actor) as tx:
        await resolving.set_policy(tx, Asks(asks))
    return _back(here, "saved")


@post(_PAGE + "/reasons", opt=_EDIT | _SMALL, status_code=303)
async def create_reason(here: Here) -> Response[Any]:
    fields = await form_fields(here.request)
    try:
        async with here.workspace.write(here.actor) as tx:
            await resolving.create_reason(tx, fields.get("name", ""))
    except ChimeError as error:
        return await _page(here, error=error, wrong="new", typed=fields)
    return _back(here, "created")


@post(_ONE, opt=_EDIT | _SMALL, status_code=303)
async def update_reason(here: Here, reason_id: str) -> Response[Any]:
    fields = await form_fields(here.request)
    try:
        async with here.workspace.write(here.actor) as tx:
            await resolving.edit_reason(tx, reason_id, name=fields.get("name", ""), is_on="is_on" in fields)
    except Invalid as error:
        return await _page(here, error=error, wrong=reason_id, typed=fields)
    return _back(here, "saved")


@post(_ONE + "/place", opt=_EDIT | _SMALL, status_code=303)
async def update_reason_place(here: Here, reason_id: str) -> Response[Any]:
    """`by` is up or down."""
    by = -1 if (await form_fields(here.request)).get("by") == "up" else 1
    async with here.workspace.write(here.actor) as tx:
        await resolving.move_reason(tx, reason_id, by=by)
    return _back(here, "moved")


@post(_ONE + "/removal", opt=_EDIT | _SMALL, status_code=303)
async def delete_reason(here: Here, reason_id: str) -> Response[Any]:
    async with here.workspace.write(here.actor) as tx:
        await resolving.delete_reason(tx, reason_id)
    return _back(here, "deleted")


@post(_PAGE + "/reopening/{channel_id:str}", opt=_EDIT | _SMALL, status_code=303)
async def update_reopen_policy(here: Here, channel_id: str) -> Response[Any]:
    """Of one number, when a customer writes after it was resolved."""
    fields = await form_fields(here.request)
    days = fields.get("new_after_days", "").strip() or "0"
    try:
        if fields.get("assignee") not in set(Goes):
            raise Invalid.field("assignee", "Choose one of these.")
        if not (days.isascii() and days.isdecimal() and len(days) < 6):
            raise Invalid.field("new_after_days", "From 1 to 365 days, or 0 for never.")
        async with here.workspace.write(here.actor) as tx:
            await reopening.set_policy(tx, channel_id, ReopenPolicy(assignee=Goes(fields["assignee"]),
                                                                    new_after_days=int(days)))
    except Invalid as error:
        return await _page(here, error=error, wrong=channel_id, typed=fields)
    return _back(here, "reopening")


ROUTES = [show_conversation_settings, update_conversation_settings, create_reason, update_reason, update_reason_place,
          delete_reason, update_reopen_policy]
