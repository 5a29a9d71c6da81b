"""Applying the journal: every stored body, in order, each of its events once.

The workspace remembers how far it came (`applied_upto`) in the same transaction as the effects, so a crash between
the two files repeats at most what is idempotent anyway. One event that fails is undone alone, set aside with its
reason, and the rest goes on.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from chime.db import Db
from chime.errors import Unavailable
from chime.inbound.dispatch import dispatch
from chime.jobs import JobKind, Work
from chime.whatsapp import Event, parse
from chime.workspaces import Transaction, applied_upto

APPLY = "inbound.apply"
# Bodies per transaction: enough to share a disk flush and the pages of the indexes.
MOST_BODIES = 200
FEW_BODIES = 32
MOST_BYTES = 4 * 1024 * 1024
EVENTS_BETWEEN_BREATHS = 4
# While posts wait for the disk, answering Meta comes before applying what is safe already: about a tenth of the time
# is taken for it then, in short transactions, so that nobody who sends waits long for the writer.
BUSY = 8
LONGEST_WHEN_BUSY = 0.008
PAUSE_WHEN_BUSY = 0.08
# Seconds between two runs. A transaction costs as much as some ten events, and what follows from it (who is told, who
# is given the conversation) as much again: at some hundred posts a second each would have its own.
APART = 0.02
# Above this size a body takes more than a moment to read, and is read beside the loop.
LARGE_BODY = 64 * 1024


async def apply(work: Work, _: str) -> None:
    """Apply everything that was stored and not applied when it was asked for; what comes meanwhile asks again."""
    more = True
    while more:
        upto = await applied_upto(work.workspace.db)
        bodies, more = await _next_bodies(work, upto)
        if not bodies:
            return
        async with work.workspace.ingest("webhook") as tx:
            last = await _apply_some(tx, work, bodies)
        more = more or last != bodies[-1][0]
        if _busy(work):
            await asyncio.sleep(PAUSE_WHEN_BUSY)


async def _next_bodies(work: Work, upto: int) -> tuple[list[tuple[int, bytes, bytes]], bool]:
    """Some bodies, and always one: a burst of the largest must not be in memory together. And whether there are more.
    """
    most = FEW_BODIES if _busy(work) else MOST_BODIES
    sizes = await work.workspace.journal_db.rows(
        "SELECT id, length(body) FROM webhook_body WHERE id > ? ORDER BY id LIMIT ?", upto, most + 1)
    last = weight = 0
    for journal_id, size in sizes[:most]:
        weight += size
        if last and weight > MOST_BYTES:
            break
        last = journal_id
    bodies = await work.workspace.journal_db.rows(
        "SELECT id, key, body FROM webhook_body WHERE id > ? AND id <= ? ORDER BY id", upto, last)
    return bodies, bool(sizes) and last < sizes[-1][0]


def _busy(work: Work) -> bool:
    return work.workspace.journal.waiting > BUSY


async def _apply_some(tx: Transaction, work: Work, bodies: list[tuple[int, bytes, bytes]]) -> int:
    """These bodies, or the first of them when there is something better to do; the last that was applied."""
    begun = work.clock.monotonic()
    count = 0
    for journal_id, key, body in bodies:
        became: Counter[str] = Counter()
        for event in await _read(body):
            became[await _apply_one(tx, work, journal_id, key, event)] += 1
            count += 1
            if count % EVENTS_BETWEEN_BREATHS == 0:
                await asyncio.sleep(0)
        await tx.execute("INSERT INTO applied_body (journal_id, applied, duplicate, rejected, at) "
                         "VALUES (?, ?, ?, ?, ?)", journal_id, became["applied"], became["duplicate"],
                         became["rejected"], tx.now)
        if _busy(work) and work.clock.monotonic() - begun > LONGEST_WHEN_BUSY:
            break
    await tx.execute("INSERT INTO meta (key, value) VALUES ('applied_upto', ?) ON CONFLICT (key) "
                     "DO UPDATE SET value = excluded.value", str(journal_id))
    return journal_id


async def _read(body: bytes) -> list[Event]:
    return parse(body) if len(body) < LARGE_BODY else await asyncio.to_thread(parse, body)


async def _apply_one(tx: Transaction, work: Work, journal_id: int, key: bytes, event: Event) -> str:
    """What became of one event: applied, duplicate or rejected."""
    try:
        new = await tx.savepoint(lambda: dispatch(tx, work.workspace.callback_key, event))
        return "applied" if new else "duplicate"
    except Unavailable:
        raise  # the disk's fault, not the event's: the whole transaction is tried again later
    except Exception as error:  # any fault of one event must not hold up the others; it is kept with its reason
        work.log.error("event.rejected", error, journal_id=journal_id, kind=type(event).__name__)
        kept = await tx.execute("INSERT OR IGNORE INTO rejected_event (id, journal_id, body_key, path, reason, at) "
                                "VALUES (?, ?, ?, ?, ?, ?)", tx.new_id(), journal_id, key, event.path,
                               f"{type(error).__name__}: {type(event).__name__}", tx.now)
        return "rejected" if kept else "duplicate"


async def due(db: Db, now: int) -> list[str]:
    """Asked by the sweep; the journal is another file, so it is always looked into."""
    return ["journal"]


JOBS = [JobKind(APPLY, apply, due, apart=APART)]
