"""Signing, examining and shortening the trails when it is time: jobs for those of the workspaces, a watch for the
installation's."""

from __future__ import annotations

import msgspec

from chime.audit import queries, retention, trouble
from chime.audit.checkpoints import TrailChanged, sign
from chime.audit.examine import examine
from chime.audit.model import CHECKPOINT_AFTER, CHECKPOINT_EVERY, Verdict
from chime.audit.trail import Trail, trail_of
from chime.clock import DAY, HOUR, Clock
from chime.db import Db
from chime.jobs import JobKind, Work
from chime.log import Log
from chime.security.permissions import SYSTEM, Actor
from chime.workspaces import Transaction
from chime.workspaces.transaction import CHECKPOINT, TRAIL

VERIFY = "audit.verify"
LET_GO = "audit.let_go"
VERIFY_EVERY = 7 * DAY
LOOK_EVERY = 60.0
_log = Log("audit")


async def is_to_sign(db: Db, now: int) -> bool:
    """A thousand rows, or one that waited ten minutes; hourly while something is wrong."""
    since = await queries.unsigned_since(db)
    alarm = await queries.alarm(db)
    if since is None or (alarm is not None and now - alarm.at < HOUR):
        return False
    signed = int(await db.value("SELECT max(size) FROM audit_checkpoint") or 0)
    return now - since >= CHECKPOINT_AFTER or await queries.size(db) - signed >= CHECKPOINT_EVERY


async def is_to_verify(db: Db, now: int) -> bool:
    """Somebody asked, or a week went by."""
    if await verification_asked(db) is not None:
        return True
    last = await last_verdict(db)
    oldest = await db.value("SELECT at FROM audit_event WHERE sequence > 0 ORDER BY sequence LIMIT 1")
    return oldest is not None and now - (last.checked_at if last else oldest) >= VERIFY_EVERY


async def verification_asked(db: Db) -> int | None:
    """When somebody asked to have it examined, and it is not done yet."""
    at = await db.value("SELECT value FROM meta WHERE key = 'audit_verify_asked'")
    return int(at) if at else None


async def last_verdict(db: Db) -> Verdict | None:
    found = await db.value("SELECT value FROM meta WHERE key = 'audit_verdict'")
    return msgspec.json.decode(found, type=Verdict) if found else None


async def ask_to_verify(tx: Transaction) -> None:
    """Have the whole trail examined soon."""
    await tx.execute("INSERT INTO meta (key, value) VALUES ('audit_verify_asked', ?) ON CONFLICT (key) DO NOTHING",
                     str(tx.audited_at))
    await tx.audit("audit.verification_asked", "audit_trail", TRAIL)
    tx.enqueue(VERIFY, TRAIL)


async def verify(trail: Trail, clock: Clock, actor: Actor = SYSTEM) -> Verdict:
    """Examine it and keep what was found."""
    verdict = await examine(trail, clock)
    async with trail.write(actor) as tx:
        await tx.execute("INSERT INTO meta (key, value) VALUES ('audit_verdict', ?) ON CONFLICT (key) DO UPDATE SET "
                         "value = excluded.value", msgspec.json.encode(verdict).decode())
        await tx.execute("DELETE FROM meta WHERE key = 'audit_verify_asked'")
        await tx.audit("audit.verified", "audit_trail", trail.name, ok=verdict.ok, rows=verdict.rows,
                       proven=verdict.proven, first_bad=verdict.first_bad)
    if verdict.ok:
        await trouble.forget(trail, trouble.VERDICT)
    else:
        await trouble.remember(trail, trouble.VERDICT)
        _log.error("audit.verification_failed", trail=trail.name, first_bad=verdict.first_bad, reason=verdict.reason)
    return verdict


async def sign_if_due(trail: Trail, now: int) -> None:
    """A trail that is not what it was has its alarm already; the job did its work."""
    if await is_to_sign(trail.db, now):
        try:
            await sign(trail)
        except TrailChanged:
            return


async def let_all_go(trail: Trail, now: int) -> None:
    gone = -1
    while gone:
        gone = await retention.let_go(trail, now)


async def run_checkpoint(work: Work, trail_name: str) -> None:
    await sign_if_due(trail_of(work.workspace, work.control), work.clock.real_now())


async def run_verify(work: Work, trail_name: str) -> None:
    await verify(trail_of(work.workspace, work.control), work.clock)


async def run_let_go(work: Work, trail_name: str) -> None:
    await let_all_go(trail_of(work.workspace, work.control), work.clock.real_now())


async def due_checkpoint(db: Db, now: int) -> list[str]:
    return [TRAIL] if await is_to_sign(db, now) else []


async def due_verify(db: Db, now: int) -> list[str]:
    return [TRAIL] if await is_to_verify(db, now) else []


async def due_let_go(db: Db, now: int) -> list[str]:
    return [TRAIL] if await retention.may_go(db, now) else []


JOBS = [JobKind(CHECKPOINT, run_checkpoint, due_checkpoint, at_once=4),
        JobKind(VERIFY, run_verify, due_verify, at_once=1), JobKind(LET_GO, run_let_go, due_let_go, at_once=1)]
