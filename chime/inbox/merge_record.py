"""What a merge of two contacts moved and changed, so that it can be taken back.

Rows that only went to another conversation or contact are kept by their ids; what was changed is kept as it was before
and as the merge left it. Taken back is what nobody has changed again since; the rest stays with whom it is.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chime.workspaces import Transaction

_CONVERSATION = (
    "state", "assignee_id", "unread_count", "last_message_id", "last_message_at", "window_expires_at", "closed_at",
    "team_id", "snoozed_until", "waiting_since", "released_by", "answered_at", "due_at", "due_soon_at", "due_kind",
    "fields_json", "reason_id", "channel_id", "created_at")
_READ_CONVERSATION = (
    "SELECT state, assignee_id, unread_count, last_message_id, last_message_at, window_expires_at, closed_at, "
    "team_id, snoozed_until, waiting_since, released_by, answered_at, due_at, due_soon_at, due_kind, fields_json, "
    "reason_id, channel_id, created_at FROM conversation WHERE id = ?")
_WRITE_CONVERSATION = (
    "UPDATE conversation SET state = ?, assignee_id = ?, unread_count = ?, last_message_id = ?, last_message_at = ?, "
    "window_expires_at = ?, closed_at = ?, team_id = ?, snoozed_until = ?, waiting_since = ?, released_by = ?, "
    "answered_at = ?, due_at = ?, due_soon_at = ?, due_kind = ?, fields_json = ?, reason_id = ?, channel_id = ?, "
    "created_at = ? WHERE id = ?")
_CONTACT = ("name", "profile_name", "username", "phone", "user_id", "parent_user_id", "fields_json",
            "marketing_consent", "consent_at", "deleted_at", "blocked_at", "blocked_by", "owner_id")
_READ_CONTACT = ("SELECT name, profile_name, username, phone, user_id, parent_user_id, fields_json, "
                 "marketing_consent, consent_at, deleted_at, blocked_at, blocked_by, owner_id FROM contact "
                 "WHERE id = ?")
_WRITE_CONTACT = ("UPDATE contact SET name = ?, profile_name = ?, username = ?, phone = ?, user_id = ?, "
                  "parent_user_id = ?, fields_json = ?, marketing_consent = ?, consent_at = ?, deleted_at = ?, "
                  "blocked_at = ?, blocked_by = ?, owner_id = ? WHERE id = ?")


class Moves(msgspec.Struct, frozen=True):
    """How rows that only change their place are written down, and brought back."""

    note: str
    back: str


# By what they are: `?1` the merge, `?2` whose they were and, going back, `?3` whose they are.
_NOTE = "INSERT INTO contact_merge_item (merge_id, kind, row_id, from_id) "
MOVED = {
    "message": Moves(
        _NOTE + "SELECT ?1, 'message', id, ?2 FROM message WHERE conversation_id = ?2",
        "UPDATE message SET conversation_id = ?2 WHERE conversation_id = ?3 AND id IN (SELECT row_id FROM "
        "contact_merge_item WHERE merge_id = ?1 AND kind = 'message' AND from_id = ?2)"),
    "event": Moves(
        _NOTE + "SELECT ?1, 'event', id, ?2 FROM conversation_event WHERE conversation_id = ?2",
        "UPDATE conversation_event SET conversation_id = ?2 WHERE conversation_id = ?3 AND id IN (SELECT row_id FROM "
        "contact_merge_item WHERE merge_id = ?1 AND kind = 'event' AND from_id = ?2)"),
    "note": Moves(
        _NOTE + "SELECT ?1, 'note', id, ?2 FROM note WHERE conversation_id = ?2",
        "UPDATE note SET conversation_id = ?2 WHERE conversation_id = ?3 AND id IN (SELECT row_id FROM "
        "contact_merge_item WHERE merge_id = ?1 AND kind = 'note' AND from_id = ?2)"),
    "response_time": Moves(
        _NOTE + "SELECT ?1, 'response_time', id, ?2 FROM response_time WHERE conversation_id = ?2",
        "UPDATE response_time SET conversation_id = ?2 WHERE conversation_id = ?3 AND id IN (SELECT row_id FROM "
        "contact_merge_item WHERE merge_id = ?1 AND kind = 'response_time' AND from_id = ?2)"),
    "scheduled": Moves(
        _NOTE + "SELECT ?1, 'scheduled', id, ?2 FROM scheduled_message WHERE conversation_id = ?2",
        "UPDATE scheduled_message SET conversation_id = ?2 WHERE conversation_id = ?3 AND id IN (SELECT row_id FROM "
        "contact_merge_item WHERE merge_id = ?1 AND kind = 'scheduled' AND from_id = ?2)"),
    "reminder": Moves(
        _NOTE + "SELECT ?1, 'reminder', id, ?2 FROM reminder WHERE conversation_id = ?2",
        "UPDATE reminder SET conversation_id = ?2 WHERE conversation_id = ?3 AND id IN (SELECT row_id FROM "
        "contact_merge_item WHERE merge_id = ?1 AND kind = 'reminder' AND from_id = ?2)"),
    # Older addresses of a conversation that had become of several.
    "alias": Moves(
        _NOTE + "SELECT ?1, 'alias', id, ?2 FROM conversation_alias WHERE conversation_id = ?2",
        "UPDATE conversation_alias SET conversation_id = ?2 WHERE conversation_id = ?3 AND id IN (SELECT row_id FROM "
        "contact_merge_item WHERE merge_id = ?1 AND kind = 'alias' AND from_id = ?2)"),
}
# What hangs on rows that went back.
_AFTER = (
    "UPDATE mention SET conversation_id = ?2 WHERE conversation_id = ?3 AND note_id IN (SELECT row_id FROM "
    "contact_merge_item WHERE merge_id = ?1 AND kind = 'note' AND from_id = ?2)",
    "UPDATE message_pin SET conversation_id = ?2 WHERE conversation_id = ?3 AND message_id IN (SELECT row_id FROM "
    "contact_merge_item WHERE merge_id = ?1 AND kind = 'message' AND from_id = ?2)")
OF_PEOPLE = {
    "identity": Moves(
        _NOTE + "SELECT ?1, 'identity', kind || ':' || value, ?2 FROM contact_identity WHERE contact_id = ?2",
        "UPDATE contact_identity SET contact_id = ?2 WHERE contact_id = ?3 AND kind || ':' || value IN (SELECT row_id "
        "FROM contact_merge_item WHERE merge_id = ?1 AND kind = 'identity' AND from_id = ?2)"),
    "consent": Moves(
        _NOTE + "SELECT ?1, 'consent', id, ?2 FROM consent_event WHERE contact_id = ?2",
        "UPDATE consent_event SET contact_id = ?2 WHERE contact_id = ?3 AND id IN (SELECT row_id FROM "
        "contact_merge_item WHERE merge_id = ?1 AND kind = 'consent' AND from_id = ?2)"),
    "thread": Moves(
        _NOTE + "SELECT ?1, 'thread', id, ?2 FROM conversation WHERE contact_id = ?2",
        "UPDATE OR IGNORE conversation SET contact_id = ?2 WHERE contact_id = ?3 AND id IN (SELECT row_id FROM "
        "contact_merge_item WHERE merge_id = ?1 AND kind = 'thread' AND from_id = ?2)"),
}


class Sets(msgspec.Struct, frozen=True):
    """Rows that two places share once they are one: read and written as a whole. `owner`: which column says whose."""

    read: str
    clear: str
    write: str
    owner: int


OF_THREADS = {
    "pins": Sets("SELECT user_id, conversation_id, at FROM conversation_pin WHERE conversation_id IN (?, ?) "
                 "ORDER BY 1, 2", "DELETE FROM conversation_pin WHERE conversation_id = ?",
                 "INSERT OR REPLACE INTO conversation_pin (user_id, conversation_id, at) VALUES (?, ?, ?)", 1),
    "tags": Sets("SELECT tag_id, conversation_id, created_at FROM conversation_tag WHERE conversation_id IN (?, ?) "
                 "ORDER BY 1, 2", "DELETE FROM conversation_tag WHERE conversation_id = ?",
                 "INSERT OR REPLACE INTO conversation_tag (tag_id, conversation_id, created_at) SELECT ?1, ?2, ?3 "
                 "WHERE EXISTS (SELECT 1 FROM thread_tag WHERE id = ?1)", 1),
    "clocks": Sets("SELECT conversation_id, kind, minutes, began_at, running_since, used, soon_at, due_at, missed_at, "
                   "is_stale FROM service_clock WHERE conversation_id IN (?, ?) ORDER BY 1, 2",
                   "DELETE FROM service_clock WHERE conversation_id = ?",
                   "INSERT OR REPLACE INTO service_clock (conversation_id, kind, minutes, began_at, running_since, "
                   "used, soon_at, due_at, missed_at, is_stale) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", 0),
    "satisfaction": Sets(
        "SELECT id, conversation_id, channel_id, team_id, agent_id, closed_at, reason, asked_at, score, answered_at, "
        "comment_id FROM satisfaction WHERE conversation_id IN (?, ?) ORDER BY 1",
        "DELETE FROM satisfaction WHERE conversation_id = ?",
        "INSERT OR REPLACE INTO satisfaction (id, conversation_id, channel_id, team_id, agent_id, closed_at, reason, "
        "asked_at, score, answered_at, comment_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", 1),
    "notifications": Sets(
        "SELECT id, user_id, kind, conversation_id, title, path, by_name, count, at, read_at, told_at, mailed_at "
        "FROM notification WHERE conversation_id IN (?, ?) ORDER BY 1",
        "DELETE FROM notification WHERE conversation_id = ?",
        "INSERT OR REPLACE INTO notification (id, user_id, kind, conversation_id, title, path, by_name, count, at, "
        "read_at, told_at, mailed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", 3),
}
OF_CONTACTS = {
    "contact_tags": Sets(
        "SELECT contact_id, tag_id, created_at FROM contact_tag WHERE contact_id IN (?, ?) ORDER BY 1, 2",
        "DELETE FROM contact_tag WHERE contact_id = ?",
        "INSERT OR REPLACE INTO contact_tag (contact_id, tag_id, created_at) SELECT ?1, ?2, ?3 "
        "WHERE EXISTS (SELECT 1 FROM tag WHERE id = ?2)", 0),
    "blocks": Sets(
        "SELECT id, contact_id, channel_id, wanted, state, trouble, attempts, next_attempt_at, at FROM contact_block "
        "WHERE contact_id IN (?, ?) ORDER BY 1", "DELETE FROM contact_block WHERE contact_id = ?",
        "INSERT OR REPLACE INTO contact_block (id, contact_id, channel_id, wanted, state, trouble, attempts, "
        "next_attempt_at, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", 1),
}


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A pair of contacts or conversations as it was before, and as the merge left it."""

    kept_id: str
    gone_id: str
    kept: list[Any]
    gone: list[Any]
    sets: dict[str, list[list[Any]]]


