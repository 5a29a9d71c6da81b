"""Does what was asked for, and goes on with what a crash left: in the appliance, or in a command while none runs."""

from __future__ import annotations

import asyncio

from chime import erasure
from chime.clock import HOUR
from chime.errors import ChimeError, Unavailable
from chime.log import Log
from chime.restores import copying, queries, taking_over
from chime.restores.actions import throw_away
from chime.restores.model import TURNS_BACK, Kind, Means, Restore, Step
from chime.restores.steps import note, note_trouble
from chime.security.permissions import SYSTEM

LOOK_EVERY = 1.0
# What waits for storage or for somebody to leave is tried again; before the exchange not for ever.
LONGEST_TRY = HOUR
_log = Log("restores")


class Restorer:
    """One at a time works on an installation."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._forgotten: dict[str, int] = {}
        """How many marks of forgotten people each copy knows of"""

    async def watch(self) -> None:
        """For as long as the appliance runs."""
        while True:
            try:
                await self.step()
            except Unavailable as error:
                _log.warning("restore.waits", reason=type(error).__name__)
            await asyncio.sleep(LOOK_EVERY)

    async def step(self) -> bool:
        """Do whatever is to be done; whether all of it is."""
        done = True
        for row in await queries.unfinished(self._means.control.db):
            done = await self._go_on(row) and done
        for found in await queries.over_time(self._means.control.db, self._means.clock.real_now()):
            async with self._means.control.write(SYSTEM) as tx:
                await throw_away(tx, found.id)
        await self._forget_in_copies()
        return done

    async def _forget_in_copies(self) -> None:
        """Whoever is forgotten in a workspace is forgotten in its copies."""
        for copy_id, workspace_id, marks in await queries.forgotten_since(self._means.control.db):
            if marks and self._forgotten.get(copy_id) != marks:
                async with self._means.registry.use(copy_id) as copy:
                    await erasure.reapply(copy, self._means.control, copied_from=workspace_id)
            self._forgotten[copy_id] = marks

    async def _go_on(self, row: Restore) -> bool:
        """Step after step; False when it has to wait."""
        steps = copying.STEPS if row.kind is Kind.COPY else taking_over.STEPS
        current: Restore | None = row
        while current is not None and current.finished_at is None:
            try:
                await steps[current.step](self._means, current)
            except Exception as error:  # whatever it is, the workspace must not stay closed for it
                if not await self._stopped(current, error):
                    return False
            current = await queries.restore(self._means.control.db, row.id)
        return True

    async def _stopped(self, row: Restore, error: Exception) -> bool:
        """Whether it was given up; False when the same step shall be tried again."""
        plain = str(error) if isinstance(error, ChimeError) else type(error).__name__
        if await self._means.control.db.value("SELECT state FROM workspace WHERE id = ?", row.workspace_id) == "erased":
            async with self._means.control.write(SYSTEM) as tx:
                await note(tx, row.id, Step.FAILED, trouble="the workspace was erased meanwhile")
                await tx.audit("workspace.restore_failed", "workspace", row.workspace_id)
            return True
        waits = isinstance(error, Unavailable) and self._means.clock.real_now() - row.asked_at < LONGEST_TRY
        if row.step not in TURNS_BACK or (waits and not (row.kind is Kind.COPY and row.step is Step.ASKED)):
            _log.warning("restore.step_waits", step=row.step.value, reason=type(error).__name__)
            async with self._means.control.write(SYSTEM) as tx:
                await note_trouble(tx, row.id, plain)
                await tx.audit("restore.step_left", "restore", row.id, workspace_id=row.workspace_id,
                               step=row.step.value)
            return False
        _log.error("restore.given_up", error, step=row.step.value, workspace_id=row.workspace_id)
        give_up = copying.give_up if row.kind is Kind.COPY else taking_over.give_up
        await give_up(self._means, row, plain)
        return True
