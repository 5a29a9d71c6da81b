"""What can be done to contacts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from chime.contacts import field_queries, former_ids, queries
from chime.contacts.custom_fields import FieldKind, FieldSubject, checked_values
from chime.contacts.forgetting import refused_before
from chime.contacts.model import Consent, NewContact, Tag, check_fields, check_user_id, normalise_phone
from chime.errors import Conflict, Invalid, NotFound, Sentence
from chime.security.scope import EVERYTHING
from chime.whatsapp import Person
from chime.workspaces import Transaction
from chime.workspaces.workspace import CONSENT_EVENT

T = TypeVar("T")
G = TypeVar("G")
MOST_TAGS = 100


class Recognised(msgspec.Struct, frozen=True):
    """Who it is; and the contacts that turned out to be the same person, whose threads the inbox must move."""

    contact_id: str
    absorbed: tuple[str, ...] = ()


async def recognise(tx: Transaction, person: Person, at: int | None = None) -> Recognised:
    """The contact behind a WhatsApp sender, made when new; what the payload tells anew is remembered. `at` is when
    they came, now when not given.

    A payload that carries both number and user id links the two. When they belonged to two contacts until now, the
    one with the number stays and absorbs the other. A number that changed hands does not make two people one.
    """
    phone_owner = await queries.by_identity(tx, phone=person.phone) if person.phone else None
    user_owner = await queries.by_identity(tx, user_id=person.user_id) if person.user_id else None
    if phone_owner and user_owner and await former_ids.wrote_before(tx, person, phone_owner, user_owner):
        person, phone_owner = msgspec.structs.replace(person, phone=None), None
    elif phone_owner and user_owner is None and await former_ids.has_a_new_holder(tx, person, at or tx.now):
        phone_owner = None
    contact_id = phone_owner or user_owner
    if contact_id is None and person.parent_user_id:
        contact_id = await tx.value("SELECT id FROM contact WHERE parent_user_id = ?", person.parent_user_id)
    led_somewhere = contact_id is not None
    if contact_id is None:
        contact_id = await _new(tx)
    await _heed_earlier_refusal(tx, contact_id, msgspec.structs.replace(
        person, phone=None if phone_owner else person.phone, user_id=None if user_owner else person.user_id,
        parent_user_id=None if led_somewhere else person.parent_user_id))
    present = await former_ids.without_them(tx, person, phone_owner, user_owner)
    absorbed = (user_owner,) if phone_owner and user_owner and phone_owner != user_owner else ()
    for gone in absorbed:
        await absorb(tx, kept=contact_id, gone=gone)
    await _remember(tx, contact_id, present)
    return Recognised(contact_id, absorbed)


async def _new(tx: Transaction, *, listed: bool = True) -> str:
    contact_id = tx.new_id()
    await tx.execute("INSERT INTO contact (id, created_at, updated_at, deleted_at) VALUES (?, ?, ?, ?)",
                     contact_id, tx.now, tx.now, None if listed else tx.now)
    return contact_id


async def _heed_earlier_refusal(tx: Transaction, contact_id: str, person: Person) -> None:
    """`person` has the ids that led to nobody until now. Somebody who said no to marketing and was forgotten is back:
    the no still counts."""
    if person.is_known and await refused_before(tx, person):
        await _decided(tx, contact_id, Consent.OPTED_OUT, source="before they were forgotten", evidence="", at=tx.now)


async def _remember(tx: Transaction, contact_id: str, person: Person) -> None:
    """Newest names and ids; a deleted contact who writes again is there again."""
    await _lead(tx, contact_id, person)
    await tx.execute(
        "UPDATE contact SET profile_name = coalesce(?2, profile_name), username = coalesce(?3, username), "
        "phone = coalesce(?4, phone), user_id = coalesce(?5, user_id), parent_user_id = coalesce(?6, parent_user_id), "
        "updated_at = ?7, deleted_at = NULL WHERE id = ?1 AND (deleted_at IS NOT NULL "
        "OR (coalesce(?2, profile_name), coalesce(?3, username), coalesce(?4, phone, ''), coalesce(?5, user_id, ''), "
        "coalesce(?6, parent_user_id, '')) <> (profile_name, username, coalesce(phone, ''), coalesce(user_id, ''), "
        "coalesce(parent_user_id, '')))",
        contact_id, person.name, person.username, person.phone, person.user_id, person.parent_user_id, tx.now)


async def _lead(tx: Transaction, contact_id: str, person: Person) -> None:
    """From now on these ids lead to this contact."""
    for kind, value in (("phone", person.phone), ("user_id", person.user_id)):
        if value:
            await tx.execute("INSERT INTO contact_identity (kind, value, contact_id, created_at) VALUES (?, ?, ?, ?) "
                             "ON CONFLICT (kind, value) DO UPDATE SET contact_id = excluded.contact_id, "
                             "given_up_at = NULL WHERE contact_id <> excluded.contact_id",
                             kind, value, contact_id, tx.now)


async def absorb(tx: Transaction, *, kept: str, gone: str) -> None:
    """Two contacts turned out to be one person. Threads are moved by the inbox, which reads who absorbed whom."""
    phone, user_id, parent_user_id, name, fields, consent, consent_at, owner = (await tx.rows(
        "SELECT phone, user_id, parent_user_id, name, fields_json, marketing_consent, consent_at, owner_id "
        "FROM contact WHERE id = ?", gone))[0]
    await tx.execute("UPDATE contact SET phone = NULL, user_id = NULL, parent_user_id = NULL, deleted_at = ? "
                     "WHERE id = ?", tx.now, gone)
    await tx.execute("UPDATE contact SET phone = coalesce(phone, ?2), user_id = coalesce(user_id, ?3), "
                     "parent_user_id = coalesce(parent_user_id, ?4), name = CASE name WHEN '' THEN ?5 ELSE name END, "
                     "fields_json = json_patch(?6, fields_json), owner_id = coalesce(owner_id, ?7) WHERE id = ?1",
                     kept, phone, user_id, parent_user_id, name, fields, owner)
    # Of two consents the refusal counts: nobody is written to who said no under either name.
    await tx.execute("UPDATE contact SET consent_at = coalesce(max(consent_at, ?3), consent_at, ?3), "
                     "marketing_consent = CASE WHEN ?2 = 'opted_out' OR marketing_consent = 'unknown' THEN ?2 "
                     "ELSE marketing_consent END WHERE id = ?1", kept, consent, consent_at)
    await tx.execute("UPDATE contact_identity SET contact_id = ? WHERE contact_id = ?", kept, gone)
    await tx.execute("UPDATE OR IGNORE contact_tag SET contact_id = ? WHERE contact_id = ?", kept, gone)
    await tx.execute("DELETE FROM contact_tag WHERE contact_id = ?", gone)
    await tx.execute("UPDATE consent_event SET contact_id = ? WHERE contact_id = ?", kept, gone)
    await tx.audit("contact.merged", "contact", kept, absorbed=gone)


async def update_identity(tx: Transaction, *, known: Person, new: Person, at: int) -> Recognised:
    """A person's number or user id changed, at that moment: the contact stays, the new ids lead to it, the former ones
    still do. What somebody gave up before is whose the news says it is, be it the same person again.

    The news may come before anything else of this person, or after messages under the new ids made a contact of
    their own. Somebody of whom we know nothing but this is in no list until they write.
    """
    owners = (await _owner(tx, "phone", new.phone, at), await _owner(tx, "user_id", new.user_id, at))
    present = await former_ids.without_them(tx, new, *owners)
    contact_id = await queries.by_identity(tx, phone=known.phone, user_id=known.user_id)
    absorbed: tuple[str, ...] = ()
    if contact_id is not None:
        double = await queries.by_identity(tx, phone=known.phone)
        if double not in (None, contact_id):
            # The news links a number and an id that two contacts had until now: they are one, unless the number is
            # somebody else's by now.
            if await former_ids.fits(tx, double, known, new):
                absorbed = (double,)
                await absorb(tx, kept=contact_id, gone=double)
            else:
                known = msgspec.structs.replace(known, phone=None)
        others = tuple(dict.fromkeys(owner for owner in owners if owner and owner not in (contact_id, *absorbed)))
        if present.is_known or others:
            await _give_up_ids(tx, contact_id, new)
        for gone in others:
            await absorb(tx, kept=contact_id, gone=gone)
        absorbed += others
    else:
        contact_id = owners[1] or owners[0]
        if contact_id is None:
            contact_id = await _new(tx, listed=False)
            await _heed_earlier_refusal(tx, contact_id, new)
        elif present.phone and owners[0] not in (None, contact_id):
            # The news links the new number and the new id, as a message with both does in `recognise`.
            absorbed = tuple(owner for owner in owners if owner and owner != contact_id)
            for gone in absorbed:
                await absorb(tx, kept=contact_id, gone=gone)
        await _heed_earlier_refusal(tx, contact_id, known)
    await _lead(tx, contact_id, known)
    await _lead(tx, contact_id, new)
    await former_ids.give_up(tx, contact_id, known, new, at)
    await tx.execute("UPDATE contact SET phone = coalesce(?2, phone), user_id = coalesce(?3, user_id), "
                     "parent_user_id = coalesce(?4, parent_user_id), updated_at = ?5 WHERE id = ?1",
                     contact_id, present.phone, present.user_id, present.parent_user_id, tx.now)
    await tx.audit("contact.identity_changed", "contact", contact_id)
    return Recognised(contact_id, absorbed)


async def _owner(tx: Transaction, kind: str, value: str | None, at: int) -> str | None:
    """Whose this was at that moment, and nobody's when it was given up before."""
    if value is None or await former_ids.was_given_up(tx, kind, value, at):
        return None
    return await queries.by_identity(tx, **{kind: value})