async def look(tx: Transaction, kind: str, kept_id: str, gone_id: str) -> Part:
    """How the pair stands now; what is not there is empty."""
    of_contacts = kind == "contact"
    read = _READ_CONTACT if of_contacts else _READ_CONVERSATION
    sets = OF_CONTACTS if of_contacts else OF_THREADS
    kept, gone = await tx.rows(read, kept_id), await tx.rows(read, gone_id)
    return Part(kept_id=kept_id, gone_id=gone_id, kept=list(kept[0]) if kept else [],
                gone=list(gone[0]) if gone else [],
                sets={name: [list(row) for row in await tx.rows(one.read, kept_id, gone_id)]
                      for name, one in sets.items()})


async def pairs(tx: Transaction, kept: str, gone: str) -> list[tuple[str, str]]:
    """The conversations of the two on the same number, which become one."""
    rows = await tx.rows("SELECT mine.id, theirs.id FROM conversation AS theirs JOIN conversation AS mine "
                         "ON mine.channel_id = theirs.channel_id AND mine.contact_id = ? WHERE theirs.contact_id = ?",
                         kept, gone)
    return [(row[0], row[1]) for row in rows]


async def note_moves(tx: Transaction, merge_id: str, gone: str, joined: list[tuple[str, str]]) -> None:
    """Write down what is about to move."""
    for moves in OF_PEOPLE.values():
        await tx.execute(moves.note, merge_id, gone)
    for _, thread_id in joined:
        for moves in MOVED.values():
            await tx.execute(moves.note, merge_id, thread_id)


