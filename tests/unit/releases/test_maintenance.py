"""A workspace whose files cannot be brought up to date waits alone; the others, and what is sent to it, do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chime.db.migrate import MigrationFailed, standing
from chime.db.migrate import migrate as real_migrate
from chime.errors import StartRefused, Unavailable
from chime.releases.migrating import CONTROL, bring_up_to_date
from chime.setup import new_workspace, opened
from chime.workspaces import registry as registries
from tests.unit.releases.installed import file_of, installed


async def test_one_waits_and_the_others_are_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = await installed(tmp_path)
    bad = (await new_workspace(config, "Bad")).id
    tried: list[Path] = []

    def migrates(path: Path, *rest: Any) -> int:
        if bad in path.parts:
            tried.append(path)
            raise MigrationFailed("workspace.db could not be brought up to date and is as it was (X)")
        return real_migrate(path, *rest)

    monkeypatch.setattr(registries, "migrate", migrates)
    async with opened(config) as (control, registry):
        good = next(record.id for record in await control.workspaces() if record.id != bad)
        for _ in range(3):
            with pytest.raises(Unavailable) as told:
                async with registry.use(bad):
                    raise AssertionError("it was opened")
            assert (told.value.status, told.value.title) == (503, "Under maintenance")
        assert len(tried) == 1, "nobody waits for the same failure again and again"
        async with registry.use(good) as workspace:
            assert await workspace.db.value("SELECT 1") == 1


async def test_a_workspace_of_a_newer_release_waits_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = await installed(tmp_path)

    def refuses(path: Path, *rest: Any) -> int:
        raise StartRefused("workspace.db was written by a newer Chime; install that version or a later one")

    monkeypatch.setattr(registries, "migrate", refuses)
    async with opened(config) as (control, registry):
        (record,) = await control.workspaces()
        with pytest.raises(MigrationFailed, match="newer Chime"):
            async with registry.use(record.id):
                raise AssertionError("it was opened")


async def test_looking_changes_nothing_and_doing_covers_every_file(tmp_path: Path) -> None:
    config = await installed(tmp_path)
    async with file_of(config) as control_file:
        steps = standing(control_file).steps
        control_file.execute(f"PRAGMA user_version = {steps - 1}")
    looked = await bring_up_to_date(config, check_only=True, progress=lambda done, of: None)
    assert looked == {CONTROL: 1, "first/workspace.db": 0, "first/journal.db": 0}
    async with file_of(config) as control_file:
        assert standing(control_file).steps == steps - 1
    seen: list[tuple[int, int]] = []
    done = await bring_up_to_date(config, check_only=False, progress=lambda done, of: seen.append((done, of)))
    assert done[CONTROL] == 1 and seen == [(1, 1)]
    again = await bring_up_to_date(config, check_only=True, progress=lambda done, of: None)
    assert set(again.values()) == {0}


async def test_a_file_that_is_gone_is_told_and_not_made_anew(tmp_path: Path) -> None:
    config = await installed(tmp_path)
    (folder,) = (config.data_dir / "workspaces").iterdir()
    (folder / "journal.db").unlink()
    found = await bring_up_to_date(config, check_only=False, progress=lambda done, of: None)
    assert found["first/journal.db"] == -1 and found["first/workspace.db"] == 0
    assert not (folder / "journal.db").exists()
