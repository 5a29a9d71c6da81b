"""Removing conversations and messages for good: rows, words in the search index, statuses, files.

A batch is one short transaction. The files of a batch go first: a crash in between leaves rows without files, which the
next try removes, and never a file that nobody knows of.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from chime.db import Db
from chime.inbox import blocking
from chime.workspaces import StoredFiles, Transaction

BATCH = 100


class Doomed(msgspec.Struct, frozen=True):
    """A message that is to go."""

    id: str
    channel_id: str
    wamid: str | None
    media_id: str | None


_DOOMED = "SELECT message.id, message.channel_id, message.wamid, message.media_id FROM message "


def _json(values: Collection[str]) -> str:
    return msgspec.json.encode(list(values)).decode()


async def messages_of(db: Db, contact_ids: Collection[str]) -> list[Doomed]:
    """Some of the messages of these people's conversations."""
    return await db.all(Doomed, _DOOMED + "WHERE message.conversation_id IN (SELECT id FROM conversation "
                        "WHERE contact_id IN (SELECT value FROM json_each(?))) LIMIT ?", _json(contact_ids), BATCH)


async def messages_named(db: Db, wamids: Collection[str]) -> list[Doomed]:
    """Those with these ids of Meta's, wherever they stand: what a person said in a group."""
    return await db.all(Doomed, _DOOMED + "WHERE message.channel_id IN (SELECT id FROM channel) "
                        "AND message.wamid IN (SELECT value FROM json_each(?))", _json(wamids))


async def messages_before(db: Db, at: int) -> list[Doomed]:
    """Some of those said before a moment and not under way any more, the oldest first."""
    return await db.all(Doomed, _DOOMED + "WHERE message.at < ? AND message.status NOT IN "
                        "('queued', 'sending', 'unconfirmed') ORDER BY message.sequence LIMIT ?", at, BATCH)


async def remove_files(db: Db, files: StoredFiles, doomed: Sequence[Doomed]) -> int:
    """The files that only these messages have; how many."""
    found = await db.rows(
        "SELECT DISTINCT id FROM media WHERE id IN (SELECT value FROM json_each(?1)) "
        "AND NOT EXISTS (SELECT 1 FROM message WHERE message.media_id = media.id "
        "AND message.id NOT IN (SELECT value FROM json_each(?2))) "
        "AND NOT EXISTS (SELECT 1 FROM scheduled_message WHERE scheduled_message.media_id = media.id)",
        _json([one.media_id for one in doomed if one.media_id]), _json([one.id for one in doomed]))
    for (media_id,) in found:
        files.remove(media_id)
    return len(found)


async def remove_scheduled_files(db: Db, files: StoredFiles, contact_ids: Collection[str]) -> int:
    """The files that only messages for later to these people have; how many."""
    found = await db.rows(
        "SELECT DISTINCT scheduled_message.media_id FROM scheduled_message JOIN conversation "
        "ON conversation.id = scheduled_message.conversation_id WHERE conversation.contact_id IN "
        "(SELECT value FROM json_each(?1)) AND scheduled_message.media_id IS NOT NULL AND NOT EXISTS (SELECT 1 "
        "FROM message WHERE message.media_id = scheduled_message.media_id) AND NOT EXISTS (SELECT 1 "
        "FROM scheduled_message AS other JOIN conversation AS theirs ON theirs.id = other.conversation_id "
        "WHERE other.media_id = scheduled_message.media_id AND theirs.contact_id NOT IN "
        "(SELECT value FROM json_each(?1)))", _json(contact_ids))
    for (media_id,) in found:
        files.remove(media_id)
    return len(found)


async def _forget_scheduled(tx: Transaction, conversations: Collection[str]) -> None:
    files = _json([row[0] for row in await tx.rows("SELECT media_id FROM scheduled_message WHERE media_id IS NOT NULL "
                                                   "AND conversation_id IN (SELECT value FROM json_each(?))",
                                                   _json(conversations))])
    await tx.execute("DELETE FROM scheduled_message WHERE conversation_id IN (SELECT value FROM json_each(?))",
                     _json(conversations))
    await tx.execute("DELETE FROM media WHERE id IN (SELECT value FROM json_each(?)) AND NOT EXISTS (SELECT 1 "
                     "FROM message WHERE message.media_id = media.id) AND NOT EXISTS (SELECT 1 FROM scheduled_message "
                     "WHERE scheduled_message.media_id = media.id)", files)


