"""New hours and targets hold for everybody who waits already: gone through in small transactions, so that the inbox
goes on meanwhile, and found again by the sweep after a crash.

What was over before the change is shown as overdue, and nobody is told of it: no target was missed when there was none.
"""

from __future__ import annotations

from chime import inbox, working_time
from chime.db import Db
from chime.workspaces import Transaction

RECOUNT = "service_level.recount"
EVERYTHING = "everything"
AT_A_TIME = 25


async def begin(tx: Transaction) -> None:
    """Hours or targets were changed now."""
    await tx.execute("UPDATE service_clock SET is_stale = 1 WHERE NOT is_stale")
    await tx.execute("INSERT INTO service_recount (id, changed_at) VALUES (1, ?) ON CONFLICT (id) DO UPDATE "
                     "SET changed_at = excluded.changed_at, waiting_since = 0, conversation_id = ''", tx.now)
    tx.enqueue(RECOUNT, EVERYTHING)


async def go_on(tx: Transaction) -> bool:
    """Some more; whether there may be others. First what runs by the old terms, then who waits without a clock."""
    under_way = await tx.rows("SELECT changed_at, waiting_since, conversation_id FROM service_recount")
    changed_at, *place = under_way[0] if under_way else (tx.now, 0, "")
    stale = await tx.rows("SELECT DISTINCT conversation_id FROM service_clock WHERE is_stale LIMIT ?", AT_A_TIME)
    for (conversation_id,) in stale:
        await inbox.count_again(tx, conversation_id, changed_at=changed_at)
    if stale or not under_way:
        return bool(stale)
    waiting = await tx.rows(
        "SELECT waiting_since, id FROM conversation WHERE state = 'open' AND waiting_since IS NOT NULL "
        "AND (waiting_since, id) > (?, ?) ORDER BY waiting_since, id LIMIT ?", *place, AT_A_TIME,
    ) if await working_time.has_targets(tx) else []
    for _, conversation_id in waiting:
        await inbox.count_again(tx, conversation_id, changed_at=changed_at)
    if not waiting:
        await tx.execute("DELETE FROM service_recount")
        return False
    await tx.execute("UPDATE service_recount SET waiting_since = ?, conversation_id = ?", *waiting[-1])
    return True


async def due(db: Db, now: int) -> list[str]:
    """Whether anything is left to go through."""
    found = await db.value("SELECT EXISTS (SELECT 1 FROM service_recount) "
                           "OR EXISTS (SELECT 1 FROM service_clock WHERE is_stale)")
    return [EVERYTHING] if found else []
