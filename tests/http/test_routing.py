"""Conversations that are given by themselves: to whom, when, never too much, never twice, and always explained."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from chime import accounts, inbox
from chime.clock import DAY, MINUTE
from chime.routing import actions, presence
from chime.routing.model import Method, Rule, Settings, Status
from chime.security.permissions import SYSTEM, Role
from tests.http.inbox_setup import Talk, leaving, listening, rows, talk, until
from tests.http.people_setup import id_of, person
from tests.support.world import World

PAGE = "/w/acme/settings/assignment"
HTMX = {"HX-Request": "true"}
NORTH = "team-north"


async def rule(world: World, place_id: str = "", **more: Any) -> None:
    """A rule for Acme's number, or for a place; by turns unless something else is said."""
    new = Rule(**{"place_id": place_id or world.acme.channel_id, "method": Method.ROUND_ROBIN, **more})
    async with world.workspace(world.acme) as workspace, workspace.write(SYSTEM) as tx:
        await actions.save_rule(tx, new, members=new.members)
    await world.settle()


async def settings(world: World, **more: int) -> None:
    async with world.workspace(world.acme) as workspace, workspace.write(SYSTEM) as tx:
        await actions.save_settings(tx, Settings(**more), claims_replies=True)


async def is_(world: World, status: str, *names: str) -> None:
    """These people say how they are; whoever says it is there."""
    for name in names:
        client = await world.session(name)
        assert (await client.post("/w/acme/availability", data={"status": status}, headers=HTMX)).status_code == 200
    await world.settle()


async def holders(world: World) -> Counter[str]:
    """How many conversations each has, by name; `-` is nobody."""
    names = {row[0]: row[1].split("@")[0] for row in await world.services.control.db.rows("SELECT id, email FROM user")}
    return Counter(names.get(row[0], "-") for row in await rows(
        world, world.acme, "SELECT assignee_id FROM conversation WHERE state = 'open'"))


async def waits(world: World, count: int) -> list[Talk]:
    """So many customers write, the first one first."""
    found = []
    for number in range(count):
        found.append(await talk(world, name=f"Customer {number}", phone=f"1415555{number:04d}"))
        world.clock.pass_time(1_000)
    return found


@pytest.fixture
async def team(world: World) -> str:
    """Kim and Bob are in the team North."""
    async with world.services.control.ingest("test") as tx:
        await tx.execute("INSERT INTO team (id, workspace_id, name, created_at) VALUES (?, ?, 'North', 0)", NORTH,
                         world.acme.workspace_id)
        for name in ("kim", "bob"):
            await tx.execute("INSERT INTO team_member (team_id, user_id) VALUES (?, ?)", NORTH,
                             await id_of(world, name))
    return NORTH


async def test_ten_wait_and_whoever_resolves_one_gets_the_oldest_within_two_seconds(world: World) -> None:
    """T34."""
    await settings(world, capacity=1)
    talks = await waits(world, 10)
    await rule(world)
    assert await holders(world) == {"-": 10}, "nobody is there"
    await is_(world, "available", "kim")
    assert await holders(world) == {"kim": 1, "-": 9} and (await talks[0].conversation()).assignee_id
    kim = await world.session("kim")
    for number in range(3):
        assert (await kim.post(f"{talks[number].base}/closure", headers=HTMX)).status_code == 200

        async def given(following: Talk = talks[number + 1]) -> bool:
            return (await following.conversation()).assignee_id == await id_of(world, "kim")

        await until(given, seconds=2)
    assert await holders(world) == {"kim": 1, "-": 6}


