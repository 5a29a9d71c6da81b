"""What a count or replay leaves in the file: that it was asked for, how far it is, what it found, sums of finished
days. All of it is derived from the journal and may be thrown away."""

from __future__ import annotations

from typing import Any

import msgspec

from chime.inbound.model import Segment, Task
from chime.workspaces import Transaction


async def ask(tx: Transaction, task: Task) -> None:
    """Somebody wants it done now. Asked while it is under way, it is not begun again."""
    await tx.execute(
        "INSERT INTO proof_run (kind, state, asked_at) VALUES (?, 'asked', ?) ON CONFLICT (kind) DO UPDATE "
        "SET state = 'asked', asked_at = excluded.asked_at, done = 0, total = 0 WHERE state IN ('done', 'failed')",
        task.value, tx.now)
    await tx.audit("delivery_proof.begun", "delivery_proof", task.value)


async def advance(tx: Transaction, task: Task, *, done: int, total: int) -> None:
    """So many bodies of so many."""
    await tx.execute(
        "INSERT INTO proof_run (kind, state, asked_at, done, total) VALUES (?1, 'running', ?2, ?3, ?4) "
        "ON CONFLICT (kind) DO UPDATE SET state = 'running', done = ?3, total = ?4", task.value, tx.now, done, total)


async def finish(tx: Transaction, task: Task, result: Any) -> None:
    """It is done and this is what was found."""
    await tx.execute(
        "INSERT INTO proof_run (kind, state, asked_at, finished_at, result_json) VALUES (?1, 'done', ?2, ?2, ?3) "
        "ON CONFLICT (kind) DO UPDATE SET state = 'done', finished_at = ?2, result_json = ?3",
        task.value, tx.now, msgspec.json.encode(result).decode())


async def give_up(tx: Transaction, task: Task) -> None:
    """It could not be finished; it is not begun again before somebody asks."""
    await tx.execute("UPDATE proof_run SET state = 'failed' WHERE kind = ?", task.value)


async def keep(tx: Transaction, segment: Segment) -> None:
    """The sum of a finished day, unless a retry has changed one of its bodies meanwhile."""
    await tx.execute(
        "INSERT OR IGNORE INTO proof_segment (first_id, last_id, day, received, applied, duplicate, rejected, "
        "checksum, computed_at) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 WHERE NOT EXISTS (SELECT 1 "
        "FROM rejected_event WHERE journal_id BETWEEN ?1 AND ?2 AND tried_at >= ?9)",
        segment.first_id, segment.last_id, segment.day, segment.received, segment.applied, segment.duplicate,
        segment.rejected, segment.checksum, segment.computed_at)


async def forget_sum(tx: Transaction, journal_id: int) -> None:
    """A body's figures change, so the sum it is in does not stand any more."""
    await tx.execute("DELETE FROM proof_segment WHERE first_id <= ?1 AND last_id >= ?1 AND removed_at IS NULL",
                     journal_id)
