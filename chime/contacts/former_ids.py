"""Numbers and ids that somebody was known by once: they still lead to their contact, and may be somebody else's by now.

Promise: what comes late under a former id is its contact's and brings the id not back; who has a former number now, and
an id that nobody had, is another person.
"""

from __future__ import annotations

import msgspec

from chime.db import Db
from chime.whatsapp import Person
from chime.workspaces import Transaction


async def without_them(db: Db, person: Person, phone_owner: str | None, user_owner: str | None) -> Person:
    """`person` without the ids that led to their contact once and were given up since: a message that comes late
    must not have us write to the old number again."""
    phone, user_id = person.phone, person.user_id
    if phone_owner and await db.value("SELECT phone IS NOT ? FROM contact WHERE id = ?", phone, phone_owner):
        phone = None
    if user_owner and await db.value("SELECT user_id IS NOT ? FROM contact WHERE id = ?", user_id, user_owner):
        user_id = None
    return msgspec.structs.replace(person, phone=phone, user_id=user_id)


async def has_a_new_holder(db: Db, person: Person, at: int) -> bool:
    """Whether this number was given up before that moment, and an id that nobody had says that somebody else has it
    now. What its former holder wrote before is older, or comes with an id of theirs."""
    return person.user_id is not None and await was_given_up(db, "phone", person.phone, at)


async def was_given_up(db: Db, kind: str, value: str | None, before: int) -> bool:
    """Whether Meta said so of an earlier moment than this, and whom it leads to has not got it again since."""
    return bool(await db.value("SELECT 1 FROM contact_identity JOIN contact ON contact.id = contact_id WHERE kind = ? "
                               "AND value = ? AND given_up_at < ? AND iif(kind = 'phone', phone, user_id) IS NOT value",
                               kind, value, before))


async def give_up(tx: Transaction, contact_id: str, known: Person, new: Person, at: int) -> None:
    """News of that moment: what this contact was known by and the news does not name anew is theirs no longer."""
    for kind, value, now in (("phone", known.phone, new.phone), ("user_id", known.user_id, new.user_id)):
        if value and now and value != now:
            await tx.execute("UPDATE contact_identity SET given_up_at = max(coalesce(given_up_at, 0), ?) "
                             "WHERE kind = ? AND value = ? AND contact_id = ?", at, kind, value, contact_id)
        if now:
            await tx.execute("UPDATE contact_identity SET given_up_at = NULL WHERE kind = ? AND value = ? "
                             "AND contact_id = ? AND given_up_at < ?", kind, now, contact_id, at)


async def wrote_before(db: Db, person: Person, phone_owner: str, user_owner: str) -> bool:
    """Whether this comes late from somebody who gave up this id and this number, which is another person's by now."""
    return bool(await db.value(
        "SELECT 1 FROM contact AS holder JOIN contact AS writer ON writer.id = ?2 WHERE holder.id = ?1 "
        "AND holder.id <> writer.id AND holder.user_id <> ?3 AND writer.user_id IS NOT ?3",
        phone_owner, user_owner, person.user_id))


async def fits(db: Db, contact_id: str | None, known: Person, new: Person) -> bool:
    """Whether this contact, who has the number that somebody gives up, can be them: it has no other id."""
    return bool(await db.value("SELECT 1 FROM contact WHERE id = ? AND phone = ? AND (user_id IS NULL "
                               "OR user_id IN (?, ?))", contact_id, known.phone, known.user_id, new.user_id))
