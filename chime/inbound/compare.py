"""Laying the live file beside a replayed one: what customers said and how it was changed, statuses, consent, records.

Both sides are read in the order of a key, a page at a time, and walked together, so the size of the files does not
matter. No content is told, only where it differs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

from chime.db import Db
from chime.ids import time_of_id
from chime.inbound.model import Removed

PAGE = 200
_TIME_OF_ID = 10
# What webhooks bring; the rest the team or a machine of ours wrote.
_BROUGHT = ("customer", "phone", "history")
_MESSAGE_COLUMNS = ("direction", "origin", "type", "text", "content_json", "quoted_wamid", "at", "edited_at",
                    "revoked_at", "error_code", "file", "reaction")
_MESSAGES = (
    "SELECT channel_id, wamid, direction, origin, type, text, content_json, quoted_wamid, at, edited_at, revoked_at, "
    "error_code, media_id IS NOT NULL AND revoked_at IS NULL AS file, (SELECT emoji FROM reaction "
    "WHERE reaction.message_id = message.id AND side = 'in') AS reaction FROM message "
    "WHERE wamid IS NOT NULL AND (channel_id, wamid) > (?, ?) ORDER BY channel_id, wamid LIMIT ?")
_STATUS_COLUMNS = ("channel_id", "wamid", "status", "at", "details_json")
_STATUSES = (
    "SELECT key, channel_id, wamid, status, at, details_json, message_id, (SELECT id FROM message "
    "WHERE message.channel_id = message_status.channel_id AND message.wamid = message_status.wamid) AS owner, "
    "(SELECT 1 FROM message WHERE message.id = message_status.message_id) AS there "
    "FROM message_status WHERE key > ? ORDER BY key LIMIT ?")
_CONSENT = ("SELECT id, marketing, source, evidence, at FROM consent_event WHERE id > ? AND actor_name = 'Chime' "
            "AND (source = 'message' OR evidence LIKE 'user_preferences:%') ORDER BY id LIMIT ?")
_RECORDS = ("SELECT id, field, phone_number_id, waba_id, at, value_json, received_at FROM webhook_event WHERE id > ? "
            "ORDER BY id LIMIT ?")

Key = tuple[str, ...]
Row = tuple[Any, ...]


class Noted(Protocol):
    """Where differences go."""

    recognised: Any

    def differs(self, what: str, column: str, *, journal_id: int | None = None, path: str = "") -> None: ...


class Comparison:
    """Of one live file with one scratch file. `pause` lets others work."""

    def __init__(self, live: Db, scratch: Db, findings: Noted, pause: Callable[[], Awaitable[None]], removed: Removed
                 ) -> None:
        self._removed = removed
        self._live = live
        self._scratch = scratch
        self._findings = findings
        self._pause = pause
        self._numbers: dict[str, str] = {}

    async def run(self) -> int:
        """Compare everything; how many things that were."""
        self._numbers = {row[0]: row[1] for row in await self._live.rows("SELECT id, phone_number_id FROM channel")}
        compared = 0
        async for key, live, replayed in self._together(_MESSAGES, 2):
            compared += 1
            await self._message(key, live, replayed)
        async for key, live, replayed in self._together(_STATUSES, 1):
            compared += 1
            await self._status(key, live, replayed)
        for what, sql in (("consent", _CONSENT), ("record", _RECORDS)):
            compared += await self._moments(what, sql)
        return compared

    async def _together(self, sql: str, width: int) -> AsyncIterator[tuple[Key, Row | None, Row | None]]:
        """Both sides by key; None where one has no such row."""
        sides = _Side(self._live, sql, width), _Side(self._scratch, sql, width)
        while True:
            heads = [await side.head() for side in sides]
            if any(side.has_read for side in sides):
                await self._pause()
            keys = [head[:width] for head in heads if head is not None]
            if not keys:
                return
            least = min(keys)
            rows = [side.take() if head is not None and head[:width] == least else None
                    for side, head in zip(sides, heads, strict=True)]
            yield least, rows[0], rows[1]

    async def _message(self, key: Key, live: Row | None, replayed: Row | None) -> None:
        told = live and dict(zip(_MESSAGE_COLUMNS, live[2:], strict=True))
        if told and told["origin"] not in _BROUGHT:
            # Nobody but us knows what our own message said; what customers did with it came by webhook.
            expected = replayed[-1] if replayed else None
            if told["reaction"] != expected and not await self._reacted_long_ago(key):
                await self._message_differs(key, "reaction")
        elif live is None or replayed is None:
            if await self._is_removed(key, live, replayed):
                return
            if replayed is None or replayed[3] in _BROUGHT:
                await self._message_differs(key, "missing" if live is None else "unexpected")
        else:
            for column, ours, theirs in zip(_MESSAGE_COLUMNS, live[2:], replayed[2:], strict=True):
                if ours != theirs:
                    await self._message_differs(key, column)

    async def _is_removed(self, key: Key, live: Row | None, replayed: Row | None) -> bool:
        """Whether retention explains why only one side has a message."""
        if live is None and replayed is not None:
            if replayed[2 + _MESSAGE_COLUMNS.index("at")] >= self._removed.messages_before:
                return False
            self._findings.recognised["kept_long_enough"] += 1
            return True
        made = await self._live.value("SELECT created_at FROM message WHERE channel_id = ? AND wamid = ?", *key)
        return self._came_long_ago(made)

    async def _reacted_long_ago(self, key: Key) -> bool:
        return self._came_long_ago(await self._live.value(
            "SELECT reaction.at FROM reaction JOIN message ON message.id = reaction.message_id "
            "WHERE message.channel_id = ? AND message.wamid = ? AND side = 'in'", *key))

    def _came_long_ago(self, at: int | None) -> bool:
        """Whether the delivery that brought it is not kept any more."""
        if at is None or at > self._removed.deliveries_before:
            return False
        self._findings.recognised["delivery_removed"] += 1
        return True

    async def _message_differs(self, key: Key, column: str) -> None:
        number = self._numbers.get(key[0], "")
        if column == "reaction":
            await self._differs("reaction", column, f"reaction:{number}:{key[1]}")
        else:
            await self._differs("message", column, f"message:{number}:{key[1]}", f"echo:{number}:{key[1]}:")

    async def _status(self, key: Key, live: Row | None, replayed: Row | None) -> None:
        if live is None or replayed is None:
            if not await self._status_is_removed(key, replayed):
                await self._differs("status", "missing" if live is None else "unexpected", key[0])
            return
        for column, ours, theirs in zip(_STATUS_COLUMNS, live[1:6], replayed[1:6], strict=True):
            if ours != theirs:
                await self._differs("status", column, key[0])
        message_id, owner, there = live[6:]
        if message_id == owner:
            return
        if owner is None:
            self._findings.recognised["sent_again" if there else "discarded"] += 1
        else:
            await self._differs("status", "message_id", key[0])

    async def _status_is_removed(self, key: Key, replayed: Row | None) -> bool:
        if replayed is None:
            return self._came_long_ago(await self._live.value("SELECT received_at FROM message_status WHERE key = ?",
                                                              key[0]))
        channel_id, wamid = replayed[1:3]
        if not self._removed.messages_before or await self._live.value(
                "SELECT 1 FROM message WHERE channel_id = ? AND wamid = ?", channel_id, wamid):
            return False
        # It goes with its message.
        self._findings.recognised["kept_long_enough"] += 1
        return True

    async def _moments(self, what: str, sql: str) -> int:
        """Rows that have no key but the moment they were written at, which is the same in a replay."""
        compared = 0
        live, replayed = (_Moments(_Side(db, sql, 1)) for db in (self._live, self._scratch))
        while True:
            heads = [await side.head() for side in (live, replayed)]
            await self._pause()
            moments = [head for head in heads if head is not None]
            if not moments:
                return compared
            ours, theirs = [await side.take(min(moments)) for side in (live, replayed)]
            compared += max(len(ours), len(theirs))
            if min(moments) <= time_of_id(self._removed.deliveries_before) and ours and not theirs:
                self._findings.recognised["delivery_removed"] += len(ours)
                continue
            for column, more, less in (("missing", theirs, ours), ("unexpected", ours, theirs)):
                for _ in (Counter(more) - Counter(less)).elements():
                    await self._differs(what, column, f"at:{min(moments)}")

    async def _differs(self, what: str, column: str, *keys: str) -> None:
        marks = ", ".join("?" * len(keys))
        places = await self._scratch.rows(
            f"SELECT journal_id, path FROM replayed_event WHERE key IN ({marks}) ORDER BY journal_id", *keys)
        journal_id, path = places[0] if places else (None, "")
        self._findings.differs(what, column, journal_id=journal_id, path=path)


class _Side:
    """One file's rows in the order of their key, read a page at a time."""

    def __init__(self, db: Db, sql: str, width: int) -> None:
        self._db = db
        self._sql = sql
        self._width = width
        self._after: tuple[Any, ...] = ("",) * width
        self._rows: list[Row] = []
        self._is_over = False
        self.has_read = False

    async def head(self) -> Row | None:
        """The next row, which stays; None at the end."""
        self.has_read = False
        if not self._rows and not self._is_over:
            self._rows = list(reversed(await self._db.rows(self._sql, *self._after, PAGE)))
            self.has_read = True
            self._is_over = len(self._rows) < PAGE
            if self._rows:
                self._after = self._rows[0][:self._width]
        return self._rows[-1] if self._rows else None

    def take(self) -> Row:
        return self._rows.pop()


class _Moments:
    """The same, gathered by the moment that begins each id."""

    def __init__(self, side: _Side) -> None:
        self._side = side

    async def head(self) -> str | None:
        row = await self._side.head()
        return row[0][:_TIME_OF_ID] if row else None

    async def take(self, moment: str) -> list[Row]:
        """Every row of this moment, without its id."""
        rows: list[Row] = []
        while await self.head() == moment:
            rows.append(self._side.take()[1:])
        return rows
