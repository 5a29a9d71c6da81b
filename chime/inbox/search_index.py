"""Bringing the index up to date with the messages and contacts that came or changed since.

A batch is one transaction. Its heavy statement works in a thread; what takes words out of the index (edits, deletions,
messages taken back) is done by triggers where it happens, see m0011_search.
"""

from __future__ import annotations

from chime.clock import DAY
from chime.workspaces import Transaction

MESSAGES_AT_ONCE = 500
CONTACTS_AT_ONCE = 200


async def index_messages(tx: Transaction) -> bool:
    """Index the oldest messages that wait; False when there were none."""
    upto = await tx.value("SELECT indexed_upto FROM search_progress")
    last = await tx.value("SELECT max(sequence) FROM (SELECT sequence FROM message WHERE sequence > ? "
                          "ORDER BY sequence LIMIT ?)", upto, MESSAGES_AT_ONCE)
    if last is None:
        return False
    await tx.execute_aside("INSERT INTO message_words (rowid, text, filename) SELECT sequence, text, filename "
                           "FROM message_text WHERE sequence > ? AND sequence <= ? ORDER BY sequence", upto, last)
    await tx.execute("INSERT INTO message_day (day, first_sequence, last_sequence) "
                     "SELECT at / ?1, min(sequence), max(sequence) FROM message WHERE sequence > ?2 AND sequence <= ?3 "
                     "GROUP BY at / ?1 ON CONFLICT (day) DO UPDATE SET "
                     "first_sequence = min(first_sequence, excluded.first_sequence), "
                     "last_sequence = max(last_sequence, excluded.last_sequence)", DAY, upto, last)
    await tx.execute("UPDATE search_progress SET indexed_upto = ?", last)
    return True


async def index_contacts(tx: Transaction) -> bool:
    """Index contacts that are new, renamed or gone; False when there were none."""
    batch = await tx.value("SELECT json_group_array(contact_id) FROM (SELECT contact_id FROM unindexed_contact "
                           "LIMIT ?)", CONTACTS_AT_ONCE)
    if batch == "[]":
        return False
    # The index must be told the very words it knows, or they stay in it for ever.
    await tx.execute_aside("INSERT INTO contact_words (contact_words, rowid, words) SELECT 'delete', number, words "
                           "FROM indexed_contact WHERE contact_id IN (SELECT value FROM json_each(?))", batch)
    await tx.execute("DELETE FROM indexed_contact WHERE contact_id IN (SELECT value FROM json_each(?))", batch)
    await tx.execute("INSERT INTO indexed_contact (contact_id, words) "
                     "SELECT id, concat_ws(char(10), name, profile_name, username, phone) FROM contact "
                     "WHERE id IN (SELECT value FROM json_each(?)) AND deleted_at IS NULL ORDER BY created_at, id",
                     batch)
    await tx.execute_aside("INSERT INTO contact_words (rowid, words) SELECT number, words FROM indexed_contact "
                           "WHERE contact_id IN (SELECT value FROM json_each(?)) ORDER BY number", batch)
    await tx.execute("DELETE FROM unindexed_contact WHERE contact_id IN (SELECT value FROM json_each(?))", batch)
    return True
