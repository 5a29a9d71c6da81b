"""Two people at one conversation: they see each other, and neither answers over the other's head (T33)."""

from __future__ import annotations

import asyncio

import httpx

from tests.http.inbox_setup import Talk, listening, rows, talk, until, without_script
from tests.support.world import World

HTMX = {"HX-Request": "true"}


async def here(client: httpx.AsyncClient, said: Talk, mode: str, tab: str = "one") -> httpx.Response:
    return await client.post(f"{said.base}/presence", data={"mode": mode, "tab": tab})


async def everywhere(client: httpx.AsyncClient, said: Talk) -> list[tuple[str, str]]:
    found = (await client.get("/w/acme/presence")).json()["people"].get(said.id, [])
    return [(person["name"], person["mode"]) for person in found]


async def send(client: httpx.AsyncClient, said: Talk, words: str, **fields: str) -> httpx.Response:
    return await client.post(f"{said.base}/messages", headers=HTMX, data={"type": "text", "text": words, **fields})


async def user_id(world: World, name: str) -> str:
    found: str = await world.services.control.db.value("SELECT id FROM user WHERE email = ?", f"{name}@example.com")
    return found


async def test_others_hear_at_once_who_looks_and_who_writes(world: World) -> None:
    alice, mo = await world.session("alice"), await world.session("mo")
    said = await talk(world)
    async with listening(mo, world.acme) as stream:
        for mode in ("view", "type", "note", "leave"):
            assert (await here(alice, said, mode)).status_code == 204
        await until(lambda: len(stream.named("presence")) == 4)
        told = [[(one["name"], one["mode"]) for one in event["people"]] for event in stream.named("presence")]
    assert told == [[("Alice", "view")], [("Alice", "type")], [("Alice", "note")], []]
    assert {event["conversation"] for event in stream.named("presence")} == {said.id}


async def test_it_is_forgotten_when_nobody_repeats_it_and_stored_nowhere(world: World) -> None:
    alice, mo = await world.session("alice"), await world.session("mo")
    said, other = await talk(world), await talk(world, name="Noor", phone="14155550102")
    changes = await rows(world, world.acme, "SELECT count(*) FROM audit_event")
    await here(alice, said, "type")
    assert await everywhere(mo, said) == [("Alice", "type")]
    world.clock.pass_time(8_000)
    assert await everywhere(mo, said) == [("Alice", "view")], "who stops writing still looks"
    await here(alice, said, "view", tab="two")
    await here(alice, other, "view")
    assert await everywhere(mo, said) == [("Alice", "view")], "in her second tab"
    await here(alice, said, "leave", tab="two")
    assert await everywhere(mo, said) == [] and await everywhere(mo, other) == [("Alice", "view")]
    world.clock.pass_time(91_000)
    assert await everywhere(mo, other) == []
    assert await rows(world, world.acme, "SELECT count(*) FROM audit_event") == changes


async def test_nobody_hears_of_a_conversation_out_of_their_sight(world: World) -> None:
    alice, bob, charlie = [await world.session(name) for name in ("alice", "bob", "charlie")]
    said = await talk(world)
    await alice.post(f"{said.base}/assignment", data={"assignee_id": await user_id(world, "mo")})
    async with listening(bob, world.acme) as stream:
        await here(alice, said, "view")
        assert await everywhere(bob, said) == [] and await everywhere(alice, said) == [("Alice", "view")]
        mine = await talk(world, name="Noor", phone="14155550102")
        await here(alice, mine, "view")
        await until(lambda: stream.named("presence"))
    assert [event["conversation"] for event in stream.named("presence")] == [mine.id]
    assert (await here(bob, said, "view")).status_code == 404
    assert (await here(charlie, said, "view")).status_code == 404


async def test_what_makes_no_sense_is_refused(world: World) -> None:
    alice = await world.session("alice")
    said = await talk(world)
    assert (await here(alice, said, "dances")).status_code == 422
    assert (await here(alice, said, "view", tab="")).status_code == 422


