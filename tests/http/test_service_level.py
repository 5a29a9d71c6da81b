"""Targets in working time: when their clocks start, rest and stop, what follows a missed one, and the report."""

from __future__ import annotations

import json

import httpx
import pytest

from chime import inbox
from chime.clock import DAY, HOUR, MINUTE, SECOND
from chime.inbox import undo
from chime.inbox.actions import move_threads
from chime.security.permissions import OPERATOR, SYSTEM
from chime.service_level import recounting
from chime.whatsapp import parse_message
from tests.http.inbox_setup import PHONE, Talk, rows, talk
from tests.http.people_setup import id_of
from tests.http.service_setup import HTMX, OPEN_ALWAYS, PAGE, events, sweep, targets
from tests.support.world import World

SOUTH = "team-south"


async def due(said: Talk) -> tuple[str | None, int | None]:
    """What is due next, and in how many minutes."""
    found = await said.conversation()
    return found.due_kind, None if found.due_at is None else round((found.due_at - said.world.clock.now()) / MINUTE)


async def times(world: World) -> list[tuple[str, int, int]]:
    """Kind, minutes taken, target."""
    return [(kind, round(took / MINUTE), minutes) for kind, took, minutes in await rows(
        world, world.acme, "SELECT kind, took, minutes FROM response_time ORDER BY ended_at, kind")]


@pytest.fixture
async def south(world: World) -> str:
    async with world.services.control.ingest("test") as tx:
        await tx.execute("INSERT INTO team (id, workspace_id, name, created_at) VALUES (?, ?, 'South', 0)", SOUTH,
                         world.acme.workspace_id)
        await tx.execute("INSERT INTO team_member (team_id, user_id) VALUES (?, ?)", SOUTH, await id_of(world, "mo"))
    return SOUTH


async def test_without_targets_nothing_is_timed(world: World) -> None:
    said = await talk(world)
    assert await due(said) == (None, None)
    await said.reply(await world.session("alice"), "hello")
    assert await times(world) == [] == await rows(world, world.acme, "SELECT * FROM service_clock")


async def test_first_next_and_resolution(world: World) -> None:
    alice = await world.session("alice")
    await targets(alice, first_minutes="30", next_minutes="1h", resolution_minutes="4h")
    said = await talk(world)
    assert await due(said) == ("first", 30)
    world.clock.advance(10 * MINUTE)
    await said.says("still there?")
    assert await due(said) == ("first", 20), "from the first message nobody answered"
    await said.reply(alice, "yes")
    assert await due(said) == (None, None), "now the customer is waited for, and the resolution rests"
    world.clock.advance(DAY)
    await said.says("one more thing")
    assert await due(said) == ("next", 60)
    world.clock.advance(20 * MINUTE)
    await said.reply(alice, "sure")
    await said.says("thanks")
    world.clock.advance(5 * MINUTE)
    assert (await alice.post(f"{said.base}/closure")).status_code == 303
    assert await due(said) == (None, None)
    assert await times(world) == [("first", 10, 30), ("next", 20, 60), ("resolution", 35, 240)]
    await said.says("hello again")
    assert await due(said) == ("first", 30), "a new run begins"


async def test_a_machine_answers_nothing(world: World) -> None:
    await targets(await world.session("alice"), first_minutes="30")
    said = await talk(world)
    async with world.workspace(world.acme) as workspace, workspace.write(SYSTEM) as tx:
        await inbox.queue_message(tx, said.id, inbox.Draft(origin=inbox.Origin.AUTOMATIC, message=parse_message(
            {"type": "text", "text": {"body": "We will be with you soon."}})))
    await world.settle()
    assert (await due(said))[0] == "first" and (await said.conversation()).waiting_since is not None


async def test_only_working_time_counts(world: World) -> None:
    alice = await world.session("alice")
    closed = {name: "" for name in OPEN_ALWAYS}
    answer = await alice.post(f"{PAGE}/calendars", data={"name": "Never", "time_zone": "Europe/Berlin"} | closed)
    assert answer.status_code == 303
    await targets(alice, first_minutes="30", calendar_id=await calendar_named(world, "Never"))
    said = await talk(world)
    assert await due(said) == (None, None), "nobody is ever there"
    assert await rows(world, world.acme, "SELECT kind FROM service_clock") == [("first",)]
    await alice.post(f"{PAGE}/calendars/{await calendar_named(world, 'Never')}",
                     data={"name": "Always", "time_zone": "Europe/Berlin"} | OPEN_ALWAYS)
    await world.settle()
    assert await due(said) == ("first", 30), "other hours hold at once for what waits"


async def calendar_named(world: World, name: str) -> str:
    return str((await rows(world, world.acme, "SELECT id FROM calendar WHERE name = ?", name))[0][0])


