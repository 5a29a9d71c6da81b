"""What came for nobody is kept for whoever connects its number within a month, and no longer: it holds what people
wrote who are nobody's customers here, and whoever has an app of their own can send as much of it as they like.

Promise: what is forgotten is counted in the audit trail of the installation; nothing that is younger goes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from chime.clock import DAY
from chime.errors import Unavailable
from chime.ids import time_of_id
from chime.security.permissions import SYSTEM
from chime.web.services import Services
from chime.workspaces import Control, Transaction

KEPT = 30 * DAY
LOOK_EVERY = 3600.0
# A body may have three megabytes, and other changes of control.db wait for each of these transactions.
AT_ONCE = 20
# An id begins with its moment, so the oldest are found by it. What was delivered has no body any more; its hash is kept
# as long, so that a repeat of Meta's is known.
_OLD = "SELECT id, released_at IS NULL FROM parked_delivery WHERE id < ? ORDER BY id LIMIT ?"


def watch(services: Services) -> Callable[[], Awaitable[None]]:
    """The task that forgets, for the supervisor."""

    async def run() -> None:
        while True:
            with suppress(Unavailable):  # a full disk: an hour later is soon enough
                await forget_old(services.control, before=services.clock.now() - KEPT)
            await asyncio.sleep(LOOK_EVERY)

    return run


async def forget_old(control: Control, *, before: int) -> int:
    """Forget what came before a moment; how many that still were nobody's. Raises Unavailable."""
    oldest_kept, forgotten = time_of_id(before), 0
    while rows := await control.db.rows(_OLD, oldest_kept, AT_ONCE):
        still_parked = sum(is_parked for _, is_parked in rows)
        # What was delivered or dismissed long ago is nobody's loss, and is not told.
        if not still_parked:
            async with control.ingest("parked") as unheard:
                await _forget(unheard, rows)
            continue
        async with control.write(SYSTEM) as tx:
            await _forget(tx, rows)
            await tx.audit("delivery.expired", "installation", "parked", count=still_parked)
        forgotten += still_parked
    return forgotten


async def _forget(tx: Transaction, rows: list[tuple[object, ...]]) -> None:
    for parked_id, _ in rows:
        await tx.execute("DELETE FROM parked_delivery WHERE id = ?", parked_id)
