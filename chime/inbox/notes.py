"""Private notes: what the team says among itself in a conversation. No door leads from here to WhatsApp.

`@name` mentions a member, `@team` everybody who is in that team now; whoever is mentioned finds the conversation under
Mentions until they have looked. Nobody is mentioned who may not see the conversation: they would find nothing there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import msgspec

from chime import notifications
from chime.db import Db
from chime.errors import Forbidden, Invalid, NotFound, Sentence
from chime.inbox.client_ids import made_before
from chime.notifications import Kind
from chime.workspaces import Transaction

LONGEST = 10_000
_TOLD_AS = {"reminder": Kind.REMINDER, "scheduled_held": Kind.CUSTOMER_WROTE_FIRST,
            "scheduled_failed": Kind.SCHEDULED_FAILED}
MOST_MENTIONED = 50
_NOTE = "SELECT id, conversation_id, author_id, author_name, text, at, edited_at, deleted_at, about FROM note"


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody of the team wrote for the team. Of a deleted one only that it was there. `about` says what one is
    that Chime wrote for somebody: a reminder, a scheduled message that asks or failed."""

    id: str
    conversation_id: str
    author_id: str | None
    author_name: str
    text: str
    at: int
    edited_at: int | None
    deleted_at: int | None
    about: str = ""


class Mentionable(msgspec.Struct, frozen=True):
    """Whom `@name` means: one person, or a team's people."""

    name: str
    user_ids: tuple[str, ...]


async def note(db: Db, note_id: str) -> Note | None:
    return await db.one(Note, _NOTE + " WHERE id = ?", note_id)


async def notes(db: Db, conversation_id: str, *, newer_than: int, older_than: int) -> list[Note]:
    """Those of a stretch of time, oldest first."""
    return await db.all(Note, _NOTE + " WHERE conversation_id = ? AND at >= ? AND at < ? ORDER BY at, id LIMIT 200",
                        conversation_id, newer_than, older_than)


async def notes_between(db: Db, conversation_id: str, *, newer_than: int, older_than: int) -> list[Note]:
    """The newest of a longer stretch that were not deleted, newest first."""
    return await db.all(Note, _NOTE + " WHERE conversation_id = ? AND at >= ? AND at < ? AND deleted_at IS NULL "
                        "ORDER BY at DESC, id DESC LIMIT 2000", conversation_id, newer_than, older_than)


async def notes_after(db: Db, conversation_id: str, *, after: tuple[int, str], limit: int) -> list[Note]:
    """A page of all of them, the oldest first, after `(at, id)`."""
    return await db.all(Note, _NOTE + " WHERE conversation_id = ? AND (at, id) > (?, ?) ORDER BY at, id LIMIT ?",
                        conversation_id, *after, limit)


def mentioned(text: str, named: Sequence[Mentionable]) -> frozenset[str]:
    """The people a note calls. A longer name is tried first, so that "@Ana Maria" does not call Ana."""
    left, found = text.casefold(), set[str]()
    for who in sorted(named, key=lambda one: -len(one.name)):
        pattern = rf"(?<![\w@])@{re.escape(who.name.casefold())}(?!\w)"
        if re.search(pattern, left):
            found |= set(who.user_ids)
            left = re.sub(pattern, " ", left)
    return frozenset(found)


async def write(tx: Transaction, conversation_id: str, text: str, *, mentions: Collection[str],
                client_id: str | None = None) -> str:
    """A new note; its id. The same `client_id` twice is one note. Raises Invalid, NotFound, Conflict."""
    text = _sound(text, mentions)
    known = made_before(await tx.rows("SELECT id, conversation_id FROM note WHERE client_id = ?", client_id),
                        conversation_id)
    if known is not None:
        return known
    last = await tx.value("SELECT last_message_at FROM conversation WHERE id = ?", conversation_id)
    if last is None:
        raise NotFound("There is no such conversation.")
    note_id = tx.new_id()
    await tx.execute("INSERT INTO note (id, conversation_id, author_id, author_name, text, client_id, at) "
                     "VALUES (?, ?, ?, ?, ?, ?, ?)", note_id, conversation_id, tx.actor.id, tx.actor.name, text,
                     client_id, max(tx.now, last))
    await _mention(tx, conversation_id, note_id, mentions)
    await tx.audit("note.written", "note", note_id, conversation_id=conversation_id, mentions=sorted(mentions))
    tx.publish("conversation", conversation_id)
    return note_id


