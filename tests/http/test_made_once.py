"""What worlds of one process share holds nothing of a world, and no two have it at the same time."""

from __future__ import annotations

from pathlib import Path

from tests.http.inbox_setup import talk
from tests.support.made_once import simulator_app
from tests.support.world import PASSWORD, World, running_world


async def test_two_worlds_at_once_are_two(world: World, installation: Path, tmp_path: Path) -> None:
    async with running_world(installation, tmp_path / "other") as other:
        for one, another in ((world, other), (other, world)):
            assert one.app.state.services is one.services and one.app.asgi_router.app is one.app
            assert one.app.state.webhooks is not another.app.state.webhooks and one.app.stores is not another.app.stores
            async with one.workspace(one.acme) as workspace:
                assert one.data_dir in workspace.folder.parents
        first, second = await world.session("alice"), await other.session("alice")
        here, there = await talk(world), await talk(other)
        await here.reply(first, "From ten")
        assert [len(one.on_the_phone()) for one in (here, there)] == [1, 0], "each Graph API is its own"
        await there.reply(second, "From noon")
        assert [len(one.on_the_phone()) for one in (here, there)] == [1, 1]
        await first.post("/sign-out")
        assert [(await one.get("/w/acme/inbox")).status_code for one in (first, second)] == [303, 200]


def test_each_simulator_is_asked_at_its_own_address() -> None:
    with simulator_app("first") as first, simulator_app("second") as second:  # type: ignore[arg-type]
        assert first is not second
    with simulator_app("third") as third:  # type: ignore[arg-type]
        assert third in (first, second)


async def test_only_right_passwords_are_remembered(world: World) -> None:
    stored = await world.services.passwords.hash(PASSWORD)
    for _ in range(2):
        assert await world.services.passwords.verify(PASSWORD, stored)
        assert not await world.services.passwords.verify(PASSWORD + "!", stored)
        assert not await world.services.passwords.verify(PASSWORD, await world.services.passwords.hash("another " * 3))
