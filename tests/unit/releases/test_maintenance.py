"""A workspace whose files cannot be brought up to date waits alone; the others, and what is sent to it, do not."""

from __future__ import annotations

import time
import traceback
from pathlib import Path
from typing import Any

import pytest

from chime.db.migrate import MigrationFailed, standing
from chime.db.migrate import migrate as real_migrate
from chime.errors import StartRefused, Unavailable
from chime.releases.migrating import CONTROL, bring_up_to_date
from chime.setup import new_workspace, opened
from chime.workspaces import provision
from chime.workspaces import registry as registries
from chime.workspaces.provision import _steps_of as real_steps_of
from tests.unit.releases.installed import file_of, installed


def refuse(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """No file can be brought up to date."""
    def refuses(path: Path, *rest: Any) -> int:
        raise error

    monkeypatch.setattr(registries, "migrate", refuses)


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


async def test_whoever_is_refused_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that is raised again and again keeps every frame it went through, and each holds a webhook's body."""
    config = await installed(tmp_path)
    refuse(monkeypatch, MigrationFailed("workspace.db could not be brought up to date and is as it was (X)"))
    async with opened(config) as (control, registry):
        (record,) = await control.workspaces()
        told = []
        for _ in range(4):
            with pytest.raises(MigrationFailed, match="as it was") as refused:
                async with registry.use(record.id):
                    raise AssertionError("it was opened")
            told.append(refused.value)
        assert len({id(error) for error in told}) == len(told), "each has its own"
        assert len({len(list(traceback.walk_tb(error.__traceback__))) for error in told[1:]}) == 1, "none grows"
        assert not any(isinstance(kept, BaseException) for one in registry._under_maintenance.values() for kept in one)


async def test_a_workspace_of_a_newer_release_waits_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = await installed(tmp_path)
    refuse(monkeypatch, StartRefused("workspace.db was written by a newer Chime; install that version or a later one"))
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


async def test_a_few_at_a_time_are_brought_up_to_date_and_told_in_their_order(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ends first; one that cannot be does not stop the others, and of large files there is one at a time."""
    config = await installed(tmp_path)
    for number in range(9):
        await new_workspace(config, f"W{number}")
    async with opened(config) as (control, _):
        records = await control.workspaces()
    folders, slugs = [record.id for record in records], [record.slug for record in records]
    bad, large = folders[3], folders[5:8]
    at_work, most, large_at_work, most_large = set[str](), 0, set[str](), 0

    def steps_of(path: Path, *rest: Any) -> int:
        nonlocal most, most_large
        folder = path.parent.name
        at_work.add(folder)
        large_at_work.update({folder} & set(large))
        most, most_large = max(most, len(at_work)), max(most_large, len(large_at_work))
        time.sleep(0.002 * (len(folders) - folders.index(folder)))  # the first take longest
        at_work.discard(folder)
        large_at_work.discard(folder)
        return -1 if folder == bad else real_steps_of(path, *rest)

    def size_on_disk(path: Path) -> int:
        return provision.LARGE + 1 if path.parent.name in large else 0

    monkeypatch.setattr(provision, "_steps_of", steps_of)
    monkeypatch.setattr(provision, "size_on_disk", size_on_disk)
    seen: list[int] = []
    found = await bring_up_to_date(config, check_only=False, progress=lambda done, of: seen.append(done))
    assert list(found) == [CONTROL, *(f"{slug}/{name}" for slug in slugs for name in ("workspace.db", "journal.db"))]
    failed = [name for name, steps in found.items() if steps < 0]
    assert failed == [f"{slugs[3]}/workspace.db", f"{slugs[3]}/journal.db"]
    assert seen == list(range(1, len(slugs) + 1))
    assert 1 < most <= provision.SIDE_BY_SIDE and most_large == 1


async def test_what_goes_wrong_beyond_a_file_is_not_kept_silent(tmp_path: Path) -> None:
    config = await installed(tmp_path)

    def breaks(done: int, of: int) -> None:
        raise BrokenPipeError("nobody reads what is told")

    with pytest.raises(BrokenPipeError):
        await bring_up_to_date(config, check_only=False, progress=breaks)


async def test_a_file_that_is_gone_is_told_and_not_made_anew(tmp_path: Path) -> None:
    config = await installed(tmp_path)
    (folder,) = (config.data_dir / "workspaces").iterdir()
    (folder / "journal.db").unlink()
    found = await bring_up_to_date(config, check_only=False, progress=lambda done, of: None)
    assert found["first/journal.db"] == -1 and found["first/workspace.db"] == 0
    assert not (folder / "journal.db").exists()
