"""Reading contacts."""

from __future__ import annotations

import msgspec

from chime.contacts.model import Contact, Tag
from chime.db import Db
from chime.security.scope import CONTACTS, IN_SIGHT, Viewer

_CONTACT = ("SELECT id, name, profile_name, username, phone, user_id, fields_json, marketing_consent, consent_at, "
            "created_at, updated_at, blocked_at, blocked_by, owner_id FROM contact")


async def contact(db: Db, contact_id: str) -> Contact | None:
    """One contact with its tags; None for unknown and deleted ones."""
    found = await db.one(Contact, f"{_CONTACT} WHERE id = ? AND deleted_at IS NULL", contact_id)
    return msgspec.structs.replace(found, tags=await tags_of(db, found.id)) if found else None


async def tags_of(db: Db, contact_id: str) -> tuple[Tag, ...]:
    return tuple(await db.all(
        Tag, "SELECT tag.id, tag.name FROM contact_tag JOIN tag ON tag.id = contact_tag.tag_id "
        "WHERE contact_tag.contact_id = ? ORDER BY tag.name", contact_id))


async def tags(db: Db) -> list[Tag]:
    return await db.all(Tag, "SELECT id, name FROM tag ORDER BY name LIMIT 500")


async def tags_page(db: Db, *, after: str, limit: int) -> list[Tag]:
    """By name, after the given one."""
    return await db.all(Tag, "SELECT id, name FROM tag WHERE name > ? ORDER BY name LIMIT ?", after, limit)


async def by_identity(db: Db, *, phone: str | None = None, user_id: str | None = None) -> str | None:
    """The id of the contact ever known by this user id or, failing that, this number."""
    for kind, value in (("user_id", user_id), ("phone", phone)):
        if value:
            found: str | None = await db.value(
                "SELECT contact_id FROM contact_identity WHERE kind = ? AND value = ?", kind, value)
            if found:
                return found
    return None


async def contacts_page(db: Db, viewer: Viewer, *, after: tuple[int, str] | None, limit: int) -> list[Contact]:
    """Newest first, after the given `(created_at, id)`."""
    created_at, contact_id = after or (2**62, "")
    found = await db.all(
        Contact, f"{_CONTACT} WHERE deleted_at IS NULL AND (created_at, id) < (?, ?)"
        + CONTACTS[viewer.sight] + " ORDER BY created_at DESC, id DESC LIMIT ?", created_at, contact_id,
        *viewer.values, limit)
    return [msgspec.structs.replace(row, tags=await tags_of(db, row.id)) for row in found]


async def find(db: Db, viewer: Viewer, *, phone: str | None = None, user_id: str | None = None) -> list[Contact]:
    """The contact with this number or user id, as a list of none or one."""
    contact_id = await by_identity(db, phone=phone, user_id=user_id)
    seen = contact_id is not None and await db.value(IN_SIGHT["contact_id"][viewer.sight], contact_id, *viewer.values)
    found = await contact(db, contact_id) if contact_id and seen else None
    return [found] if found else []
