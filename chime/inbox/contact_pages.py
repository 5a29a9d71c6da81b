"""The contact panel beside a thread: name, fields, tags, consent, block. Each verb answers with the panel anew, and
what can be taken back says so."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from litestar import delete, post
from litestar.response import Redirect, Response

from chime import accounts, contacts
from chime.clock import rfc3339
from chime.contacts import FieldKind, FieldSubject
from chime.errors import Forbidden, Invalid, NotFound
from chime.inbox import blocking, conversation_fields, conversation_queries, panel, thread
from chime.inbox.pages import REPLY, SMALL
from chime.phone import numbers_shown_to, shown_content
from chime.security.permissions import Permission
from chime.web.forms import form_fields, form_lists
from chime.web.here import Here
from chime.web.language import zone

EDIT = {"permission": Permission.CONTACTS_EDIT}
_ONE = "/w/{slug:str}/contacts/{contact_id:str}"
_FIELDS = "/w/{slug:str}/inbox/{conversation_id:str}/fields"
Undo = tuple[str, dict[str, str]]


async def show_panel(here: Here, contact_id: str, *, error: Invalid | None = None, typed: dict[str, str] | None = None,
                 said: str = "", undo: Undo | None = None) -> Response[Any]:
    """The panel as it is now; with an error, what was typed and what is wrong with it. `undo`: an address with what to
    send to it."""
    found = await contacts.contact(here.db, contact_id)
    if found is None:
        raise NotFound("There is no such contact.")
    threads = await conversation_queries.conversations_of_contact(here.db, here.viewer, contact_id)
    if not here.is_htmx and error is None:
        where = f"/inbox/{threads[0].id}" if threads else "/inbox"
        return Redirect(here.base + where, status_code=303)
    current = here.request.headers.get("hx-current-url", "")
    shown = next((row.id for row in threads if row.id in current), None)
    headers = {}
    if said:
        toast: dict[str, Any] = {"text": said}
        if undo is not None:
            toast["undo"] = {"url": undo[0], "method": "POST", "values": undo[1]}
        headers["HX-Trigger"] = json.dumps({"toast": toast})
    return here.page("inbox/_panel.html", status=422 if error else 200, headers=headers,
                     contact=await panel.contact_view(here, found, shown),
                     other_conversations=[row for row in threads if row.id != shown],
                     errors=here.problems(error) if error else {}, typed=typed or {})


@post(_ONE, opt=EDIT, status_code=200)
async def edit_contact(here: Here, contact_id: str) -> Response[Any]:
    fields = await form_fields(here.request)
    before = await contacts.contact(here.db, contact_id)
    try:
        async with here.workspace.write(here.actor) as tx:
            await contacts.edit(tx, contact_id, name=fields.get("name", ""))
    except Invalid as error:
        return await show_panel(here, contact_id, error=error, typed=fields)
    return await show_panel(here, contact_id, said=here.words("Name saved"),
                        undo=(f"{here.base}/contacts/{contact_id}", {"name": before.name if before else ""}))


@post(_ONE + "/fields", opt=EDIT, status_code=200)
async def update_contact_field(here: Here, contact_id: str) -> Response[Any]:
    """One field of the person: `key` and its `value`."""
    found = await contacts.contact(here.db, contact_id)
    if found is None:
        raise NotFound("There is no such contact.")
    key, value, typed = await _typed_field(here, FieldSubject.CONTACT)
    try:
        async with here.workspace.write(here.actor) as tx:
            await contacts.edit(tx, contact_id, fields={key: value})
    except Invalid as error:
        return await show_panel(here, contact_id, error=error, typed=typed)
    return await show_panel(here, contact_id, said=here.words("Saved"), undo=_way_back(
        f"{here.base}/contacts/{contact_id}/fields", key, found.fields.get(key)))


@post(_FIELDS, opt=REPLY, status_code=200)
async def update_conversation_field(here: Here, conversation_id: str) -> Response[Any]:
    """One field of the talk."""
    conversation = await thread.conversation_or_404(here, conversation_id)
    before = await conversation_fields.field_values(here.db, conversation_id)
    key, value, typed = await _typed_field(here, FieldSubject.CONVERSATION)
    try:
        async with here.workspace.write(here.actor) as tx:
            await conversation_fields.set_fields(tx, conversation_id, {key: value})
    except Invalid as error:
        return await show_panel(here, conversation.contact_id, error=error, typed=typed)
    return await show_panel(here, conversation.contact_id, said=here.words("Saved"), undo=_way_back(
        f"{here.base}/inbox/{conversation_id}/fields", key, before.get(key)))


async def _typed_field(here: Here, subject: FieldSubject) -> tuple[str, Any, dict[str, str]]:
    """The key of a field that is in use, what was typed for it, and the form. Raises NotFound."""
    typed = await form_fields(here.request)
    key = typed.get("key", "")
    field = next((one for one in await contacts.custom_fields(here.db, subject) if one.key == key and one.is_on), None)
    if field is None:
        raise NotFound("There is no such field.")
    value: Any = typed.get("value", "")
    if field.kind is FieldKind.MULTI_SELECT:
        value = (await form_lists(here.request, "value"))["value"]
        value = value[0].split("\n") if "again" in typed and value else [one for one in value if one]
    elif field.kind is FieldKind.SWITCH:
        value = value or "false"
    elif field.kind is FieldKind.DATE_TIME and value and not value.endswith("Z"):
        value = _moment(here, value)
    return key, value, typed


def _moment(here: Here, text: str) -> str:
    """What somebody chose in their own zone, as it is kept; what is no moment stays as it was typed."""
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=zone(thread.zone_of(here)))
        return rfc3339(int(moment.timestamp() * 1000))
    except (ValueError, OverflowError):
        return text


def _way_back(address: str, key: str, before: Any) -> Undo | None:
    """None for who sees another value than stands there: it would tell them the number that is masked."""
    if contacts.shown_values(shown_content({key: before})) != {key: before}:
        return None
    if isinstance(before, list):
        return address, {"key": key, "value": "\n".join(before), "again": "1"}
    text = "" if before is None else str(before).lower() if isinstance(before, bool) else str(before)
    return address, {"key": key, "value": text}


@post(_ONE + "/owner", opt=EDIT | SMALL, status_code=200)
async def update_owner(here: Here, contact_id: str) -> Response[Any]:
    """Who looks after this person; nobody when it is empty."""
    fields = await form_fields(here.request)
    owner_id = fields.get("owner_id") or None
    before = await contacts.contact(here.db, contact_id)
    try:
        await set_owner(here, contact_id, owner_id)
    except Invalid as error:
        return await show_panel(here, contact_id, error=error, typed=fields)
    return await show_panel(here, contact_id, said=here.words("Owner saved"), undo=(
        f"{here.base}/contacts/{contact_id}/owner", {"owner_id": (before.owner_id or "") if before else ""}))


async def set_owner(here: Here, contact_id: str, owner_id: str | None) -> None:
    """Raises NotFound, Invalid."""
    if owner_id is not None and owner_id not in await accounts.active_ids(here.services.control.db, here.record.id):
        raise Invalid.field("owner_id", "This person is not a member of the workspace.")
    async with here.workspace.write(here.actor) as tx:
        await contacts.set_owner(tx, contact_id, owner_id)


@post(_ONE + "/tags", opt=EDIT, status_code=200)
async def create_tag(here: Here, contact_id: str) -> Response[Any]:
    fields = await form_fields(here.request)
    try:
        async with here.workspace.write(here.actor) as tx:
            await contacts.add_tag(tx, contact_id, fields.get("name", ""))
    except Invalid as error:
        return await show_panel(here, contact_id, error=error, typed=fields)
    return await show_panel(here, contact_id)


@post(_ONE + "/tags/{tag_id:str}/remove", opt=EDIT | SMALL, status_code=200)
async def delete_tag(here: Here, contact_id: str, tag_id: str) -> Response[Any]:
    before = await contacts.contact(here.db, contact_id)
    name = next((tag.name for tag in before.tags if tag.id == tag_id), "") if before else ""
    async with here.workspace.write(here.actor) as tx:
        await contacts.remove_tag(tx, contact_id, tag_id)
    return await show_panel(here, contact_id, said=here.words("Tag removed"), undo=(
        f"{here.base}/contacts/{contact_id}/tags", {"name": name}) if name else None)


@post(_ONE + "/consent", opt={"permission": Permission.CONSENT_OPT_OUT} | SMALL, status_code=200)
async def create_consent(here: Here, contact_id: str) -> Response[Any]:
    """What the customer decided about marketing, as an agent heard it."""
    fields = await form_fields(here.request)
    try:
        marketing = contacts.Consent(fields.get("marketing", ""))
        if marketing is contacts.Consent.OPTED_IN and not here.actor.may(Permission.CONSENT_OPT_IN):
            raise Forbidden.without(Permission.CONSENT_OPT_IN.value)
        async with here.workspace.write(here.actor) as tx:
            await contacts.record_consent(tx, contact_id, marketing, source="agent",
                                          evidence=fields.get("evidence", ""))
    except ValueError:
        return await show_panel(here, contact_id, typed=fields,
                            error=Invalid.field("marketing", "Say whether they agree or refuse."))
    except Invalid as error:
        return await show_panel(here, contact_id, error=error, typed=fields)
    return await show_panel(here, contact_id)


@post(_ONE + "/number", opt={"permission": Permission.NUMBERS_REVEAL}, status_code=200)
async def show_number(here: Here, contact_id: str) -> Response[Any]:
    """A masked number, shown once. That it was is on disk before it leaves."""
    found = await contacts.contact(here.db, contact_id)
    if found is None or found.phone is None:
        raise NotFound("There is no number to show.")
    async with here.workspace.write(here.actor) as tx:
        await contacts.reveal_number(tx, contact_id)
    numbers_shown_to(True)
    return here.page("inbox/_number.html", number=found.phone)


@post(_ONE + "/block", opt=EDIT | SMALL, status_code=200)
async def create_block(here: Here, contact_id: str) -> Response[Any]:
    """Hear nothing more of this person. A form says `_method=delete` to hear them again."""
    if (await form_fields(here.request)).get("_method") == "delete":
        return await _unblock(here, contact_id)
    async with here.workspace.write(here.actor) as tx:
        await blocking.block(tx, contact_id)
    return await show_panel(here, contact_id, said=here.words("Blocked: what they write stays silent"),
                        undo=(f"{here.base}/contacts/{contact_id}/block", {"_method": "delete"}))


@delete(_ONE + "/block", opt=EDIT, status_code=200)
async def delete_block(here: Here, contact_id: str) -> Response[Any]:
    return await _unblock(here, contact_id)


async def _unblock(here: Here, contact_id: str) -> Response[Any]:
    async with here.workspace.write(here.actor) as tx:
        await blocking.unblock(tx, contact_id)
    return await show_panel(here, contact_id, said=here.words("Unblocked"))


@post(_ONE + "/removal", opt={"permission": Permission.CONTACTS_DELETE} | SMALL, status_code=200)
async def delete_contact(here: Here, contact_id: str) -> Response[Any]:
    """Out of every list. The thread stays readable; whoever writes again is back."""
    async with here.workspace.write(here.actor) as tx:
        await contacts.delete(tx, contact_id)
    if here.is_htmx:
        return Response(b"", headers={"HX-Redirect": f"{here.base}/inbox"})
    return Redirect(f"{here.base}/inbox", status_code=303)


ROUTES = [show_number, edit_contact, update_owner, update_contact_field, update_conversation_field, create_tag,
          delete_tag, create_consent, create_block, delete_block, delete_contact]
