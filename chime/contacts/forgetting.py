"""Forgetting a person: their contact is gone for good, and what must outlive it does so as keyed hashes.

A refusal of marketing survives: whoever said no, was forgotten and writes again is known for nothing but that no.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from chime.db import Db
from chime.security.crypto import derive, mac
from chime.whatsapp import Person
from chime.workspaces import Transaction

_KEY = "forgotten_key"


class Identity(msgspec.Struct, frozen=True):
    """One of the ids a person is known by: `kind` phone, user_id or group."""

    kind: str
    value: str


def marking_key(callback_key: bytes) -> bytes:
    """The key of the hashes; no rotation changes it, or nobody would be recognised afterwards."""
    return derive(callback_key, "forgotten")


def mark(key: bytes, identity: Identity) -> bytes:
    """The hash that stands for an id."""
    return mac(key, f"{identity.kind}:{identity.value}".encode())


async def same_person(db: Db, contact_id: str) -> list[str]:
    """This contact, and those that turned out to be the same person and were absorbed by it, unless that was undone."""
    rows = await db.rows(
        "WITH RECURSIVE one(id) AS (SELECT ?1 UNION SELECT json_extract(audit_event.details_json, '$.absorbed') "
        "FROM one JOIN audit_event ON audit_event.object_kind = 'contact' AND audit_event.object_id = one.id "
        "WHERE audit_event.action = 'contact.merged' AND NOT EXISTS (SELECT 1 FROM audit_event AS undone "
        "WHERE undone.object_kind = 'contact' AND undone.object_id = one.id AND undone.sequence > audit_event.sequence "
        "AND undone.action = 'contact.merge_undone' AND json_extract(undone.details_json, '$.absorbed') = "
        "json_extract(audit_event.details_json, '$.absorbed'))) SELECT id FROM one WHERE id IS NOT NULL", contact_id)
    return [row[0] for row in rows]


async def identities(db: Db, contact_ids: Collection[str]) -> list[Identity]:
    """Every id that ever led to these contacts."""
    ids = msgspec.json.encode(list(contact_ids)).decode()
    rows = await db.rows(
        "SELECT kind, value FROM contact_identity WHERE contact_id IN (SELECT value FROM json_each(?1)) "
        "UNION SELECT 'phone', phone FROM contact WHERE id IN (SELECT value FROM json_each(?1)) AND phone IS NOT NULL "
        "UNION SELECT 'user_id', user_id FROM contact WHERE id IN (SELECT value FROM json_each(?1)) "
        "AND user_id IS NOT NULL UNION SELECT 'user_id', parent_user_id FROM contact "
        "WHERE id IN (SELECT value FROM json_each(?1)) AND parent_user_id IS NOT NULL", ids)
    return [Identity(*row) for row in rows]


async def refused_marketing(db: Db, contact_ids: Collection[str]) -> bool:
    """Whether any of these contacts opted out."""
    return bool(await db.value("SELECT 1 FROM contact WHERE id IN (SELECT value FROM json_each(?)) "
                               "AND marketing_consent = 'opted_out'", msgspec.json.encode(list(contact_ids)).decode()))


async def keep_refusal(tx: Transaction, key: bytes, marks: Collection[bytes], *, at: int) -> None:
    """Remember the refusal of somebody who is being forgotten."""
    await tx.execute("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET "
                     "value = excluded.value", _KEY, key.hex())
    for found in marks:
        await tx.execute("INSERT OR IGNORE INTO forgotten_refusal (mark, at) VALUES (?, ?)", found, at)


async def refused_before(tx: Transaction, person: Person) -> bool:
    """Whether somebody of this number or id refused marketing before they were forgotten."""
    if not await tx.value("SELECT 1 FROM forgotten_refusal LIMIT 1"):
        return False
    key = bytes.fromhex(await tx.value("SELECT value FROM meta WHERE key = ?", _KEY) or "")
    for kind, value in (("phone", person.phone), ("user_id", person.user_id), ("user_id", person.parent_user_id)):
        if value and await tx.value("SELECT 1 FROM forgotten_refusal WHERE mark = ?", mark(key, Identity(kind, value))):
            return True
    return False


async def forget(tx: Transaction, contact_ids: Collection[str]) -> dict[str, int]:
    """Remove the contacts and what hangs on them here; their conversations must be gone already. How much it was."""
    ids = msgspec.json.encode(list(contact_ids)).decode()
    counts = {
        "identities": await tx.execute("DELETE FROM contact_identity WHERE contact_id IN "
                                       "(SELECT value FROM json_each(?))", ids),
        "tags": await tx.execute("DELETE FROM contact_tag WHERE contact_id IN (SELECT value FROM json_each(?))", ids),
        "consents": await tx.execute("DELETE FROM consent_event WHERE contact_id IN "
                                     "(SELECT value FROM json_each(?))", ids)}
    await tx.execute("DELETE FROM number_shown WHERE contact_id IN (SELECT value FROM json_each(?))", ids)
    counts["contacts"] = await tx.execute("DELETE FROM contact WHERE id IN (SELECT value FROM json_each(?))", ids)
    for contact_id in contact_ids:
        tx.publish("contact", contact_id)
    return counts