async def _give_up_ids(tx: Transaction, contact_id: str, new: Person) -> None:
    """The former ids are no longer this person's; without a number in the news the new one may not be shown to us."""
    if new.user_id is None:
        await tx.execute("UPDATE contact SET phone = NULL WHERE id = ?", contact_id)
    else:
        await tx.execute("UPDATE contact SET phone = NULL, user_id = NULL WHERE id = ? AND user_id IS NOT ?",
                         contact_id, new.user_id)


async def create(tx: Transaction, new: NewContact) -> str:
    """A contact made by a person or a script. Raises Invalid, or Conflict when the number is somebody's already."""
    wrong: list[tuple[str, str]] = []
    phone = _checked(wrong, normalise_phone, new.phone) if new.phone else None
    user_id = _checked(wrong, check_user_id, new.user_id) if new.user_id else None
    if not new.phone and not new.user_id:
        wrong.append(("phone", "Give a phone number or a WhatsApp user id."))
    name = _checked(wrong, _checked_name, new.name)
    fields = await _checked_fields(tx, wrong, new.fields, {})
    _checked(wrong, _checked_tags, new.tags)
    if wrong:
        raise Invalid(wrong)
    if await queries.find(tx, EVERYTHING, phone=phone) or await queries.find(tx, EVERYTHING, user_id=user_id):
        raise Conflict("There is a contact with this number or user id already.")
    contact_id = (await recognise(tx, Person(phone=phone, user_id=user_id))).contact_id
    await tx.execute("UPDATE contact SET name = ?, fields_json = ? WHERE id = ?",
                     name, msgspec.json.encode(fields).decode(), contact_id)
    for tag in new.tags:
        await attach(tx, contact_id, tag)
    await tx.audit("contact.created", "contact", contact_id)
    return contact_id