async def test_the_second_of_two_answers_is_shown_the_first(world: World) -> None:
    alice, mo = await world.session("alice"), await world.session("mo")
    said = await talk(world)
    question = (await said.messages())[0].id
    one, two = await asyncio.gather(send(alice, said, "Yes, until six", seen=question),
                                    send(mo, said, "No, sorry", seen=question))
    assert sorted((one.status_code, two.status_code)) == [200, 409]
    loser, client, words = (one, alice, "Yes, until six") if one.status_code == 409 else (two, mo, "No, sorry")
    await world.settle()
    (sent,) = await said.sent()
    assert sent.text in loser.text and "has answered meanwhile" in loser.text and len(said.on_the_phone()) == 1
    again = await send(client, said, words, seen=question, anyway=sent.id)
    assert again.status_code == 200
    await world.settle()
    assert len(await said.sent()) == 2


async def test_ones_own_and_a_scripts_message_hold_nobody_up(world: World) -> None:
    alice, mo = await world.session("alice"), await world.session("mo")
    said = await talk(world)
    question = (await said.messages())[0].id
    assert (await send(alice, said, "one", seen=question)).status_code == 200
    assert (await send(alice, said, "two", seen=question)).status_code == 200
    assert (await send(mo, said, "three")).status_code == 200, "who says nothing of what they saw is not asked"
    async with world.client(await world.key(world.acme)) as script:
        said_last = (await said.sent())[-1].id
        sent = await script.post("/api/v1/messages", json={"conversation_id": said.id, "type": "text",
                                                           "text": {"body": "four"}, "last_seen_message_id": said_last})
        assert sent.status_code == 202
        late = await script.post("/api/v1/messages", json={"conversation_id": said.id, "type": "text",
                                                           "text": {"body": "five"}, "last_seen_message_id": question})
        assert late.status_code == 409 and "colleague" in late.json()["detail"]
    assert (await send(mo, said, "six", seen=said_last)).status_code == 200


async def test_the_same_press_twice_asks_nothing_twice(world: World) -> None:
    """The answer to the first press was lost, and a colleague wrote since: it was sent already."""
    alice, mo = await world.session("alice"), await world.session("mo")
    said = await talk(world)
    question = (await said.messages())[0].id
    await send(alice, said, "once", seen=question, client_id="abc")
    await send(mo, said, "meanwhile")
    assert (await send(alice, said, "once", seen=question, client_id="abc")).status_code == 200
    assert [message.text for message in await said.sent()] == ["once", "meanwhile"]


async def test_a_form_without_scripts_is_asked_on_a_page_that_keeps_the_words(world: World) -> None:
    alice, mo = await world.session("alice"), await world.session("mo")
    said = await talk(world)
    seen = (await alice.get(said.base)).text.split('name="seen" value="')[1].split('"')[0]
    await said.reply(mo, "I have it")
    plain, token = without_script(world, alice)
    async with plain:
        page = await plain.post(f"{said.base}/messages", data={"csrf_token": token, "type": "text", "text": "my words",
                                                               "seen": seen})
        assert page.status_code == 409 and "I have it" in page.text and "my words" in page.text
        anyway = page.text.split('name="anyway" value="')[1].split('"')[0]
        sent = await plain.post(f"{said.base}/messages", data={"csrf_token": token, "type": "text", "text": "my words",
                                                               "anyway": anyway})
        assert sent.status_code == 303


async def test_of_two_who_take_it_one_gets_it_and_the_other_hears_who(world: World) -> None:
    alice, mo = await world.session("alice"), await world.session("mo")
    said = await talk(world)
    ids = {"Alice": await user_id(world, "alice"), "Mo": await user_id(world, "mo")}
    one, two = await asyncio.gather(*(client.post(f"{said.base}/assignment", headers=HTMX,
                                                  data={"assignee_id": ids[name], "expected": ""})
                                      for client, name in ((alice, "Alice"), (mo, "Mo"))))
    assert sorted((one.status_code, two.status_code)) == [200, 409]
    winner = "Alice" if one.status_code == 200 else "Mo"
    assert f"{winner} was faster" in (two if winner == "Alice" else one).text
    assert (await said.conversation()).assignee_id == ids[winner]
    async with world.client(await world.key(world.acme)) as script:
        path = f"/api/v1/conversations/{said.id}"
        assert (await script.patch(path, json={"assignee_id": ids["Mo"], "expected_assignee_id": None})
                ).status_code in ((409,) if winner == "Alice" else (200,))
        assert (await script.patch(path, json={"assignee_id": None, "expected_assignee_id": ids[winner]})
                ).status_code == 200
