"""Counting what waits, each figure along an index that holds only what is under way, and who has it and sees it."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from chime.db import Db
from chime.security.scope import CONVERSATIONS, Sight, Viewer

MOST_COUNTED = 1_000
_WAITING = ("SELECT assignee_id, count(*), min(waiting_since) FROM conversation INDEXED BY conversation_waiting "
            "WHERE state = 'open' AND waiting_since IS NOT NULL")
_OVERDUE = ("SELECT coalesce(team_id, channel_id), count(*) FROM conversation INDEXED BY conversation_due "
            "WHERE state = 'open' AND due_at IS NOT NULL AND due_at <= ?")
# As the index over them is made. The plus: an index of an expression is of no use to a comparison that a column's type
# has a say in.
_FREE = ("FROM conversation INDEXED BY conversation_queue WHERE coalesce(team_id, channel_id) = +place.value "
         "AND state = 'open' AND assignee_id IS NULL" + CONVERSATIONS[Sight.CHANNELS])


class Line(msgspec.Struct, frozen=True):
    """How many wait, and since when the first."""

    count: int = 0
    since: int | None = None


async def waiting(db: Db, viewer: Viewer) -> dict[str | None, Line]:
    """Whose customers wait for an answer, by who has them."""
    rows = await db.rows(_WAITING + CONVERSATIONS[viewer.sight] + " GROUP BY assignee_id", *viewer.values)
    return {assignee_id: Line(count, since) for assignee_id, count, since in rows}


async def unassigned(db: Db, viewer: Viewer, place_ids: Collection[str]) -> dict[str, Line]:
    """What nobody has, by the number or team whose queue it stands in. Of these places the viewer sees everything, but
    for numbers they are kept from."""
    limits = (viewer.channels_json, viewer.channels_json)
    rows = await db.rows(
        "SELECT place.value, (SELECT count(*) FROM (SELECT 1 " + _FREE + " LIMIT ?)), "
        "(SELECT coalesce(waiting_since, last_message_at) " + _FREE
        + " ORDER BY coalesce(waiting_since, last_message_at), id LIMIT 1) FROM json_each(?) AS place",
        *limits, MOST_COUNTED, *limits, msgspec.json.encode(sorted(place_ids)).decode())
    return {place_id: Line(count, since) for place_id, count, since in rows}


async def overdue(db: Db, viewer: Viewer, now: int) -> dict[str, int]:
    """How many conversations are past a target, by number or team."""
    return dict(await db.rows(_OVERDUE + CONVERSATIONS[viewer.sight] + " GROUP BY 1", now, *viewer.values))
