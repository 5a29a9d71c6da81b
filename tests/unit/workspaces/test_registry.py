"""Which workspaces stay open."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import msgspec
import pytest

from chime.config import Config, load
from chime.ids import Ids
from chime.security.permissions import OPERATOR
from chime.setup import initialise, opened
from chime.workspaces import Workspace, create_workspace
from chime.workspaces.registry import MOST_UNVISITED, Registry
from tests.support.world import MASTER_KEY, PASSWORD

MANY = MOST_UNVISITED + 6


async def installation(folder: Path, many: int = MANY) -> Config:
    config = msgspec.structs.replace(load(data=str(folder / "data"), environment={}), master_key=MASTER_KEY)
    await initialise(config, email="a@example.com", name="A", workspace="First", password=PASSWORD)
    async with opened(config) as (control, _), control.write(OPERATOR) as tx:
        for number in range(many):
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


@pytest.mark.parametrize("is_making_room", [False, True])
async def test_who_hangs_up_leaves_no_file_open_that_nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *,
                                                                  is_making_room: bool) -> None:
    """While the files are opened, and while another's are closed for them: what is not among the open ones has no
    descriptor left, and was said to be closed."""
    monkeypatch.setattr("chime.workspaces.registry.MOST_UNVISITED", 2)
    config = await installation(tmp_path, 5)
    async with opened(config) as (control, registry):
        said: list[str] = []
        registry.on_close = said.append
        first, second, *others = [record.id for record in await control.workspaces()]
        for steps in range(12):
            for workspace_id in (first, second):
                async with registry.use(workspace_id) as workspace, workspace.write(OPERATOR):
                    pass  # a writer has a connection, and a thread of its own
            said.clear()
            before = set(registry.open_ids)
            visit = asyncio.create_task(_visit(registry, others[steps % 4]))
            while is_making_room and before <= set(registry.open_ids):
                await asyncio.sleep(0)
            for _ in range(steps):
                await asyncio.sleep(0.0002 if is_making_room else 0.0005)
            visit.cancel()
            await asyncio.wait([visit])
            assert set(said) == before - set(registry.open_ids)
            assert _folders_with_open_files() == set(registry.open_ids), f"given up after {steps} steps"


async def _visit(registry: Registry, workspace_id: str) -> None:
    async with registry.use(workspace_id):
        pass


def _folders_with_open_files() -> set[str]:
    links = [Path(os.readlink(link)) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return {path.parent.name for path in links if path.name.startswith("workspace.db")}


async def test_who_was_not_visited_since_it_was_asked_last_lets_go_of_its_pages(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, told, let_go = await installation(tmp_path, 1), [], Workspace.forget_pages

    async def seen(self: Workspace) -> None:
        told.append(self.id)
        await let_go(self)

    monkeypatch.setattr(Workspace, "forget_pages", seen)
    async with opened(config) as (control, registry):
        busy, idle = [record.id for record in await control.workspaces()]
        for workspace_id in (busy, idle):
            async with registry.use(workspace_id, stays=True):
                pass
        await registry.forget_pages()
        assert told == [], "both were visited since"
        async with registry.use(idle):  # work that nobody waits for is no visit
            pass
        async with registry.use(busy, stays=True) as workspace:
            await registry.forget_pages()
            assert told == [idle] and workspace.users == 1
        async with registry.use(idle) as workspace:
            assert workspace.users == 1
            async with workspace.ingest("test") as tx:
                await tx.execute("INSERT INTO meta (key, value) VALUES ('still', 'there')")
            assert await workspace.db.value("SELECT value FROM meta WHERE key = 'still'") == "there"


async def test_a_workspace_that_is_closed_while_another_lets_go_of_its_pages_is_left_alone(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, told, let_go = await installation(tmp_path, 1), [], Workspace.forget_pages
    async with opened(config) as (control, registry):
        first, second = [record.id for record in await control.workspaces()]
        for workspace_id in (first, second):
            async with registry.use(workspace_id):
                pass
        await registry.forget_pages()  # both are known, so that the next time both are asked

        async def slow(self: Workspace) -> None:
            told.append(self.id)
            await registry.expel(second)
            await let_go(self)

        monkeypatch.setattr(Workspace, "forget_pages", slow)
        await registry.forget_pages()
        assert told == [first] and second not in registry.open_ids
        async with registry.use(second) as workspace:
            assert await workspace.db.value("SELECT 1") == 1 and workspace.users == 1
