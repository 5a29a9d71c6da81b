"""What happens to a message after it was said: reactions, edits, deletions. In any order, also before the message.

The newest change of each kind is kept by Meta's id of the message and laid over the message when that is here.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chime.workspaces import Transaction

FETCH_MEDIA = "inbox.fetch_media"
REVOKED = "revoked"


async def keep(tx: Transaction, channel_id: str, wamid: str, kind: str, at: int, content: dict[str, Any]) -> None:
    """Keep the newest change of each kind, then apply it when its message is here; else it waits. `kind`: edit,
    revoke, reaction:in, reaction:out."""
    await tx.execute(
        "INSERT INTO early_change (channel_id, target_wamid, kind, at, content_json) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (channel_id, target_wamid, kind) DO UPDATE SET at = excluded.at, "
        "content_json = excluded.content_json WHERE excluded.at >= early_change.at",
        channel_id, wamid, kind, at, _json(content))
    # The words of a message that was taken back are not kept here either, whichever of the two is told first.
    await tx.execute("DELETE FROM early_change WHERE channel_id = ?1 AND target_wamid = ?2 AND kind = 'edit' "
                     "AND EXISTS (SELECT 1 FROM early_change WHERE channel_id = ?1 AND target_wamid = ?2 "
                     "AND kind = 'revoke')", channel_id, wamid)
    await apply_waiting(tx, channel_id, wamid)


async def is_kept(tx: Transaction, channel_id: str, wamid: str, kind: str, at: int) -> bool:
    """Whether this change was told already, or one that came after it."""
    return bool(await tx.value("SELECT 1 FROM early_change WHERE channel_id = ? AND target_wamid = ? AND at >= ? "
                               "AND kind IN (?, CASE ? WHEN 'edit' THEN 'revoke' END)", channel_id, wamid, at, kind,
                               kind))


async def tell_message_of(tx: Transaction, media_id: str) -> None:
    """Something of a message's file is other than it was."""
    for message_id, conversation_id in await tx.rows("SELECT id, conversation_id FROM message WHERE media_id = ?",
                                                     media_id):
        tx.publish("message", message_id, conversation_id=conversation_id)


async def apply_waiting(tx: Transaction, channel_id: str, wamid: str) -> None:
    """What was told about a message before it was here, or before our own send learnt this id of Meta's."""
    rows = await tx.rows("SELECT id, conversation_id FROM message WHERE channel_id = ? AND wamid = ?",
                         channel_id, wamid)
    if not rows:
        return
    message_id, conversation_id = rows[0]
    changes = await tx.rows("SELECT kind, at, content_json FROM early_change WHERE channel_id = ? "
                            "AND target_wamid = ? ORDER BY at", channel_id, wamid)
    for kind, at, text in changes:
        await _apply(tx, message_id, kind, at, msgspec.json.decode(text))
    if changes:
        tx.publish("message", message_id, conversation_id=conversation_id)


async def _apply(tx: Transaction, message_id: str, kind: str, at: int, content: dict[str, Any]) -> None:
    if kind == "edit":
        await tx.execute("UPDATE message SET text = ?, content_json = ?, edited_at = ? WHERE id = ? "
                         "AND coalesce(edited_at, 0) <= ?",
                         content["text"], _json(content["content"]), at, message_id, at)
    elif kind == "revoke":
        # What the sender took back is not kept: only that there was something.
        await tx.execute("UPDATE message SET revoked_at = ?, edited_at = NULL, text = '', content_json = '{}' "
                         "WHERE id = ?", at, message_id)
        await take_back_file(tx, message_id)
    elif content.get("emoji"):
        side = kind.removeprefix("reaction:")
        await tx.execute("INSERT INTO reaction (message_id, side, emoji, author_name, at) VALUES (?, ?, ?, ?, ?) "
                         "ON CONFLICT (message_id, side) DO UPDATE SET emoji = excluded.emoji, at = excluded.at, "
                         "author_name = excluded.author_name",
                         message_id, side, content["emoji"], content.get("name", ""), at)
    else:
        await tx.execute("DELETE FROM reaction WHERE message_id = ? AND side = ?",
                         message_id, kind.removeprefix("reaction:"))


async def take_back_file(tx: Transaction, message_id: str) -> None:
    """The file of a message that was taken back can't be opened from now on; the job that fetches files removes it."""
    media_id = await tx.value("SELECT media_id FROM message WHERE id = ?", message_id)
    if media_id is not None and await tx.execute(
            "UPDATE media SET state = 'pending', trouble = 'revoked', next_attempt_at = ? WHERE id = ? "
            "AND trouble <> 'revoked'", tx.now, media_id):
        tx.enqueue(FETCH_MEDIA, media_id)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
