"""Merging two contacts by hand: their conversations join, and for a week it can be taken back.

Promises: every message is in exactly one conversation before, after and when it was undone; an old address leads to the
conversation it became; an undo leaves alone what somebody has changed since.
"""

from __future__ import annotations

import msgspec

from chime import contacts
from chime.accounts import QUEUE, ROUTE
from chime.clock import DAY
from chime.contacts import Choice, Contact
from chime.db import Db
from chime.errors import Conflict, NotFound
from chime.inbox import actions, blocking, clocks, merge_record
from chime.workspaces import Transaction

FORGET_MERGE = "inbox.forget_merge"
UNDO_FOR = 7 * DAY


class Merge(msgspec.Struct, frozen=True, kw_only=True):
    """One that can still be taken back: with whom, by whom and when."""

    id: str
    kept_id: str
    gone_id: str
    gone_title: str
    by_name: str
    at: int


class Joining(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation of the other contact; `into_id` is the one it joins, None when it only moves."""

    id: str
    channel_name: str
    messages: int
    into_id: str | None


async def newest(db: Db, contact_id: str, now: int) -> Merge | None:
    """The last merge into this contact that nobody took back yet."""
    return await db.one(Merge, "SELECT id, kept_id, gone_id, gone_title, by_name, at FROM contact_merge "
                        "WHERE kept_id = ? AND undone_at IS NULL AND at > ? ORDER BY at DESC, id DESC LIMIT 1",
                        contact_id, now - UNDO_FOR)


async def joining(db: Db, *, kept: str, gone: str) -> list[Joining]:
    """What would become of the other contact's conversations."""
    return await db.all(
        Joining, "SELECT theirs.id, coalesce(nullif(channel.verified_name, ''), channel.display_phone) AS "
        "channel_name, (SELECT count(*) FROM (SELECT 1 FROM message WHERE conversation_id = theirs.id LIMIT 1000)) "
        "AS messages, mine.id AS into_id FROM conversation AS theirs JOIN channel ON channel.id = theirs.channel_id "
        "LEFT JOIN conversation AS mine ON mine.channel_id = theirs.channel_id AND mine.contact_id = ? "
        "WHERE theirs.contact_id = ? ORDER BY theirs.last_message_at DESC LIMIT 100", kept, gone)


async def leads_to(db: Db, conversation_id: str) -> str | None:
    """The conversation that one of this id has become."""
    found: str | None = await db.value("SELECT conversation_id FROM conversation_alias WHERE id = ?", conversation_id)
    return found


async def lead_to(db: Db, ids: list[str]) -> list[str]:
    """What conversations of these ids are today, each once, in their order."""
    found = await db.rows("SELECT coalesce(conversation_alias.conversation_id, value) FROM json_each(?) "
                          "LEFT JOIN conversation_alias ON conversation_alias.id = value ORDER BY key",
                          msgspec.json.encode(ids).decode())
    return list(dict.fromkeys(row[0] for row in found))


async def merge(tx: Transaction, *, kept: str, gone: str, choice: Choice) -> str:
    """The id of what was done. That both are the actor's to edit is asked before. Raises NotFound, Invalid."""
    other = await contacts.contact(tx, gone)
    if other is None:
        raise NotFound("There is no such contact.")
    joined = await merge_record.pairs(tx, kept, gone)
    people = await merge_record.look(tx, "contact", kept, gone)
    threads = [await merge_record.look(tx, "conversation", *pair) for pair in joined]
    merge_id = tx.new_id()
    await tx.execute("INSERT INTO contact_merge (id, kept_id, gone_id, gone_title, by_name, at) "
                     "VALUES (?, ?, ?, ?, ?, ?)", merge_id, kept, gone, _shown_name(other), tx.actor.name, tx.now)
    await merge_record.note_moves(tx, merge_id, gone, joined)
    windows = await _windows(tx, kept, gone, joined, choice)
    moved = [row[0] for row in await tx.rows("SELECT id FROM conversation WHERE contact_id = ?", gone)]
    await contacts.merge(tx, kept=kept, gone=gone, choice=choice)
    await actions.move_threads(tx, kept=kept, gone=gone)
    await blocking.move_blocks(tx, kept=kept, gone=gone)
    for thread_id, window in windows.items():
        await tx.execute("UPDATE conversation SET window_expires_at = ? WHERE id = ?", window, thread_id)
    into = dict((gone_id, kept_id) for kept_id, gone_id in joined)
    for thread_id in moved:
        await actions.add_event(tx, into.get(thread_id, thread_id), "contacts_merged", actor_name=tx.actor.name)
    await merge_record.keep(tx, merge_id, "contact", people, await merge_record.look(tx, "contact", kept, gone))
    for before in threads:
        await merge_record.keep(tx, merge_id, "conversation", before, await merge_record.look(
            tx, "conversation", before.kept_id, before.gone_id))
    tx.enqueue(FORGET_MERGE, merge_id, at=tx.now + UNDO_FOR)
    tx.publish("inbox", "list")
    return merge_id


def _shown_name(other: Contact) -> str:
    """What the other one is called, for the banner; never a number, which not everybody may see."""
    return other.name or other.profile_name or other.username


async def _windows(tx: Transaction, kept: str, gone: str, joined: list[tuple[str, str]], choice: Choice
                   ) -> dict[str, int | None]:
    """Until when one may write freely, where the two have numbers of their own: WhatsApp counts it for the number that
    is written to, not for the person."""
    rows = await tx.rows("SELECT id, phone FROM contact WHERE id IN (?, ?)", kept, gone)
    numbers: dict[str, str | None] = {row[0]: row[1] for row in rows}
    if not numbers.get(kept) or not numbers.get(gone):
        return {}
    found: dict[str, int | None] = {}
    for kept_id, gone_id in joined:
        found[kept_id] = await tx.value("SELECT window_expires_at FROM conversation WHERE id = ?",
                                        gone_id if choice.number else kept_id)
    return found


async def undo(tx: Transaction, contact_id: str) -> str:
    """Take the last merge into this contact back; the id of the contact that is there again. Raises NotFound,
    Conflict."""
    known = await newest(tx, contact_id, tx.now)
    if known is None:
        raise NotFound("There is no merge to undo, or it is too long ago.")
    if await contacts.contact(tx, contact_id) is None:
        raise Conflict("This contact was deleted, or is part of another one by now.")
    (before, after), = await merge_record.parts(tx, known.id, "contact")
    await merge_record.restore_contacts(tx, known.id, before, after)
    for moves in merge_record.OF_PEOPLE.values():
        await tx.execute(moves.back, known.id, known.gone_id, known.kept_id)
    touched = [row[0] for row in await tx.rows("SELECT id FROM conversation WHERE contact_id = ?", known.gone_id)]
    for was, left in await merge_record.parts(tx, known.id, "conversation"):
        await tx.execute("DELETE FROM conversation_alias WHERE id = ?", was.gone_id)
        await merge_record.restore_threads(tx, known.id, was, left, known.gone_id)
        await clocks.show(tx, was.kept_id)
        await clocks.show(tx, was.gone_id)
        touched += [was.kept_id, was.gone_id]
    for thread_id in touched:
        await actions.add_event(tx, thread_id, "contacts_parted", actor_name=tx.actor.name)
    await tx.execute("DELETE FROM contact_merge_part WHERE merge_id = ?", known.id)
    await tx.execute("DELETE FROM contact_merge_item WHERE merge_id = ?", known.id)
    await tx.execute("UPDATE contact_merge SET undone_at = ? WHERE id = ?", tx.now, known.id)
    await tx.audit("contact.merge_undone", "contact", known.kept_id, absorbed=known.gone_id)
    tx.enqueue(ROUTE, QUEUE)
    tx.publish("contact", known.kept_id)
    tx.publish("contact", known.gone_id)
    tx.publish("inbox", "list")
    return known.gone_id


async def forget(tx: Transaction, merge_id: str) -> None:
    """Nobody can take it back any more."""
    await tx.execute("DELETE FROM contact_merge WHERE id = ? AND at <= ?", merge_id, tx.now - UNDO_FOR)


async def to_forget(db: Db, now: int) -> list[str]:
    return [row[0] for row in await db.rows("SELECT id FROM contact_merge WHERE at <= ? LIMIT 100", now - UNDO_FOR)]
