"""The promise: while Meta takes its time to answer, nobody else in the workspace waits. A transaction that stayed open
over a network call would stop every write behind it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from chime.simulator import write
from chime.simulator.sample_media import sample
from tests.http.inbox_setup import Talk, rows, stock_templates, talk, text, until
from tests.support.world import World

SLOW_MS = 4_000
QUICK = SLOW_MS * 0.9 / 1000


@asynccontextmanager
async def slow_meta(world: World) -> AsyncIterator[None]:
    """Every answer of the Graph API takes its time inside; outside everything is quiet again."""
    world.simulator.set_switches({"answer_delay_ms": SLOW_MS})
    started = time.monotonic()
    yield
    assert time.monotonic() - started < SLOW_MS / 1000, "Meta must not have answered yet, or nothing was shown"
    assert world.services.runner.busy >= 1
    world.simulator.set_switches({"answer_delay_ms": 0})
    await world.settle()


async def others_work_on(world: World, client: httpx.AsyncClient, other: Talk) -> None:
    """Every kind of write of the workspace, each at its usual speed."""
    started = time.monotonic()
    contact = f"{other.workspace_base}/contacts/{other.contact_id}"
    for address, fields in ((f"{other.base}/closure", {}), (f"{other.base}/closure", {"_method": "delete"}),
                            (f"{contact}/tags", {"name": "vip"}), (f"{other.base}/assignment", {"assignee_id": ""}),
                            (f"{other.base}/messages", {"type": "text", "text": "meanwhile"})):
        answer = await client.post(address, data=fields)
        assert answer.status_code in (200, 303), answer.text
    write(world.simulator, other.customer, text("I am still writing"), number=world.acme.number)
    await until(lambda: rows(world, world.acme, "SELECT 1 FROM message WHERE text = 'I am still writing'"), 2)
    assert time.monotonic() - started < QUICK


async def test_while_a_message_is_sent(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    tom = await talk(world, name="Tom Hughes", phone="447700900142")
    async with slow_meta(world):
        await kim.post(f"{maya.base}/messages", data={"type": "text", "text": "slowly"})
        await until(lambda: rows(world, world.acme, "SELECT 1 FROM message WHERE status = 'sending'"))
        await others_work_on(world, kim, tom)
        # Not even the conversation itself is held up.
        assert (await kim.post(f"{maya.base}/read")).status_code == 204
    assert [message.status for message in [*await maya.sent(), *await tom.sent()]] == ["read", "read"]


async def test_while_a_file_goes_up_and_another_comes_down(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    tom = await talk(world, name="Tom Hughes", phone="447700900142")
    async with slow_meta(world):
        write(world.simulator, maya.customer, {"type": "image", "image": {}}, number=world.acme.number)
        await until(lambda: rows(world, world.acme, "SELECT 1 FROM media WHERE state = 'pending'"))
        answer = await kim.post(f"{maya.base}/files", files={"file": ("a.png", sample("image").content, "image/png")})
        assert answer.status_code == 200
        await until(lambda: world.services.runner.busy >= 2)
        await others_work_on(world, kim, tom)
    assert await rows(world, world.acme, "SELECT direction, state FROM media ORDER BY direction") == [
        ("in", "ready"), ("out", "ready")]
    assert [message.status for message in await maya.sent()] == ["read"]


async def test_while_templates_the_number_and_read_receipts_are_under_way(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    tom = await talk(world, name="Tom Hughes", phone="447700900142")
    await stock_templates(world)
    async with slow_meta(world):
        runner, acme = world.services.runner, world.acme
        runner.start(acme.workspace_id, "message_templates.sync", acme.number.waba_id)
        runner.start(acme.workspace_id, "channels.check", acme.channel_id)
        started = time.monotonic()
        for verb in ("read", "typing"):
            assert (await kim.post(f"{maya.base}/{verb}")).status_code == 204
        assert time.monotonic() - started < QUICK, "nor does the agent wait for Meta"
        await others_work_on(world, kim, tom)


async def test_the_neighbours_workspace_is_untouched_by_a_slow_one(world: World) -> None:
    kim, charlie = await world.session("kim"), await world.session("charlie")
    maya, jo = await talk(world), await talk(world, tenant=world.globex, name="Jo Park", phone="14155550188")
    async with slow_meta(world):
        await kim.post(f"{maya.base}/messages", data={"type": "text", "text": "slowly"})
        started = time.monotonic()
        for _ in range(5):
            assert (await charlie.post(f"{jo.base}/closure")).status_code == 303
            assert (await charlie.post(f"{jo.base}/closure", data={"_method": "delete"})).status_code == 303
        assert time.monotonic() - started < QUICK
