"""Asking for an export, from a page or by script: what will run is counted and frozen, and whoever decides is told."""

from __future__ import annotations

from chime import accounts, approvals, contacts
from chime.approvals import Approval, Wanted
from chime.errors import Invalid, NotFound
from chime.exports import queries
from chime.exports.model import (
    CONTACT_COLUMNS,
    JOB,
    MESSAGE_COLUMNS,
    Asked,
    Frozen,
    Kind,
    frozen_from,
    sized,
)
from chime.phone import Phone
from chime.security.permissions import Permission
from chime.security.scope import viewer
from chime.web.here import Here

PERMISSIONS = {Kind.CONTACTS: Permission.CONTACTS_EXPORT, Kind.CONVERSATIONS: Permission.INBOX_EXPORT,
               Kind.SUBJECT: Permission.DATA_EXPORT}


async def ask(here: Here, kind: Kind, asked: Asked) -> Approval:
    """An export of contacts or conversations. Raises Invalid, TooMany, Unavailable."""
    permission = PERMISSIONS[kind]
    seen = viewer(here.actor, permission)
    masked = asked.masked or not here.actor.sees_numbers
    reads = here.workspace.db.long_reads
    if kind is Kind.CONTACTS:
        frozen = frozen_from(asked, columns=CONTACT_COLUMNS, masked=masked)
        await _must_exist(here, "SELECT 1 FROM tag WHERE id = ?", "tag_id", frozen.tag_id)
        frozen = sized(frozen, await queries.count_contacts(reads, seen, frozen))
    else:
        frozen = frozen_from(asked, columns=MESSAGE_COLUMNS, masked=masked)
        await _must_exist(here, "SELECT 1 FROM channel WHERE id = ?", "channel_id", frozen.channel_id)
        frozen = sized(frozen, await queries.count_messages(reads, seen, frozen))
    second = here.actor.grant(permission).second or here.actor.kind == "api_key"
    policy = await accounts.exports_need_approval(here.services.control.db, here.record.id)
    return await _request(here, kind, frozen, second=second and policy, reason=asked.reason)


async def _must_exist(here: Here, sql: str, field: str, value: str) -> None:
    if value and not await here.db.value(sql, value):
        raise Invalid.field(field, "Choose one of the list.")


async def ask_for_subject(here: Here, contact_id: str) -> Approval:
    """Everything about one person. Raises NotFound, TooMany."""
    found = await contacts.contact(here.db, contact_id)
    if found is None:
        raise NotFound("There is no such contact.")
    frozen = Frozen(contact_id=contact_id, masked=not here.actor.sees_numbers)
    return await _request(here, Kind.SUBJECT, frozen, second=False, subject=subject_of(found))


def subject_of(contact: contacts.Contact) -> str:
    """What to call the person to whoever decides; a number only masked."""
    phone = Phone(contact.phone.digits).masked if contact.phone else None
    known = contact.name or contact.profile_name or (f"@{contact.username}" if contact.username else "")
    return " ".join(filter(None, (known, phone))) or "WhatsApp user"


async def _request(here: Here, kind: Kind, frozen: Frozen, *, second: bool, subject: str = "", reason: str = ""
                   ) -> Approval:
    return await approvals.ask(
        here.services, here.record, here.workspace, here.actor, second=second,
        wanted=Wanted(kind=kind.value, job=JOB, permission=PERMISSIONS[kind].value,
                      decided_by=Permission.APPROVALS_DECIDE.value, parameters=frozen.parameters, subject=subject,
                      reason=reason))