def _checked(wrong: list[tuple[str, str]], check: Callable[[G], T], given: G) -> T | None:
    """What `check` makes of it; its complaints go to the others', so that all can be mended at once."""
    try:
        return check(given)
    except Invalid as error:
        wrong += [(problem.field, problem.message) for problem in error.errors]
    return None


async def _checked_fields(tx: Transaction, wrong: list[tuple[str, str]], given: dict[str, Any],
                          known: dict[str, Any]) -> dict[str, Any]:
    """What is known with what is given laid over it, each value as its definition wants it."""
    defined = await field_queries.custom_fields(tx, FieldSubject.CONTACT)
    checked = _checked(wrong, lambda values: checked_values(defined, values, known), given) or {}
    merged = {key: value for key, value in (known | checked).items() if value is not None}
    lists = {field.key for field in defined if field.kind is FieldKind.MULTI_SELECT}
    _checked(wrong, lambda values: check_fields(values, lists=lists), merged)
    return merged


async def edit(tx: Transaction, contact_id: str, *, name: str | None = None, fields: dict[str, Any] | None = None,
               tag_names: Sequence[str] | None = None) -> None:
    """Change what is given. A field set to null is removed. Raises NotFound, Invalid."""
    found = await queries.contact(tx, contact_id)
    if found is None:
        raise NotFound("There is no such contact.")
    wrong: list[tuple[str, str]] = []
    checked_name = _checked(wrong, _checked_name, name or "")
    merged = await _checked_fields(tx, wrong, fields or {}, found.fields)
    _checked(wrong, _checked_tags, tag_names or ())
    if wrong:
        raise Invalid(wrong)
    if name is not None:
        await tx.execute("UPDATE contact SET name = ? WHERE id = ?", checked_name, contact_id)
    if fields is not None:
        await tx.execute("UPDATE contact SET fields_json = ? WHERE id = ?",
                         msgspec.json.encode(merged).decode(), contact_id)
    if tag_names is not None:
        await _set_tags(tx, contact_id, tag_names)
    changed = [what for what, given in (("name", name), ("fields", fields), ("tags", tag_names)) if given is not None]
    await tx.execute("UPDATE contact SET updated_at = ? WHERE id = ?", tx.now, contact_id)
    await tx.audit("contact.edited", "contact", contact_id, changed=changed)
    tx.publish("contact", contact_id)


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if len(name) > 120:
        raise Invalid.field("name", "A name has at most 120 characters.")
    return name


