"""The tags of contacts and of conversations as a whole: renamed, merged, deleted, and had back for a day.

Promise: what a tag was on when it was deleted or merged is written down, so that an undo puts it back on those that are
still there, and takes the other tag off those that had it only through the merge. Saved views that asked for a merged
tag ask for the other one. Names stand in no log.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from chime.clock import DAY
from chime.db import Db
from chime.errors import Conflict, Invalid, NotFound
from chime.inbox import view_changes
from chime.workspaces import Transaction

FORGET_TAG = "inbox.forget_tag"
UNDO_FOR = DAY
LONGEST = 40
MOST_SHOWN = 500


class TagOf(StrEnum):
    """What carries a tag."""

    CONTACT = "contact"
    CONVERSATION = "conversation"


class CountedTag(msgspec.Struct, frozen=True, kw_only=True):
    """A tag and on how many it is; 10,000 stands for that or more."""

    id: str
    name: str
    count: int


class TagChange(msgspec.Struct, frozen=True, kw_only=True):
    """One that was deleted, or merged into another (`into_id`), and can be had back."""

    id: str
    subject: TagOf
    tag_id: str
    name: str
    into_id: str | None
    by_name: str
    at: int


class _Sql(msgspec.Struct, frozen=True, kw_only=True):
    """The statements for one kind of tag."""

    all: str
    one: str
    named: str
    rename: str
    remove: str
    make: str
    note: str
    carry: str
    strip: str
    put_back: str
    take_off: str


# Under which name a filter asks for it.
_FILTER = {TagOf.CONTACT: "contact_tag", TagOf.CONVERSATION: "tag"}
_NOTE = "INSERT INTO tag_change_item (change_id, carrier_id, carried_at, had_both) "
_SQL = {
    TagOf.CONTACT: _Sql(
        all="SELECT id, name, (SELECT count(*) FROM (SELECT 1 FROM contact_tag WHERE tag_id = tag.id LIMIT 10000)) "
            "AS count FROM tag ORDER BY name LIMIT 500",
        one="SELECT name FROM tag WHERE id = ?", named="SELECT id FROM tag WHERE name = ?",
        rename="UPDATE tag SET name = ? WHERE id = ?", remove="DELETE FROM tag WHERE id = ?",
        make="INSERT INTO tag (id, name, created_at) VALUES (?, ?, ?)",
        note=_NOTE + "SELECT ?1, contact_id, created_at, EXISTS (SELECT 1 FROM contact_tag AS other "
             "WHERE other.tag_id = ?3 AND other.contact_id = contact_tag.contact_id) FROM contact_tag "
             "WHERE tag_id = ?2",
        carry="INSERT OR IGNORE INTO contact_tag (contact_id, tag_id, created_at) SELECT contact_id, ?2, created_at "
              "FROM contact_tag WHERE tag_id = ?1",
        strip="DELETE FROM contact_tag WHERE tag_id = ?",
        put_back="INSERT OR IGNORE INTO contact_tag (contact_id, tag_id, created_at) SELECT carrier_id, ?2, carried_at "
                 "FROM tag_change_item WHERE change_id = ?1 AND carrier_id IN (SELECT id FROM contact)",
        take_off="DELETE FROM contact_tag WHERE tag_id = ?2 AND contact_id IN (SELECT carrier_id FROM tag_change_item "
                 "WHERE change_id = ?1 AND NOT had_both)"),
    TagOf.CONVERSATION: _Sql(
        all="SELECT id, name, (SELECT count(*) FROM (SELECT 1 FROM conversation_tag WHERE tag_id = thread_tag.id "
            "LIMIT 10000)) AS count FROM thread_tag ORDER BY name LIMIT 500",
        one="SELECT name FROM thread_tag WHERE id = ?", named="SELECT id FROM thread_tag WHERE name = ?",
        rename="UPDATE thread_tag SET name = ? WHERE id = ?", remove="DELETE FROM thread_tag WHERE id = ?",
        make="INSERT INTO thread_tag (id, name, created_at) VALUES (?, ?, ?)",
        note=_NOTE + "SELECT ?1, conversation_id, created_at, EXISTS (SELECT 1 FROM conversation_tag AS other "
             "WHERE other.tag_id = ?3 AND other.conversation_id = conversation_tag.conversation_id) "
             "FROM conversation_tag WHERE tag_id = ?2",
        carry="INSERT OR IGNORE INTO conversation_tag (tag_id, conversation_id, created_at) SELECT ?2, "
              "conversation_id, created_at FROM conversation_tag WHERE tag_id = ?1",
        strip="DELETE FROM conversation_tag WHERE tag_id = ?",
        put_back="INSERT OR IGNORE INTO conversation_tag (tag_id, conversation_id, created_at) SELECT ?2, carrier_id, "
                 "carried_at FROM tag_change_item WHERE change_id = ?1 AND carrier_id IN (SELECT id FROM conversation)",
        take_off="DELETE FROM conversation_tag WHERE tag_id = ?2 AND conversation_id IN (SELECT carrier_id FROM "
                 "tag_change_item WHERE change_id = ?1 AND NOT had_both)"),
}


async def counted(db: Db, subject: TagOf) -> list[CountedTag]:
    """By name."""
    return await db.all(CountedTag, _SQL[subject].all)


async def changes(db: Db, now: int) -> list[TagChange]:
    """What can still be had back, the newest first."""
    return await db.all(TagChange, "SELECT id, subject, tag_id, name, into_id, by_name, at FROM tag_change "
                        "WHERE at > ? ORDER BY at DESC, id DESC LIMIT 20", now - UNDO_FOR)


async def rename(tx: Transaction, subject: TagOf, tag_id: str, name: str) -> None:
    """Raises NotFound, Invalid, Conflict."""
    name = " ".join(name.replace("\0", "").split())
    if not 0 < len(name) <= LONGEST:
        raise Invalid.field("name", "A tag has 1 to 40 characters.")
    sql = _SQL[subject]
    before = await _name(tx, sql, tag_id)
    holder = await tx.value(sql.named, name)
    if holder not in (None, tag_id):
        raise Conflict("There is a tag of this name already; merge the two instead.")
    if before == name:
        return
    await tx.execute(sql.rename, name, tag_id)
    await tx.audit("tag.renamed" if subject is TagOf.CONTACT else "conversation_tag.renamed", _kind(subject), tag_id)
    tx.publish("inbox", "list")


async def delete(tx: Transaction, subject: TagOf, tag_id: str) -> str:
    """Gone from whatever carries it; the id to have it back by. Raises NotFound."""
    sql = _SQL[subject]
    change_id = await _write_down(tx, subject, tag_id, None)
    carried = await tx.execute(sql.strip, tag_id)
    await tx.execute(sql.remove, tag_id)
    await tx.audit("tag.deleted" if subject is TagOf.CONTACT else "conversation_tag.deleted", _kind(subject), tag_id,
                   carried_by=carried)
    return change_id


async def merge(tx: Transaction, subject: TagOf, tag_id: str, into_id: str) -> str:
    """Whatever carries it carries the other one from now on; the id to part them by. Raises NotFound, Invalid."""
    sql = _SQL[subject]
    if tag_id == into_id:
        raise Invalid.field("into_id", "Choose another tag than this one.")
    await _name(tx, sql, into_id)
    change_id = await _write_down(tx, subject, tag_id, into_id)
    await view_changes.follow(tx, change_id, _FILTER[subject], tag_id, into_id)
    await tx.execute(sql.carry, tag_id, into_id)
    carried = await tx.execute(sql.strip, tag_id)
    await tx.execute(sql.remove, tag_id)
    await tx.audit("tag.merged" if subject is TagOf.CONTACT else "conversation_tag.merged", _kind(subject), tag_id,
                   into_id=into_id, carried_by=carried)
    return change_id


async def undo(tx: Transaction, change_id: str) -> None:
    """As it was, on those that are still there. Raises NotFound, Conflict."""
    known = await tx.one(TagChange, "SELECT id, subject, tag_id, name, into_id, by_name, at FROM tag_change "
                         "WHERE id = ? AND at > ?", change_id, tx.now - UNDO_FOR)
    if known is None:
        raise NotFound("There is no such change, or it is too long ago.")
    sql = _SQL[known.subject]
    if await tx.value(sql.named, known.name) is not None:
        raise Conflict("There is a tag of this name again; rename that one first.")
    await tx.execute(sql.make, known.tag_id, known.name, tx.now)
    await tx.execute(sql.put_back, known.id, known.tag_id)
    if known.into_id is not None:
        await tx.execute(sql.take_off, known.id, known.into_id)
        await view_changes.part_again(tx, known.id)
    await tx.execute("DELETE FROM tag_change WHERE id = ?", known.id)
    await tx.audit("tag.restored" if known.subject is TagOf.CONTACT else "conversation_tag.restored",
                   _kind(known.subject), known.tag_id)
    tx.publish("inbox", "list")


async def forget(tx: Transaction, change_id: str) -> None:
    """Nobody can have it back any more."""
    await tx.execute("DELETE FROM tag_change WHERE id = ? AND at <= ?", change_id, tx.now - UNDO_FOR)


async def to_forget(db: Db, now: int) -> list[str]:
    return [row[0] for row in await db.rows("SELECT id FROM tag_change WHERE at <= ? LIMIT 100", now - UNDO_FOR)]


def _kind(subject: TagOf) -> str:
    return "tag" if subject is TagOf.CONTACT else "conversation_tag"


async def _name(tx: Transaction, sql: _Sql, tag_id: str) -> str:
    found: str | None = await tx.value(sql.one, tag_id)
    if found is None:
        raise NotFound("There is no such tag.")
    return found


async def _write_down(tx: Transaction, subject: TagOf, tag_id: str, into_id: str | None) -> str:
    sql, change_id = _SQL[subject], tx.new_id()
    name = await _name(tx, sql, tag_id)
    await tx.execute("INSERT INTO tag_change (id, subject, tag_id, name, into_id, by_name, at) "
                     "VALUES (?, ?, ?, ?, ?, ?, ?)", change_id, subject.value, tag_id, name, into_id, tx.actor.name,
                     tx.now)
    await tx.execute(sql.note, change_id, tag_id, into_id)
    tx.enqueue(FORGET_TAG, change_id, at=tx.now + UNDO_FOR)
    tx.publish("inbox", "list")
    return change_id
