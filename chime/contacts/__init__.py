"""Contacts: the people who write to the business.

A person is known by a phone number or a business-scoped user id; either may be missing, and both may change while
the contact stays the same. Nobody is written to with marketing who opted out; every change of consent is kept.
"""

from chime.contacts.actions import (
    Recognised,
    add_tag,
    create,
    create_tag,
    delete,
    edit,
    recognise,
    recognise_group,
    record_consent,
    record_refusal,
    remove_tag,
    update_identity,
)
from chime.contacts.bringing_back import Earlier, Lost, as_they_are, bring_back, lost
from chime.contacts.custom_fields import CustomField, FieldKind, FieldSubject, checked_values, shown_values
from chime.contacts.field_queries import FieldMatch, custom_fields, held_with_value
from chime.contacts.forgetting import (
    Identity,
    forget,
    identities,
    keep_refusal,
    mark,
    marking_key,
    refused_marketing,
    same_person,
)
from chime.contacts.merging import Choice, merge, stricter
from chime.contacts.model import Consent, Contact, NewContact, Tag, check_user_id, normalise_phone
from chime.contacts.numbers import reveal_number
from chime.contacts.owners import owner_ids, release, set_owner
from chime.contacts.queries import by_identity, contact, contacts_page, find, tags, tags_page

__all__ = [
    "Choice", "Consent", "Contact", "CustomField", "Earlier", "FieldKind", "FieldMatch", "FieldSubject", "Identity",
    "Lost", "NewContact", "Recognised", "Tag", "add_tag", "as_they_are", "bring_back", "by_identity", "check_user_id",
    "checked_values", "contact", "contacts_page", "create", "create_tag", "custom_fields", "delete", "edit", "find",
    "forget", "held_with_value", "identities", "keep_refusal", "lost", "mark", "marking_key", "merge",
    "normalise_phone", "owner_ids", "recognise", "recognise_group", "record_consent", "record_refusal",
    "refused_marketing", "release", "remove_tag", "reveal_number", "same_person", "set_owner", "shown_values",
    "stricter", "tags", "tags_page", "update_identity",
]
