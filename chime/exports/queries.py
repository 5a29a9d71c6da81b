"""The rows of an export, in bounded pieces read beside the loop, and how many there are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from chime.db import Db, LongReads
from chime.errors import Unavailable
from chime.exports.model import Frozen
from chime.security.scope import CONTACTS, HELD, Viewer

Row = tuple[Any, ...]
CONTACTS_AT_ONCE = 500
# A time span may hold few of very many messages: pieces are counted by what is looked at.
MESSAGES_AT_ONCE = 2_000
PATIENCE = 20.0
MOST_FIELDS = 500

_CONTACTS_WHERE = (
    " FROM contact LEFT JOIN consent_event AS latest ON latest.id = (SELECT id FROM consent_event "
    "WHERE consent_event.contact_id = contact.id ORDER BY at DESC, id DESC LIMIT 1) "
    "WHERE contact.deleted_at IS NULL AND contact.id > ? AND contact.id <= ? AND ? IN ('', contact.marketing_consent) "
    "AND (? = '' OR EXISTS (SELECT 1 FROM contact_tag WHERE contact_tag.contact_id = contact.id AND tag_id = ?))")
_CONTACT = (
    "SELECT contact.id, contact.name, contact.profile_name, contact.phone, contact.username, contact.user_id, "
    "(SELECT json_group_array(name) FROM (SELECT tag.name FROM contact_tag JOIN tag ON tag.id = contact_tag.tag_id "
    "WHERE contact_tag.contact_id = contact.id ORDER BY tag.name)), contact.marketing_consent, contact.consent_at, "
    "latest.source, latest.evidence, contact.owner_id, contact.created_at, contact.updated_at, contact.fields_json")
_MESSAGES_WHERE = (
    " FROM message JOIN conversation ON conversation.id = message.conversation_id "
    "WHERE message.sequence > ? AND message.sequence <= ? AND message.at >= ? AND message.at < ? "
    "AND ? IN ('', conversation.state) AND ? IN ('', message.channel_id)")
_MESSAGE = (
    "SELECT message.sequence, message.id, message.conversation_id, conversation.contact_id, "
    "(SELECT coalesce(nullif(name, ''), profile_name) FROM contact WHERE contact.id = conversation.contact_id), "
    "(SELECT phone FROM contact WHERE contact.id = conversation.contact_id), "
    "(SELECT display_phone FROM channel WHERE channel.id = message.channel_id), message.at, message.direction, "
    "message.type, message.status, message.author_name, message.text, message.content_json, message.media_id, "
    "(SELECT json_array(filename, mime_type, size, state) FROM media WHERE media.id = message.media_id), "
    "(SELECT json_group_array(json_object('side', side, 'emoji', emoji)) FROM reaction "
    "WHERE reaction.message_id = message.id), message.edited_at, message.revoked_at, message.error_code, "
    "message.error_title, message.wamid")


def _of_contacts(frozen: Frozen) -> tuple[str, ...]:
    return (frozen.consent, frozen.tag_id, frozen.tag_id)


def _of_messages(frozen: Frozen) -> tuple[Any, ...]:
    return (frozen.since, frozen.until, frozen.state, frozen.channel_id)


async def count_contacts(reads: LongReads, viewer: Viewer, frozen: Frozen) -> int:
    """Raises Unavailable when it takes too long."""
    return await _count(reads, "SELECT count(*)" + _CONTACTS_WHERE + CONTACTS[viewer.sight], "", "~",
                        *_of_contacts(frozen), *viewer.values)


async def count_messages(reads: LongReads, viewer: Viewer, frozen: Frozen) -> int:
    """Raises Unavailable when it takes too long."""
    return await _count(reads, "SELECT count(*)" + _MESSAGES_WHERE + HELD[viewer.sight], 0, 2**62,
                        *_of_messages(frozen), *viewer.held_values)


async def _count(reads: LongReads, sql: str, *values: Any) -> int:
    rows = await _all(reads, sql, *values)
    return int(rows[0][0])


async def _all(reads: LongReads, sql: str, *values: Any) -> list[Row]:
    rows, whole = await reads.rows(sql, *values, seconds=PATIENCE)
    if not whole:
        raise Unavailable("This takes too long now; try again, or ask for less.")
    return rows


async def contact_pieces(reads: LongReads, viewer: Viewer, frozen: Frozen, *, last_id: str) -> AsyncIterator[list[Row]]:
    """The contacts that were there when the export began (`last_id` is an id of that moment), by id."""
    after, more = "", True
    while more:
        rows = await _all(reads, _CONTACT + _CONTACTS_WHERE + CONTACTS[viewer.sight] + " ORDER BY contact.id LIMIT ?",
                          after, last_id, *_of_contacts(frozen), *viewer.values, CONTACTS_AT_ONCE)
        if rows:
            after = rows[-1][0]
            yield rows
        more = len(rows) == CONTACTS_AT_ONCE


async def message_pieces(reads: LongReads, viewer: Viewer, frozen: Frozen, *, last: int) -> AsyncIterator[list[Row]]:
    """The messages up to number `last`, as they came in."""
    after = 0
    while after < last:
        upto = min(after + MESSAGES_AT_ONCE, last)
        yield await _all(reads, _MESSAGE + _MESSAGES_WHERE + HELD[viewer.sight] + " ORDER BY message.sequence",
                         after, upto, *_of_messages(frozen), *viewer.held_values)
        after = upto


async def messages_of_contact(reads: LongReads, contact_id: str) -> AsyncIterator[list[Row]]:
    """Everything said in a person's conversations, one conversation after the other, by time."""
    conversations = await _all(reads, "SELECT id FROM conversation WHERE contact_id = ? ORDER BY id", contact_id)
    for (conversation_id,) in conversations:
        after: tuple[int, str] = (-1, "")
        while piece := await _all(
                reads, _MESSAGE + " FROM message JOIN conversation ON conversation.id = message.conversation_id "
                "WHERE message.conversation_id = ? AND (message.at, message.id) > (?, ?) "
                "ORDER BY message.at, message.id LIMIT ?", conversation_id, *after, CONTACTS_AT_ONCE):
            after = (piece[-1][7], piece[-1][1])
            yield piece


async def newest_message(db: Db) -> int:
    return int(await db.value("SELECT max(sequence) FROM message") or 0)


async def field_names(reads: LongReads) -> list[str]:
    """The custom fields that any contact has."""
    rows = await _all(reads, "SELECT DISTINCT field.key FROM contact, json_each(contact.fields_json) AS field "
                      "WHERE contact.deleted_at IS NULL ORDER BY field.key LIMIT ?", MOST_FIELDS)
    return [row[0] for row in rows]
