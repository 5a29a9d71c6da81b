"""From a commit to a restored file: the running appliance, its shelf, and what is laid from it."""

from __future__ import annotations

from pathlib import Path

from chime.backups import lay_control, lay_workspace, listing, moments
from chime.db import open_connection
from chime.security.permissions import SYSTEM
from tests.support.world import MASTER_KEY, World


async def note(world: World, text: str) -> None:
    async with world.services.registry.use(world.acme.workspace_id) as workspace, workspace.write(SYSTEM) as tx:
        await tx.execute("INSERT INTO meta (key, value) VALUES (?, ?)", f"backup test {text}", text)
        await tx.audit("key.rewrapped", "installation", "")


def _values(path: Path, key: object) -> set[str]:
    connection = open_connection(path, key, writes=False)  # type: ignore[arg-type]
    try:
        return {row[0] for row in connection.execute("SELECT value FROM meta WHERE key LIKE 'backup test %'")}
    finally:
        connection.close()


async def test_a_workspace_comes_back_as_it_was_at_each_moment(world: World, tmp_path: Path) -> None:
    backups = world.app.state.backups
    async with world.services.registry.use(world.acme.workspace_id) as workspace:
        await note(world, "one")
        await backups.once()
        first = moments(backups.shelf, world.acme.workspace_id).last
        await note(world, "two")
        await backups.once()
        await note(world, "three")
        await backups.once()
        points = moments(backups.shelf, world.acme.workspace_id).points
        keys = workspace.keys
        newest = lay_workspace(backups.shelf, world.acme.workspace_id, keys, at=None, target=tmp_path / "newest")
        older = lay_workspace(backups.shelf, world.acme.workspace_id, keys, at=first, target=tmp_path / "older")
    assert _values(newest.folder / "workspace.db", newest.workspace_key) == {"one", "two", "three"}
    assert _values(older.folder / "workspace.db", older.workspace_key) == {"one"}
    assert older.as_of <= first and len(points) >= 3
    assert listing(backups.shelf)[0].verified_at
    control = lay_control(backups.shelf, [MASTER_KEY], at=None, target=tmp_path / "control")
    assert control.bytes > 0
