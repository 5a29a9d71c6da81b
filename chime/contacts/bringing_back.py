"""Bringing somebody back as an earlier copy of the workspace has them: who was deleted since is there again, and what
was taken from a contact since is given back.

Promise: what was added since stays; a decision about marketing is never loosened; who has become another contact's in
the meantime, by a merge or because the number is somebody else's, is left alone. Whether the person was forgotten is
asked before, by whoever calls.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from chime.contacts import actions, queries
from chime.contacts.model import Consent
from chime.db import Db
from chime.phone import Phone
from chime.whatsapp import Person
from chime.workspaces import Transaction

_EARLIER = ("SELECT id, name, profile_name, username, phone, user_id, parent_user_id, fields_json, marketing_consent, "
            "consent_at, deleted_at, (SELECT json_group_array(tag.name) FROM contact_tag JOIN tag "
            "ON tag.id = contact_tag.tag_id WHERE contact_tag.contact_id = contact.id) AS tags_json FROM contact "
            "WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id")


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """A contact as one file has it, deleted or not."""

    id: str
    name: str
    profile_name: str
    username: str
    phone: Phone | None
    user_id: str | None
    parent_user_id: str | None
    fields: dict[str, Any]
    marketing_consent: Consent
    consent_at: int | None
    deleted_at: int | None
    tags: tuple[str, ...]

    @property
    def title(self) -> str:
        return self.name or self.profile_name or self.username

    @property
    def person(self) -> Person:
        return Person(phone=self.phone.digits if self.phone else None, user_id=self.user_id,
                      parent_user_id=self.parent_user_id)


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """What would come back: `what` names it (contact, name, fields, tags). `now` is the contact that gets it; None when
    there is none any more."""

    then: Earlier
    now: str | None
    what: tuple[str, ...]


async def as_they_are(db: Db, contact_ids: Collection[str]) -> list[Earlier]:
    """These contacts of a file, deleted ones too."""
    return await db.all(Earlier, _EARLIER, msgspec.json.encode(list(contact_ids)).decode())


async def lost(db: Db, then: Sequence[Earlier]) -> list[Lost]:
    """Of these contacts of a copy those of whom something is lost in the workspace, whose `db` it is."""
    known = {one.id: one for one in await as_they_are(db, [one.id for one in then])}
    found: list[Lost] = []
    for one in then:
        now = known.get(one.id)
        if now is None or now.deleted_at or _less(one, now):
            less = await _lost_of(db, one, now)
            found += [less] if less else []
    return found


async def _lost_of(db: Db, then: Earlier, now: Earlier | None) -> Lost | None:
    leads = await _led_to(db, then)
    if now is None or now.deleted_at:
        others = leads - {then.id}
        if len(others) > 1 or (now is not None and others):
            return None  # they are somebody else's by now
        if others:
            now = (await as_they_are(db, others))[0]
    if now is None:
        return Lost(then=then, now=None, what=("contact",)) if then.person.is_known else None
    what = (*(("contact",) if now.deleted_at else ()), *_less(then, now))
    return Lost(then=then, now=now.id, what=what) if what else None


async def _led_to(db: Db, one: Earlier) -> set[str]:
    """The contacts that this one's number and id lead to."""
    found = {await queries.by_identity(db, phone=one.person.phone), await queries.by_identity(db, user_id=one.user_id)}
    return {contact_id for contact_id in found if contact_id is not None}


def _less(then: Earlier, now: Earlier) -> tuple[str, ...]:
    """What `now` has lost or has otherwise. What it has besides is no loss."""
    fields = any(now.fields.get(key) != value for key, value in then.fields.items())
    return (*(("name",) if then.name and then.name != now.name else ()), *(("fields",) if fields else ()),
            *(("tags",) if set(then.tags) - set(now.tags) else ()))


async def bring_back(tx: Transaction, found: Lost, *, copy_id: str) -> str:
    """Give back what was lost; the contact's id. Raises Invalid when they would have too many tags."""
    then, contact_id = found.then, found.now
    if contact_id is None:
        contact_id = (await actions.recognise(tx, then.person)).contact_id
        await tx.execute("UPDATE contact SET profile_name = ?, username = ? WHERE id = ?", then.profile_name,
                         then.username, contact_id)
        if then.marketing_consent is not Consent.UNKNOWN:
            await actions.record_consent(tx, contact_id, then.marketing_consent, source="a restored copy", evidence="",
                                         at=then.consent_at or 1)
    (now,) = await as_they_are(tx, [contact_id])
    await tx.execute("UPDATE contact SET name = ?, fields_json = ?, deleted_at = NULL, updated_at = ? WHERE id = ?",
                     then.name or now.name, msgspec.json.encode(now.fields | then.fields).decode(), tx.now, contact_id)
    for tag in then.tags:
        await actions.attach(tx, contact_id, tag)
    await tx.audit("contact.restored", "contact", contact_id, copy_id=copy_id, what=list(found.what))
    tx.publish("contact", contact_id)
    return contact_id
