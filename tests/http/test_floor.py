"""The supervisor's floor: who is there, how much each has, what waits; counted only from what its reader may see."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from chime.clock import HOUR, MINUTE
from chime.floor.model import Load, Sort, in_order, takers_first
from chime.routing import Status
from tests.http.inbox_setup import listening, talk, until
from tests.http.people_setup import id_of
from tests.http.service_setup import HTMX, targets
from tests.support.world import World

PAGE, NORTH = "/w/acme/floor", "team-north"


@pytest.fixture
async def north(world: World) -> str:
    async with world.services.control.ingest("test") as tx:
        await tx.execute("INSERT INTO team (id, workspace_id, name, created_at) VALUES (?, ?, 'North', 0)", NORTH,
                         world.acme.workspace_id)
        await tx.execute("INSERT INTO team_member (team_id, user_id) VALUES (?, ?)", NORTH, await id_of(world, "kim"))
    return NORTH


async def floor(world: World) -> dict[str, Any]:
    async with world.client(await world.key(world.acme)) as script:
        answer = await script.get("/api/v1/floor")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def of(found: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    return next(one for one in found[kind] if one["name"] == name)


async def test_it_counts_what_waits_by_queue_and_by_person(world: World, north: str) -> None:
    alice, bob = await world.session("alice"), await id_of(world, "bob")
    await targets(alice, first_minutes="30")
    first = await talk(world, name="First")
    await alice.post(f"{first.base}/assignment", data={"assignee_id": bob})
    world.clock.advance(20 * MINUTE)
    second = await talk(world, name="Second", phone="14155550102")
    await alice.post(f"{second.base}/assignment", data={"team_id": north})
    answered = await talk(world, name="Answered", phone="14155550103")
    await alice.post(f"{answered.base}/assignment", data={"assignee_id": bob})
    await answered.reply(alice, "yes")
    world.clock.advance(20 * MINUTE)
    found = await floor(world)
    assert found["waiting"] == 2 and found["waiting_since"] == found["longest"][0]["waiting_since"]
    assert [(one["name"], one["assignee_id"], one["team_id"]) for one in found["longest"]] == [
        ("First", bob, None), ("Second", None, north)]
    load = of(found, "members", "Bob")
    assert (load["open_conversations"], load["waiting"], load["capacity"], load["waiting_since"]) == (
        2, 1, 20, found["waiting_since"])
    assert of(found, "members", "Kim")["waiting"] == 0
    assert {one["name"] for one in found["members"]} == {"Alice", "Bob", "Kim", "Mo"}, "who may not reply has no load"
    team, number = of(found, "queues", "North"), next(one for one in found["queues"] if one["kind"] == "number")
    assert (team["unassigned"], team["overdue"], number["unassigned"], number["overdue"]) == (1, 0, 0, 1)
    assert team["unassigned_since"] == found["longest"][1]["waiting_since"]


async def test_who_is_there(world: World) -> None:
    bob = await world.session("bob")
    await bob.post("/w/acme/availability", data={"status": "busy"}, headers=HTMX)
    async with listening(bob, world.acme):
        load = of(await floor(world), "members", "Bob")
        assert (load["status"], load["is_online"]) == ("busy", True)
        await bob.post("/w/acme/availability", data={"status": "available"}, headers=HTMX)
        world.clock.pass_time(HOUR)
        assert of(await floor(world), "members", "Bob")["status"] == "available", "before it is written down"
    await until(lambda: not world.services.hub.listeners())
    assert of(await floor(world), "members", "Bob")["is_online"] is False


async def test_nobody_reads_of_what_they_may_not_see(world: World, north: str) -> None:
    alice, mo = await world.session("alice"), await world.session("mo")
    hidden = await talk(world, name="Hidden Hanna")
    await alice.post(f"{hidden.base}/assignment", data={"team_id": north})
    shown = (await mo.get(PAGE)).text
    assert "Hidden Hanna" not in shown and "North" not in shown and "Nobody waits" in shown
    assert (await mo.get(f"{PAGE}/takers/{hidden.id}", headers=HTMX)).status_code == 404
    assert "Hidden Hanna" in (await alice.get(PAGE)).text
    for name, status in (("alice", 200), ("mo", 200), ("kim", 403), ("bob", 403), ("vera", 403)):
        client: httpx.AsyncClient = await world.session(name)
        assert (await client.get(PAGE)).status_code == status, name
    async with world.client(await world.key(world.acme, "routing:edit")) as script:
        found = (await script.get("/api/v1/floor")).json()
    assert (found["waiting"], found["members"], found["queues"], found["longest"]) == (0, [], [], [])


async def test_one_is_given_from_the_dialog(world: World) -> None:
    mo, kim = await world.session("mo"), await id_of(world, "kim")
    said = await talk(world, name="Maya")
    page = (await mo.get(PAGE)).text
    assert f'href="{PAGE}/takers/{said.id}"' in page and "Nobody has it" in page
    dialog = (await mo.get(f"{PAGE}/takers/{said.id}", headers=HTMX)).text
    assert f'action="/w/acme/inbox/{said.id}/assignment"' in dialog and f'value="{kim}"' in dialog
    assert (await mo.get(f"{PAGE}/takers/{said.id}")).headers["location"] == said.base, "without a script"
    await mo.post(f"{said.base}/assignment", data={"assignee_id": kim, "expected": ""}, headers=HTMX)
    part = (await mo.get(f"{PAGE}?sort=open", headers=HTMX)).text
    assert "Nobody has it" not in part and "<html" not in part and 'aria-sort="descending"' in part
    late = await mo.post(f"{said.base}/assignment", data={"assignee_id": "", "expected": ""}, headers=HTMX)
    assert late.status_code == 409, "somebody was faster"


async def test_without_anything_to_show_it_says_so(world: World) -> None:
    page = (await (await world.session("alice")).get(f"{PAGE}?sort=nonsense")).text
    assert "Nobody waits" in page and 'aria-sort="descending"' in page


def load(name: str, status: Status, many: int, *, waiting: int = 0, since: int | None = None) -> Load:
    return Load(user_id=name, name=name, status=status, is_online=True, open=many, capacity=5, waiting=waiting,
                since=since)


def test_the_orders() -> None:
    full, free, away = load("Ada", Status.AVAILABLE, 5, waiting=1, since=9), load(
        "bea", Status.AVAILABLE, 3), load("Cem", Status.AWAY, 0, waiting=2, since=4)
    people = [full, free, away]
    assert in_order(people, Sort.LONGEST) == (away, full, free)
    assert in_order(people, Sort.WAITING) == (away, full, free)
    assert in_order(people, Sort.OPEN) == (full, free, away)
    assert in_order(people, Sort.NAME) == (full, free, away)
    assert takers_first(people) == (free, full, away)
