"""Which tags there are and which conversations carry them; what becomes of them when two threads become one."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from chime.db import Db
from chime.workspaces import Transaction


class ThreadTag(msgspec.Struct, frozen=True):
    """A tag that conversations can carry."""

    id: str
    name: str


class _Carried(msgspec.Struct, frozen=True):
    conversation_id: str
    id: str
    name: str


async def all_tags(db: Db) -> list[ThreadTag]:
    """By name."""
    return await db.all(ThreadTag, "SELECT id, name FROM thread_tag ORDER BY name LIMIT 500")


async def tags_page(db: Db, *, after: str, limit: int) -> list[ThreadTag]:
    """By name, after the given one."""
    return await db.all(ThreadTag, "SELECT id, name FROM thread_tag WHERE name > ? ORDER BY name LIMIT ?", after, limit)


async def tag(db: Db, tag_id: str) -> ThreadTag | None:
    return await db.one(ThreadTag, "SELECT id, name FROM thread_tag WHERE id = ?", tag_id)


async def carried(db: Db, conversation_ids: Collection[str]) -> dict[str, tuple[ThreadTag, ...]]:
    """The tags of these conversations, by name; the caller bounds how many."""
    rows = await db.all(
        _Carried, "SELECT conversation_id, thread_tag.id, thread_tag.name FROM conversation_tag "
        "JOIN thread_tag ON thread_tag.id = conversation_tag.tag_id "
        "WHERE conversation_id IN (SELECT value FROM json_each(?))",
        msgspec.json.encode(list(conversation_ids)).decode()) if conversation_ids else []
    found: dict[str, list[ThreadTag]] = {}
    for row in sorted(rows, key=lambda row: row.name.casefold()):
        found.setdefault(row.conversation_id, []).append(ThreadTag(row.id, row.name))
    return {conversation_id: tuple(tags) for conversation_id, tags in found.items()}


async def move(tx: Transaction, *, kept: str, gone: str) -> None:
    """Two threads became one, which has the tags of both."""
    await tx.execute("INSERT INTO conversation_tag (tag_id, conversation_id, created_at) SELECT tag_id, ?, created_at "
                     "FROM conversation_tag WHERE conversation_id = ? ON CONFLICT DO NOTHING", kept, gone)
    await tx.execute("DELETE FROM conversation_tag WHERE conversation_id = ?", gone)
