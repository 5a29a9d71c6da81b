"""What the tests of restores share: a workspace as it was at a moment, laid aside; and a restorer that lays it."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path

from chime import restores
from chime.inbound.jobs import apply
from chime.restores.appliance import means
from chime.restores.model import Laid, Means
from chime.security.permissions import OPERATOR
from chime.workspaces.registry import workspace_folder
from tests.support.world import Tenant, World


@dataclass
class Then:
    """A workspace as it was."""

    world: World
    tenant: Tenant
    folder: Path
    at: int

    @property
    def means(self) -> Means:
        found = means(self.world.services, apply)

        async def lay(workspace_id: str, at: int, folder: Path) -> Laid:
            await asyncio.to_thread(shutil.copytree, self.folder, folder)
            return Laid(self.at, 1)

        return Means(found.control, found.registry, found.clock, lay, found.catch_up, found.end_streams, found.wake)

    @property
    def restorer(self) -> restores.Restorer:
        return restores.Restorer(self.means)

    async def copy(self, name: str = "Acme then") -> restores.Copy:
        """The muted copy, made."""
        control = self.world.services.control
        async with control.write(OPERATOR) as tx:
            restore_id = await restores.ask_copy(tx, self.tenant.workspace_id, at=self.at, name=name, asked_by="",
                                                 asked_name="Alice")
        assert await self.restorer.step()
        row = await restores.restore(control.db, restore_id)
        assert row is not None and row.step == "done", row
        found = await restores.copy(control.db, row.copy_id)
        assert found is not None
        return found

    async def begin(self, copy: restores.Copy) -> str:
        """Somebody's word that the copy shall take over; the id of the restore."""
        async with self.world.services.control.write(OPERATOR) as tx:
            return await restores.ask_take_over(tx, copy.id, asked_by="", asked_name="Alice")

    async def take_over(self, copy: restores.Copy) -> restores.Restore:
        restore_id = await self.begin(copy)
        assert await self.restorer.step()
        row = await restores.restore(self.world.services.control.db, restore_id)
        assert row is not None and row.step == "done", row
        await self.world.settle()
        return row


async def then(world: World, folder: Path, tenant: Tenant | None = None) -> Then:
    """The workspace's files as they are at this moment."""
    tenant = tenant or world.acme
    await world.settle()
    services = world.services
    at = services.clock.real_now()
    async with services.registry.closed(tenant.workspace_id):
        await asyncio.to_thread(shutil.copytree, workspace_folder(world.data_dir, tenant.workspace_id), folder)
    return Then(world, tenant, folder, at)


async def sweep(world: World) -> None:
    """Whatever is due anywhere is done."""
    for _ in range(2):
        await world.services.runner.sweep([row.id for row in await world.services.control.workspaces()
                                           if row.state == "active"])
        await world.settle()
