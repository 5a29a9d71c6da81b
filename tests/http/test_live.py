"""Live updates as a browser hears them: nudges in time, what was missed, a goodbye, and nothing of other workspaces."""

from __future__ import annotations

import asyncio

from chime.web.live import QUEUE
from chime.workspaces import LiveNudge
from tests.http.inbox_setup import listening, talk, until
from tests.support.world import World


async def test_a_customers_message_is_heard_at_once_and_carries_no_content(world: World) -> None:
    alice = await world.session("alice")
    maya = await talk(world)
    async with listening(alice, world.acme) as stream:
        assert stream.named("hello")[0]["boot"] and stream.named("nudge") == []
        written = asyncio.create_task(maya.says("my secret order is 4711"))
        await until(lambda: ("conversation", maya.id) in stream.nudges)
        message = await written
        assert set(stream.nudges) == {("message", message.id), ("conversation", maya.id)}
        assert stream.named("nudge")[0]["conversation"] == maya.id
        assert "4711" not in str(stream.events)
        assert [set(data) - {"conversation"} for data in stream.named("nudge")] == [{"seq", "topic", "id"}] * 2


async def test_a_browser_that_comes_back_is_told_what_it_missed(world: World) -> None:
    alice = await world.session("alice")
    maya = await talk(world)
    async with listening(alice, world.acme) as stream:
        last = stream.last_id
    first, second = await maya.says("one"), await maya.says("two")
    async with listening(alice, world.acme, after=last) as stream:
        await until(lambda: len(stream.nudges) == 4)
        assert [thing for topic, thing in stream.nudges if topic == "message"] == [first.id, second.id]
        assert stream.named("resync") == []
        caught_up = stream.last_id
    async with listening(alice, world.acme, after=caught_up) as stream:
        third = await maya.says("three")
        await until(lambda: ("conversation", maya.id) in stream.nudges)
        assert stream.nudges == [("message", third.id), ("conversation", maya.id)], "nothing twice"


async def test_after_a_restart_the_browser_is_told_to_load_anew(world: World) -> None:
    alice = await world.session("alice")
    for stale in ("another-boot.7", "no-id-at-all", f"{world.services.hub.boot}.x"):
        async with listening(alice, world.acme, after=stale) as stream:
            await until(lambda: stream.named("resync"))
            assert stream.named("resync") == [{"reason": "restart"}]


async def test_streams_say_goodbye_when_chime_stops(world: World) -> None:
    alice, kim = await world.session("alice"), await world.session("kim")
    async with listening(alice, world.acme) as first, listening(kim, world.acme) as second:
        world.services.hub.close()
        for stream in (first, second):
            await asyncio.wait_for(stream.ended.wait(), 2)
            assert stream.events[-1][0] == "bye"
        async with listening(alice, world.acme) as late:
            await asyncio.wait_for(late.ended.wait(), 2)
            assert [name for name, _, _ in late.events] == ["bye"], "no new stream while it stops"


async def test_signing_out_ends_the_persons_streams_and_nobody_elses(world: World) -> None:
    alice, kim = await world.session("alice"), await world.session("kim")
    maya = await talk(world)
    async with listening(alice, world.acme) as hers, listening(kim, world.acme) as his:
        assert (await alice.post("/sign-out")).status_code == 303
        await asyncio.wait_for(hers.ended.wait(), 2)
        assert hers.events[-1][0] == "bye"
        message = await maya.says("still there?")
        await until(lambda: ("message", message.id) in his.nudges)
        assert not his.ended.is_set() and ("message", message.id) not in hers.nudges


async def test_globex_hears_nothing_of_acme(world: World) -> None:
    alice, charlie = await world.session("alice"), await world.session("charlie")
    async with listening(alice, world.acme) as acme, listening(charlie, world.globex) as globex:
        maya = await talk(world)
        jo = await talk(world, tenant=world.globex, name="Jo", phone="14155550188")
        await until(lambda: ("conversation", jo.id) in globex.nudges and ("conversation", maya.id) in acme.nudges)
        assert {data["conversation"] for data in globex.named("nudge") if data["topic"] == "message"} == {jo.id}
        assert {data["conversation"] for data in acme.named("nudge") if data["topic"] == "message"} == {maya.id}
        heard = globex.last_id
    # Asking to be told what was missed since the very beginning brings nothing of the neighbour either.
    async with listening(charlie, world.globex, after=f"{world.services.hub.boot}.0") as replayed:
        await until(lambda: replayed.last_id == heard)
        assert maya.id not in str(replayed.events)
    assert (await charlie.get(f"/w/{world.acme.slug}/events")).status_code == 404


async def test_a_burst_larger_than_a_browser_can_take_is_told_as_one_reload(world: World) -> None:
    alice = await world.session("alice")
    maya = await talk(world)
    async with listening(alice, world.acme) as stream:
        burst = tuple(LiveNudge("message", f"m{number}", maya.id) for number in range(QUEUE + 50))
        world.services.hub.publish(world.acme.workspace_id, burst)
        await until(lambda: stream.named("resync"))
        assert stream.named("resync") == [{"reason": "overflow"}] and len(stream.nudges) < len(burst)
        message = await maya.says("and on it goes")
        await until(lambda: ("message", message.id) in stream.nudges)


async def test_an_open_stream_costs_no_place_once_it_is_closed(world: World) -> None:
    alice = await world.session("alice")
    async with listening(alice, world.acme), listening(alice, world.acme):
        assert world.services.hub.streams == 2
        metrics = (await alice.get("/metrics")).text
        assert "chime_live_streams 2" in metrics
    maya = await talk(world)
    await maya.says("is anybody listening?")
    await until(lambda: world.services.hub.streams == 0)
