"""That a trail is not what it was, as control.db remembers it: there it is found by what tells the owners
(`chime.accounts.alarm_notices`), whichever workspaces are open.

Promises: what is found again stays one trouble, until it is over; so people are told of it once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chime.audit.trail import Trail

ALARM, VERDICT = "alarm", "verdict"
UNTOLD = "untold"


def _key(trail: Trail, found_by: str) -> str:
    return f"audit_trouble:{found_by}:{trail.name}"


async def remember(trail: Trail, found_by: str) -> None:
    """The signer, or an examination, found the trail changed."""
    async with trail.control.ingest("audit") as tx:
        await tx.execute("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING",
                         _key(trail, found_by), UNTOLD)


async def forget(trail: Trail, found_by: str) -> None:
    """It is as it should be again, or somebody accepted it as it is."""
    key = _key(trail, found_by)
    if await trail.control.db.value("SELECT 1 FROM meta WHERE key = ?", key):
        async with trail.control.ingest("audit") as tx:
            await tx.execute("DELETE FROM meta WHERE key = ?", key)
