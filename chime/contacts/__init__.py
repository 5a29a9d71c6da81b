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
    remove_tag,
    update_identity,
)
from chime.contacts.model import Consent, Contact, NewContact, Tag, check_user_id, normalise_phone
from chime.contacts.queries import by_identity, contact, contacts_page, find, tags, tags_page

__all__ = [
    "Consent", "Contact", "NewContact", "Recognised", "Tag", "add_tag", "by_identity", "check_user_id", "contact",
    "contacts_page", "create", "create_tag", "delete", "edit", "find", "normalise_phone", "recognise",
    "recognise_group", "record_consent", "remove_tag", "tags", "tags_page", "update_identity",
]
