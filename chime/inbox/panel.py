"""What the contact panel beside a thread shows: the person, fields of both, tags, consent, block, other threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from chime import accounts, contacts
from chime.clock import from_rfc3339
from chime.contacts import Contact, CustomField, FieldKind, FieldSubject, shown_values
from chime.inbox import blocking, conversation_fields, merging
from chime.inbox.blocking import BlockState
from chime.inbox.merging import Merge
from chime.inbox.model import Conversation
from chime.phone import Phone, shown_content
from chime.web.here import Here


class ShownField(msgspec.Struct, frozen=True, kw_only=True):
    """A defined field with its value; `value` is as people read it, None when there is none."""

    field: CustomField
    value: Any


class ContactView(msgspec.Struct, frozen=True, kw_only=True):
    """A contact as the panel draws it; `tags` are (id, name) pairs, `free_fields` what no definition names;
    `members` are (id, name) of who could be the owner."""

    id: str
    name: str
    profile_name: str
    username: str
    phone: Phone | None
    user_id: str | None
    title: str
    tags: tuple[tuple[str, str], ...]
    fields: tuple[ShownField, ...] = ()
    free_fields: dict[str, Any] = {}
    marketing_consent: str
    consent_at: int | None
    created_at: int
    is_gone: bool = False
    is_blocked: bool = False
    blocked_by: str = ""
    blocks: tuple[BlockState, ...] = ()
    conversation_id: str = ""
    conversation_fields: tuple[ShownField, ...] = ()
    merge: Merge | None = None
    owner_id: str | None = None
    owner_name: str = ""
    members: tuple[tuple[str, str], ...] = ()


async def contact_view(here: Here, contact: Contact, conversation_id: str | None) -> ContactView:
    """With the fields of the conversation that is open, if one is."""
    defined = await contacts.custom_fields(here.db)
    mine = [field for field in defined if field.subject is FieldSubject.CONTACT]
    same = {name: getattr(contact, name) for name in ("id", "name", "profile_name", "username", "phone", "user_id",
                                                      "title", "consent_at", "created_at")}
    values = shown_values(shown_content(contact.fields))
    theirs: tuple[ShownField, ...] = ()
    if conversation_id:
        told = shown_values(shown_content(await conversation_fields.field_values(here.db, conversation_id)))
        theirs = _shown([field for field in defined if field.subject is FieldSubject.CONVERSATION], told)
    members = await accounts.members(here.services.control.db, here.record.id)
    return ContactView(
        **same, owner_id=contact.owner_id, members=tuple((one.id, one.name) for one in members),
        owner_name=next((one.name for one in members if one.id == contact.owner_id), ""),
        tags=tuple((tag.id, tag.name) for tag in contact.tags), fields=_shown(mine, values),
        free_fields={key: value for key, value in values.items() if key not in {field.key for field in mine}},
        marketing_consent=contact.marketing_consent.value, is_blocked=contact.blocked_at is not None,
        blocked_by=contact.blocked_by,
        blocks=tuple(await blocking.block_states(here.db, contact.id)), conversation_id=conversation_id or "",
        conversation_fields=theirs, merge=await merging.newest(here.db, contact.id, here.now))


def _shown(fields: Sequence[CustomField], values: Mapping[str, Any]) -> tuple[ShownField, ...]:
    """Those in use, and those out of use that hold something."""
    return tuple(ShownField(field=field, value=_moment(field, values.get(field.key))) for field in fields
                 if field.is_on or field.key in values)


def _moment(field: CustomField, value: Any) -> Any:
    """A moment as a number, which the page shows by the reader's calendar; anything else as it is."""
    if field.kind is not FieldKind.DATE_TIME or not isinstance(value, str):
        return value
    try:
        return from_rfc3339(value)
    except ValueError:
        return value


def gone(conversation: Conversation) -> ContactView:
    """A deleted contact's thread stays readable."""
    return ContactView(id=conversation.contact_id, name=conversation.contact_name,
                       profile_name=conversation.contact_profile_name, username=conversation.contact_username,
                       phone=None, user_id=None, title=conversation.title, tags=(), marketing_consent="unknown",
                       consent_at=None, created_at=conversation.created_at, is_gone=True)