async def test_a_snooze_rests_the_resolution_and_not_the_answer(world: World) -> None:
    alice = await world.session("alice")
    await targets(alice, first_minutes="6h", resolution_minutes="4h")
    said = await talk(world)
    world.clock.advance(HOUR)
    await alice.post(f"{said.base}/snooze", data={"until": "hour"})
    assert await due(said) == ("first", 300)
    world.clock.advance(2 * HOUR)
    await sweep(world)
    assert await due(said) == ("first", 180), "three hours of four are left for the resolution as well"
    world.clock.advance(MINUTE)
    await alice.post(f"{said.base}/closure")
    assert await times(world) == [("resolution", 61, 240)]


@pytest.mark.parametrize("way", ["closure", "script", "many"])
async def test_opened_from_a_snooze_the_resolution_goes_on(world: World, way: str) -> None:
    alice = await world.session("alice")
    await targets(alice, resolution_minutes="4h")
    said = await talk(world)
    await alice.post(f"{said.base}/snooze", data={"until": "monday"})
    assert await due(said) == (None, None)
    if way == "closure":
        await alice.delete(f"{said.base}/closure", headers=HTMX)
    elif way == "many":
        await alice.post("/w/acme/inbox/bulk", data={"act": "reopen", "id": [said.id]}, headers=HTMX)
    else:
        async with world.client(await world.key(world.acme)) as script:
            await script.patch(f"/api/v1/conversations/{said.id}", json={"state": "open"})
    assert await due(said) == ("resolution", 240)


async def test_resolving_what_was_snoozed_undone_the_clocks_stand_as_before(world: World) -> None:
    alice = await world.session("alice")
    await targets(alice, first_minutes="1h", resolution_minutes="4h")
    said = await talk(world)
    await alice.post(f"{said.base}/snooze", data={"until": "monday"})
    clocks = "SELECT kind, began_at, running_since IS NULL, used / 60000, due_at FROM service_clock ORDER BY kind"
    before = await rows(world, world.acme, clocks)
    answer = await alice.post(f"{said.base}/closure", headers=HTMX)
    assert await rows(world, world.acme, clocks) == []
    undo = json.loads(answer.headers["hx-trigger"])["toast"]["undo"]
    assert (await alice.post(undo["url"], data=undo["values"], headers=HTMX)).status_code == 200
    assert await rows(world, world.acme, clocks) == before
    assert (await said.conversation()).waiting_since is not None and await times(world) == []


async def test_a_missed_target_is_told_once_and_moves_the_conversation(world: World, south: str) -> None:
    alice = await world.session("alice")
    await targets(alice, first_minutes="30", on_miss=f"team:{south}")
    said = await talk(world)
    bob = await id_of(world, "bob")
    await alice.post(f"{said.base}/assignment", data={"assignee_id": bob})
    world.clock.advance(29 * MINUTE)
    await sweep(world)
    assert await events(world, said.id, "target_missed") == []
    world.clock.advance(2 * MINUTE)
    await sweep(world)
    await sweep(world)
    assert await events(world, said.id, "target_missed") == [{"target": "first", "minutes": 30}]
    found = await said.conversation()
    assert (found.team_id, found.assignee_id) == (south, None)
    told = {row[0] for row in await rows(world, world.acme, "SELECT user_id FROM notification "
                                         "WHERE kind = 'waiting_too_long' AND conversation_id = ?", said.id)}
    assert told == {bob, await id_of(world, "alice"), await id_of(world, "mo")}
    page = (await alice.get(said.base)).text
    assert "Overdue: the first answer was due within 30 min of working time" in page
    assert 'class="chip due chip-danger"' in page
    world.clock.advance(MINUTE)
    await said.reply(alice, "sorry")
    assert await times(world) == [("first", 32, 30)]


async def test_a_team_may_have_targets_of_its_own(world: World, south: str) -> None:
    alice = await world.session("alice")
    await targets(alice, first_minutes="30")
    await targets(alice, scope="team", scope_id=south, first_minutes="2h", on_miss="")
    said = await talk(world)
    await alice.post(f"{said.base}/assignment", data={"team_id": south}, headers=HTMX)
    assert await due(said) == ("first", 120), "given to the team, it goes by the team's"
    await targets(alice, scope="team", scope_id=south, on_miss="")
    await world.settle()
    assert await due(said) == ("first", 30)
    assert await rows(world, world.acme, "SELECT scope FROM service_rule") == [("workspace",)]


async def test_two_conversations_that_become_one_keep_the_earlier_clock(world: World) -> None:
    await targets(await world.session("alice"), first_minutes="30")
    older = await talk(world)
    world.clock.advance(10 * MINUTE)
    newer = await talk(world, name="Noor", phone="14155550102")
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await move_threads(tx, kept=newer.contact_id, gone=older.contact_id)
    assert await due(newer) == ("first", 20)
    assert await rows(world, world.acme, "SELECT count(*) FROM service_clock") == [(1,)]


