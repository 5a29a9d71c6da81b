"""Everything that is stored about one person as a zip: their data, messages and files, read in pieces, never held."""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec

from chime.clock import as_datetime, rfc3339
from chime.contacts import shown_values
from chime.db import Db
from chime.errors import NotFound
from chime.exports import queries, rows
from chime.exports.model import Frozen
from chime.exports.table import as_json_lines
from chime.phone import Phone, masked_in, shown_content, shown_text
from chime.security.crypto import CannotOpen
from chime.workspaces import Workspace

FILES_AT_ONCE = 200
Progress = Callable[[int], Awaitable[None]]
_CONTACT = ("SELECT id, name, profile_name, username, phone, user_id, parent_user_id, fields_json, marketing_consent, "
            "consent_at, owner_id, created_at, updated_at FROM contact WHERE id = ?")


class _Sink:
    """What the zip writes to: an end that can't be rewound, emptied piece by piece."""

    mode = "wb"

    def __init__(self) -> None:
        self._held = bytearray()
        self._place = 0

    def write(self, data: bytes) -> int:
        self._held += data
        self._place += len(data)
        return len(data)

    def tell(self) -> int:
        return self._place

    def flush(self) -> None:
        return None

    def close(self) -> None:
        return None

    def seekable(self) -> bool:
        return False

    def seek(self, offset: int, whence: int = 0, /) -> int:
        raise OSError("this end cannot be rewound")

    def taken(self) -> bytes:
        found = bytes(self._held)
        self._held.clear()
        return found


async def archive(workspace: Workspace, frozen: Frozen, *, at: int, export_id: str, progress: Progress
                  ) -> AsyncIterator[bytes]:
    """The bytes of the zip. Raises NotFound when the contact is not there any more."""
    about = await _about(workspace.db, frozen.contact_id, masked=frozen.masked)
    about["export"] = {"id": export_id, "at": rfc3339(at)}
    sink = _Sink()
    moment = as_datetime(at).timetuple()[:6]
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as whole:
        whole.writestr(_entry("contact.json", moment), msgspec.json.format(msgspec.json.encode(about), indent=2))
        yield sink.taken()
        count = 0
        with whole.open(_entry("messages.jsonl", moment), "w", force_zip64=True) as file:
            async for piece in queries.messages_of_contact(workspace.db.long_reads, frozen.contact_id):
                await asyncio.to_thread(_write_lines, file, piece, frozen.masked)
                count += len(piece)
                await progress(count)
                yield sink.taken()
        async for part in _files(workspace, whole, sink, frozen.contact_id, moment):
            yield part
    yield sink.taken()


def _entry(name: str, moment: tuple[Any, ...], method: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, moment)
    entry.compress_type = method
    entry.external_attr = 0o600 << 16
    return entry


def _write_lines(file: Any, piece: list[tuple[Any, ...]], masked: bool) -> None:
    file.write(as_json_lines(rows.messages(piece, masked=masked)))


async def _files(workspace: Workspace, whole: zipfile.ZipFile, sink: _Sink, contact_id: str, moment: tuple[Any, ...]
                 ) -> AsyncIterator[bytes]:
    """Every file of every conversation, of what was sent or not and of what is for later. One that is damaged or gone
    is named in a list instead."""
    after, missing = "", []
    while found := await workspace.db.rows(
            "WITH thread(id) AS (SELECT id FROM conversation WHERE contact_id = ?) "
            "SELECT id, filename, mime_type FROM media WHERE id IN (SELECT media_id FROM message "
            "WHERE conversation_id IN thread UNION SELECT media_id FROM scheduled_message "
            "WHERE conversation_id IN thread) AND state = 'ready' AND id > ? ORDER BY id LIMIT ?",
            contact_id, after, FILES_AT_ONCE):
        for media_id, filename, mime_type in found:
            # Pictures and voices are compressed already.
            try:
                with whole.open(_entry(f"files/{media_id}-{_safe(filename, mime_type)}", moment, zipfile.ZIP_STORED),
                                "w", force_zip64=True) as file:
                    async for part in workspace.files.read(media_id):
                        file.write(part)
                        yield sink.taken()
            except (NotFound, CannotOpen):
                missing.append(media_id)
        after = found[-1][0]
    if missing:
        whole.writestr(_entry("files/missing.json", moment), msgspec.json.encode(missing))


def _safe(filename: str, mime_type: str) -> str:
    """A name that no unpacking program takes for a path."""
    name = shown_text(filename)
    kept = "".join(sign if sign.isalnum() or sign in "._-" else "_" for sign in name)[-100:].lstrip(".")
    return kept or f"file.{mime_type.split(';')[0].rpartition('/')[2][:10] or 'bin'}"


