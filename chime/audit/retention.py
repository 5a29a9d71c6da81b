"""Letting old rows go: a whole beginning at a time, never one out of the middle, and never what is not signed yet.

Rows go by tiles of 1,024. The root of each tile stays, so that the rest is as provable as before and a copy somebody
kept of the rows that went still fits under it.
"""

from __future__ import annotations

from chime.audit import queries
from chime.audit.model import USUAL_DAYS, checked_days, kept_since
from chime.audit.trail import Trail
from chime.db import Db
from chime.security.merkle import TILE
from chime.security.permissions import SYSTEM
from chime.workspaces import Transaction

TILES_AT_ONCE = 8
KEEP = "audit_keep_days"


async def days_kept(db: Db) -> int:
    """How many days rows are kept."""
    return int(await db.value("SELECT value FROM meta WHERE key = ?", KEEP) or USUAL_DAYS)


async def keep_for(tx: Transaction, days: int) -> None:
    """Keep the trail for so many days. Raises Invalid for less than a year."""
    days = checked_days(str(days))
    before = await days_kept(tx)
    await tx.execute("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET "
                     "value = excluded.value", KEEP, str(days))
    await tx.audit("audit.retention_changed", "audit_trail", "trail", before={"days": before}, after={"days": days})


async def may_go(db: Db, now: int) -> int:
    """Up to which row everything is old enough, signed, and a whole number of tiles; 0 when nothing may go."""
    moment = kept_since(now, await days_kept(db))
    cut = await queries.cut_to(db)
    signed = int(await db.value("SELECT max(size) FROM audit_checkpoint") or 0)
    size = await queries.size(db)
    upto = cut
    for end in range(cut + TILE, cut + TILES_AT_ONCE * TILE + 1, TILE):
        at = await db.value("SELECT at FROM audit_event WHERE sequence = ?", end)
        if at is None or at >= moment or end > signed or end >= size:
            break
        upto = end
    return upto if upto > cut else 0


async def let_go(trail: Trail, now: int) -> int:
    """Take away the oldest tiles that may go; how many rows that were."""
    async with trail.write(SYSTEM) as tx:
        upto, cut = await may_go(tx, now), await queries.cut_to(tx)
        roots = await queries.tiles(tx, upto // TILE)
        if not upto or len(roots) < upto // TILE:
            return 0
        await tx.execute("INSERT INTO meta (key, value) VALUES ('audit_cut_to', ?) ON CONFLICT (key) DO UPDATE SET "
                         "value = excluded.value", str(upto))
        await tx.execute("DELETE FROM audit_event WHERE sequence <= ?", upto)
        await tx.audit("audit.prefix_removed", "audit_trail", trail.name, rows=upto - cut, upto=upto,
                       roots=[root.hex() for root in roots[cut // TILE:]])
        return upto - cut
