"""The running backup of a small world: what it keeps, what it says, and what it does about trouble."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import msgspec

from chime.backups import Backups, Shelf, backup_now, lay_workspace, listing, loop, read_state
from chime.backups.second_place import copy_to_second
from chime.clock import DAY, HOUR
from chime.ids import Ids
from chime.security.permissions import OPERATOR
from chime.workspaces.closing import Closing, erase
from tests.support.canaries import FILE
from tests.support.world import World
from tests.unit.backups.test_whole_way import note


async def _metrics(world: World) -> dict[str, float]:
    async with httpx.AsyncClient(base_url=world.base) as client:
        answer = await client.get("/metrics")
    lines = (line.split() for line in answer.text.splitlines() if line.startswith("chime_backup"))
    return {line[0]: float(line[1]) for line in lines}


async def test_it_says_how_old_the_last_good_one_is(world: World) -> None:
    backups: Backups = world.app.state.backups
    await note(world, "one")
    await backups.once()
    assert (await _metrics(world))["chime_backup_age_seconds"] < 60
    assert (await _metrics(world))["chime_backup_bytes"] > 0
    world.clock.pass_time(HOUR)
    await note(world, "two")
    await asyncio.to_thread(backups._step_all)
    assert (await _metrics(world))["chime_backup_age_seconds"] >= 3_500, "what came since was not restored for trial"
    world.clock.pass_time(6 * HOUR)
    await backups.once()
    assert (await _metrics(world))["chime_backup_age_seconds"] < 60


async def test_a_damaged_piece_is_found_by_the_trial_restore(world: World) -> None:
    backups: Backups = world.app.state.backups
    await note(world, "one")
    await backups.once()
    place = backups.shelf.place(world.acme.workspace_id, "workspace.db")
    base = next(name for name in place.names(place.epochs()[0]) if name.kind == "base")
    content = base.path.read_bytes()
    base.path.write_bytes(content[:5_000] + bytes([content[5_000] ^ 1]) + content[5_001:])
    checked = await backups.check(world.acme.workspace_id)
    assert not checked.ok and "damaged" in checked.reason
    item = next(item for item in listing(backups.shelf) if item.workspace_id == world.acme.workspace_id)
    assert item.reason == checked.reason and item.verified_at, "when it was last good stays known"
    base.path.write_bytes(content)
    assert (await backups.check(world.acme.workspace_id)).ok
    assert not backups.scratch.exists() or not list(backups.scratch.iterdir())


async def test_a_day_later_there_is_another_base_and_the_hours_are_merged(world: World) -> None:
    backups: Backups = world.app.state.backups
    await note(world, "one")
    await backups.once()
    for number in range(4):
        world.clock.pass_time(20 * 60_000)
        await note(world, str(number))
        await backups.once()
    world.clock.pass_time(DAY)
    await note(world, "next day")
    await backups.once()
    await backups.once()
    place = backups.shelf.place(world.acme.workspace_id, "workspace.db")
    kinds = [name.kind for name in place.names(place.epochs()[0])]
    assert kinds.count("base") == 2 and "hour" in kinds
    assert (await backups.check(world.acme.workspace_id)).ok


async def test_stored_files_come_back(world: World, tmp_path: Path) -> None:
    backups: Backups = world.app.state.backups

    async def content() -> object:
        yield FILE

    async with world.workspace(world.acme) as workspace:
        await workspace.files.write("0000000000000000000000file", content())  # type: ignore[arg-type]
        await note(world, "a file")
        await backups.once()
        workspace.files.remove("0000000000000000000000file")
        await note(world, "gone")
        await backups.once()
        laid = await asyncio.to_thread(lay_workspace, backups.shelf, workspace.id, workspace.keys, at=None,
                                       target=tmp_path / "laid")
        found = workspace.files
        found._folder = laid.folder / "media"
        assert b"".join([piece async for piece in found.read("0000000000000000000000file")]) == FILE
        found._folder = workspace.folder / "media"


async def test_what_was_erased_leaves_the_shelf(world: World) -> None:
    backups: Backups = world.app.state.backups
    await backups.once()
    gone = world.globex.workspace_id
    assert gone in backups.shelf.workspace_ids()
    async with world.services.control.write(OPERATOR) as tx:
        await erase(tx, gone)
    await Closing(world.services.control, world.services.registry, world.clock, lambda _: None).look()
    await backups.once()
    assert backups.shelf.workspace_ids() == [world.acme.workspace_id]


async def test_a_command_beside_the_appliance_asks_it(world: World) -> None:
    await asyncio.sleep(0.3)
    other = Backups(world.services.config, world.services.control, world.services.registry, world.clock, Ids(),
                    checks=())
    assert not other.take_shelf(), "one process writes the shelf"
    other.close()
    await note(world, "asked for")
    assert await backup_now(world.services.control, world.services.registry, world.services.config, world.clock,
                            checks=(), seconds=20.0)
    state = read_state(world.app.state.backups.shelf, world.clock.real_now())
    assert state.worst_age_seconds is not None and world.acme.workspace_id in state.ages


async def test_trouble_with_the_second_place_is_said_and_the_first_goes_on(world: World, tmp_path: Path) -> None:
    backups: Backups = world.app.state.backups
    backups._second = str(tmp_path / "second")
    world.clock.pass_time(HOUR)
    await backups.once()
    assert (await _metrics(world))["chime_backup_second_trouble"] == 1
    assert "not there" in backups.state().second_trouble
    (tmp_path / "second").mkdir()
    world.clock.pass_time(HOUR)
    await note(world, "one")
    await backups.once()
    metrics = await _metrics(world)
    assert metrics["chime_backup_second_trouble"] == 0 and metrics["chime_backup_second_age_seconds"] < 60
    async with world.workspace(world.acme) as workspace:
        laid = await asyncio.to_thread(lay_workspace, Shelf(tmp_path / "second"), workspace.id, workspace.keys, at=None,
                                       target=tmp_path / "laid")
    assert laid.bytes > 0
    assert copy_to_second(backups.shelf.folder, str(tmp_path / "second")) >= 0


async def test_with_little_room_it_stops_and_says_so(world: World) -> None:
    backups: Backups = world.app.state.backups
    await backups.once()
    space = world.services.registry.space
    before = space._reserve
    try:
        space._reserve = 10**18
        space.look()
        await note(world, "no room")
        await asyncio.to_thread(backups._step_all)
        assert "nearly full" in backups.state().trouble
    finally:
        space._reserve = before
        space.enough = True
    await backups.once()
    await asyncio.to_thread(backups._step_all)
    assert backups.state().trouble == ""
    assert (await backups.check(world.acme.workspace_id)).ok


async def test_a_week_later_everything_is_restored_for_trial_by_itself(world: World) -> None:
    backups: Backups = world.app.state.backups
    await backups.once()
    first = backups.state().drilled_at
    world.clock.pass_time(7 * DAY + HOUR)
    await backups.once()
    state = backups.state()
    assert first and state.drilled_at and state.drilled_at > first + 7 * DAY and state.drill_seconds > 0
    assert loop.DRILL_EVERY == 7 * DAY
    assert msgspec.to_builtins(state)["ages"]
