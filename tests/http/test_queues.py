"""In whose list a conversation stands, and when: waiting, unread, snoozed, pinned."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from chime.clock import DAY, HOUR, MINUTE
from tests.http.inbox_setup import Talk, listening, rows, talk, until
from tests.support.world import World


async def listed(client: httpx.AsyncClient, view: str) -> list[str]:
    """The conversations of a view, in its order."""
    page = await client.get("/w/acme/inbox/list", params={"v": view})
    assert page.status_code == 200
    return [part.split('"')[0] for part in page.text.split('<li id="c-')[1:]]


async def events_of(world: World, conversation_id: str) -> list[str]:
    return [row[0] for row in await rows(world, world.acme, "SELECT kind FROM conversation_event "
                                         "WHERE conversation_id = ? ORDER BY at, id", conversation_id)]


async def audited(world: World, conversation_id: str) -> list[str]:
    return [row[0] for row in await rows(world, world.acme, "SELECT action FROM audit_event WHERE object_id = ? "
                                         "AND action NOT LIKE '%opened' ORDER BY sequence", conversation_id)]


async def sweep(world: World) -> None:
    await world.services.runner.sweep([world.acme.workspace_id])
    await world.settle()


async def test_who_waits_longest_stands_first_until_somebody_answers(world: World) -> None:
    alice = await world.session("alice")
    maya = await talk(world, "first")
    world.clock.advance(MINUTE)
    noor = await talk(world, "second", name="Noor", phone="14155550102")
    world.clock.advance(MINUTE)
    await maya.says("still there?")
    assert await listed(alice, "waiting") == [maya.id, noor.id], "by the first unanswered message, not the newest"
    assert await listed(alice, "all") == [maya.id, noor.id]
    await maya.reply(alice, "here I am")
    assert await listed(alice, "waiting") == [noor.id]
    await maya.says("thanks")
    assert await listed(alice, "waiting") == [noor.id, maya.id]
    await alice.post(f"{noor.base}/closure")
    assert await listed(alice, "waiting") == [maya.id]
    page = (await alice.get("/w/acme/inbox")).text
    assert 'id="view-waiting"' in page


async def test_unread_is_what_nobody_opened(world: World) -> None:
    alice = await world.session("alice")
    maya, noor = await talk(world), await talk(world, name="Noor", phone="14155550102")
    assert set(await listed(alice, "unread")) == {maya.id, noor.id}
    await alice.post(f"{maya.base}/read")
    assert await listed(alice, "unread") == [noor.id]


async def test_snoozed_until_a_moment(world: World) -> None:
    alice = await world.session("alice")
    said = await talk(world)
    other = await talk(world, name="Noor", phone="14155550102")
    answer = await alice.post(f"{said.base}/snooze", data={"until": "hour"}, headers={"HX-Request": "true"})
    assert answer.status_code == 200 and "Snoozed" in answer.text and '"DELETE"' in answer.headers["hx-trigger"]
    assert await listed(alice, "all") == [other.id] and await listed(alice, "snoozed") == [said.id]
    assert await listed(alice, "waiting") == [other.id] and await listed(alice, "unassigned") == [other.id]
    await sweep(world)
    assert await listed(alice, "snoozed") == [said.id], "not before its time"
    world.clock.advance(HOUR + MINUTE)
    await sweep(world)
    assert await listed(alice, "all") == [said.id, other.id], "it comes back on top"
    assert await events_of(world, said.id) == ["snoozed", "woken"]
    assert await audited(world, said.id) == ["conversation.snoozed", "conversation.woken"]
    await sweep(world)
    assert await events_of(world, said.id) == ["snoozed", "woken"], "it wakes once"


async def test_snoozed_until_the_customer_writes(world: World) -> None:
    alice = await world.session("alice")
    said = await talk(world)
    await alice.post(f"{said.base}/snooze", data={"until": "reply"})
    world.clock.advance(30 * DAY)
    await sweep(world)
    assert await listed(alice, "snoozed") == [said.id]
    await said.says("hello again")
    assert await listed(alice, "snoozed") == [] and await listed(alice, "all") == [said.id]
    assert await events_of(world, said.id) == ["snoozed", "woken"]


async def test_a_reply_wakes_before_the_moment_and_a_later_moment_stands(world: World) -> None:
    alice = await world.session("alice")
    said = await talk(world)
    await alice.post(f"{said.base}/snooze", data={"until": "hour"})
    await alice.post(f"{said.base}/snooze", data={"until": "monday"})
    world.clock.advance(2 * HOUR)
    await sweep(world)
    assert await listed(alice, "snoozed") == [said.id], "the later choice stands"
    await said.says("a question")
    assert await listed(alice, "all") == [said.id]
    world.clock.advance(8 * DAY)
    await sweep(world)
    assert await events_of(world, said.id) == ["snoozed", "snoozed", "woken"], "and is forgotten once it is awake"


async def test_undo_wakes_and_resolving_ends_a_snooze(world: World) -> None:
    alice = await world.session("alice")
    said = await talk(world)
    await alice.post(f"{said.base}/snooze", data={"until": "tomorrow"})
    assert (await alice.delete(f"{said.base}/snooze", headers={"HX-Request": "true"})).status_code == 200
    assert await listed(alice, "all") == [said.id]
    await alice.post(f"{said.base}/snooze", data={"until": "tomorrow"})
    await alice.post(f"{said.base}/closure")
    world.clock.advance(3 * DAY)
    await sweep(world)
    assert await listed(alice, "closed") == [said.id] and await listed(alice, "all") == []


async def offered(client: httpx.AsyncClient, address: str, **fields: str) -> dict[str, Any]:
    """The undo of the toast that answers."""
    answer = await client.post(address, data=fields, headers={"HX-Request": "true"})
    undo: dict[str, Any] = json.loads(answer.headers["hx-trigger"])["toast"]["undo"]
    return undo


async def take_back(client: httpx.AsyncClient, undo: dict[str, Any]) -> httpx.Response:
    return await client.request(undo["method"], undo["url"], data=undo.get("values"), headers={"HX-Request": "true"})


@pytest.mark.parametrize("until_when", ["monday", "reply"])
async def test_a_snooze_that_was_moved_or_ended_by_resolving_is_there_again_by_undo(world: World, until_when: str
                                                                                    ) -> None:
    alice = await world.session("alice")
    alice.cookies.set("zone", "Asia/Kolkata")
    said = await talk(world)
    await alice.post(f"{said.base}/snooze", data={"until": until_when})
    stands = "SELECT state, snoozed_until, closed_at, waiting_since FROM conversation"
    before = await rows(world, world.acme, stands)
    for verb, fields in (("snooze", {"until": "hour"}), ("closure", {})):
        undo = await offered(alice, f"{said.base}/{verb}", **fields)
        assert await rows(world, world.acme, stands) != before
        answer = await take_back(alice, undo)
        assert answer.status_code == 200 and "undo" not in json.loads(answer.headers["hx-trigger"])["toast"]
        assert await rows(world, world.acme, stands) == before, verb
    undo = await offered(alice, f"{said.base}/closure")
    await said.says("hello again")
    assert (await take_back(alice, undo)).status_code == 409 and await listed(alice, "all") == [said.id], "not buried"


@pytest.mark.parametrize("until_when", ["", "never", "2020-01-01T10:00", "2999-01-01T10:00", "Z",
                                        "2020-01-01T10:00:00Z"])
async def test_a_moment_that_is_none_is_refused(world: World, until_when: str) -> None:
    alice = await world.session("alice")
    said = await talk(world)
    answer = await alice.post(f"{said.base}/snooze", data={"until": until_when}, headers={"HX-Request": "true"})
    assert answer.status_code == 422 and await listed(alice, "all") == [said.id]


async def test_pins_are_ones_own(world: World) -> None:
    alice, mo = await world.session("alice"), await world.session("mo")
    said: Talk = await talk(world)
    assert (await alice.post(f"{said.base}/pin", headers={"HX-Request": "true"})).status_code == 200
    await alice.post(f"{said.base}/pin", headers={"HX-Request": "true"})
    assert await listed(alice, "pinned") == [said.id] and await listed(mo, "pinned") == []
    await alice.post(f"{said.base}/closure")
    assert await listed(alice, "pinned") == [said.id], "resolved ones too"
    await alice.delete(f"{said.base}/pin", headers={"HX-Request": "true"})
    assert await listed(alice, "pinned") == []
    assert [action for action in await audited(world, said.id) if "pin" in action] == [
        "conversation.pinned", "conversation.unpinned"]


async def test_there_is_an_end_to_pins(world: World) -> None:
    alice = await world.session("alice")
    said = await talk(world)
    (user_id,), = await world.services.control.db.rows("SELECT id FROM user WHERE email = 'alice@example.com'")
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        channel = await tx.value("SELECT id FROM channel")
        for number in range(200):
            await tx.execute("INSERT INTO contact (id, created_at, updated_at) VALUES (?, 0, 0)", f"p{number}")
            await tx.execute("INSERT INTO conversation (id, channel_id, contact_id, last_message_at, created_at) "
                             "VALUES (?1, ?2, ?1, 0, 0)", f"p{number}", channel)
            await tx.execute("INSERT INTO conversation_pin (user_id, conversation_id, at) VALUES (?, ?, 0)",
                             user_id, f"p{number}")
    answer = await alice.post(f"{said.base}/pin", headers={"HX-Request": "true"})
    assert answer.status_code == 409 and "200" in answer.text


async def test_others_see_it_leave_their_list_at_once(world: World) -> None:
    alice, mo = await world.session("alice"), await world.session("mo")
    said = await talk(world)
    async with listening(mo, world.acme) as stream:
        await alice.post(f"{said.base}/snooze", data={"until": "hour"})
        await until(lambda: ("conversation", said.id) in stream.nudges)
    assert await listed(mo, "all") == []


async def test_a_viewer_pins_but_does_not_snooze(world: World) -> None:
    vera = await world.session("vera")
    said = await talk(world)
    assert (await vera.post(f"{said.base}/pin", headers={"HX-Request": "true"})).status_code == 200
    assert (await vera.post(f"{said.base}/snooze", data={"until": "hour"})).status_code == 403
