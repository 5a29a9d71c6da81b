"""Reading the definitions of fields, and finding contacts by what stands in theirs.

A value is found by words that follow each other in it, the last one perhaps only begun; capitals and accents make no
difference. A whole number of a person finds nobody for those who get numbers masked: guessing would tell it.
"""

from __future__ import annotations

import re

import msgspec

from chime.contacts.custom_fields import CustomField, FieldSubject, is_number
from chime.db import Db, LongReads
from chime.security.scope import CONTACTS, HELD, Sight, Viewer

PATIENCE = 1.0  # seconds
MOST_MATCHES = 100
SHORTEST = 2  # letters
_LIKE_A_NUMBER = re.compile(r"[\d\s+().\-/]+")

_FIELD = "SELECT id, subject, key, label, hint, kind, options_json, is_required, is_on, position FROM custom_field "


async def custom_fields(db: Db, subject: FieldSubject | None = None) -> list[CustomField]:
    """All of a subject in their order; of both when none is named."""
    if subject is None:
        return await db.all(CustomField, _FIELD + "ORDER BY subject, position, id")
    return await db.all(CustomField, _FIELD + "WHERE subject = ? ORDER BY position, id", subject.value)


async def custom_field(db: Db, field_id: str) -> CustomField | None:
    return await db.one(CustomField, _FIELD + "WHERE id = ?", field_id)


class FieldMatch(msgspec.Struct, frozen=True, array_like=True):
    """A contact with the value it was found by, in the order of its statement's columns."""

    contact_id: str
    key: str
    value: str


_MATCHES = (
    "SELECT written.contact_id, written.key, written.value FROM field_words "
    "CROSS JOIN contact_field_value AS written ON written.number = field_words.rowid "
    "CROSS JOIN contact ON contact.id = written.contact_id WHERE field_words MATCH ? AND contact.deleted_at IS NULL "
    "AND (? OR written.value NOT GLOB '+[0-9]*' OR written.value GLOB '+*[^0-9]*')")
# Only people with a conversation that somebody may read whole: whose fields they see, therefore.
_HELD: dict[Sight, str] = {
    sight: "" if sight is Sight.ALL else " AND EXISTS (SELECT 1 FROM conversation WHERE conversation.contact_id = "
    "contact.id" + fragment + ")" for sight, fragment in HELD.items()}
_NEWEST_FIRST = " ORDER BY field_words.rowid DESC LIMIT ?"


async def with_value(reads: LongReads, viewer: Viewer, typed: str, *, by_number: bool) -> list[FieldMatch]:
    """For the address book: contacts in sight one of whose fields holds this, at most `MOST_MATCHES`."""
    return await _matches(reads, _MATCHES + CONTACTS[viewer.sight] + _NEWEST_FIRST, typed, viewer.values, by_number)


async def held_with_value(reads: LongReads, viewer: Viewer, typed: str, *, by_number: bool) -> list[FieldMatch]:
    """For the inbox: the same of those whose conversation somebody may read whole."""
    return await _matches(reads, _MATCHES + _HELD[viewer.sight] + _NEWEST_FIRST, typed, viewer.held_values, by_number)


async def _matches(reads: LongReads, sql: str, typed: str, scope: tuple[object, ...], by_number: bool
                   ) -> list[FieldMatch]:
    typed = typed.replace("\0", " ").replace('"', " ").strip()
    if sum(letter.isalnum() for letter in typed) < SHORTEST:
        return []
    expression = f'"{typed}"*'
    if _LIKE_A_NUMBER.fullmatch(typed):
        # Numbers are written with gaps of many kinds.
        expression += f' OR "{"".join(filter(str.isdigit, typed))}"*'
    rows, _ = await reads.rows(sql, expression, int(by_number), *scope, MOST_MATCHES, seconds=PATIENCE)
    found = [FieldMatch(*row) for row in rows]
    return list({match.contact_id: match for match in reversed(found)
                 if by_number or not is_number(match.value)}.values())[::-1]