async def test_every_way_to_have_a_hand_free_gives_the_next(world: World) -> None:
    await settings(world, capacity=1)
    await is_(world, "available", "kim")
    await rule(world)
    talks = await waits(world, 5)
    kim, kim_id, alice = await world.session("kim"), await id_of(world, "kim"), await world.session("alice")
    await kim.post(f"{talks[0].base}/snooze", data={"until": "tomorrow"}, headers=HTMX)
    await world.settle()
    assert (await talks[1].conversation()).assignee_id == kim_id, "snoozed"
    await kim.post(f"{talks[1].base}/assignment", data={"assignee_id": ""}, headers=HTMX)
    await world.settle()
    assert (await talks[2].conversation()).assignee_id == kim_id, "given back, and not given to her again"
    assert (await talks[1].conversation()).assignee_id is None
    await alice.post(f"{talks[2].base}/assignment", data={"assignee_id": await id_of(world, "mo")}, headers=HTMX)
    await world.settle()
    assert (await talks[3].conversation()).assignee_id == kim_id, "taken over by somebody else"
    answer = await alice.post(f"{PAGE}/members/{kim_id}", data={"capacity": "2", "status": "available"})
    await world.settle()
    assert answer.status_code == 303 and (await talks[4].conversation()).assignee_id == kim_id, "may have more"


async def test_who_is_away_busy_or_gone_gets_none(world: World) -> None:
    await rule(world)
    await is_(world, "away", "kim")
    await is_(world, "busy", "bob")
    await talk(world)
    assert await holders(world) == {"-": 1}
    await is_(world, "available", "bob")
    assert await holders(world) == {"bob": 1}
    world.clock.pass_time(10 * MINUTE)
    await talk(world, name="Tom", phone="14155550102")
    assert await holders(world) == {"bob": 1, "-": 1}, "no page of Bob's was open for ten minutes"
    async with listening(await world.session("bob"), world.acme):
        await presence.look(world.services, {})
        await world.settle()
        assert await holders(world) == {"bob": 2}, "he is back"


async def test_presence_is_seen_by_itself_and_written_twice_a_minute(world: World) -> None:
    written: dict[tuple[str, str], int] = {}
    async with listening(await world.session("bob"), world.acme):
        await presence.look(world.services, written)
        first = await rows(world, world.acme, "SELECT user_id, seen_at FROM presence")
        assert [row[0] for row in first] == [await id_of(world, "bob")]
        world.clock.pass_time(MINUTE // 4)
        await presence.look(world.services, written)
        assert await rows(world, world.acme, "SELECT user_id, seen_at FROM presence") == first
        world.clock.pass_time(MINUTE)
        await presence.look(world.services, written)
        assert (await rows(world, world.acme, "SELECT seen_at FROM presence"))[0][0] > first[0][1]
    people = (await (await world.session("alice")).get("/w/acme/availability/people")).json()
    assert people[await id_of(world, "bob")] == {"status": "available", "words": "Available"}
    assert people[await id_of(world, "kim")]["status"] == "away" and await id_of(world, "vera") not in people


async def test_who_may_not_have_it_is_never_chosen(world: World, team: str) -> None:
    """Vera only reads, Mo is limited to another number, Alice is in no team."""
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE membership SET channels_json = '[\"elsewhere\"]' WHERE user_id = ?",
                         await id_of(world, "mo"))
    await is_(world, "available", "alice", "mo", "kim", "bob")
    await settings(world, away_minutes=0)
    await rule(world)
    await waits(world, 6)
    assert set(await holders(world)) == {"alice", "kim", "bob"}
    await rule(world, method=Method.OFF)
    await rule(world, team)
    given = await talk(world, name="Tom", phone="447700900142")
    alice = await world.session("alice")
    await alice.post(f"{given.base}/assignment", data={"team_id": team}, headers=HTMX)
    await world.settle()
    assert (await given.conversation()).assignee_id in {await id_of(world, "kim"), await id_of(world, "bob")}
    await rule(world, team, members=(await id_of(world, "bob"),))
    again = await talk(world, name="Ann", phone="447700900143")
    await alice.post(f"{again.base}/assignment", data={"team_id": team}, headers=HTMX)
    await world.settle()
    assert (await again.conversation()).assignee_id == await id_of(world, "bob"), "the one who takes part"


