"""Contacts, their consent and the tags of the workspace, for scripts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import delete, get, patch, post
from msgspec import UNSET, Meta, UnsetType

from chime.clock import rfc3339
from chime.contacts import actions, queries
from chime.contacts.model import Consent, Contact, NewContact, Tag, check_user_id, normalise_phone
from chime.errors import Invalid, NotFound
from chime.security.permissions import Permission
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
    `user_id` is WhatsApp's business-scoped id. `phone` or `user_id` may be null, and both may change."""

    id: str
    phone: str | None
    user_id: str | None
    username: str
    name: str
    profile_name: str
    tags: tuple[str, ...]
    fields: dict[str, Any]
    marketing_consent: Consent
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, contact: Contact) -> ContactAnswer:
        return cls(
            id=contact.id, phone=f"+{contact.phone}" if contact.phone else None, user_id=contact.user_id,
            username=contact.username, name=contact.name, profile_name=contact.profile_name,
            tags=tuple(tag.name for tag in contact.tags), fields=contact.fields,
            marketing_consent=contact.marketing_consent, created_at=rfc3339(contact.created_at),
            updated_at=rfc3339(contact.updated_at))


class CreateContact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`phone` or `user_id` is needed. `fields` holds texts, numbers and truth values under names of your own."""

    phone: str | None = None
    user_id: str | None = None
    name: str = ""
    tags: tuple[str, ...] = ()
    fields: dict[str, Any] = {}
    marketing_consent: Decision | UnsetType = UNSET


class UpdateContact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Only what is given changes. `tags` replaces all of them, `fields` changes the named ones (null removes one)."""

    name: str | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    fields: dict[str, Any] | UnsetType = UNSET
    marketing_consent: Decision | UnsetType = UNSET


class RecordConsent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the person said about marketing messages, where, and what proves it."""

    marketing: Decision
    source: Annotated[str, Meta(min_length=1, max_length=200)]
    evidence: Annotated[str, Meta(max_length=2000)] = ""


class CreateTag(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The name of a new tag."""

    name: str


_CONTACT_EXAMPLE = {
    "id": "01kafx2v9m3q8r5t7w1y4z6b0c", "phone": "+14155550123", "user_id": None, "username": "", "name": "Maya Rao",
    "profile_name": "Maya", "tags": ["vip"], "fields": {"city": "Pune"}, "marketing_consent": "opted_in",
    "created_at": "2026-11-21T09:30:00.000Z", "updated_at": "2026-11-21T09:30:00.000Z",
}
_TAG_EXAMPLE = {"id": "01kafx2v9m3q8r5t7w1y4z6b0d", "name": "vip"}


@get("/api/v1/contacts", opt=api(Permission.CONTACTS_READ, Operation(
    tag="contacts", summary="List contacts", description="Newest first.", answer=Page[ContactAnswer],
    parameters=(*PAGED, Parameter(name="phone", meaning="Only the contact with this number"),
                Parameter(name="user_id", meaning="Only the contact with this WhatsApp user id")),
    response_example={"items": [_CONTACT_EXAMPLE], "next_cursor": None})))
async def list_contacts(here: Here) -> Page[ContactAnswer]:
    query = query_of(here.request, "phone", "user_id")
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    if "phone" in query or "user_id" in query:
        return Page(tuple(ContactAnswer.of(row) for row in await _found(here, query)), None)
    rows = await queries.contacts_page(here.db, after=after or _NEWEST, limit=limit + 1)
    return page_of(rows, limit, place=lambda row: (row.created_at, row.id), told=ContactAnswer.of)


async def _found(here: Here, query: dict[str, str]) -> list[Contact]:
    if "phone" in query and "user_id" in query:
        raise Invalid.field("user_id", "Ask for either a phone number or a user id.")
    if "user_id" in query:
        return await queries.find(here.db, user_id=check_user_id(query["user_id"]))
    # A plus sign that was not escaped arrives as a space.
    return await queries.find(here.db, phone=normalise_phone("+" + query["phone"].strip().lstrip("+")))


@post("/api/v1/contacts", status_code=201, opt=api(Permission.CONTACTS_EDIT, Operation(
    tag="contacts", summary="Create a contact", status=201, body=CreateContact, answer=ContactAnswer,
    refusals={409: "There is a contact with this number or user id already."},
    request_example={"phone": "+14155550123", "name": "Maya Rao", "tags": ["vip"], "fields": {"city": "Pune"}},
    response_example=_CONTACT_EXAMPLE)))
@once
async def create_contact(here: Here) -> ContactAnswer:
    body = await json_body(here.request, CreateContact)
    async with here.workspace.write(here.actor) as tx:
        contact_id = await actions.create(tx, NewContact(name=body.name, phone=body.phone, user_id=body.user_id,
                                                         fields=body.fields, tags=body.tags))
        if body.marketing_consent is not UNSET:
            await actions.record_consent(tx, contact_id, Consent(body.marketing_consent),
                                         source=f"API key {here.actor.name}", evidence="")
    return await _told(here, contact_id)


@get(_ONE, opt=api(Permission.CONTACTS_READ, Operation(
    tag="contacts", summary="Read a contact", answer=ContactAnswer, response_example=_CONTACT_EXAMPLE)))
async def show_contact(here: Here, contact_id: str) -> ContactAnswer:
    return await _told(here, contact_id)


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
    given = {"name": body.name, "fields": body.fields, "tag_names": body.tags}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not UNSET}
    async with here.workspace.write(here.actor) as tx:
        if changes:
            await actions.edit(tx, contact_id, **changes)
        if body.marketing_consent is not UNSET:
            await actions.record_consent(tx, contact_id, Consent(body.marketing_consent),
                                         source=f"API key {here.actor.name}", evidence="")
    return await _told(here, contact_id)


@delete(_ONE, opt=api(Permission.CONTACTS_EDIT, Operation(
    tag="contacts", summary="Delete a contact", status=204,
    description="Takes the person out of every list. Conversations stay readable; whoever writes again is back.")))
async def delete_contact(here: Here, contact_id: str) -> None:
    async with here.workspace.write(here.actor) as tx:
        await actions.delete(tx, contact_id)


@post(_ONE + "/consent", status_code=200, opt=api(Permission.CONTACTS_EDIT, Operation(
    tag="contacts", summary="Record consent", body=RecordConsent, answer=ContactAnswer,
    description="What the person decided about marketing messages. Nobody who opted out is sent a marketing template.",
    request_example={"marketing": "opted_in", "source": "checkout form", "evidence": "order 1042, box ticked"},
    response_example=_CONTACT_EXAMPLE), small=True))
@once
async def create_consent(here: Here, contact_id: str) -> ContactAnswer:
    body = await json_body(here.request, RecordConsent)
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


@post("/api/v1/tags", status_code=201, opt=api(Permission.CONTACTS_EDIT, Operation(
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
