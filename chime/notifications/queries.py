"""Reading what people were told of: only what the reader may see now, by the same fragments as the inbox."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from chime.db import Db
from chime.notifications.choices import choices
from chime.notifications.model import AWAY_AFTER, Kind, Notification, Way
from chime.security.scope import CONVERSATIONS, HELD, IN_SIGHT, Sight, Viewer

PAGE = 50
NEWEST = (2**62, "")
MOST_COUNTED = 100
AT_ONCE = 200
EVENTS_AT_ONCE = 50
_COLUMNS = (
    "SELECT notification.id, notification.user_id, notification.kind, notification.conversation_id, "
    "notification.title, notification.path, notification.by_name, notification.count, notification.at, "
    "notification.read_at, contact.name AS contact_name, contact.profile_name AS contact_profile_name, "
    "contact.username AS contact_username, contact.phone AS contact_phone FROM notification "
    "LEFT JOIN conversation ON conversation.id = notification.conversation_id "
    "LEFT JOIN contact ON contact.id = conversation.contact_id ")
_OWN = ("WHERE notification.user_id = ? AND notification.kind IN (SELECT value FROM json_each(?)) "
        "AND (notification.conversation_id IS NULL OR (1")
# Said in so many words, or the index of what is unread could not be used.
_UNREAD = "WHERE notification.read_at IS NULL AND " + _OWN.removeprefix("WHERE ")
_PAGE = (")) AND (notification.at, notification.id) < (?, ?) "
         "ORDER BY notification.at DESC, notification.id DESC LIMIT ?")
_NAMED = ")) AND notification.id IN (SELECT value FROM json_each(?)) ORDER BY notification.at LIMIT 50"
_UNMAILED = (")) AND notification.mailed_at IS NULL AND notification.at <= ? "
             "ORDER BY notification.at DESC, notification.id DESC LIMIT 1000")
_COUNT = ("SELECT count(*) FROM (SELECT 1 FROM notification LEFT JOIN conversation "
          "ON conversation.id = notification.conversation_id ")
_COUNTED = ")) LIMIT 100)"
# The newest words of a customer, for whoever may read the conversation whole.
_EXCERPT = ("SELECT message.text FROM conversation JOIN message ON message.id = conversation.last_message_id "
            "WHERE conversation.id = ? AND message.direction = 'in' AND message.revoked_at IS NULL")


def _kinds(kinds: Collection[Kind]) -> str:
    return msgspec.json.encode([kind.value for kind in kinds]).decode()


async def notifications(db: Db, viewer: Viewer, user_id: str, *, kinds: Collection[Kind], unread_only: bool = False,
                        after: tuple[int, str] = NEWEST, limit: int = PAGE) -> list[Notification]:
    """The newest first, after the given `(at, id)`."""
    which = _UNREAD if unread_only else _OWN
    return await db.all(Notification, _COLUMNS + which + CONVERSATIONS[viewer.sight] + _PAGE, user_id, _kinds(kinds),
                        *viewer.values, *after, limit)


async def named(db: Db, viewer: Viewer, user_id: str, notification_ids: Collection[str]) -> list[Notification]:
    """The unread ones of these, the oldest first."""
    return await db.all(Notification, _COLUMNS + _UNREAD + CONVERSATIONS[viewer.sight] + _NAMED, user_id,
                        _kinds(tuple(Kind)), *viewer.values, msgspec.json.encode(list(notification_ids)).decode())


async def unread(db: Db, viewer: Viewer, user_id: str, *, kinds: Collection[Kind]) -> int:
    """How many, up to 100."""
    found: int = await db.value(_COUNT + _UNREAD + CONVERSATIONS[viewer.sight] + _COUNTED, user_id, _kinds(kinds),
                                *viewer.values)
    return found


async def bell(db: Db, control: Db, viewer: Viewer, user_id: str) -> int:
    """What stands at the bell: how many unread of the kinds that this person wants in the list."""
    chosen = await choices(control, user_id)
    return await unread(db, viewer, user_id, kinds=chosen.kinds_by(Way.IN_APP))


async def is_told_of(db: Db, user_id: str, conversation_id: str) -> bool:
    """Whether something about it is unread."""
    return bool(await db.value("SELECT 1 FROM notification WHERE user_id = ? AND conversation_id = ? "
                               "AND read_at IS NULL", user_id, conversation_id))


async def untold(db: Db) -> list[Notification]:
    """Those of which no device was told yet, also when they are read by now."""
    return await db.all(Notification, _COLUMNS + "WHERE notification.told_at IS NULL ORDER BY notification.at LIMIT ?",
                        AT_ONCE)


async def sees(db: Db, viewer: Viewer, conversation_id: str | None) -> bool:
    """Whether the conversation is there and in sight; what is about none is everybody's who was told."""
    if conversation_id is None:
        return viewer.sight is not Sight.NONE
    return bool(await db.value(IN_SIGHT["conversation_id"][viewer.sight], conversation_id, *viewer.values))