async def test_the_previous_one_comes_first_unless_it_is_too_long_ago(world: World) -> None:
    maya = await talk(world)
    await maya.reply(await world.session("mo"), "On Sunday from ten.")
    alice = await world.session("alice")
    await alice.post(f"{maya.base}/assignment", data={"assignee_id": ""}, headers=HTMX)
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE conversation SET released_by = NULL")
    await is_(world, "available", "kim", "mo", "bob")
    await rule(world, previous_days=7)
    assert await holders(world) == {"mo": 1}
    assert "Assigned to Mo automatically: answered this customer before" in (await alice.get(maya.base)).text
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE conversation SET assignee_id = NULL")
        await tx.execute("UPDATE message SET at = at - ?", 8 * DAY)
        tx.enqueue(inbox.ROUTE, inbox.QUEUE)
    await world.settle()
    assert "mo" not in await holders(world)


async def test_two_drains_at_once_give_nothing_twice_and_nobody_too_much(world: World) -> None:
    await settings(world, capacity=3)
    await waits(world, 10)
    await is_(world, "available", "kim", "bob")
    async with world.workspace(world.acme) as workspace:
        team = await accounts.member_actors(world.services.control.db, workspace.id)
        async with workspace.ingest("test") as tx:
            await tx.execute("INSERT INTO routing_rule VALUES (?, 'least_busy', 0, '[]', 0, 0)", world.acme.channel_id)

        async def drain() -> int:
            async with workspace.write(SYSTEM) as tx:
                return await actions.drain(tx, team)

        given = await asyncio.gather(*(drain() for _ in range(5)))
    assert sum(given) == 6 and await holders(world) == {"kim": 3, "bob": 3, "-": 4}
    lines = await rows(world, world.acme, "SELECT count(*) FROM conversation_event WHERE kind = 'routed'")
    audits = await rows(world, world.acme, "SELECT count(*) FROM audit_event WHERE action = 'conversation.assigned'")
    assert lines == [(6,)] == audits


@pytest.mark.parametrize("method", [Method.ROUND_ROBIN, Method.LEAST_BUSY])
@pytest.mark.parametrize("count", [60, pytest.param(1_000, marks=pytest.mark.nightly)])
async def test_five_agents_get_the_same_number(world: World, method: Method, count: int) -> None:
    """T34: fairness within one, however many come at a time."""
    for name in ("ann", "ben", "eve"):
        await person(world, name, Role.AGENT)
    async with world.workspace(world.acme) as workspace:
        async with workspace.write(SYSTEM) as tx:
            await actions.save_settings(tx, Settings(capacity=0, away_minutes=0), claims_replies=True)
            await actions.save_rule(tx, Rule(place_id=world.acme.channel_id, method=method), members=())
            for name in ("alice", "mo"):
                await actions.set_status(tx, await id_of(world, name), Status.AWAY)
            for number in range(count):
                await tx.execute("INSERT INTO contact (id, created_at, updated_at) VALUES (?, 0, 0)", f"p{number}")
                await inbox.open_thread(tx, world.acme.channel_id, f"p{number}", at=1 + number)
        await world.settle(60)
    got = await holders(world)
    assert got.keys() == {"kim", "bob", "ann", "ben", "eve"} and got.total() == count
    assert max(got.values()) - min(got.values()) <= 1


async def test_it_says_why(world: World) -> None:
    await settings(world, capacity=5)
    await is_(world, "available", "kim", "bob")
    await is_(world, "busy", "mo")
    await rule(world, method=Method.LEAST_BUSY)
    talks = await waits(world, 3)
    alice = await world.session("alice")
    page = (await alice.get(talks[2].base)).text
    assert "automatically: fewest open conversations, 1 of 5" in page
    next_page = (await alice.get(f"{PAGE}/places/{world.acme.channel_id}/next")).text
    loads = await holders(world)
    fewest = min(("kim", "bob"), key=lambda name: loads[name])
    assert f'<h2 id="answer">{fewest.capitalize()}</h2>' in next_page
    for words in ("has the fewest open conversations", "Busy", "Away: no page open lately",
                  "No access to this number, or may not reply", "2 of 5"):
        assert words in next_page, words
    async with world.client(await world.key(world.acme)) as script:
        told = (await script.get(f"/api/v1/assignment/rules/{world.acme.channel_id}/next")).json()
    assert told["member_id"] == await id_of(world, fewest) and told["because"] == "least_busy"
    verdicts = {one["name"]: one["verdict"] for one in told["members"]}
    assert verdicts == {"Alice": "not_here", "Bob": "takes", "Kim": "takes", "Mo": "busy", "Vera": "no_access"}
    await talk(world, name="Tom", phone="447700900142")
    assert (await holders(world))[fewest] == 2, "what it said is what it does"


