"""Reading approvals."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from chime.approvals.model import Approval
from chime.db import Db

_APPROVAL = ("SELECT id, kind, job, permission, decided_by, parameters_json, digest, subject, person_id, key_id, "
             "requester_name, reason, needs, state, requested_at, earliest_at, expires_at, approver_id, approver_name, "
             "approved_digest, approved_at, lease_until, done, total, ended_at, ending FROM approval")
LATEST_ID = "~"


async def approval(db: Db, approval_id: str) -> Approval | None:
    return await db.one(Approval, f"{_APPROVAL} WHERE id = ?", approval_id)


async def waiting(db: Db, decides: Collection[str], person_id: str) -> list[Approval]:
    """Those this person may decide: other people's, and of a kind their permissions decide. Oldest first."""
    return await db.all(
        Approval, f"{_APPROVAL} WHERE state = 'requested' AND needs = 'person' AND person_id IS NOT ? "
        "AND decided_by IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT 100",
        person_id, msgspec.json.encode(sorted(decides)).decode())


async def delayed(db: Db) -> list[Approval]:
    """Those that wait for nobody but the time."""
    return await db.all(Approval, f"{_APPROVAL} WHERE state IN ('requested', 'approved', 'running') "
                        "AND needs = 'delay' ORDER BY id LIMIT 100")


async def of_person(db: Db, person_id: str, *, before: str = LATEST_ID, limit: int = 25) -> list[Approval]:
    """What somebody asked for, the newest first."""
    return await db.all(Approval, f"{_APPROVAL} WHERE person_id = ? AND id < ? ORDER BY id DESC LIMIT ?",
                        person_id, before, limit)


async def page(db: Db, *, state: str = "", before: str = LATEST_ID, limit: int = 25) -> list[Approval]:
    """Everybody's, the newest first; or those in one state."""
    return await db.all(Approval, f"{_APPROVAL} WHERE id < ?1 AND ?2 IN ('', state) ORDER BY id DESC LIMIT ?3",
                        before, state, limit)


async def open_count(db: Db, person_id: str) -> int:
    """How many requests of a person are under way."""
    return int(await db.value("SELECT count(*) FROM approval WHERE person_id = ? AND ended_at IS NULL", person_id))


async def due(db: Db, job: str, now: int) -> list[str]:
    """What is to be run now: agreed to, or waited for long enough, or left by a process that ended."""
    rows = await db.rows(
        "SELECT id FROM approval WHERE ended_at IS NULL AND job = ?1 "
        "AND expires_at > ?2 AND (state = 'approved' OR (state = 'running' AND lease_until < ?2) "
        "OR (state = 'requested' AND needs = 'delay' AND earliest_at <= ?2)) LIMIT 50",
        job, now)
    return [row[0] for row in rows]


async def expired(db: Db, now: int) -> list[str]:
    """What nobody decided, ran or fetched in time. A run that is under way is waited for."""
    rows = await db.rows("SELECT id FROM approval WHERE ended_at IS NULL AND expires_at <= ?1 "
                         "AND (state <> 'running' OR lease_until < ?1) LIMIT 100", now)
    return [row[0] for row in rows]


async def of_requester(db: Db, person_id: str | None, key_id: str | None, *, job: str, before: str | None = None,
                       limit: int = 25) -> list[Approval]:
    """What a person asked for, or a key that nobody stands behind, of what one job runs; the newest first."""
    return await db.all(Approval, f"{_APPROVAL} WHERE job = ?1 AND id < ?4 AND (person_id = ?2 OR (person_id IS NULL "
                        "AND key_id = ?3)) ORDER BY id DESC LIMIT ?5", job, person_id, key_id, before or LATEST_ID,
                        limit)
