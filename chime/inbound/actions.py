"""Making a verified body durable: in the journal of each workspace it is for, or parked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from chime.clock import Clock
from chime.errors import NotFound, Unavailable
from chime.ids import Ids
from chime.inbound.model import NOBODYS, OF_ANOTHER_APP
from chime.security.crypto import context, digest
from chime.whatsapp import Scan, ScannedChange
from chime.workspaces import Control, Registry, Workspace
from chime.workspaces.control import Route
from chime.workspaces.workspace import WEBHOOK_BODY

# They share a flush; and a body may have three megabytes (Meta's limit), so no more are in memory.
RELEASED_AT_ONCE = 20
# In the order in which they came: ids of one millisecond are in none. Each half comes out of its index in that order,
# so that no batch sorts all that are still to come.
_SIGNED = ("AND released_at IS NULL AND rowid > ?4 "
           "AND meta_app_id IN (SELECT meta_app_id FROM channel_route WHERE workspace_id = ?3)")
_PARKED = "SELECT rowid, id, body_sealed FROM parked_delivery WHERE "
_PARKED_FOR = (f"{_PARKED}phone_number_id = ?1 {_SIGNED} UNION ALL "
               f"{_PARKED}waba_id = ?2 AND phone_number_id IS NULL {_SIGNED} ORDER BY 1 LIMIT ?5")


class StoredInPart(Unavailable):
    """It has to be sent again: somebody it is for could not take it. What it held for others is stored all the same,
    so that nobody waits for a stranger's files; `stored` are their workspaces."""

    def __init__(self, stored: list[str], because: str = "storage is not available") -> None:
        super().__init__(because)
        self.because = because
        self.stored = stored


class HandedOver(StoredInPart):
    """Somebody it is for moves to another server: not taken here, so that it is sent again, and there at last."""

    def __init__(self, stored: list[str]) -> None:
        super().__init__(stored, "another server answers this number from now on")