async def test_whoever_replies_to_what_nobody_has_takes_it(world: World) -> None:
    maya, alice = await talk(world), await world.session("alice")
    async with leaving(world, alice) as left:
        await maya.reply(alice, "On Sunday from ten.")
    assert [row[0] for row in left.audit] == ["message.queued", "conversation.assigned"]
    assert await holders(world) == {"alice": 1}
    assert "Alice replied and took this over" in (await alice.get(maya.base)).text
    await maya.reply(await world.session("kim"), "And until four.")
    assert await holders(world) == {"alice": 1}, "it is somebody's"
    answer = await alice.post(PAGE, data={"capacity": "20", "away_minutes": "5"})
    assert answer.status_code == 303
    tom = await talk(world, name="Tom", phone="447700900142")
    await tom.reply(alice, "Good morning.")
    assert await holders(world) == {"alice": 1, "-": 1}, "switched off"


async def test_who_loses_sight_by_an_assignment_hears_that_their_list_is_another(world: World) -> None:
    maya = await talk(world)
    bob, alice = await world.session("bob"), await world.session("alice")
    async with listening(bob, world.acme) as stream:
        await alice.post(f"{maya.base}/assignment", data={"assignee_id": await id_of(world, "kim")}, headers=HTMX)
        await until(lambda: ("inbox", "list") in stream.nudges, seconds=2)
        assert ("conversation", maya.id) not in stream.nudges
    assert maya.id not in (await bob.get("/w/acme/inbox/list?v=all")).text


async def test_the_settings_page_keeps_what_was_typed(world: World, team: str) -> None:
    alice, channel = await world.session("alice"), world.acme.channel_id
    page = await alice.get(PAGE)
    assert page.status_code == 200 and "North" in page.text and "Kim" in page.text and ">Vera<" not in page.text
    answer = await alice.post(PAGE, data={"capacity": "many", "away_minutes": "1"})
    assert answer.status_code == 422 and 'value="many"' in answer.text and "Write a whole number." in answer.text
    answer = await alice.post(PAGE, data={"capacity": "501", "away_minutes": "481"})
    assert "From 1 to 500 conversations" in answer.text and "From 1 to 480 minutes" in answer.text
    kim_id = await id_of(world, "kim")
    typed = {"method": "round_robin", "previous_days": "soon", "who": "chosen", "member": kim_id}
    answer = await alice.post(f"{PAGE}/places/{channel}", data=typed)
    assert answer.status_code == 422 and 'value="soon"' in answer.text and f'value="{kim_id}" checked' in answer.text
    answer = await alice.post(f"{PAGE}/places/{channel}", data=typed | {"previous_days": "7", "member": "nobody"})
    assert answer.status_code == 422 and "Somebody here cannot take part." in answer.text
    async with leaving(world, alice) as left:
        assert (await alice.post(f"{PAGE}/places/{channel}", data=typed | {"previous_days": "7"})).status_code == 303
    assert left.audit == [("routing.rule_changed", "routing_rule", channel)]
    assert "Taking part: Kim." in (await alice.get(PAGE)).text
    answer = await alice.post(f"{PAGE}/members/{kim_id}", data={"status": "busy", "capacity": "-1"})
    assert answer.status_code == 422 and 'value="-1"' in answer.text
    assert (await alice.post(f"{PAGE}/members/nobody", data={"capacity": ""})).status_code == 404
    assert (await alice.get(f"{PAGE}/places/nowhere/next")).status_code == 404


