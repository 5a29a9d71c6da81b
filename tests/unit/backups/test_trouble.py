"""A shelf that takes nothing any more: it is said where people and monitors look, for as long as it lasts."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chime.backups import Backups, backup_now, lay_workspace, telling
from chime.backups import loop as backup_loop
from chime.backups.follower import Found
from chime.clock import HOUR, MINUTE
from chime.errors import Unavailable
from chime.trust import backup_checks
from chime.trust.ground import Ground as TrustGround
from chime.trust.model import Broken
from tests.support.world import World
from tests.unit.backups.test_loop import _metrics as metrics
from tests.unit.backups.test_trial import _doctor as doctor
from tests.unit.backups.test_whole_way import _values as values
from tests.unit.backups.test_whole_way import note

Full = Callable[..., Any]


@pytest.fixture(autouse=True)
def the_test_says_when(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing looks after the shelf by itself."""
    monkeypatch.setattr(backup_loop, "LOOK_EVERY", 3_600.0)
    monkeypatch.setattr(backup_loop, "STEP_EVERY", 3_600.0)


@contextmanager
def full(*folders: Path, code: int = errno.ENOSPC) -> Iterator[None]:
    """These folders take nothing."""
    usual = os.open

    def refusing(path: Any, flags: int, *values: Any, **named: Any) -> int:
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes and isinstance(path, str | Path) and any(folder in Path(path).parents for folder in folders):
            raise OSError(code, os.strerror(code), str(path))
        return usual(path, flags, *values, **named)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "open", refusing)
        yield


async def _first_look(world: World) -> Backups:
    backups: Backups = world.app.state.backups
    await note(world, "one")
    assert await backups.once() == ""
    assert await backups.once() == "", "what the trial restores wrote down is there, too"
    assert (await metrics(world))["chime_backup_trouble"] == 0
    return backups


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
async def test_a_shelf_that_takes_nothing_is_said_and_its_age_grows(world: World, code: int) -> None:
    backups = await _first_look(world)
    with full(backups.shelf.folder, code=code):
        await note(world, "never comes to the shelf")
        await asyncio.to_thread(backups._step_all)
        assert (await metrics(world))["chime_backup_trouble"] == 1
        (check, *_) = await doctor(world)
        assert check.state == "fail" and os.strerror(code) in str(check.values)
        world.clock.pass_time(27 * HOUR)
        assert os.strerror(code) in await backups.look_after_all()
        found = await metrics(world)
        assert found["chime_backup_trouble"] == 1 and found["chime_backup_age_seconds"] >= 27 * 3_600
        with pytest.raises(Broken, match="27 hours"):
            await backup_checks.good(_trust(world))
    assert await backups.look_after_all(now_all=True) == ""
    await asyncio.to_thread(backups._step_all)
    found = await metrics(world)
    assert found["chime_backup_trouble"] == 0 and found["chime_backup_age_seconds"] < 60
    (check, *_) = await doctor(world)
    assert check.state == "ok"


def _trust(world: World) -> TrustGround:
    services = world.services
    return TrustGround(services.config, services.control, services.registry, world.clock)


async def test_what_could_not_be_written_down_is_told_and_tried_again(world: World) -> None:
    backups = await _first_look(world)
    written = world.data_dir / "backup-state.json"
    before = written.read_bytes()
    with full(backups.shelf.folder, world.data_dir):
        await note(world, "one more")
        for _ in range(2):
            await asyncio.to_thread(backups._step_all)
        assert written.read_bytes() == before
        assert (await metrics(world))["chime_backup_trouble"] == 1, "the process knows it"
    with full(backups.shelf.folder):
        await backups.look_after_all()
    assert b"No space left" in written.read_bytes(), "the same trouble as before"


async def test_the_doctor_knows_how_long_nobody_looked(world: World) -> None:
    """A command has nothing but what is written down."""
    backups = await _first_look(world)
    looked = telling.told(backups.shelf, world.data_dir).looked_at
    world.clock.pass_time(MINUTE)
    await backups.look_after_all()
    assert telling.told(backups.shelf, world.data_dir).looked_at == looked, "a look a minute is not a write a minute"
    world.clock.pass_time(HOUR)
    await backups.look_after_all()
    assert telling.told(backups.shelf, world.data_dir).looked_at > looked + HOUR
    world.clock.pass_time(27 * HOUR)
    (check, *_) = await doctor(world)
    # What came with the first look may have waited for its trial since then, which counts as well.
    assert check.state == "fail" and 27 * 60 <= int(check.values["minutes"]) <= 28 * 60 + 2


async def test_a_shelf_that_cannot_be_taken_is_said(world: World) -> None:
    other = Backups(world.services.config, world.services.control, world.services.registry, world.clock,
                    world.services.ids, checks=())
    with full(other.shelf.folder, code=errno.EROFS):
        assert not other._have_shelf()
    assert "Read-only" in other.state().trouble
    other.close()


async def test_what_is_asked_for_is_all_or_refused(world: World) -> None:
    """`chime backup now` beside the appliance, and `chime upgrade` after it."""
    backups = await _first_look(world)
    services = world.services

    async def asked() -> bool:
        return await backup_now(services.control, services.registry, services.config, world.clock, checks=(),
                                seconds=20.0)

    async with world.workspace(world.acme) as workspace:
        keys = workspace.keys
    await note(world, "committed just now")
    assert await asked()
    laid = await asyncio.to_thread(lay_workspace, backups.shelf, world.acme.workspace_id, keys, at=None,
                                   target=world.data_dir / "laid")
    assert "committed just now" in values(laid.folder / "workspace.db", laid.workspace_key)
    space = services.registry.space
    before = space._reserve
    try:
        space._reserve = 10**18
        space.look()
        await note(world, "no room")
        with pytest.raises(Unavailable, match=r"not everything is backed up: .*nearly full"):
            await asked()
    finally:
        space._reserve = before
        space.enough = True
    await asyncio.to_thread(backups._step_all)
    assert await asked()


async def test_a_file_that_somebody_is_at_is_not_passed_over(world: World) -> None:
    backups = await _first_look(world)
    follower = backups._followers[world.acme.workspace_id, "workspace.db"]
    await note(world, "while it is busy")
    follower._working.acquire()
    asyncio.get_running_loop().call_later(0.5, follower._working.release)
    assert await backups.look_after_all(now_all=True) == ""
    number = follower.place.followed().number
    assert await asyncio.to_thread(follower.step) is Found.NOTHING and number


async def test_without_an_appliance_it_is_refused_as_well(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(self: Backups) -> str:
        return "acme: No space left on device"

    services = world.services
    monkeypatch.setattr(Backups, "take_shelf", lambda self: True)
    monkeypatch.setattr(Backups, "once", fails)
    with pytest.raises(Unavailable, match="No space left"):
        await backup_now(services.control, services.registry, services.config, world.clock, checks=())