async def forget_messages(tx: Transaction, doomed: Sequence[Doomed]) -> int:
    """Remove these messages and all that hangs on them; how many they were."""
    ids = _json([one.id for one in doomed])
    wamids = _json([one.wamid for one in doomed if one.wamid])
    await tx.execute("DELETE FROM reaction WHERE message_id IN (SELECT value FROM json_each(?))", ids)
    await tx.execute("DELETE FROM message_status WHERE message_id IN (SELECT value FROM json_each(?1)) "
                     "OR wamid IN (SELECT value FROM json_each(?2))", ids, wamids)
    for one in doomed:
        if one.wamid:
            await tx.execute("DELETE FROM early_change WHERE channel_id = ? AND target_wamid = ?",
                             one.channel_id, one.wamid)
    await tx.execute("UPDATE conversation SET last_message_id = NULL WHERE last_message_id IN "
                     "(SELECT value FROM json_each(?))", ids)
    # The message first: its going takes the words of it and of its file out of the search index.
    count = await tx.execute("DELETE FROM message WHERE id IN (SELECT value FROM json_each(?))", ids)
    await tx.execute("DELETE FROM media WHERE id IN (SELECT value FROM json_each(?)) "
                     "AND NOT EXISTS (SELECT 1 FROM message WHERE message.media_id = media.id) "
                     "AND NOT EXISTS (SELECT 1 FROM scheduled_message WHERE scheduled_message.media_id = media.id)",
                     _json([one.media_id for one in doomed if one.media_id]))
    return count


async def forget_threads(tx: Transaction, contact_ids: Collection[str]) -> int:
    """Remove the conversations of these people, which must be empty by now, and their words from the search."""
    ids = _json(contact_ids)
    await blocking.forget_blocks(tx, contact_ids)
    await tx.execute("DELETE FROM contact_merge WHERE kept_id IN (SELECT value FROM json_each(?1)) "
                     "OR gone_id IN (SELECT value FROM json_each(?1))", ids)
    conversations = [row[0] for row in await tx.rows("SELECT id FROM conversation WHERE contact_id IN "
                                                     "(SELECT value FROM json_each(?))", ids)]
    await tx.execute("DELETE FROM conversation_event WHERE conversation_id IN (SELECT value FROM json_each(?))",
                     _json(conversations))
    await tx.execute("DELETE FROM mention WHERE conversation_id IN (SELECT value FROM json_each(?))",
                     _json(conversations))
    await tx.execute("DELETE FROM note WHERE conversation_id IN (SELECT value FROM json_each(?))", _json(conversations))
    await tx.execute("DELETE FROM service_clock WHERE conversation_id IN (SELECT value FROM json_each(?))",
                     _json(conversations))
    await tx.execute("DELETE FROM satisfaction WHERE conversation_id IN (SELECT value FROM json_each(?))",
                     _json(conversations))
    # How long the team took is the team's own; whom it answered is forgotten.
    await tx.execute("UPDATE response_time SET conversation_id = NULL WHERE conversation_id IN "
                     "(SELECT value FROM json_each(?))", _json(conversations))
    await tx.execute("DELETE FROM reminder WHERE conversation_id IN (SELECT value FROM json_each(?))",
                     _json(conversations))
    await _forget_scheduled(tx, conversations)
    await tx.execute("DELETE FROM conversation_pin WHERE conversation_id IN (SELECT value FROM json_each(?))",
                     _json(conversations))
    await tx.execute("DELETE FROM conversation_tag WHERE conversation_id IN (SELECT value FROM json_each(?))",
                     _json(conversations))
    await tx.execute("DELETE FROM tag_change_item WHERE carrier_id IN (SELECT value FROM json_each(?))",
                     _json([*contact_ids, *conversations]))
    await tx.execute("DELETE FROM bulk_item WHERE conversation_id IN (SELECT value FROM json_each(?))",
                     _json(conversations))
    await tx.execute("DELETE FROM conversation WHERE id IN (SELECT value FROM json_each(?))", _json(conversations))
    for conversation_id in conversations:
        tx.publish("conversation", conversation_id)
    return len(conversations)


async def forget_words(tx: Transaction, contact_ids: Collection[str]) -> None:
    """The names and numbers of these contacts leave the index now, not with its next batch; after they are gone."""
    ids = _json(contact_ids)
    await tx.execute("INSERT INTO contact_words (contact_words, rowid, words) SELECT 'delete', number, words "
                     "FROM indexed_contact WHERE contact_id IN (SELECT value FROM json_each(?))", ids)
    await tx.execute("DELETE FROM indexed_contact WHERE contact_id IN (SELECT value FROM json_each(?))", ids)
    await tx.execute("DELETE FROM unindexed_contact WHERE contact_id IN (SELECT value FROM json_each(?))", ids)