async def _about(db: Db, contact_id: str, *, masked: bool) -> dict[str, Any]:
    """The contact and what hangs on it but the messages. `masked`: no number of theirs is whole, nor what was said in
    evidence, which holds WhatsApp's ids."""
    found = await db.one(_Contact, _CONTACT, contact_id)
    if found is None:
        raise NotFound("There is no such contact.")
    told: dict[str, Any] = msgspec.to_builtins(found)
    told |= {name: shown_text(told[name]) for name in ("name", "profile_name")}
    told["fields"] = shown_values(shown_content(found.fields))
    told["phone"] = _number(found.phone, masked=masked)
    for name in ("consent_at", "created_at", "updated_at"):
        told[name] = rfc3339(told[name]) if told[name] else None
    told["known_as"] = [
        {"kind": kind, "value": _number(value, masked=masked) if kind == "phone" else value, "since": rfc3339(at)}
        for kind, value, at in await db.rows(
        "SELECT kind, value, created_at FROM contact_identity WHERE contact_id = ? ORDER BY created_at", contact_id)]
    told["tags"] = [row[0] for row in await db.rows(
        "SELECT tag.name FROM contact_tag JOIN tag ON tag.id = contact_tag.tag_id WHERE contact_id = ? "
        "ORDER BY tag.name", contact_id)]
    told["merged_with"] = [
        {"name": masked_in(name) if masked else name, "by": by, "at": rfc3339(at)}
        for name, by, at in await db.rows(
        "SELECT gone_title, by_name, at FROM contact_merge WHERE kept_id = ? AND undone_at IS NULL ORDER BY at",
        contact_id)]
    return told | await _said_about(db, contact_id, masked=masked)


async def _said_about(db: Db, contact_id: str, *, masked: bool) -> dict[str, Any]:
    """What hangs on their conversations, and what they agreed to."""
    told: dict[str, Any] = {}
    told["conversation_tags"] = [row[0] for row in await db.rows(
        "SELECT DISTINCT thread_tag.name FROM conversation JOIN conversation_tag "
        "ON conversation_tag.conversation_id = conversation.id JOIN thread_tag ON thread_tag.id = tag_id "
        "WHERE conversation.contact_id = ? ORDER BY thread_tag.name", contact_id)]
    told["private_notes"] = [
        {"author": author, "text": shown_text(text), "at": rfc3339(at)} for author, text, at in await db.rows(
            "SELECT note.author_name, note.text, note.at FROM conversation JOIN note "
            "ON note.conversation_id = conversation.id WHERE conversation.contact_id = ? AND note.deleted_at IS NULL "
            "ORDER BY note.at", contact_id)]
    told["scheduled_messages"] = [
        {"author": author, "text": shown_text(text), "file": media_id, "at": rfc3339(at)}
        for author, text, media_id, at in await db.rows(
            "SELECT scheduled_message.author_name, scheduled_message.text, scheduled_message.media_id, "
            "scheduled_message.send_at FROM conversation JOIN scheduled_message "
            "ON scheduled_message.conversation_id = conversation.id "
            "WHERE conversation.contact_id = ? ORDER BY scheduled_message.send_at", contact_id)]
    told["reminders"] = [
        {"whose": whose, "text": shown_text(text), "at": rfc3339(at)} for whose, text, at in await db.rows(
            "SELECT reminder.user_name, reminder.text, reminder.due_at FROM conversation JOIN reminder "
            "ON reminder.conversation_id = conversation.id WHERE conversation.contact_id = ? ORDER BY reminder.due_at",
            contact_id)]
    told["satisfaction"] = [
        {"score": score, "asked_at": rfc3339(asked), "answered_at": rfc3339(at)} for score, asked, at in await db.rows(
            "SELECT satisfaction.score, satisfaction.asked_at, satisfaction.answered_at "
            "FROM conversation JOIN satisfaction ON satisfaction.conversation_id = conversation.id "
            "WHERE conversation.contact_id = ? AND satisfaction.answered_at IS NOT NULL "
            "ORDER BY satisfaction.answered_at", contact_id)]
    told["consent"] = [
        {"marketing": marketing, "source": source, "evidence": None if masked else evidence, "recorded_by": who,
         "at": rfc3339(at)}
        for marketing, source, evidence, who, at in await db.rows(
            "SELECT marketing, source, evidence, actor_name, at FROM consent_event WHERE contact_id = ? ORDER BY at",
            contact_id)]
    told["conversations"] = [
        {"id": row[0], "number": row[1], "state": row[2], "since": rfc3339(row[3]),
         "fields": shown_values(shown_content(msgspec.json.decode(row[4])))} for row in await db.rows(
            "SELECT conversation.id, channel.display_phone, conversation.state, conversation.created_at, "
            "conversation.fields_json "
            "FROM conversation JOIN channel ON channel.id = conversation.channel_id WHERE contact_id = ? "
            "ORDER BY conversation.created_at", contact_id)]
    return told


def _number(digits: str | None, *, masked: bool) -> str | None:
    return Phone(digits).masked if digits and masked else digits


class _Contact(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    profile_name: str
    username: str
    phone: str | None
    user_id: str | None
    parent_user_id: str | None
    fields: dict[str, Any]
    marketing_consent: str
    consent_at: int | None
    owner_id: str | None
    created_at: int
    updated_at: int
