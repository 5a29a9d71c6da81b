"""What a replay borrows from the live file because no webhook brought it: our numbers, and our own messages at the
moment a status, reaction or echo speaks of one. Of a message only what places it is lent, nothing that was said."""

from __future__ import annotations

from collections.abc import Iterator

from chime.db import Db
from chime.whatsapp import Event
from chime.whatsapp.events import HistoryReceived, StandbyReceived
from chime.workspaces import Transaction

# Everybody our own messages go to is one person here: whom a message went to makes no difference to a status.
_HOLDER = "lent"
_CHANNELS = ("SELECT id, phone_number_id, waba_id, meta_app_id, display_phone, messages_per_second, created_at "
             "FROM channel")


class Lender:
    """Puts rows of the live file into the scratch file."""

    def __init__(self) -> None:
        self._channels: dict[str, str] = {}

    async def prepare(self, tx: Transaction, live: Db) -> None:
        """Into an empty scratch file."""
        await tx.execute("CREATE TABLE replayed_event (key TEXT PRIMARY KEY, journal_id INTEGER NOT NULL, "
                         "path TEXT NOT NULL) STRICT, WITHOUT ROWID")
        await tx.execute("INSERT INTO contact (id, created_at, updated_at) VALUES (?, 0, 0)", _HOLDER)
        await self.renew(tx, live)

    async def renew(self, tx: Transaction, live: Db) -> None:
        """Our numbers, all of them connected: what was applied was applied while its number was."""
        for row in await live.rows(_CHANNELS):
            if row[1] not in self._channels:
                await tx.execute(
                    "INSERT INTO channel (id, phone_number_id, waba_id, meta_app_id, display_phone, "
                    "messages_per_second, created_at, access_token_sealed, access_token_last_four) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, x'', '')", *row)
                await tx.execute("INSERT INTO conversation (id, channel_id, contact_id, last_message_at, created_at) "
                                 "VALUES (?, ?, ?, 0, 0)", f"{_HOLDER}-{row[0]}", row[0], _HOLDER)
                self._channels[row[1]] = row[0]

    async def lend(self, tx: Transaction, live: Db, event: Event) -> None:
        """Our own messages this event speaks of."""
        channel_id = self._channels.get(event.phone_number_id or "")
        if channel_id is None:
            return
        for wamid in set(filter(None, _wamids(event))):
            for row in await live.rows(
                    "SELECT id, channel_id, origin, type, wamid, quoted_wamid, at, created_at, attempts FROM message "
                    "WHERE channel_id = ? AND wamid = ? AND direction = 'out' AND origin NOT IN ('phone', 'history')",
                    channel_id, wamid):
                await tx.execute(
                    "INSERT OR IGNORE INTO message (id, channel_id, origin, type, wamid, quoted_wamid, at, created_at, "
                    "attempts, conversation_id, direction, status) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'out', 'sent')",
                    *row, f"{_HOLDER}-{channel_id}")


def _wamids(event: Event) -> Iterator[str | None]:
    if isinstance(event, StandbyReceived):
        yield from _wamids(event.event)
    elif isinstance(event, HistoryReceived):
        for old in event.messages:
            yield old.wamid
            yield old.content.get("message_id")  # what an old reaction, edit or deletion was about
    else:
        yield getattr(event, "wamid", None)
        yield getattr(event, "target_wamid", None)
