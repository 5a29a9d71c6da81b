"""The contact panel beside a thread: name, tags, consent. Each verb answers with the panel anew."""

from __future__ import annotations

from typing import Any

from litestar import post
from litestar.response import Redirect, Response

from chime import contacts
from chime.errors import Invalid, NotFound
from chime.inbox import queries
from chime.inbox.pages import SMALL
from chime.inbox.thread import ContactView
from chime.security.permissions import Permission
from chime.web.forms import form_fields
from chime.web.here import Here

EDIT = {"permission": Permission.CONTACTS_EDIT}
_ONE = "/w/{slug:str}/contacts/{contact_id:str}"


async def _panel(here: Here, contact_id: str, *, error: Invalid | None = None,
                 typed: dict[str, str] | None = None) -> Response[Any]:
    """The panel as it is now; with an error, what was typed and what is wrong with it."""
    found = await contacts.contact(here.db, contact_id)
    if found is None:
        raise NotFound("There is no such contact.")
    threads = await queries.conversations_of_contact(here.db, contact_id)
    if not here.is_htmx and error is None:
        where = f"/inbox/{threads[0].id}" if threads else "/inbox"
        return Redirect(here.base + where, status_code=303)
    current = here.request.headers.get("hx-current-url", "")
    others = [row for row in threads if row.id not in current]
    return here.page("inbox/_panel.html", status=422 if error else 200, contact=ContactView.of(found),
                     other_conversations=others, errors=here.problems(error) if error else {}, typed=typed or {})


@post(_ONE, opt=EDIT, status_code=200)
async def edit_contact(here: Here, contact_id: str) -> Response[Any]:
    fields = await form_fields(here.request)
    try:
        async with here.workspace.write(here.actor) as tx:
            await contacts.edit(tx, contact_id, name=fields.get("name", ""))
    except Invalid as error:
        return await _panel(here, contact_id, error=error, typed=fields)
    return await _panel(here, contact_id)


@post(_ONE + "/tags", opt=EDIT, status_code=200)
async def create_tag(here: Here, contact_id: str) -> Response[Any]:
    fields = await form_fields(here.request)
    try:
        async with here.workspace.write(here.actor) as tx:
            await contacts.add_tag(tx, contact_id, fields.get("name", ""))
    except Invalid as error:
        return await _panel(here, contact_id, error=error, typed=fields)
    return await _panel(here, contact_id)


@post(_ONE + "/tags/{tag_id:str}/remove", opt=EDIT | SMALL, status_code=200)
async def delete_tag(here: Here, contact_id: str, tag_id: str) -> Response[Any]:
    async with here.workspace.write(here.actor) as tx:
        await contacts.remove_tag(tx, contact_id, tag_id)
    return await _panel(here, contact_id)


@post(_ONE + "/consent", opt=EDIT | SMALL, status_code=200)
async def create_consent(here: Here, contact_id: str) -> Response[Any]:
    """What the customer decided about marketing, as an agent heard it."""
    fields = await form_fields(here.request)
    try:
        marketing = contacts.Consent(fields.get("marketing", ""))
        async with here.workspace.write(here.actor) as tx:
            await contacts.record_consent(tx, contact_id, marketing, source="agent",
                                          evidence=fields.get("evidence", ""))
    except ValueError:
        return await _panel(here, contact_id, typed=fields,
                            error=Invalid.field("marketing", "Say whether they agree or refuse."))
    except Invalid as error:
        return await _panel(here, contact_id, error=error, typed=fields)
    return await _panel(here, contact_id)


ROUTES = [edit_contact, create_tag, delete_tag, create_consent]
