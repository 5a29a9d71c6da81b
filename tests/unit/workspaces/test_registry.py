"""Which workspaces stay open."""

from __future__ import annotations

from pathlib import Path

import msgspec

from chime.config import Config, load
from chime.ids import Ids
from chime.security.permissions import OPERATOR
from chime.setup import initialise, opened
from chime.workspaces import create_workspace
from chime.workspaces.registry import MOST_UNVISITED
from tests.support.world import MASTER_KEY, PASSWORD

MANY = MOST_UNVISITED + 6


async def installation(folder: Path) -> Config:
    config = msgspec.structs.replace(load(data=str(folder / "data"), environment={}), master_key=MASTER_KEY)
    await initialise(config, email="a@example.com", name="A", workspace="First", password=PASSWORD)
    async with opened(config) as (control, _), control.write(OPERATOR) as tx:
        for number in range(MANY):
            await create_workspace(tx, config.data_dir, control.keys, Ids(), name=f"Number {number}")
    return config


async def test_few_stay_that_were_only_looked_through_and_all_where_somebody_was(tmp_path: Path) -> None:
    config = await installation(tmp_path)
    async with opened(config) as (control, registry):
        ids = [record.id for record in await control.workspaces()]
        async with registry.use(ids[0], stays=True), registry.use(ids[1]):
            for workspace_id in ids[2:]:
                async with registry.use(workspace_id) as workspace:
                    assert await workspace.db.value("SELECT 1") == 1
            assert registry.open_count == MOST_UNVISITED + 1 and ids[1] in registry.open_ids, "never one in use"
        assert registry.open_ids[-1] == ids[-1] and ids[2] not in registry.open_ids, "the least recently used went"
        for workspace_id in ids:
            async with registry.use(workspace_id, stays=True):
                pass
        for workspace_id in ids:
            async with registry.use(workspace_id):
                pass
        assert set(registry.open_ids) == set(ids), "visited ones stay, looked through again or not"