async def test_a_manager_decides_about_their_teams_only(world: World, team: str) -> None:
    mo, channel, kim_id = await world.session("mo"), world.acme.channel_id, await id_of(world, "kim")
    off = {"method": "least_busy", "previous_days": "0", "who": "everybody"}
    for path, data in ((PAGE, {"capacity": "5", "away_minutes": "5"}), (f"{PAGE}/places/{channel}", off),
                       (f"{PAGE}/places/{team}", off), (f"{PAGE}/members/{kim_id}", {"capacity": "5"})):
        assert (await mo.post(path, data=data)).status_code == 403, path
    async with world.services.control.ingest("test") as tx:
        await tx.execute("INSERT INTO team_member (team_id, user_id) VALUES (?, ?)", team, await id_of(world, "mo"))
    assert (await mo.post(f"{PAGE}/places/{team}", data=off)).status_code == 303
    assert (await mo.post(f"{PAGE}/members/{kim_id}", data={"capacity": "5"})).status_code == 303
    assert (await mo.post(f"{PAGE}/places/{channel}", data=off)).status_code == 403
    assert (await (await world.session("bob")).get(PAGE)).status_code == 403


async def test_one_s_own_availability_without_a_script(world: World) -> None:
    bob = await world.session("bob")
    assert "Without an open page you count as away after 5 minutes." in (await bob.get("/w/acme/availability")).text
    async with leaving(world, bob) as left:
        answer = await bob.post("/w/acme/availability", data={"status": "busy"})
    assert answer.status_code == 303 and left.audit == [("availability.set", "user", await id_of(world, "bob"))]
    page = (await bob.get("/w/acme/availability")).text
    assert 'value="busy" aria-pressed="true"' in page and 'value="away" aria-pressed="false"' in page
    assert (await bob.post("/w/acme/availability", data={"status": "asleep"})).status_code == 422


async def test_scripts_decide_the_same(world: World) -> None:
    kim_id, channel = await id_of(world, "kim"), world.acme.channel_id
    async with world.client(await world.key(world.acme)) as script:
        told = (await script.patch(f"/api/v1/members/{kim_id}/availability",
                                   json={"status": "busy", "capacity": 2})).json()
        assert told == {"member_id": kim_id, "name": "Kim", "status": "busy", "chosen_status": "busy",
                        "open_conversations": 0, "capacity": 2, "own_capacity": 2}
        assert (await script.get(f"/api/v1/members/{kim_id}/availability")).json() == told
        listed = (await script.get("/api/v1/availability")).json()["items"]
        assert {one["name"] for one in listed} == {"Alice", "Bob", "Kim", "Mo"}
        changed = await script.patch("/api/v1/assignment", json={"away_minutes": 0, "claim_on_reply": False})
        assert changed.json() == {"capacity": 20, "away_minutes": 0, "claim_on_reply": False}
        assert (await script.get("/api/v1/assignment")).json() == changed.json()
        put = await script.patch(f"/api/v1/assignment/rules/{channel}", json={"method": "least_busy"})
        assert put.json() | {"name": ""} == {"place_id": channel, "kind": "number", "name": "", "waiting": 0,
                                             "owner_first": False,
                                             "method": "least_busy", "previous_days": 0, "member_ids": []}
        assert (await script.get("/api/v1/assignment/rules")).json()["items"] == [put.json()]
        refused = await script.patch(f"/api/v1/assignment/rules/{channel}",
                                   json={"method": "off", "member_ids": [await id_of(world, "vera")]})
        assert refused.status_code == 422
        assert (await script.get("/api/v1/assignment/rules/nowhere/next")).status_code == 404
    async with world.client(await world.key(world.acme, "inbox:reply,inbox:read")) as script:
        assert (await script.patch(f"/api/v1/members/{kim_id}/availability",
                                   json={"status": "away"})).status_code in (403, 404)
