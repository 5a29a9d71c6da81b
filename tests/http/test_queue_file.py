"""`queue.db` breaks while Chime runs: what is saved leaves, once, and nobody has to start anything anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from chime.clock import MINUTE, SECOND, rfc3339
from chime.jobs import queue
from tests.http.inbox_setup import Talk, rows, talk, until
from tests.support.queue_damage import IN_SERVICE, drop_tables
from tests.support.world import World, running_world

HTMX = {"HX-Request": "true"}


async def in_a_while(said: Talk, words: str, milliseconds: int) -> None:
    """A message for later; its nudge waits in the queue's file."""
    world = said.world
    async with world.client(await world.key(said.tenant)) as script:
        made = await script.post("/api/v1/scheduled-messages", json={
            "conversation_id": said.id, "type": "text", "text": {"body": words},
            "send_at": rfc3339(world.clock.now() + milliseconds)})
        assert made.status_code == 201, made.text


async def left(said: Talk) -> list[str]:
    """What is on the customer's phone, once nothing is under way."""
    await said.world.settle()
    assert len(said.on_the_phone()) == len(await said.sent())
    return sorted(message.text for message in await said.sent())


@pytest.mark.parametrize("how", sorted(IN_SERVICE))
async def test_what_is_written_while_it_breaks_leaves_once(world: World, how: str) -> None:
    kim, said = await world.session("kim"), await talk(world)
    await said.reply(kim, "before")
    IN_SERVICE[how](world.data_dir / "queue.db")
    answer = await kim.post(f"{said.base}/messages", data={"type": "text", "text": "after"}, headers=HTMX)
    assert answer.status_code == 200
    await in_a_while(said, "a little later", 300)
    await until(lambda: len(said.on_the_phone()) == 3)
    assert await left(said) == ["a little later", "after", "before"]
    assert (await kim.get("/readyz")).status_code == 200


async def test_what_was_due_when_its_nudge_was_lost_is_swept_at_once(world: World) -> None:
    said = await talk(world)
    await in_a_while(said, "hello", 10 * MINUTE)
    world.clock.advance(11 * MINUTE)  # the nudge goes by the machine's time, and waits
    assert not said.on_the_phone()
    drop_tables(world.data_dir / "queue.db")
    await until(said.on_the_phone)
    assert await left(said) == ["hello"]


async def test_what_was_for_later_when_its_nudge_was_lost_is_found_by_the_minutes_sweep(
    installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queue, "SWEEP_EVERY", 0.5)
    async with running_world(installation, tmp_path / "data") as world:
        said = await talk(world)
        await in_a_while(said, "hello", 3 * SECOND)
        assert await rows(world, world.acme, "SELECT state FROM scheduled_message") == [("waiting",)]
        monkeypatch.setattr(queue, "APART", 1e9)  # nor is there a new one
        drop_tables(world.data_dir / "queue.db")
        assert not world.services.queue.ready()
        await until(said.on_the_phone)
        monkeypatch.setattr(queue, "APART", 0.0)
        assert await left(said) == ["hello"]


async def test_without_any_file_what_is_near_needs_no_sweep(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    kim, said = await world.session("kim"), await talk(world)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(queue, "APART", 1e9)
        drop_tables(world.data_dir / "queue.db")
        await in_a_while(said, "a little later", 500)
        answer = await kim.post(f"{said.base}/messages", data={"type": "text", "text": "now"}, headers=HTMX)
        assert answer.status_code == 200
        await until(lambda: len(said.on_the_phone()) == 2)
        assert not world.services.queue.ready()
    assert await left(said) == ["a little later", "now"]


async def test_sweeps_that_come_together_send_nothing_twice(world: World) -> None:
    said = await talk(world)
    await in_a_while(said, "hello", 10 * MINUTE)
    world.clock.advance(11 * MINUTE)
    for _ in range(20):
        world.services.queue._sweep(everywhere=True)
        world.services.queue._sweep()
    await until(said.on_the_phone)
    assert await left(said) == ["hello"]