async def test_the_list_shows_what_is_urgent(world: World) -> None:
    alice = await world.session("alice")
    await targets(alice, first_minutes="1h")
    await talk(world)
    row = (await alice.get("/w/acme/inbox/list")).text
    assert 'data-urgent hidden' in row
    world.clock.advance(50 * MINUTE)
    assert 'class="chip due chip-warn"' in (await alice.get("/w/acme/inbox/list")).text
    world.clock.advance(20 * MINUTE + 2 * SECOND)
    assert "Overdue 10 min" in (await alice.get("/w/acme/inbox/list")).text


async def test_the_report_and_its_api(world: World) -> None:
    alice = await world.session("alice")
    await targets(alice, first_minutes="30")
    for number, minutes in enumerate((5, 10, 40)):
        said = await talk(world, phone=f"1415555020{number}", name=f"Customer {number}")
        # A message counts from the end of its second.
        world.clock.advance(minutes * MINUTE + 2 * SECOND)
        await said.reply(alice, "hello")
    page = (await alice.get("/w/acme/reports/service", params={"by": "agent"})).text
    assert "<dd>66 %</dd>" in page and "<dd>10 min</dd>" in page and "<dd>40 min</dd>" in page
    assert '<th scope="row">Alice</th>' in page
    async with world.client(await world.key(world.acme, "service:read")) as script:
        found = (await script.get("/api/v1/service/response-times", params={"by": "agent"})).json()["items"]
        assert found == [{"kind": "first", "of": await id_of(world, "alice"), "count": 3, "within": 2,
                          "median_seconds": pytest.approx(600, abs=3), "p90_seconds": pytest.approx(2400, abs=3)}]
        assert (await script.get("/api/v1/service/response-times", params={"by": "moon"})).status_code == 422
        assert (await script.get("/api/v1/service/response-times", params={"from": "2026-02-31"})).status_code == 422
        assert (await script.get("/api/v1/service/targets")).status_code == 403


@pytest.mark.parametrize(("fields", "words"), [
    ({"day_0": "nine to five"}, "Write hours like"), ({"day_0": "9-12, 11-13"}, "These hours overlap"),
    ({"name": ""}, "Give the calendar a name"), ({"time_zone": "Mars/Olympus"}, "There is no such time zone"),
    ({"date_0_day": "yesterday", "date_0_name": "x"}, "Choose a day"),
    ({"date_0_day": "2026-12-24", "date_0_name": "Eve", "date_0_hours": "9"}, "Write hours like"),
    ({"date_0_day": "2026-12-24", "date_0_name": "a", "date_1_day": "2026-12-24", "date_1_name": "b"}, "stands once"),
])
async def test_a_calendar_that_is_none_keeps_what_was_typed(world: World, fields: dict[str, str], words: str) -> None:
    alice = await world.session("alice")
    answer = await alice.post(f"{PAGE}/calendars", data={
        "name": "Mine", "time_zone": "UTC", "day_1": "10:00-11:00"} | fields)
    assert answer.status_code == 422 and words in answer.text and 'value="10:00-11:00"' in answer.text
    assert await rows(world, world.acme, "SELECT count(*) FROM calendar") == [(0,)]


async def test_calendars_are_made_changed_and_deleted(world: World) -> None:
    mo = await world.session("mo")
    await mo.post(f"{PAGE}/calendars", data={"name": "Office", "time_zone": "Europe/Berlin", "day_0": "9-17",
                                             "date_0_day": "2026-12-25", "date_0_name": "Christmas"})
    calendar_id = await calendar_named(world, "Office")
    assert await rows(world, world.acme, "SELECT scope, calendar_id FROM service_rule") == [("workspace", calendar_id)]
    page = (await mo.get(f"{PAGE}/calendars/{calendar_id}")).text
    assert 'value="09:00-17:00"' in page and 'value="2026-12-25"' in page
    shown = (await mo.get(PAGE)).text
    assert ("Office" in shown and "Now: closed until" in shown) or "Now: open until" in shown
    await mo.post(f"{PAGE}/calendars/{calendar_id}/removal")
    assert await rows(world, world.acme, "SELECT count(*) FROM calendar") == [(0,)]
    assert "Now: open, around the clock" in (await mo.get(PAGE)).text
    actions = [row[0] for row in await rows(world, world.acme, "SELECT action FROM audit_event WHERE action LIKE "
                                            "'calendar.%' OR action LIKE 'service_rule.%' ORDER BY sequence")]
    assert actions == ["calendar.created", "service_rule.saved", "calendar.deleted"]