async def _set_tags(tx: Transaction, contact_id: str, names: Sequence[str]) -> None:
    await tx.execute("DELETE FROM contact_tag WHERE contact_id = ?", contact_id)
    for name in names:
        await attach(tx, contact_id, name)


async def attach(tx: Transaction, contact_id: str, name: str) -> str:
    """A part of other verbs, which audit: the id of the tag. Raises Invalid."""
    name = _checked_tag(name, field="tags")
    if (await tx.value("SELECT count(*) FROM contact_tag WHERE contact_id = ?", contact_id)) >= MOST_TAGS:
        raise Invalid.field("tags", Sentence("A contact has at most %(most)s tags.", most=MOST_TAGS))
    tag_id = await _tag_named(tx, name)
    await tx.execute("INSERT OR IGNORE INTO contact_tag (contact_id, tag_id, created_at) VALUES (?, ?, ?)",
                     contact_id, tag_id, tx.now)
    return tag_id


def _checked_tag(name: str, *, field: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= 40:
        raise Invalid.field(field, "A tag has 1 to 40 characters.")
    return name


def _checked_tags(names: Sequence[str]) -> None:
    for name in names:
        _checked_tag(name, field="tags")
    if len(names) > MOST_TAGS:
        raise Invalid.field("tags", Sentence("A contact has at most %(most)s tags.", most=MOST_TAGS))


async def _tag_named(tx: Transaction, name: str) -> str:
    """The id of the tag of this name, which is made when there is none."""
    await tx.execute("INSERT INTO tag (id, name, created_at) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING",
                     tx.new_id(), name, tx.now)
    tag_id: str = await tx.value("SELECT id FROM tag WHERE name = ?", name)
    return tag_id


async def create_tag(tx: Transaction, name: str) -> Tag:
    """A tag that nobody carries yet. Raises Invalid, Conflict."""
    name = _checked_tag(name, field="name")
    if await tx.value("SELECT 1 FROM tag WHERE name = ?", name):
        raise Conflict("There is a tag of this name already.")
    tag = Tag(await _tag_named(tx, name), name)
    await tx.audit("tag.created", "tag", tag.id)
    return tag


async def add_tag(tx: Transaction, contact_id: str, name: str) -> None:
    """Raises NotFound, Invalid."""
    await _must_exist(tx, contact_id)
    tag_id = await attach(tx, contact_id, name)
    await tx.audit("contact.tagged", "contact", contact_id, tag_id=tag_id)
    tx.publish("contact", contact_id)


async def remove_tag(tx: Transaction, contact_id: str, tag_id: str) -> None:
    await _must_exist(tx, contact_id)
    if not await tx.execute("DELETE FROM contact_tag WHERE contact_id = ? AND tag_id = ?", contact_id, tag_id):
        if await tx.value("SELECT 1 FROM tag WHERE id = ?", tag_id) is None:
            raise NotFound("There is no such tag.")
        return
    await tx.audit("contact.untagged", "contact", contact_id, tag_id=tag_id)
    tx.publish("contact", contact_id)


async def record_consent(tx: Transaction, contact_id: str, marketing: Consent, *, source: str, evidence: str,
                         at: int | None = None) -> None:
    """What a person said about marketing messages, with where and, when it was not just now, when it was said. It is
    in the journal before it counts, so no restore forgets an opt-out. A refusal always counts; an agreement does not
    undo what was said after it. Raises NotFound, Invalid."""
    await _must_exist(tx, contact_id)
    if marketing is Consent.UNKNOWN:
        raise Invalid.field("marketing", "Say opted_in or opted_out.")
    if not 1 <= len(source) <= 200:
        raise Invalid.field("source", "Say in 1 to 200 characters where the person agreed or refused.")
    if len(evidence) > 2000:
        raise Invalid.field("evidence", "At most 2,000 characters.")
    await _decided(tx, contact_id, marketing, source=source, evidence=evidence, at=at or tx.now)


async def record_refusal(tx: Transaction, contact_id: str, *, source: str, evidence: str) -> None:
    """A person refused marketing messages by a way of their own. It counts for one who is in no list any more as well:
    they may be back tomorrow."""
    await _decided(tx, contact_id, Consent.OPTED_OUT, source=source, evidence=evidence, at=tx.now)


async def _decided(tx: Transaction, contact_id: str, marketing: Consent, *, source: str, evidence: str, at: int
                   ) -> None:
    tx.journal(CONSENT_EVENT, contact_id, marketing.value, source, evidence, at)
    await tx.execute("INSERT INTO consent_event (id, contact_id, marketing, source, evidence, actor_name, at) "
                     "VALUES (?, ?, ?, ?, ?, ?, ?)",
                     tx.new_id(), contact_id, marketing.value, source, evidence, tx.actor.name, at)
    await tx.execute("UPDATE contact SET marketing_consent = ?2, consent_at = max(?3, coalesce(consent_at, 0)), "
                     "updated_at = ?4 WHERE id = ?1 AND (?2 = 'opted_out' OR coalesce(consent_at, 0) <= ?3)",
                     contact_id, marketing.value, at, tx.now)
    await tx.audit("contact.consent_recorded", "contact", contact_id, marketing=marketing.value)
    tx.publish("contact", contact_id)


async def delete(tx: Transaction, contact_id: str) -> None:
    """Take a contact out of every list. Threads stay readable; the person is there again when they write."""
    await _must_exist(tx, contact_id)
    await tx.execute("UPDATE contact SET deleted_at = ?, updated_at = ? WHERE id = ?", tx.now, tx.now, contact_id)
    await tx.audit("contact.deleted", "contact", contact_id)
    tx.publish("contact", contact_id)


async def _must_exist(tx: Transaction, contact_id: str) -> None:
    if not await tx.value("SELECT 1 FROM contact WHERE id = ? AND deleted_at IS NULL", contact_id):
        raise NotFound("There is no such contact.")


async def recognise_group(tx: Transaction, group_id: str) -> str:
    """The contact that stands for a WhatsApp group; its members are named on their messages. A deleted one in which
    somebody writes is there again."""
    found: str | None = await tx.value("SELECT contact_id FROM contact_identity WHERE kind = 'group' AND value = ?",
                                       group_id)
    if found:
        await tx.execute("UPDATE contact SET deleted_at = NULL, updated_at = ? WHERE id = ? AND deleted_at IS NOT NULL",
                         tx.now, found)
        return found
    contact_id = tx.new_id()
    await tx.execute("INSERT INTO contact (id, profile_name, created_at, updated_at) VALUES (?, 'Group', ?, ?)",
                     contact_id, tx.now, tx.now)
    await tx.execute("INSERT INTO contact_identity (kind, value, contact_id, created_at) VALUES ('group', ?, ?, ?)",
                     group_id, contact_id, tx.now)
    return contact_id