async def keep(tx: Transaction, merge_id: str, kind: str, before: Part, after: Part) -> None:
    await tx.execute("INSERT INTO contact_merge_part (merge_id, kind, kept_id, gone_id, before_json, after_json) "
                     "VALUES (?, ?, ?, ?, ?, ?)", merge_id, kind, before.kept_id, before.gone_id,
                     msgspec.json.encode(before).decode(), msgspec.json.encode(after).decode())


async def parts(tx: Transaction, merge_id: str, kind: str) -> list[tuple[Part, Part]]:
    """Each pair of a kind, before and after."""
    rows = await tx.rows("SELECT before_json, after_json FROM contact_merge_part WHERE merge_id = ? AND kind = ? "
                         "ORDER BY kept_id", merge_id, kind)
    return [(msgspec.json.decode(before, type=Part), msgspec.json.decode(after, type=Part)) for before, after in rows]


async def restore_contacts(tx: Transaction, merge_id: str, before: Part, after: Part) -> None:
    """The kept one as far as nobody changed it since, the gone one as it was. A refusal that came since holds for
    both, also where the two counted as refusing already. Whose an id is that was learnt meanwhile nobody can tell."""
    await _forget_learnt_ids(tx, merge_id, before, after)
    now = await look(tx, "contact", before.kept_id, before.gone_id)
    consent = _CONTACT.index("marketing_consent")
    kept, gone = _taken_back(_CONTACT, before.kept, after.kept, now.kept), list(before.gone)
    if now.kept[consent] == "opted_out" and (after.kept[consent] != "opted_out" or await tx.value(
            "SELECT 1 FROM consent_event WHERE contact_id = ? AND marketing = 'opted_out' AND id > ?",
            before.kept_id, merge_id)):
        for one in (kept, gone):
            one[consent:consent + 2] = now.kept[consent:consent + 2]
    await tx.execute(_WRITE_CONTACT, *kept, before.kept_id)
    for name in ("phone", "user_id"):
        place = _CONTACT.index(name)
        taken = ("SELECT 1 FROM contact WHERE phone = ? AND id <> ?" if name == "phone"
                 else "SELECT 1 FROM contact WHERE user_id = ? AND id <> ?")
        if gone[place] and await tx.value(taken, gone[place], before.gone_id):
            gone[place] = None
    await tx.execute(_WRITE_CONTACT, *gone, before.gone_id)
    await _restore_sets(tx, OF_CONTACTS, before, after, now)


