"""Reading absences, and what customers said to people who are away."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from chime.db import Db
from chime.routing.model import Waiting
from chime.working_time import ABSENCE, Absence

MOST_OFFERED = 200


async def absence(db: Db, absence_id: str) -> Absence | None:
    return await db.one(Absence, ABSENCE + " WHERE id = ?", absence_id)


async def absences_page(db: Db, user_ids: Collection[str], *, since: int, after: tuple[int, str], limit: int
                        ) -> list[Absence]:
    """Those of these members that end after a moment, by their beginning, after a place."""
    return await db.all(
        Absence, ABSENCE + " WHERE ends_at > ? AND user_id IN (SELECT value FROM json_each(?)) "
        "AND (starts_at, id) > (?, ?) ORDER BY starts_at, id LIMIT ?", since,
        msgspec.json.encode(sorted(user_ids)).decode(), *after, limit)


async def stood_in_for(db: Db, now: int) -> list[Absence]:
    """The absences of this moment for which somebody stands in."""
    return await db.all(Absence, ABSENCE + " WHERE ends_at > ? AND starts_at <= ? AND stand_in_id IS NOT NULL "
                        "ORDER BY ends_at, id LIMIT 1000", now, now)


async def is_anybody_stood_in_for(db: Db, now: int) -> bool:
    return bool(await db.value("SELECT 1 FROM absence WHERE ends_at > ? AND starts_at <= ? "
                               "AND stand_in_id IS NOT NULL LIMIT 1", now, now))


async def called_on(db: Db, one: Absence) -> list[Waiting]:
    """Conversations of who is away in which the customer wrote since and waits, the longest first; those whose
    stand-in was told of already are left out unless they are to be handed over."""
    return await db.all(
        Waiting, "SELECT id, channel_id, team_id, contact_id, waiting_since AS since FROM conversation "
        "WHERE assignee_id = ?1 AND state = 'open' AND waiting_since IS NOT NULL AND last_message_at >= ?2 "
        "AND (?3 OR NOT EXISTS (SELECT 1 FROM absence_offer WHERE absence_id = ?4 "
        "AND conversation_id = conversation.id)) ORDER BY waiting_since, id LIMIT ?5", one.user_id, one.starts_at,
        one.hands_over, one.id, MOST_OFFERED)
