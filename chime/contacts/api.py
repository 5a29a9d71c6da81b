"""Contacts, their consent and the tags of the workspace, for scripts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import delete, get, patch, post
from msgspec import UNSET, Meta, UnsetType

from chime import accounts, audit
from chime.audit import Reading
from chime.clock import rfc3339
from chime.contacts import actions, field_queries, owners, queries
from chime.contacts.custom_fields import shown_values
from chime.contacts.model import USER_ID, Consent, Contact, NewContact, Tag, check_user_id, normalise_phone
from chime.errors import Forbidden, Invalid, NotFound
from chime.security.permissions import Permission, Reach
from chime.web.forms import json_body
from chime.web.here import Here
from chime.web.idempotency import once
from chime.web.listing import Page, decode_cursor, page_of, page_size, query_of
from chime.web.reference import PAGED, Moment, Operation, Parameter, api

_ONE = "/api/v1/contacts/{contact_id:str}"
_NEWEST = (2**62, "")
Decision = Literal["opted_in", "opted_out"]


class ContactAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A contact. `name` is what the team calls the person, `profile_name` what they call themselves on WhatsApp;
    `user_id` is WhatsApp's business-scoped id. `phone` or `user_id` may be null, and both may change. `owner_id` is the
    member who looks after them."""

    id: str
    phone: str | None
    user_id: str | None
    username: str
    name: str
    profile_name: str
    tags: tuple[str, ...]
    fields: dict[str, Any]
    marketing_consent: Consent
    owner_id: str | None
    blocked_at: Moment | None
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, contact: Contact) -> ContactAnswer:
        return cls(
            id=contact.id, phone=str(contact.phone) if contact.phone else None, user_id=contact.user_id,
            username=contact.username, name=contact.name, profile_name=contact.profile_name,
            tags=tuple(tag.name for tag in contact.tags), fields=shown_values(contact.fields),
            marketing_consent=contact.marketing_consent, owner_id=contact.owner_id,
            blocked_at=rfc3339(contact.blocked_at) if contact.blocked_at else None,
            created_at=rfc3339(contact.created_at), updated_at=rfc3339(contact.updated_at))


class CreateContact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`phone` or `user_id` is needed. `fields` holds texts, numbers and truth values under names of your own."""

    phone: str | None = None
    user_id: str | None = None
    name: str = ""
    tags: tuple[str, ...] = ()
    fields: dict[str, Any] = {}
    owner_id: str | None = None
    marketing_consent: Decision | UnsetType = UNSET


class UpdateContact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Only what is given changes. `tags` replaces all of them, `fields` changes the named ones (null removes one).
    `owner_id` is a member, or null for nobody."""

    name: str | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    fields: dict[str, Any] | UnsetType = UNSET
    owner_id: str | UnsetType | None = UNSET
    marketing_consent: Decision | UnsetType = UNSET


class RecordConsent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the person said about marketing messages, where, and what proves it."""

    marketing: Decision
    source: Annotated[str, Meta(min_length=1, max_length=200)]
    evidence: Annotated[str, Meta(max_length=2000)] = ""


class CreateTag(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The name of a new tag."""

    name: str


_LONGEST_VALUE = 200
# What a list of contacts is asked for by, one at a time.
_ONES = ("phone", "user_id", "field_value")
_CONTACT_EXAMPLE = {
    "id": "01kafx2v9m3q8r5t7w1y4z6b0c", "phone": "+14155550123", "user_id": None, "username": "", "name": "Maya Rao",
    "profile_name": "Maya", "owner_id": None, "blocked_at": None, "tags": ["vip"], "fields": {"city": "Pune"},
    "marketing_consent": "opted_in",
    "created_at": "2026-11-21T09:30:00.000Z", "updated_at": "2026-11-21T09:30:00.000Z",
}
_TAG_EXAMPLE = {"id": "01kafx2v9m3q8r5t7w1y4z6b0d", "name": "vip"}


@get("/api/v1/contacts", opt=api(Permission.CONTACTS_READ, Operation(
    tag="contacts", summary="List contacts", description="Newest first.", answer=Page[ContactAnswer],
    parameters=(*PAGED, Parameter(name="phone", meaning="Only the contact with this number; needs numbers:read"),
                Parameter(name="user_id", meaning="Only the contact with this WhatsApp user id",
                          limits={"pattern": USER_ID.pattern}),
                Parameter(name="field_value", meaning="Only contacts one of whose fields holds these words side by "
                          f"side, the last one perhaps only begun; at most {field_queries.MOST_MATCHES}, on one page",
                          limits={"minLength": 1, "maxLength": _LONGEST_VALUE})),
    response_example={"items": [_CONTACT_EXAMPLE], "next_cursor": None})))
