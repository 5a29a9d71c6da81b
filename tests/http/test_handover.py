"""Giving a conversation to a team: by the menu and by scripts, only to teams one may, and what it does to everybody's
sight of it at once."""

from __future__ import annotations

import asyncio

import pytest

from tests.http.api_setup import fields, problem
from tests.http.inbox_setup import Left, Talk, leaving, listening, rows, talk, until
from tests.http.people_setup import id_of
from tests.support.world import World

HTMX = {"HX-Request": "true"}
NORTH, SOUTH = "team-north", "team-south"


@pytest.fixture
async def maya(world: World) -> Talk:
    """A customer, and two teams: Kim and Bob are in North, Mo is in South."""
    async with world.services.control.ingest("test") as tx:
        for team_id, name in ((SOUTH, "South"), (NORTH, "North")):
            await tx.execute("INSERT INTO team (id, workspace_id, name, created_at) VALUES (?, ?, ?, 0)", team_id,
                             world.acme.workspace_id, name)
        await tx.execute("INSERT INTO team (id, workspace_id, name, created_at) VALUES ('elsewhere', ?, 'Other', 0)",
                         world.globex.workspace_id)
        for team_id, name in ((NORTH, "kim"), (NORTH, "bob"), (SOUTH, "mo")):
            await tx.execute("INSERT INTO team_member (team_id, user_id) VALUES (?, ?)", team_id,
                             await id_of(world, name))
    return await talk(world)


async def _gives(world: World, maya: Talk, name: str, team_id: str) -> int:
    answer = await (await world.session(name)).post(f"{maya.base}/assignment", data={"team_id": team_id}, headers=HTMX)
    return answer.status_code


async def _team(maya: Talk) -> str | None:
    return (await maya.conversation()).team_id


async def test_a_conversation_goes_to_a_team_and_back_to_everybody(world: World, maya: Talk) -> None:
    alice = await world.session("alice")
    async with leaving(world, alice) as left:
        answer = await alice.post(f"{maya.base}/assignment", data={"team_id": NORTH}, headers=HTMX)
        assert answer.status_code == 200 and 'class="assign-name cut">North<' in answer.text
    assert left == Left([("conversation.team_assigned", "conversation", maya.id)],
                        {("conversation", maya.id), ("inbox", "list")})
    async with leaving(world, alice) as left:
        assert await _gives(world, maya, "alice", NORTH) == 200
    assert left == Left(), "it is there already"
    await alice.post(f"{maya.base}/assignment", data={"assignee_id": await id_of(world, "kim")})
    assert 'class="assign-name cut">Kim · North<' in (await alice.get(maya.base)).text
    assert await _gives(world, maya, "alice", "") == 200 and await _team(maya) is None
    page = (await alice.get(maya.base)).text
    assert "Alice gave this to the team North" in page and "Alice took this out of the team North" in page
    details = await rows(world, world.acme, "SELECT details_json FROM audit_event "
                         "WHERE action = 'conversation.team_assigned' ORDER BY sequence")
    assert len(details) == 2


async def test_only_to_a_team_one_may(world: World, maya: Talk) -> None:
    for name, team_id, answered in (("vera", NORTH, 403), ("kim", SOUTH, 403), ("alice", "no-such-team", 422),
                                    ("alice", "elsewhere", 422), ("kim", "elsewhere", 422), ("charlie", NORTH, 404)):
        assert await _gives(world, maya, name, team_id) == answered, (name, team_id)
        assert await _team(maya) is None
    assert await _gives(world, maya, "kim", NORTH) == 200, "her own"
    assert await _gives(world, maya, "kim", "") == 403, "it would be everybody's"
    assert await _gives(world, maya, "bob", NORTH) == 200 and await _team(maya) == NORTH
    assert await _gives(world, maya, "mo", SOUTH) == 404, "another team's is out of his sight"
    assert await _gives(world, maya, "alice", SOUTH) == 200, "who assigns everywhere"
    assert await _gives(world, maya, "kim", NORTH) == 404 and await _team(maya) == SOUTH
    alice, kim_id = await world.session("alice"), await id_of(world, "kim")
    await alice.post(f"{maya.base}/assignment", data={"assignee_id": kim_id})
    assert await _gives(world, maya, "kim", NORTH) == 200, "she has it in hand"


