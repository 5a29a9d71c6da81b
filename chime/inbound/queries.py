"""Reading what was received, what became of it, and what was set aside."""

from __future__ import annotations

from chime.db import Db
from chime.inbound.model import Rejected, Removed, Run, Segment, Task

_REJECTED = ("SELECT id, journal_id, path, reason, at, settled_at, tries, tried_at, dismissed_at, dismissed_by, "
             "dismissal FROM rejected_event")
# After every id, so where a list of the newest begins.
LATEST_ID = "~"


async def newest_body(journal: Db) -> int:
    return await journal.value("SELECT max(id) FROM webhook_body") or 0


async def last_body_before(journal: Db, at: int, newest: int) -> int:
    """The newest body stored before this moment. Bodies are stored as they come, so halving finds it without an index
    that each webhook would have to pay for; where the machine's clock was set back, the place is what counts."""
    low, high = 0, newest
    while low < high:
        middle = (low + high + 1) // 2
        rows = await journal.rows("SELECT id, received_at FROM webhook_body WHERE id >= ? ORDER BY id LIMIT 1", middle)
        if rows and rows[0][0] <= newest and rows[0][1] < at:
            low = rows[0][0]
        else:
            high = middle - 1
    return low


async def segments(db: Db) -> list[Segment]:
    """The kept sums of finished days, in the journal's order."""
    return await db.all(Segment, "SELECT first_id, last_id, day, received, applied, duplicate, rejected, checksum, "
                        "computed_at, removed_at FROM proof_segment ORDER BY first_id")


async def removed(db: Db) -> Removed:
    """Up to which moments retention has removed deliveries and messages."""
    found = {row[0]: int(row[1]) for row in await db.rows("SELECT kind, removed_before FROM retention_run")}
    return Removed(deliveries_before=found.get("deliveries", 0), messages_before=found.get("messages", 0))


async def rejected(db: Db, rejected_id: str) -> Rejected | None:
    return await db.one(Rejected, f"{_REJECTED} WHERE id = ?", rejected_id)


async def unsettled(db: Db, *, before: str = LATEST_ID, limit: int) -> list[Rejected]:
    """Events that are not in effect, the newest first; those that were dismissed are among them."""
    return await db.all(Rejected, f"{_REJECTED} WHERE settled_at IS NULL AND id < ? ORDER BY id DESC LIMIT ?",
                        before, limit)


async def open_count(db: Db) -> int:
    """How many events wait for a person's decision."""
    found: int = await db.value("SELECT count(*) FROM rejected_event WHERE settled_at IS NULL "
                                "AND dismissed_at IS NULL")
    return found


async def run_of(db: Db, kind: Task) -> Run | None:
    """The newest count or replay."""
    return await db.one(Run, "SELECT kind, state, asked_at, done, total, finished_at, result_json FROM proof_run "
                        "WHERE kind = ?", kind.value)


async def parked_count(control: Db, *, since: int = 0) -> int:
    """Deliveries that wait for somebody to connect their number."""
    found: int = await control.value("SELECT count(*) FROM parked_delivery WHERE released_at IS NULL "
                                     "AND received_at >= ?", since)
    return found