class Journals:
    """Stores bodies. `store` returns the workspaces that have something new to apply."""

    def __init__(self, control: Control, registry: Registry, clock: Clock, ids: Ids) -> None:
        self._control = control
        self._registry = registry
        self._clock = clock
        self._ids = ids

    async def store(self, meta_app_id: str, scan: Scan) -> list[str]:
        """Durable on return. Raises StoredInPart when a workspace could not take what is for it; the sender repeats the
        whole body then, and what is stored already is known by its hash. StorageUnavailable likewise."""
        owners: dict[str, list[int]] = {}
        homeless: list[int] = []
        handed_over = False
        failed: Unavailable | None = None
        for index, change in enumerate(scan.changes):
            found = await self._owners(meta_app_id, change)
            for workspace_id in found:
                if await self._control.is_handed_over(workspace_id):
                    handed_over = True
                    continue
                owners.setdefault(workspace_id, []).append(index)
            if not found:
                homeless.append(index)
        for workspace_id, indexes in list(owners.items()):
            try:
                await self._journal(workspace_id, scan.select(indexes))
            except NotFound:
                # The route outlived its workspace (erased meanwhile): nobody's now.
                del owners[workspace_id]
                homeless += indexes
            except Unavailable as error:
                del owners[workspace_id]
                failed = error
        parked = [(change := scan.changes[indexes[0]], scan.select(indexes), await self._why(meta_app_id, change))
                  for indexes in _by_owner(scan, homeless)]
        if not scan.recognised:
            parked.append((ScannedChange(entry=-1, change=-1, field=""), scan.body,
                           "not the shape of a WhatsApp webhook"))
        if parked:
            await self._park(meta_app_id, parked)
        if failed is not None:
            raise StoredInPart(list(owners)) from failed
        if handed_over:
            raise HandedOver(list(owners))
        return list(owners)

    async def _owners(self, meta_app_id: str, change: ScannedChange) -> Iterable[str]:
        """Whose it is, as far as the app that signed it may say: whoever has an app of their own can sign a body that
        names any number, and must not write into the inbox of somebody else."""
        if change.phone_number_id is not None:
            route = await self._control.route(change.phone_number_id)
            return [route.workspace_id] if route is not None and await self._is_heard(meta_app_id, route) else []
        # Template and account events name only the account; every workspace with a number of it is told.
        return await self._control.workspaces_of_waba(change.waba_id, meta_app_id) if change.waba_id else []

    async def _is_heard(self, meta_app_id: str, route: Route) -> bool:
        return route.meta_app_id == meta_app_id or await self._control.speaks_for(meta_app_id, route.workspace_id)

    async def _why(self, meta_app_id: str, change: ScannedChange) -> str:
        """Why a change is nobody's."""
        route = await self._control.route(change.phone_number_id) if change.phone_number_id is not None else None
        return NOBODYS if route is None or await self._is_heard(meta_app_id, route) else OF_ANOTHER_APP

    async def _journal(self, workspace_id: str, body: bytes) -> None:
        async with self._registry.use(workspace_id, stays=True) as workspace:
            await workspace.journal.append(WEBHOOK_BODY, digest(body), self._clock.now(), body)

    async def release(self, *, phone_number_id: str, waba_id: str, workspace_id: str) -> int:
        """A number was connected: what was parked for it goes into its workspace's journal; how many bodies."""
        async with self._registry.use(workspace_id) as workspace:
            return await release_into(workspace, self._control, self._clock, phone_number_id=phone_number_id,
                                      waba_id=waba_id)

    async def _park(self, meta_app_id: str, parked: list[tuple[ScannedChange, bytes, str]]) -> None:
        """Each with the change it is found by and the reason, all in one transaction: a batch of Meta's may hold a
        thousand changes of a number that is not connected yet, and must be answered in time."""
        now = self._clock.now()
        async with self._control.ingest("webhook") as tx:
            for change, body, reason in parked:
                parked_id = self._ids.new(now)
                sealed = self._control.keys.parked.seal(body, context("parked_delivery", parked_id))
                await tx.execute(
                    "INSERT INTO parked_delivery (id, key, meta_app_id, phone_number_id, waba_id, field, reason, "
                    "body_sealed, received_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
                    parked_id, digest(body), meta_app_id, change.phone_number_id, change.waba_id, change.field, reason,
                    sealed, now)


async def release_into(workspace: Workspace, control: Control, clock: Clock, *, phone_number_id: str, waba_id: str
                       ) -> int:
    """Put what was parked for a number, or for its account, into the journal of the workspace that has it now; how many
    bodies. Only what an app of this workspace signed: anybody else's may be made up. Into the journal first, out of the
    parked ones then: a crash between repeats what is known as the repeat."""
    count = upto = 0
    while rows := await control.db.rows(_PARKED_FOR, phone_number_id, waba_id, workspace.id, upto, RELEASED_AT_ONCE):
        bodies = [control.keys.parked.unseal(sealed, context("parked_delivery", parked_id))
                  for _, parked_id, sealed in rows]
        await asyncio.gather(*(workspace.journal.append(WEBHOOK_BODY, digest(body), clock.now(), body)
                               for body in bodies))
        async with control.ingest("webhook") as tx:
            for _, parked_id, _ in rows:
                await tx.execute("UPDATE parked_delivery SET released_at = ?, body_sealed = x'' WHERE id = ?",
                                 clock.now(), parked_id)
        count, upto = count + len(rows), rows[-1][0]
    return count


def _by_owner(scan: Scan, indexes: list[int]) -> Iterable[list[int]]:
    """Changes of one number, or of one account, together."""
    groups: dict[tuple[str | None, str | None], list[int]] = {}
    for index in indexes:
        change = scan.changes[index]
        groups.setdefault((change.phone_number_id, change.waba_id), []).append(index)
    return groups.values()