async def test_the_menu_shows_the_teams_one_may_give_it_to(world: World, maya: Talk) -> None:
    for name, shown in (("alice", [NORTH, SOUTH]), ("kim", [NORTH]), ("vera", [])):
        page = (await (await world.session(name)).get(maya.base)).text
        assert [one for one in (NORTH, SOUTH) if f'name="team_id" value="{one}"' in page] == shown, name
        assert 'name="team_id" value=""' not in page
    await _gives(world, maya, "alice", NORTH)
    menus = {name: (await (await world.session(name)).get(maya.base)).text for name in ("alice", "kim")}
    assert all(f'value="{NORTH}" aria-current="true"' in page for page in menus.values())
    assert 'name="team_id" value=""' in menus["alice"] and 'name="team_id" value=""' not in menus["kim"]
    assert menus["alice"].index(">North<") < menus["alice"].index(">South<"), "by name"


async def test_the_others_lose_sight_of_it_at_once(world: World, maya: Talk) -> None:
    kim, mo = await world.session("kim"), await world.session("mo")
    listed = f"{maya.workspace_base}/inbox/list"
    assert maya.id in (await kim.get(listed)).text
    async with listening(kim, world.acme) as hers, listening(mo, world.acme) as his:
        assert await _gives(world, maya, "mo", SOUTH) == 200
        await until(lambda: ("conversation", maya.id) in his.nudges)
        await until(lambda: ("inbox", "list") in hers.nudges)
        await maya.says("Anybody there?")
        await until(lambda: any(topic == "message" for topic, _ in his.nudges))
        await asyncio.sleep(0.1)
        assert hers.nudges == [("inbox", "list")], "nothing names it any more"
    assert maya.id not in (await kim.get(listed)).text and (await kim.get(maya.base)).status_code == 404


async def test_scripts_give_it_with_the_scope(world: World, maya: Talk) -> None:
    where = f"/api/v1/conversations/{maya.id}"
    async with world.client(await world.key(world.acme)) as script:
        assert (await script.get(where)).json()["team_id"] is None
        given = await script.patch(where, json={"team_id": NORTH, "state": "closed"})
        assert given.status_code == 200 and given.json()["team_id"] == NORTH and given.json()["state"] == "closed"
        listed = (await script.get("/api/v1/conversations?state=closed")).json()["items"]
        assert [item["team_id"] for item in listed] == [NORTH]
        for wrong in ("no-such-team", "elsewhere", ""):
            assert set(fields(await script.patch(where, json={"team_id": wrong, "state": "open"}))) == {"team_id"}
        assert (await maya.conversation()).state == "closed", "all of it or nothing"
        assert (await script.patch(where, json={"team_id": None})).json()["team_id"] is None
    async with world.client(await world.key(world.acme, "inbox:read,inbox:reply")) as script:
        problem(await script.patch(where, json={"team_id": NORTH}), 403)


async def test_a_members_key_reaches_no_further_than_they_do(world: World, maya: Talk) -> None:
    where = f"/api/v1/conversations/{maya.id}"
    key = await world.key(world.acme, "inbox:read,inbox:reply,inbox:assign")
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE api_key SET made_by = ?", await id_of(world, "kim"))
    async with world.client(key) as script:
        problem(await script.patch(where, json={"team_id": SOUTH}), 403)
        assert (await script.patch(where, json={"team_id": NORTH})).json()["team_id"] == NORTH
        problem(await script.patch(where, json={"team_id": None}), 403)
        await _gives(world, maya, "alice", SOUTH)
        problem(await script.patch(where, json={"team_id": NORTH}), 404)


async def test_without_scripts_the_form_leads_back(world: World, maya: Talk) -> None:
    alice = await world.session("alice")
    answer = await alice.post(f"{maya.base}/assignment", data={"team_id": NORTH})
    assert (answer.status_code, answer.headers["location"]) == (303, maya.base) and await _team(maya) == NORTH