async def call(tx: Transaction, conversation_id: str, *, user_id: str, user_name: str, text: str, about: str) -> str:
    """Chime calls somebody to a conversation: a note that nobody changes, a mention of theirs, and a word on their
    other ways; the note's id. `tx` may be in their own name."""
    note_id = tx.new_id()
    await tx.execute("INSERT INTO note (id, conversation_id, author_name, text, about, at) SELECT ?, id, ?, ?, ?, "
                     "max(?, last_message_at) FROM conversation WHERE id = ?", note_id, user_name, text, about, tx.now,
                     conversation_id)
    await tx.execute("INSERT INTO mention (user_id, conversation_id, note_id, at) VALUES (?, ?, ?, ?)", user_id,
                     conversation_id, note_id, tx.now)
    await tx.audit("note.written", "note", note_id, conversation_id=conversation_id, mentions=[user_id], about=about)
    await notifications.notify(tx, [user_id], _TOLD_AS[about], conversation_id=conversation_id, from_chime=True)
    tx.publish("conversation", conversation_id)
    return note_id


async def edit(tx: Transaction, note_id: str, text: str, *, mentions: Collection[str]) -> None:
    """Other words of one's own note; whom they call anew is called. Raises Invalid, NotFound, Forbidden."""
    text, found = _sound(text, mentions), await _own(tx, note_id)
    if text == found.text:
        return
    await tx.execute("UPDATE note SET text = ?, edited_at = ? WHERE id = ?", text, tx.now, note_id)
    await _mention(tx, found.conversation_id, note_id, mentions)
    await tx.audit("note.edited", "note", note_id, conversation_id=found.conversation_id)
    tx.publish("conversation", found.conversation_id)


async def delete(tx: Transaction, note_id: str) -> None:
    """One's own note: its words and mentions go, its place says so. Raises NotFound, Forbidden."""
    found = await _own(tx, note_id)
    await tx.execute("DELETE FROM mention WHERE note_id = ?", note_id)
    await tx.execute("UPDATE note SET text = '', deleted_at = ? WHERE id = ?", tx.now, note_id)
    await tx.audit("note.deleted", "note", note_id, conversation_id=found.conversation_id)
    tx.publish("conversation", found.conversation_id)


async def see(tx: Transaction, conversation_id: str, *, user_id: str) -> None:
    """This person looked: nothing here calls them any more."""
    if await tx.execute("UPDATE mention SET seen_at = ? WHERE conversation_id = ? AND user_id = ? AND seen_at IS NULL",
                        tx.now, conversation_id, user_id):
        await tx.audit("mention.seen", "conversation", conversation_id)
        tx.publish("conversation", conversation_id)


async def is_called(db: Db, conversation_id: str, user_id: str) -> bool:
    """Whether somebody is mentioned here and has not looked."""
    return bool(await db.value("SELECT 1 FROM mention WHERE conversation_id = ? AND user_id = ? AND seen_at IS NULL",
                               conversation_id, user_id))


async def move(tx: Transaction, *, kept: str, gone: str) -> None:
    """Two threads became one."""
    await tx.execute("UPDATE note SET conversation_id = ? WHERE conversation_id = ?", kept, gone)
    await tx.execute("UPDATE mention SET conversation_id = ? WHERE conversation_id = ?", kept, gone)


async def _own(tx: Transaction, note_id: str) -> Note:
    found = await note(tx, note_id)
    if found is None or found.deleted_at is not None:
        raise NotFound("There is no such note.")
    if found.author_id != tx.actor.id:
        raise Forbidden("Only who wrote a note can change it.")
    return found


def _sound(text: str, mentions: Collection[str]) -> str:
    text = text.strip()
    if not text:
        raise Invalid.field("text", "Write something first.")
    if len(text) > LONGEST:
        raise Invalid.field("text", Sentence("A note has at most %(most)s characters.", most=LONGEST))
    if len(mentions) > MOST_MENTIONED:
        raise Invalid.field("text", Sentence("A note mentions at most %(most)s people.", most=MOST_MENTIONED))
    return text


async def _mention(tx: Transaction, conversation_id: str, note_id: str, mentions: Collection[str]) -> None:
    called = [user_id for user_id in sorted(set(mentions) - {tx.actor.id}) if await tx.execute(
        "INSERT INTO mention (user_id, conversation_id, note_id, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        user_id, conversation_id, note_id, tx.now)]
    await notifications.notify(tx, called, Kind.MENTION, conversation_id=conversation_id)
