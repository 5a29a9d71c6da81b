"""Reading erasures, and what one would remove."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from chime import contacts
from chime.contacts import Identity
from chime.db import Db, LongReads
from chime.erasure.model import Erasure, Preview, Tombstone

_ERASURE = ("SELECT id, contact_id, again, begun_at, rows_gone_at, journal_upto, finished_at, counts_json, "
            "requester_name, approver_name FROM erasure")
PATIENCE = 2.0
LATEST_ID = "~"


async def erasure(db: Db, erasure_id: str) -> Erasure | None:
    return await db.one(Erasure, f"{_ERASURE} WHERE id = ?", erasure_id)


async def erasures(db: Db, *, before: str = LATEST_ID, limit: int = 25) -> list[Erasure]:
    """The newest first."""
    return await db.all(Erasure, f"{_ERASURE} WHERE id < ? ORDER BY id DESC LIMIT ?", before or LATEST_ID, limit)


async def unfinished(db: Db) -> list[str]:
    """Erasures that began and must come to their end, whatever became of their approval."""
    return [row[0] for row in await db.rows("SELECT id FROM erasure WHERE finished_at IS NULL ORDER BY id LIMIT 20")]


async def needles(db: Db, erasure_id: str, kind: str) -> list[str]:
    """By what the person of an erasure under way is still found."""
    return [row[0] for row in await db.rows("SELECT value FROM erasure_needle WHERE erasure_id = ? AND kind = ?",
                                            erasure_id, kind)]


async def identities(db: Db, erasure_id: str) -> list[Identity]:
    return [Identity(kind, value) for kind in ("phone", "user_id") for value in await needles(db, erasure_id, kind)]


async def tombstones_of(control: Db, workspace_id: str) -> list[Tombstone]:
    """What control.db knows of a workspace's forgotten people."""
    return await control.all(Tombstone, "SELECT erasure_id, contact_id, mark, opted_out, at FROM erased_subject "
                             "WHERE workspace_id = ? ORDER BY at, erasure_id", workspace_id)


async def preview(db: Db, journal: LongReads, contact_id: str) -> Preview:
    """What would go with this contact and those it absorbed."""
    ids = await contacts.same_person(db, contact_id)
    known = await contacts.identities(db, ids)
    text = msgspec.json.encode(ids).decode()
    row = (await db.rows(
        "WITH person(id) AS (SELECT value FROM json_each(?)), thread(id) AS (SELECT conversation.id FROM conversation "
        "WHERE contact_id IN person) SELECT (SELECT count(*) FROM contact WHERE id IN person), "
        "(SELECT count(*) FROM thread), (SELECT count(*) FROM message WHERE conversation_id IN thread), "
        "(SELECT count(*) FROM (SELECT media_id FROM message WHERE conversation_id IN thread AND media_id IS NOT NULL "
        "UNION SELECT media_id FROM scheduled_message WHERE conversation_id IN thread AND media_id IS NOT NULL)), "
        "(SELECT count(*) FROM consent_event WHERE contact_id IN person), "
        "(SELECT count(*) FROM contact_tag WHERE contact_id IN person), "
        "(SELECT count(*) FROM approval WHERE state = 'ready' AND job = 'exports.run')", text))[0]
    deliveries, whole = await _deliveries(journal, known)
    return Preview(contacts=row[0], conversations=row[1], messages=row[2], files=row[3], consents=row[4], tags=row[5],
                   exports=row[6], identities=len(known), deliveries=deliveries, deliveries_whole=whole,
                   opted_out=await contacts.refused_marketing(db, ids))


async def _deliveries(journal: LongReads, known: Collection[Identity]) -> tuple[int, bool]:
    """Stored deliveries with a number or id of the person in them; those of statuses may be more."""
    texts = msgspec.json.encode([one.value for one in known if one.kind in ("phone", "user_id")]).decode()
    rows, whole = await journal.rows(
        "SELECT 1 FROM webhook_body WHERE EXISTS (SELECT 1 FROM json_each(?) AS one "
        "WHERE instr(webhook_body.body, CAST(one.value AS BLOB)) > 0)", texts, seconds=PATIENCE)
    return len(rows), whole
