"""Applying the journal: every stored body, in order, each of its events once.

The workspace remembers how far it came (`applied_upto`) in the same transaction as the effects, so a crash between
the two files repeats at most what is idempotent anyway. One event that fails is undone alone, set aside with its
reason, and the rest goes on.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from chime.db import Db
from chime.inbound.dispatch import dispatch
from chime.jobs import JobKind, Work
from chime.whatsapp import Event, parse
from chime.workspaces import Transaction, Workspace

APPLY = "inbound.apply"
# Bodies per transaction: enough to share a disk flush, few enough to let pages be served between.
BATCH = 50
EVENTS_BETWEEN_BREATHS = 4
# While posts wait for the disk, answering Meta comes before applying what is safe already.
BUSY = 8
PAUSE_WHEN_BUSY = 0.004
_UPTO = "SELECT cast(value AS INTEGER) FROM meta WHERE key = 'applied_upto'"


async def apply(work: Work, _: str) -> None:
    """Apply everything that is stored and not applied yet."""
    while True:
        upto = await work.workspace.db.value(_UPTO) or 0
        bodies = await work.workspace.journal_db.rows(
            "SELECT id, body FROM webhook_body WHERE id > ? ORDER BY id LIMIT ?", upto, BATCH)
        if not bodies:
            return
        async with work.workspace.ingest("webhook") as tx:
            breath = Breath(work.workspace)
            for journal_id, body in bodies:
                became = Counter([await _apply_one(tx, work, journal_id, event, breath) for event in parse(body)])
                await tx.execute("INSERT INTO applied_body (journal_id, applied, duplicate, rejected, at) "
                                 "VALUES (?, ?, ?, ?, ?)", journal_id, became["applied"], became["duplicate"],
                                 became["rejected"], tx.now)
            await tx.execute("INSERT INTO meta (key, value) VALUES ('applied_upto', ?) ON CONFLICT (key) "
                             "DO UPDATE SET value = excluded.value", str(bodies[-1][0]))


class Breath:
    """Lets the loop serve others between events, longer while posts wait for the disk."""

    def __init__(self, workspace: Workspace) -> None:
        self._journal = workspace.journal
        self._count = 0

    async def take(self) -> None:
        self._count += 1
        if self._count % EVENTS_BETWEEN_BREATHS == 0:
            await asyncio.sleep(PAUSE_WHEN_BUSY if self._journal.waiting > BUSY else 0)


async def _apply_one(tx: Transaction, work: Work, journal_id: int, event: Event, breath: Breath) -> str:
    """What became of one event: applied, duplicate or rejected."""
    await breath.take()
    try:
        new = await tx.savepoint(lambda: dispatch(tx, work.workspace.callback_key, event))
        return "applied" if new else "duplicate"
    except Exception as error:  # any fault of one event must not hold up the others; it is kept with its reason
        work.log.error("event.rejected", error, journal_id=journal_id, kind=type(event).__name__)
        await tx.execute("INSERT OR IGNORE INTO rejected_event (id, journal_id, path, reason, at) "
                         "VALUES (?, ?, ?, ?, ?)", tx.new_id(), journal_id, event.path,
                         f"{type(error).__name__}: {type(event).__name__}", tx.now)
        return "rejected"


async def due(db: Db, now: int) -> list[str]:
    """Asked by the sweep; the journal is another file, so it is always looked into."""
    return ["journal"]


JOBS = [JobKind(APPLY, apply, due)]