async def excerpt(db: Db, viewer: Viewer, conversation_id: str) -> str:
    """What the customer wrote last; nothing when it is not the last word, or not for this reader."""
    found = await db.value(_EXCERPT + HELD[viewer.sight], conversation_id, *viewer.held_values)
    return str(found or "")


class Event(msgspec.Struct, frozen=True):
    """A customer wrote, and who has the conversation now."""

    conversation_id: str
    at: int
    assignee_id: str | None
    state: str


async def events(db: Db) -> list[Event]:
    return await db.all(Event, "SELECT conversation_id, at, assignee_id, state FROM notification_event "
                        "CROSS JOIN conversation ON conversation.id = notification_event.conversation_id "
                        "ORDER BY at LIMIT ?", EVENTS_AT_ONCE)


async def told_of_waiting(db: Db, conversation_id: str) -> set[str]:
    """Who has not read yet that nobody has this conversation."""
    rows = await db.rows("SELECT user_id FROM notification WHERE conversation_id = ? AND kind = 'new_unassigned' "
                         "AND read_at IS NULL", conversation_id)
    return {row[0] for row in rows}


async def flooded(db: Db, user_ids: Collection[str]) -> set[str]:
    """Which of them have so much unread that one more tells them nothing: as many as are counted. No more are read."""
    rows = await db.rows("SELECT value FROM json_each(?) WHERE EXISTS (SELECT 1 FROM notification "
                         "WHERE user_id = value AND read_at IS NULL LIMIT 1 OFFSET ?)",
                         msgspec.json.encode(list(user_ids)).decode(), MOST_COUNTED - 1)
    return {row[0] for row in rows}


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """One notification on its way to one device."""

    id: str
    notification_id: str
    subscription_id: str
    attempts: int
    next_attempt_at: int


async def push(db: Db, push_id: str) -> Push | None:
    return await db.one(Push, "SELECT id, notification_id, subscription_id, attempts, next_attempt_at "
                        "FROM notification_push WHERE id = ?", push_id)


async def unread_one(db: Db, notification_id: str) -> Notification | None:
    return await db.one(Notification, _COLUMNS + "WHERE notification.id = ? AND notification.read_at IS NULL",
                        notification_id)


async def is_any_untold(db: Db) -> bool:
    return bool(await db.value("SELECT 1 FROM notification WHERE told_at IS NULL LIMIT 1"))


async def due_pushes(db: Db, now: int) -> list[str]:
    rows = await db.rows("SELECT id FROM notification_push WHERE next_attempt_at <= ? ORDER BY next_attempt_at "
                         "LIMIT 200", now)
    return [row[0] for row in rows]


async def waiting_for_mail(db: Db, now: int) -> list[str]:
    """The people who have something unread that no mail told of."""
    rows = await db.rows("SELECT DISTINCT user_id FROM notification WHERE read_at IS NULL AND mailed_at IS NULL "
                         "AND at <= ? LIMIT 200", now - AWAY_AFTER)
    return [row[0] for row in rows]


async def mailed_at(db: Db, user_id: str) -> int | None:
    found: int | None = await db.value("SELECT at FROM notification_digest WHERE user_id = ?", user_id)
    return found


async def unmailed(db: Db, viewer: Viewer, user_id: str, *, kinds: Collection[Kind], before: int) -> list[Notification]:
    """The newest first, so many that a mail can say how many it leaves out."""
    return await db.all(Notification, _COLUMNS + _UNREAD + CONVERSATIONS[viewer.sight] + _UNMAILED, user_id,
                        _kinds(kinds), *viewer.values, before)

