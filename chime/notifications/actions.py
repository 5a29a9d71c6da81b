"""Telling people. The rows are written where the thing itself happens, in its transaction; who is rung, pushed and
mailed is worked out after it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from chime.notifications.model import KEPT_FOR, Kind
from chime.workspaces import Transaction

DELIVER = "notifications.deliver"
FAN_OUT = "notifications.fan_out"
PUSH = "notifications.push"
WAITING = "waiting"
# Of so many people at most one event makes rows; a team of more reads the list itself.
MOST_TOLD = 500
_TOLD_OF = (
    "INSERT INTO notification (id, user_id, kind, conversation_id, title, path, by_name, at) "
    "SELECT value ->> 0, value ->> 1, ?2, ?3, ?4, ?5, ?6, ?7 FROM json_each(?1) WHERE true "
    "ON CONFLICT (user_id, kind, coalesce(conversation_id, ''), title) "
    "WHERE read_at IS NULL DO UPDATE SET count = count + 1, at = excluded.at, by_name = excluded.by_name, "
    "path = excluded.path, told_at = NULL RETURNING id, user_id")


async def notify(tx: Transaction, user_ids: Iterable[str], kind: Kind | str, *, conversation_id: str | None = None,
                 title: str = "", path: str = "", from_chime: bool = False) -> None:
    """Tell these people, but for the one who did it; when it comes `from_chime` nobody did. `title` names what is no
    conversation (a campaign, a number) and `path` its page in the workspace; neither ever holds a customer's words.
    What somebody has not read yet and happens again stays one row. Call it in the transaction that changes the thing;
    it needs no audit row of its own there."""
    kind = Kind(kind)
    by_name = tx.actor.name if tx.actor.kind in ("user", "api_key") and not from_chime else ""
    told = sorted(set(user_ids) - {"" if from_chime else tx.actor.id, ""})[:MOST_TOLD]
    if told:
        people = msgspec.json.encode([(tx.new_id(), user_id) for user_id in told]).decode()
        for notification_id, user_id in await tx.rows(_TOLD_OF, people, kind.value, conversation_id, title, path,
                                                      by_name, tx.now):
            _ring(tx, user_id, notification_id)


def _ring(tx: Transaction, user_id: str, notification_id: str) -> None:
    tx.enqueue(DELIVER, WAITING)
    tx.publish("notification", notification_id, user_id=user_id)


async def customer_wrote(tx: Transaction, conversation_id: str) -> None:
    """A message came in: whoever has the conversation, or may take it, hears of it soon."""
    await tx.execute("INSERT INTO notification_event (conversation_id, count, at) VALUES (?, 1, ?) "
                     "ON CONFLICT (conversation_id) DO UPDATE SET count = count + 1, at = excluded.at",
                     conversation_id, tx.now)
    tx.enqueue(FAN_OUT, WAITING)


async def taken(tx: Transaction, conversation_id: str) -> None:
    """Somebody has it now: nobody need be told any more that nobody has."""
    await tx.execute("DELETE FROM notification WHERE conversation_id = ? AND kind = 'new_unassigned' "
                     "AND read_at IS NULL", conversation_id)


async def see(tx: Transaction, user_id: str, *, conversation_id: str) -> int:
    """This person looks at the conversation: what they were told of it is read. How many there were."""
    seen = await tx.execute("UPDATE notification SET read_at = ? WHERE user_id = ? AND conversation_id = ? "
                            "AND read_at IS NULL", tx.now, user_id, conversation_id)
    if seen:
        tx.publish("notification", "", user_id=user_id)
    return seen


async def read(tx: Transaction, user_id: str, *, notification_ids: list[str] | None = None) -> int:
    """All of somebody's, or those named; how many there were."""
    named = None if notification_ids is None else msgspec.json.encode(notification_ids).decode()
    count = await tx.execute("UPDATE notification SET read_at = ?1 WHERE user_id = ?2 AND read_at IS NULL "
                             "AND (?3 IS NULL OR id IN (SELECT value FROM json_each(?3)))", tx.now, user_id, named)
    if count:
        tx.publish("notification", "", user_id=user_id)
    return count


async def read_by_person(tx: Transaction, user_id: str, notification_ids: list[str] | None) -> int:
    """Somebody says that they have read them; how many there were."""
    count = await read(tx, user_id, notification_ids=notification_ids)
    if count:
        await tx.audit("notifications.read", "user", user_id, count=count)
    return count


async def see_by_person(tx: Transaction, user_id: str, conversation_id: str) -> None:
    """Somebody opened what they were told of."""
    if await see(tx, user_id, conversation_id=conversation_id):
        await tx.audit("notifications.seen", "conversation", conversation_id)


async def push_to(tx: Transaction, notification_id: str, subscription_id: str) -> None:
    """Have a device rung for it, anew if it was already."""
    rows = await tx.rows(
        "INSERT INTO notification_push (id, notification_id, subscription_id, next_attempt_at) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (notification_id, subscription_id) DO UPDATE SET attempts = 0, "
        "next_attempt_at = excluded.next_attempt_at RETURNING id", tx.new_id(), notification_id, subscription_id,
        tx.now)
    tx.enqueue(PUSH, rows[0][0])


async def move(tx: Transaction, *, kept: str, gone: str) -> None:
    """Two threads became one. What the same person was told of both stays once."""
    await tx.execute("UPDATE OR IGNORE notification SET conversation_id = ? WHERE conversation_id = ?", kept, gone)
    await tx.execute("DELETE FROM notification WHERE conversation_id = ?", gone)
    await tx.execute("UPDATE OR IGNORE notification_event SET conversation_id = ? WHERE conversation_id = ?",
                     kept, gone)


async def forget_old(tx: Transaction) -> int:
    return await tx.execute("DELETE FROM notification WHERE id IN (SELECT id FROM notification WHERE at < ? "
                            "LIMIT 1000)", tx.now - KEPT_FOR)