async def list_contacts(here: Here) -> Page[ContactAnswer]:
    query = query_of(here.request, "phone", "user_id", "field_value")
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    if any(name in query for name in _ONES):
        found = await _found(here, query)
        audit.read(here, Reading.NUMBER_SEARCH if "phone" in query else Reading.CONTACTS, found=len(found))
        return Page(tuple(ContactAnswer.of(row) for row in found), None)
    rows = await queries.contacts_page(here.db, here.viewer, after=after or _NEWEST, limit=limit + 1)
    await audit.read_first(here, Reading.CONTACTS, found=min(len(rows), limit))
    return page_of(rows, limit, place=lambda row: (row.created_at, row.id), told=ContactAnswer.of)


async def _found(here: Here, query: dict[str, str]) -> list[Contact]:
    asked = [name for name in _ONES if name in query]
    if len(asked) > 1:
        raise Invalid.field(asked[-1], "Ask for either a phone number, a user id or the value of a field.")
    if "field_value" in query:
        return await _with_value(here, query["field_value"])
    if "user_id" in query:
        return await queries.find(here.db, here.viewer, user_id=check_user_id(query["user_id"]))
    # Found by guesses, a number would tell itself to those who may not see it.
    if not here.actor.sees_numbers:
        raise Forbidden("Finding people by number needs numbers:read.")
    # A plus sign that was not escaped arrives as a space.
    return await queries.find(here.db, here.viewer, phone=normalise_phone("+" + query["phone"].strip().lstrip("+")))


async def _with_value(here: Here, typed: str) -> list[Contact]:
    if not 1 <= len(typed) <= _LONGEST_VALUE:
        raise Invalid.field("field_value", f"Give 1 to {_LONGEST_VALUE} characters.")
    found = await field_queries.with_value(here.workspace.db.long_reads, here.viewer, typed,
                                           by_number=here.actor.sees_numbers)
    contacts = [await queries.contact(here.db, match.contact_id) for match in found]
    return [one for one in contacts if one is not None]


@post("/api/v1/contacts", status_code=201, opt=api(Permission.CONTACTS_EDIT, Operation(
    tag="contacts", summary="Create a contact", status=201, body=CreateContact, answer=ContactAnswer,
    refusals={409: "There is a contact with this number or user id already."},
    request_example={"phone": "+14155550123", "name": "Maya Rao", "tags": ["vip"], "fields": {"city": "Pune"}},
    response_example=_CONTACT_EXAMPLE)))
@once
async def create_contact(here: Here) -> ContactAnswer:
    body = await json_body(here.request, CreateContact)
    _may_opt_in(here, body.marketing_consent)
    # A refusal because the contact is there already would tell an agent who else is a customer.
    if here.actor.grant(Permission.CONTACTS_EDIT).reach <= Reach.OWN:
        raise Forbidden("This needs the whole list of contacts, or a team's.")
    await _check_owner(here, body.owner_id)
    async with here.workspace.write(here.actor) as tx:
        contact_id = await actions.create(tx, NewContact(name=body.name, phone=body.phone, user_id=body.user_id,
                                                         fields=body.fields, tags=body.tags))
        if body.owner_id is not None:
            await owners.set_owner(tx, contact_id, body.owner_id)
        if body.marketing_consent is not UNSET:
            await actions.record_consent(tx, contact_id, Consent(body.marketing_consent),
                                         source=f"API key {here.actor.name}", evidence="")
    return await _told(here, contact_id)


@get(_ONE, opt=api(Permission.CONTACTS_READ, Operation(
    tag="contacts", summary="Read a contact", answer=ContactAnswer, response_example=_CONTACT_EXAMPLE)))
async def show_contact(here: Here, contact_id: str) -> ContactAnswer:
    told = await _told(here, contact_id)
    audit.read(here, Reading.CONTACT, contact_id)
    return told


