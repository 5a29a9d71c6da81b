"""`Same person as…`: find the other contact, choose what stays, see what joins, do it, and take it back for a week."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import delete, get, post
from litestar.response import Redirect, Response

from chime import contacts
from chime.contacts import Choice, Contact, FieldSubject, shown_values
from chime.errors import ChimeError, Forbidden, Invalid, NotFound
from chime.inbox import filter_queries, merging, search_people
from chime.inbox.contact_pages import EDIT
from chime.inbox.contact_pages import show_panel as panel_again
from chime.phone import shown_content
from chime.security.permissions import Permission
from chime.security.scope import IN_SIGHT, viewer
from chime.web.forms import form_fields, form_lists
from chime.web.here import Here

_MERGE = "/w/{slug:str}/contacts/{contact_id:str}/merge"
_SMALL = {"small": True}
MOST_FOUND = 20


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A field that both have, with different values."""

    key: str
    label: str
    mine: Any
    theirs: Any


@get(_MERGE, opt=EDIT)
async def new_merge(here: Here, contact_id: str) -> Response[bytes]:
    """The search for the other contact (`q`), or both side by side once one is chosen (`other`)."""
    mine = await _contact(here, contact_id)
    asked = here.request.query_params
    if asked.get("other"):
        return await _compare(here, mine, await other_of(here, contact_id, asked["other"]))
    text = asked.get("q", "").strip()[:100]
    found = await _found(here, contact_id, text) if text else []
    return here.page("inbox/_merge_find.html" if here.is_htmx else "inbox/merge.html", contact=mine, q=text,
                     found=found, comparing=False)


async def _contact(here: Here, contact_id: str) -> Contact:
    found = await contacts.contact(here.db, contact_id)
    if found is None:
        raise NotFound("There is no such contact.")
    return found


async def _found(here: Here, contact_id: str, text: str) -> list[tuple[str, str, Any]]:
    """Other people of this name: id, title, number."""
    rows = await search_people.people_named(here.workspace, viewer(here.actor, Permission.CONTACTS_EDIT), text,
                                            by_number=here.actor.sees_numbers)
    people = {row.contact_id: (row.contact_id, row.title, row.contact_phone) for row in rows
              if row.contact_id != contact_id}
    return list(people.values())[:MOST_FOUND]


async def other_of(here: Here, contact_id: str, other_id: str) -> Contact:
    """The other contact, when both are the actor's to edit with all their conversations: what is out of sight must not
    come into it this way. Raises NotFound, Invalid, Forbidden."""
    seen = viewer(here.actor, Permission.CONTACTS_EDIT)
    if other_id == contact_id:
        raise Invalid.field("other_id", "Choose another contact than this one.")
    other = await contacts.contact(here.db, other_id)
    if other is None or not await here.db.value(IN_SIGHT["contact_id"][seen.sight], other_id, *seen.values):
        raise NotFound("There is no such contact.")
    ids = [row[0] for row in await here.db.rows("SELECT id FROM conversation WHERE contact_id IN (?, ?)", contact_id,
                                                other_id)]
    if len(await filter_queries.held(here.db, seen, ids, with_queue=False)) < len(ids):
        raise Forbidden("Some conversations of these two are not yours to change.")
    return other


async def differing(here: Here, mine: Contact, theirs: Contact) -> list[Difference]:
    labels = {field.key: field.label for field in await contacts.custom_fields(here.db, FieldSubject.CONTACT)}
    ours, others = (shown_values(shown_content(one.fields)) for one in (mine, theirs))
    return [Difference(key=key, label=labels.get(key, key), mine=ours[key], theirs=value)
            for key, value in others.items() if key in ours and ours[key] != value]


async def _compare(here: Here, mine: Contact, theirs: Contact, error: ChimeError | None = None) -> Response[bytes]:
    name = "inbox/_merge.html" if here.is_htmx else "inbox/merge.html"
    return here.page(name, status=422 if error else 200, contact=mine, other=theirs, comparing=True,
                     differing=await differing(here, mine, theirs),
                     tags=sorted({tag.id: tag.name for tag in (*mine.tags, *theirs.tags)}.items(),
                                 key=lambda tag: tag[1].casefold()),
                     consent=contacts.stricter(mine, theirs).marketing_consent.value,
                     joining=await merging.joining(here.db, kept=mine.id, gone=theirs.id),
                     errors=here.problems(error) if error else {})


@post(_MERGE, opt=EDIT | _SMALL, status_code=200)
async def create_merge(here: Here, contact_id: str) -> Response[Any]:
    """`other_id` becomes part of this one; what is to be taken from it has the value `other`. A form without scripts
    says `_method=delete` to take the last merge back."""
    fields = await form_fields(here.request)
    if fields.get("_method") == "delete":
        return await _part(here, contact_id)
    await _contact(here, contact_id)
    other = await other_of(here, contact_id, fields.get("other_id", ""))
    chosen = Choice(
        name=fields.get("name") == "other", number=fields.get("number") == "other",
        fields=frozenset(name.removeprefix("field:") for name, value in fields.items()
                         if name.startswith("field:") and value == "other"),
        tags=frozenset((await form_lists(here.request, "tag"))["tag"]))
    async with here.workspace.write(here.actor) as tx:
        await merging.merge(tx, kept=contact_id, gone=other.id, choice=chosen)
    if here.is_htmx:
        return Response(b"", headers={"HX-Redirect": await _place(here, contact_id)})
    return Redirect(await _place(here, contact_id), status_code=303)


async def _place(here: Here, contact_id: str) -> str:
    """Where the newest conversation of somebody is."""
    thread_id = await here.db.value("SELECT id FROM conversation WHERE contact_id = ? ORDER BY last_message_at DESC "
                                    "LIMIT 1", contact_id)
    return f"{here.base}/inbox/{thread_id}" if thread_id else f"{here.base}/inbox"


@delete(_MERGE, opt=EDIT, status_code=200)
async def delete_merge(here: Here, contact_id: str) -> Response[Any]:
    return await _part(here, contact_id)


async def _part(here: Here, contact_id: str) -> Response[Any]:
    async with here.workspace.write(here.actor) as tx:
        await merging.undo(tx, contact_id)
    return await panel_again(here, contact_id, said=here.words("They are two contacts again"))


ROUTES = [new_merge, create_merge, delete_merge]
