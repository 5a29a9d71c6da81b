"""Accesses that are over end what they opened: streams, banners, and a row in the workspace's own trail.

Looked at each second, and at once by the pages that end one: however an access ends (the time, a click, a policy, an
owner who left, the command line), its operator's streams are closed within two seconds.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from chime.errors import NotFound, Unavailable
from chime.log import Log
from chime.security.permissions import SYSTEM
from chime.support import queries
from chime.support.actions import close
from chime.web.services import Services
from chime.workspaces import LiveNudge, Record

LOOK_EVERY = 1.0
TOPIC = "support"
_log = Log("support")


class Watch:
    """One for the process; `look` may be called by whoever just ended something."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._one_at_a_time = asyncio.Lock()
        self._announced: set[str] = set()

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Close what ran out, and tell of every end that was not told of yet."""
        control = self._services.control
        async with self._one_at_a_time:
            for over in await queries.run_out(control.db, self._services.clock.real_now()):
                async with control.write(SYSTEM) as tx:
                    await close(tx, over.id, over.workspace_id, reason=over.reason)
            for over in await queries.untold(control.db):
                await self._tell(over)

    async def _tell(self, over: queries.Over) -> None:
        if over.id not in self._announced:
            self._announced.add(over.id)
            self._services.hub.end_streams_of(over.operator_id)
            told(self._services, over.workspace_id, over.id)
        record = Record(actor=SYSTEM, action="support.ended", object_kind="support_grant", object_id=over.id,
                        details={"operator": over.operator_name, "ended_by": over.ended_by, "reason": over.reason})
        try:
            with suppress(NotFound):  # erased meanwhile, and its trail with it
                async with self._services.registry.use(over.workspace_id) as workspace:
                    await workspace.records.first(record)
        except Unavailable as error:
            # Its files are away: nobody is inside any more, and the row follows when they are back.
            _log.warning("support.end_not_told", reason=type(error).__name__)
            return
        self._announced.discard(over.id)
        async with self._services.control.write(SYSTEM) as tx:
            await tx.execute("UPDATE support_grant SET is_end_told = 1, ended_at = coalesce(ended_at, ?) WHERE id = ?",
                             tx.audited_at, over.id)
            await tx.audit("support.end_announced", "support_grant", over.id, workspace_id=over.workspace_id)


def told(services: Services, workspace_id: str, grant_id: str) -> None:
    """Open pages of the workspace fetch the banner anew."""
    services.hub.publish(workspace_id, (LiveNudge(TOPIC, grant_id),))