def _may_opt_in(here: Here, decision: Decision | UnsetType) -> None:
    """Taking a person's no is everybody's; writing down a yes is for who may vouch for it. Raises Forbidden."""
    if decision == "opted_in" and not here.actor.may(Permission.CONSENT_OPT_IN):
        raise Forbidden.without(Permission.CONSENT_OPT_IN.value)


async def _check_owner(here: Here, owner_id: str | UnsetType | None) -> None:
    """Raises Invalid."""
    if owner_id is UNSET or owner_id is None:
        return
    if owner_id not in await accounts.active_ids(here.services.control.db, here.record.id):
        raise Invalid.field("owner_id", "This person is not a member of the workspace.")


async def _told(here: Here, contact_id: str) -> ContactAnswer:
    found = await queries.contact(here.db, contact_id)
    if found is None:
        raise NotFound("There is no such contact.")
    return ContactAnswer.of(found)


@patch(_ONE, opt=api(Permission.CONTACTS_EDIT, Operation(
    tag="contacts", summary="Change a contact", body=UpdateContact, answer=ContactAnswer,
    description="Only what is given changes.",
    request_example={"name": "Maya R.", "fields": {"city": None}},
    response_example=_CONTACT_EXAMPLE | {"name": "Maya R.", "fields": {}})))
async def update_contact(here: Here, contact_id: str) -> ContactAnswer:
    body = await json_body(here.request, UpdateContact)
    _may_opt_in(here, body.marketing_consent)
    given = {"name": body.name, "fields": body.fields, "tag_names": body.tags}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not UNSET}
    await _check_owner(here, body.owner_id)
    async with here.workspace.write(here.actor) as tx:
        if changes:
            await actions.edit(tx, contact_id, **changes)
        if body.owner_id is not UNSET:
            await owners.set_owner(tx, contact_id, body.owner_id)
        if body.marketing_consent is not UNSET:
            await actions.record_consent(tx, contact_id, Consent(body.marketing_consent),
                                         source=f"API key {here.actor.name}", evidence="")
    return await _told(here, contact_id)


@delete(_ONE, opt=api(Permission.CONTACTS_DELETE, Operation(
    tag="contacts", summary="Delete a contact", status=204,
    description="Takes the person out of every list. Conversations stay readable; whoever writes again is back.")))
async def delete_contact(here: Here, contact_id: str) -> None:
    async with here.workspace.write(here.actor) as tx:
        await actions.delete(tx, contact_id)


@post(_ONE + "/consent", status_code=200, opt=api(Permission.CONSENT_OPT_OUT, Operation(
    tag="contacts", summary="Record consent", body=RecordConsent, answer=ContactAnswer,
    description="What the person decided about marketing messages. Nobody who opted out is sent a marketing template.",
    request_example={"marketing": "opted_in", "source": "checkout form", "evidence": "order 1042, box ticked"},
    response_example=_CONTACT_EXAMPLE), small=True))
@once
async def create_consent(here: Here, contact_id: str) -> ContactAnswer:
    body = await json_body(here.request, RecordConsent)
    _may_opt_in(here, body.marketing)
    async with here.workspace.write(here.actor) as tx:
        await actions.record_consent(tx, contact_id, Consent(body.marketing), source=body.source,
                                     evidence=body.evidence)
    return await _told(here, contact_id)


@get("/api/v1/tags", opt=api(Permission.CONTACTS_READ, Operation(
    tag="tags", summary="List tags", description="By name.", answer=Page[Tag], parameters=PAGED,
    response_example={"items": [_TAG_EXAMPLE], "next_cursor": None})))
async def list_tags(here: Here) -> Page[Tag]:
    query = query_of(here.request)
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    rows = await queries.tags_page(here.db, after=after[1] if after else "", limit=limit + 1)
    return page_of(rows, limit, place=lambda tag: (0, tag.name), told=lambda tag: tag)


@post("/api/v1/tags", status_code=201, opt=api(Permission.TAGS_EDIT, Operation(
    tag="tags", summary="Create a tag", status=201, body=CreateTag, answer=Tag,
    refusals={409: "There is a tag of this name already."},
    request_example={"name": "vip"}, response_example=_TAG_EXAMPLE)))
@once
async def create_tag(here: Here) -> Tag:
    body = await json_body(here.request, CreateTag)
    async with here.workspace.write(here.actor) as tx:
        return await actions.create_tag(tx, body.name)


ROUTES = [list_contacts, create_contact, show_contact, update_contact, delete_contact, create_consent, list_tags,
          create_tag]