async def test_scripts_do_the_same(world: World, south: str) -> None:
    async with world.client(await world.key(world.acme)) as script:
        new = {"name": "Office", "time_zone": "UTC", "week": ["00:00-24:00"] * 7,
               "holidays": [{"day": "2026-12-25", "name": "Christmas"}]}
        made = (await script.post("/api/v1/service/calendars", json=new)).json()
        assert made["week"] == new["week"] and made["is_open"] is True
        path = f"/api/v1/service/calendars/{made['id']}"
        changed = await script.put(path, json=new | {"name": "Shop", "holidays": []})
        assert changed.json()["name"] == "Shop" and changed.json()["until"] is None
        assert (await script.post("/api/v1/service/calendars", json=new | {"week": ["9"] * 7})).status_code == 422
        rule = {"scope": "team", "scope_id": south, "first_minutes": 20, "calendar_id": made["id"]}
        assert (await script.put("/api/v1/service/targets", json=rule)).json()["first_minutes"] == 20
        assert (await script.put("/api/v1/service/targets", json=rule | {"scope_id": "x"})).status_code == 404
        assert (await script.put("/api/v1/service/targets", json=rule | {"calendar_id": "x"})).status_code == 422
        items = (await script.get("/api/v1/service/targets")).json()["items"]
        assert [one["scope"] for one in items] == ["workspace", "team"]
        assert (await script.delete(path)).status_code == 204
        assert (await script.get("/api/v1/service/calendars")).json() == {"items": [], "next_cursor": None}


async def test_who_may(world: World) -> None:
    for name, status in (("mo", 200), ("kim", 403), ("bob", 403), ("vera", 403), ("charlie", 404)):
        client: httpx.AsyncClient = await world.session(name)
        for path in (PAGE, "/w/acme/reports/service"):
            assert (await client.get(path)).status_code == status, (name, path)


async def test_the_api_tells_what_is_due(world: World) -> None:
    await targets(await world.session("alice"), first_minutes="30")
    said = await talk(world, phone=PHONE)
    async with world.client(await world.key(world.acme)) as script:
        told = (await script.get(f"/api/v1/conversations/{said.id}")).json()
    assert told["due"] == "first" and told["due_at"].endswith("Z")


async def test_an_answer_that_is_taken_back_was_none(world: World) -> None:
    alice = await world.session("alice")
    await targets(alice, first_minutes="30", resolution_minutes="4h")
    said = await talk(world)
    world.clock.advance(10 * MINUTE)
    draft = inbox.Draft(origin=inbox.Origin.AGENT, hold=10 * SECOND, message=parse_message(
        {"type": "text", "text": {"body": "oh no"}}))
    async with world.workspace(world.acme) as workspace:
        async with workspace.write(OPERATOR) as tx:
            message_id = await inbox.queue_message(tx, said.id, draft)
        assert await due(said) == (None, None)
        async with workspace.write(OPERATOR) as tx:
            await undo.take_back(tx, message_id)
    assert await due(said) == ("first", 20) and await times(world) == []


async def told(world: World) -> list[str]:
    """Of which conversations people heard that a target was missed."""
    return [row[0] for row in await rows(world, world.acme, "SELECT conversation_id FROM conversation_event "
                                         "WHERE kind = 'target_missed' ORDER BY at")]


async def test_a_new_target_holds_for_those_who_wait_and_rings_for_nothing_older(
        world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recounting, "AT_A_TIME", 1)
    alice = await world.session("alice")
    late = await talk(world)
    world.clock.advance(40 * MINUTE)
    early = await talk(world, name="Noor", phone="14155550102")
    answered = await talk(world, name="Ola", phone="14155550103")
    await answered.reply(alice, "yes")
    world.clock.advance(10 * MINUTE)
    await targets(alice, first_minutes="30")
    await world.settle()
    assert (await due(late), await due(early), await due(answered)) == (("first", -20), ("first", 20), (None, None))
    await sweep(world)
    assert await told(world) == [], "there was no target to miss"
    assert 'class="chip due chip-danger"' in (await alice.get(late.base)).text
    world.clock.advance(21 * MINUTE)
    await sweep(world)
    assert await told(world) == [early.id]
    assert await rows(world, world.acme, "SELECT * FROM service_recount") == []


async def test_a_changed_target_rings_at_its_new_moment_only(world: World) -> None:
    alice = await world.session("alice")
    await targets(alice, first_minutes="2h")
    said = await talk(world)
    world.clock.advance(40 * MINUTE)
    await targets(alice, first_minutes="30")
    await world.settle()
    await sweep(world)
    assert await due(said) == ("first", -10) and await told(world) == []
    await targets(alice, first_minutes="1h")
    await world.settle()
    world.clock.advance(21 * MINUTE)
    await sweep(world)
    assert await told(world) == [said.id]
    await targets(alice, first_minutes="50")
    await world.settle()
    await sweep(world)
    assert await told(world) == [said.id], "once"