async def _forget_learnt_ids(tx: Transaction, merge_id: str, before: Part, after: Part) -> None:
    """Of two with numbers of their own, either may have written from then on, and whichever does next comes with their
    number and id. Left with the wrong one, the id would make the two one again, for good."""
    phone, user_id = _CONTACT.index("phone"), _CONTACT.index("user_id")
    kept_phone: str | None = await tx.value("SELECT phone FROM contact WHERE id = ?", before.kept_id)
    if not before.kept[phone] or not before.gone[phone] or kept_phone != after.kept[phone]:
        return
    await tx.execute("DELETE FROM contact_identity WHERE contact_id = ?1 AND kind = 'user_id' AND NOT EXISTS (SELECT 1 "
                     "FROM contact_merge_item WHERE merge_id = ?2 AND row_id = 'user_id:' || value) AND created_at > "
                     "(SELECT at FROM contact_merge WHERE id = ?2)", before.kept_id, merge_id)
    await tx.execute("UPDATE contact SET user_id = ?, parent_user_id = ? WHERE id = ? AND user_id IS NOT NULL "
                     "AND NOT EXISTS (SELECT 1 FROM contact_identity WHERE kind = 'user_id' "
                     "AND value = contact.user_id)", *after.kept[user_id:user_id + 2], before.kept_id)


async def restore_threads(tx: Transaction, merge_id: str, before: Part, after: Part, gone_contact: str) -> None:
    """The conversation that was joined into another is there again, with what came from it."""
    now = await look(tx, "conversation", before.kept_id, before.gone_id)
    gone = dict(zip(_CONVERSATION, before.gone, strict=True))
    await tx.execute("INSERT INTO conversation (id, channel_id, contact_id, last_message_at, created_at) "
                     "VALUES (?, ?, ?, ?, ?)", before.gone_id, gone["channel_id"], gone_contact,
                     gone["last_message_at"], gone["created_at"])
    await tx.execute(_WRITE_CONVERSATION, *before.gone, before.gone_id)
    for moves in MOVED.values():
        await tx.execute(moves.back, merge_id, before.gone_id, before.kept_id)
    for sql in _AFTER:
        await tx.execute(sql, merge_id, before.gone_id, before.kept_id)
    await tx.execute(_WRITE_CONVERSATION, *_taken_back(_CONVERSATION, before.kept, after.kept, now.kept),
                     before.kept_id)
    await _restore_sets(tx, OF_THREADS, before, after, now)
    for thread_id in (before.kept_id, before.gone_id):
        # Messages may have come or gone since, also in the very second that the merge left as the newest.
        await tx.execute(
            "UPDATE conversation SET last_message_id = newest.id, last_message_at = max(last_message_at, newest.at) "
            "FROM (SELECT id, at FROM message WHERE conversation_id = ?1 ORDER BY at DESC, id DESC LIMIT 1) AS newest "
            "WHERE conversation.id = ?1", thread_id)


def _taken_back(names: tuple[str, ...], before: list[Any], after: list[Any], now: list[Any]) -> list[Any]:
    """Of each value what it was before, unless it is another now than the merge left; of fields one by one."""
    found = []
    for name, was, left, current in zip(names, before, after, now, strict=True):
        if name == "fields_json" and current != left:
            old, made, have = (msgspec.json.decode(text) for text in (was, left, current))
            values = {key: old.get(key) if have.get(key) == made.get(key) else have.get(key) for key in old | have}
            found.append(msgspec.json.encode({key: value for key, value in values.items()
                                              if value is not None}).decode())
        else:
            found.append(was if current == left else current)
    return found


async def _restore_sets(tx: Transaction, sets: dict[str, Sets], before: Part, after: Part, now: Part) -> None:
    for name, one in sets.items():
        rows = before.sets[name]
        if now.sets[name] == after.sets[name]:
            await tx.execute(one.clear, before.kept_id)
        else:
            rows = [row for row in rows if row[one.owner] == before.gone_id]
        for row in rows:
            await tx.execute(one.write, *row)
