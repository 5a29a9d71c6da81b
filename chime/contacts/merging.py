"""Two contacts that somebody knows to be one person become one, as they chose.

Promise: of two decisions about marketing the stricter one stays, whatever was chosen; an id that led to either leads to
the one that is kept.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chime.contacts import actions, queries
from chime.contacts.model import Consent, Contact
from chime.errors import Invalid, NotFound
from chime.workspaces import Transaction

_STRICTEST = (Consent.OPTED_OUT, Consent.UNKNOWN, Consent.OPTED_IN)


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken from the other contact where both have something; `tags` are the ids of those to keep, None for
    those of both."""

    name: bool = False
    number: bool = False
    fields: frozenset[str] = frozenset()
    tags: frozenset[str] | None = None


def stricter(mine: Contact, theirs: Contact) -> Contact:
    """The one whose decision about marketing stays."""
    return min(mine, theirs, key=lambda one: _STRICTEST.index(one.marketing_consent))


async def merge(tx: Transaction, *, kept: str, gone: str, choice: Choice) -> None:
    """Conversations are the inbox's to move. Raises NotFound, Invalid."""
    mine, theirs = await queries.contact(tx, kept), await queries.contact(tx, gone)
    if mine is None or theirs is None:
        raise NotFound("There is no such contact.")
    if kept == gone:
        raise Invalid.field("other_id", "Choose another contact than this one.")
    await actions.absorb(tx, kept=kept, gone=gone)
    name = (theirs.name or theirs.profile_name) if choice.name else mine.name or theirs.name
    taken = {key: theirs.fields[key] for key in choice.fields if key in theirs.fields}
    fields: dict[str, Any] = theirs.fields | mine.fields | taken
    consent = stricter(mine, theirs)
    await tx.execute(
        "UPDATE contact SET name = ?, fields_json = ?, marketing_consent = ?, consent_at = ?, updated_at = ? "
        "WHERE id = ?", name, msgspec.json.encode(fields).decode(), consent.marketing_consent.value,
        consent.consent_at, tx.now, kept)
    if choice.number and theirs.phone is not None:
        await tx.execute("UPDATE contact SET phone = ?, user_id = coalesce(?, user_id) WHERE id = ?",
                         theirs.phone.digits, theirs.user_id, kept)
    if choice.tags is not None:
        await tx.execute("DELETE FROM contact_tag WHERE contact_id = ? AND tag_id NOT IN (SELECT value FROM "
                         "json_each(?))", kept, msgspec.json.encode(sorted(choice.tags)).decode())
    tx.publish("contact", kept)
