"""Shifts and absences: who is not there gets nothing by itself, why is told, and a colleague stands in."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from chime import contacts
from chime.clock import DAY
from chime.inbox import reopening
from chime.routing import shift_actions
from chime.security.permissions import SYSTEM
from chime.working_time import Absence, Roster, Shifts, moments, read_hours
from tests.http.inbox_setup import Talk, leaving, rows, talk
from tests.http.people_setup import id_of
from tests.http.test_routing import HTMX, holders, is_, rule
from tests.support.world import World


def today(world: World, zone: str = "UTC") -> date:
    return datetime.fromtimestamp(world.clock.real_now() / 1000, ZoneInfo(zone)).date()


async def away(world: World, name: str, *, days: int = 3, stand_in: str = "", hands_over: bool = False) -> str:
    """Somebody is away from today on; the id of the absence."""
    able = {await id_of(world, one) for one in ("alice", "mo", "kim", "bob")}
    async with world.workspace(world.acme) as workspace, workspace.write(SYSTEM) as tx:
        made = await shift_actions.create_absence(tx, await id_of(world, name), shift_actions.NewAbsence(
            first_day=today(world), last_day=today(world) + timedelta(days=days), hands_over=hands_over,
            stand_in_id=await id_of(world, stand_in) if stand_in else None), time_zone="UTC", members=able)
    await world.settle()
    return made


async def off_shift(world: World, name: str) -> None:
    """Somebody works on one day of the week, which is not today."""
    week = [()] * 7
    week[(today(world).weekday() + 2) % 7] = read_hours("09:00-17:00")
    async with world.workspace(world.acme) as workspace, workspace.write(SYSTEM) as tx:
        await shift_actions.set_shifts(tx, Shifts(user_id=await id_of(world, name), time_zone="UTC", week=tuple(week)))
    await world.settle()


async def why(world: World) -> str:
    """The page that says who would be next."""
    alice = await world.session("alice")
    return (await alice.get(f"/w/acme/settings/assignment/places/{world.acme.channel_id}/next")).text


async def holder(one: Talk) -> str | None:
    await one.world.settle()
    return (await one.conversation()).assignee_id


def test_days_are_the_persons_own_and_the_first_reason_is_the_absence() -> None:
    starts_at, ends_at = moments(date(2026, 3, 28), date(2026, 3, 29), "Europe/Berlin")
    assert ends_at - starts_at == 2 * DAY - 3_600_000, "the clock is changed on the second"
    one = Absence(id="a", user_id="u", first_day="2026-03-28", last_day="2026-03-29", starts_at=starts_at,
                  ends_at=ends_at, stand_in_id=None, hands_over=False)
    week = ((),) * 6 + (read_hours("22:00-06:00"),)
    known = Roster(shifts=Shifts(user_id="u", time_zone="Europe/Berlin", week=week), absences=(one,))
    assert (off := known.off(starts_at)) is not None and off.absence is one
    after = known.off(ends_at)
    assert after is None, "Monday at midnight, in the night shift of Sunday"
    late = known.off(ends_at + 7 * 3_600_000)
    assert late is not None and late.absence is None and late.until is not None
    assert Roster().off(starts_at) is None


async def test_who_is_off_shift_or_absent_gets_none_and_the_page_says_why(world: World) -> None:
    await rule(world)
    await is_(world, "available", "kim", "bob", "mo")
    await off_shift(world, "kim")
    await away(world, "bob", stand_in="mo")
    page = await why(world)
    assert "Not on shift until" in page and ", Mo" in page and "takes over" in page
    await talk(world)
    await talk(world, name="Tom", phone="14155550102")
    assert await holders(world) == {"mo": 2}
    people = (await (await world.session("alice")).get("/w/acme/availability/people")).json()
    assert people[await id_of(world, "kim")]["status"] == people[await id_of(world, "bob")]["status"] == "away"
    assert await rows(world, world.acme, "SELECT DISTINCT status FROM availability") == [("available",)], "untouched"
    async with world.client(await world.key(world.acme)) as script:
        there = f"/api/v1/assignment/rules/{world.acme.channel_id}/next"
        told = {one["member_id"]: one for one in (await script.get(there)).json()["members"]}
    bob = told[await id_of(world, "bob")]
    assert (bob["verdict"], bob["stand_in_id"]) == ("absent", await id_of(world, "mo")) and bob["off_until"]
    assert told[await id_of(world, "kim")]["verdict"] == "off_shift"


async def test_the_owner_comes_first_then_who_answered_then_whose_turn_it_is(world: World) -> None:
    maya = await talk(world)
    kim, bob = await id_of(world, "kim"), await id_of(world, "bob")
    async with world.workspace(world.acme) as workspace, workspace.write(SYSTEM) as tx:
        await contacts.set_owner(tx, maya.contact_id, bob)
    client = await world.session("kim")
    await client.post(f"{maya.base}/messages", data={"type": "text", "text": "hello"}, headers=HTMX)
    await client.post(f"{maya.base}/assignment", data={"assignee_id": ""}, headers=HTMX)
    await client.post(f"{maya.base}/closure", headers=HTMX)
    await maya.says({"type": "text", "text": {"body": "once more"}})
    await is_(world, "available", "kim", "bob")
    await rule(world, previous_days=7, owner_first=True)
    assert await holder(maya) == bob and "looks after this customer" in (await client.get(maya.base)).text
    alice = await world.session("alice")
    await is_(world, "away", "bob")
    await alice.post(f"{maya.base}/assignment", data={"assignee_id": ""}, headers=HTMX)
    assert await holder(maya) == kim, "the owner is away: who answered before"


async def test_customers_of_the_absent_go_to_who_stands_in_if_they_take_it(world: World) -> None:
    maya = await talk(world)
    async with world.workspace(world.acme) as workspace, workspace.write(SYSTEM) as tx:
        await contacts.set_owner(tx, maya.contact_id, await id_of(world, "bob"))
    await is_(world, "available", "kim", "mo", "bob")
    await away(world, "bob", stand_in="mo")
    await rule(world, owner_first=True)
    assert await holder(maya) == await id_of(world, "mo")
    assert "stands in for Bob" in (await (await world.session("alice")).get(maya.base)).text


@pytest.mark.parametrize("hands_over", [True, False])
async def test_who_writes_to_the_absent_is_handed_over_or_the_colleague_is_told(world: World, hands_over: bool) -> None:
    maya, bob, mo = await talk(world), await id_of(world, "bob"), await id_of(world, "mo")
    alice = await world.session("alice")
    await is_(world, "available", "mo", "bob")
    await alice.post(f"{maya.base}/assignment", data={"assignee_id": bob}, headers=HTMX)
    await alice.post(f"{maya.base}/messages", data={"type": "text", "text": "Bob will answer"}, headers=HTMX)
    absence_id = await away(world, "bob", stand_in="mo", hands_over=hands_over)
    assert await holder(maya) == bob, "the customer has not written"
    await maya.says({"type": "text", "text": {"body": "are you there?"}})
    assert await holder(maya) == (mo if hands_over else bob)
    told = await rows(world, world.acme, "SELECT kind FROM notification WHERE user_id = ? ORDER BY kind", mo)
    assert [row[0] for row in told] == (["assigned_to_me"] if hands_over else ["stand_in"])
    page = (await alice.get(maya.base)).text
    assert ("stands in for Bob" if hands_over else "is away") in page
    if not hands_over:
        await maya.says({"type": "text", "text": {"body": "hello?"}})
        await world.settle()
        assert len(await rows(world, world.acme, "SELECT 1 FROM conversation_event WHERE kind = 'stand_in_told'")) == 1
        edited = await alice.post(f"/w/acme/shifts/{bob}/absences/{absence_id}", data={
            "first_day": today(world).isoformat(), "stand_in_id": mo, "hands_over": "1"})
        assert edited.status_code == 303 and await holder(maya) == mo, "decided otherwise, it goes at once"


async def test_a_stand_in_who_is_full_away_or_gone_gets_nothing(world: World) -> None:
    maya, bob = await talk(world), await id_of(world, "bob")
    alice = await world.session("alice")
    await alice.post(f"{maya.base}/assignment", data={"assignee_id": bob}, headers=HTMX)
    await is_(world, "busy", "mo")
    await away(world, "bob", stand_in="mo", hands_over=True)
    await maya.says({"type": "text", "text": {"body": "are you there?"}})
    assert await holder(maya) == bob


async def test_what_comes_back_counts_who_is_absent_or_off_shift_as_away(world: World) -> None:
    await is_(world, "available", "kim", "bob", "mo")
    await off_shift(world, "kim")
    await away(world, "bob")
    async with world.workspace(world.acme) as workspace:
        found = {name: await reopening.is_away(workspace.db, await id_of(world, name), now=world.clock.real_now())
                 for name in ("kim", "bob", "mo")}
    assert found == {"kim": True, "bob": True, "mo": False}


async def weeks(client: httpx.AsyncClient, member_id: str, **days: str) -> httpx.Response:
    return await client.post(f"/w/acme/shifts/{member_id}", data={"time_zone": "Asia/Kolkata", **days})


async def test_a_week_is_kept_shown_to_everybody_who_decides_and_given_up(world: World) -> None:
    bob, agent, alice = await id_of(world, "bob"), await world.session("bob"), await world.session("alice")
    async with leaving(world, agent) as left:
        assert (await weeks(agent, bob, day_0="09:00-13:00, 14:00-18:00", day_6="22-6")).status_code == 303
    assert left.audit == [("shifts.changed", "user", bob)]
    page = (await agent.get(f"/w/acme/shifts/{bob}")).text
    assert 'value="09:00-13:00, 14:00-18:00"' in page and 'value="22:00-06:00"' in page
    everybody = (await alice.get("/w/acme/settings/shifts?week=2026-12-03")).text
    assert "14:00-18:00" in everybody and "Nov 30, 2026" in everybody
    wrong = await weeks(agent, bob, day_0="nine to five")
    assert wrong.status_code == 422 and 'value="nine to five"' in wrong.text
    assert (await weeks(agent, bob)).status_code == 303
    assert await rows(world, world.acme, "SELECT 1 FROM shift") == [], "a week without hours is none"
    assert "Shifts and absences" in (await agent.get("/w/acme/availability")).text
    assert f"/w/acme/shifts/{bob}" in (await agent.get("/me")).text
    assert "Shifts and absences" not in (await (await world.session("vera")).get("/me")).text


async def test_an_absence_is_made_changed_and_removed_by_whom_it_concerns(world: World) -> None:
    bob, kim = await id_of(world, "bob"), await id_of(world, "kim")
    agent, there = await world.session("bob"), f"/w/acme/shifts/{await id_of(world, 'bob')}"
    day = today(world)
    given = {"first_day": day.isoformat(), "last_day": (day + timedelta(days=4)).isoformat(), "stand_in_id": kim}
    async with leaving(world, agent) as left:
        assert (await agent.post(f"{there}/absences", data=given)).status_code == 303
    absence_id = (await rows(world, world.acme, "SELECT id FROM absence"))[0][0]
    assert left.audit == [("absence.created", "absence", absence_id)]
    for changed, words in (({"first_day": ""}, "Choose a day"), ({"last_day": "2026-01-01"}, "first one or later"),
                           ({"stand_in_id": bob}, "stands in for themselves"),
                           ({"stand_in_id": await id_of(world, "vera")}, "who may reply"),
                           ({"stand_in_id": "", "hands_over": "1"}, "Choose who takes over"), ({}, "already")):
        refused = await agent.post(f"{there}/absences", data=given | changed)
        assert refused.status_code == 422 and words in refused.text, words
    other = await world.session("kim")
    for path in (there, f"{there}/absences/{absence_id}"):
        assert (await other.post(path, data=given)).status_code == 404, "no business of hers"
    assert (await other.get(there)).status_code == 404
    alice = await world.session("alice")
    assert (await alice.post(f"{there}/absences/{absence_id}", data=given | {"last_day": ""})).status_code == 303
    assert await rows(world, world.acme, "SELECT first_day, last_day FROM absence") == [(day.isoformat(),) * 2]
    assert (await agent.post(f"{there}/absences/{absence_id}/removal")).status_code == 303
    assert await rows(world, world.acme, "SELECT 1 FROM absence") == []


async def test_the_same_by_script(world: World) -> None:
    bob, kim = await id_of(world, "bob"), await id_of(world, "kim")
    day = today(world, "Europe/Berlin")
    async with world.client(await world.key(world.acme)) as script:
        there = f"/api/v1/members/{bob}"
        week = ["09:00-17:00"] * 5 + ["", ""]
        assert (await script.get(f"{there}/shifts")).json()["week"] is None
        told = (await script.patch(f"{there}/shifts", json={"week": week, "time_zone": "Europe/Berlin"})).json()
        assert (told["week"], told["time_zone"]) == (week, "Europe/Berlin")
        made = await script.post(f"{there}/absences", json={
            "first_day": day.isoformat(), "last_day": day.isoformat(), "stand_in_id": kim, "hands_over": True})
        assert made.status_code == 201
        one: dict[str, Any] = made.json()
        assert (await script.get(f"{there}/shifts")).json()["is_off"] is True
        assert [row["id"] for row in (await script.get("/api/v1/absences")).json()["items"]] == [one["id"]]
        changed = (await script.patch(f"/api/v1/absences/{one['id']}", json={"hands_over": False})).json()
        assert changed == one | {"hands_over": False}
        wrong = await script.patch(f"/api/v1/absences/{one['id']}", json={"last_day": "2026-02-31"})
        assert wrong.status_code == 422
        for far in ("9999-12-31", "2200-01-01", "1999-12-31"):
            wrong = await script.post(f"{there}/absences", json={"first_day": far, "last_day": far})
            assert (wrong.status_code, wrong.json()["errors"][0]["message"]) == (422, "Choose a day."), far
            wrong = await script.patch(f"/api/v1/absences/{one['id']}", json={"last_day": far})
            assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "last_day"), far
        assert (await script.delete(f"/api/v1/absences/{one['id']}")).status_code == 204
        assert (await script.get("/api/v1/absences")).json()["items"] == []


async def test_who_joins_a_team_or_gets_a_number_is_given_what_waits_at_once(world: World) -> None:
    alice, kim = await world.session("alice"), await id_of(world, "kim")
    await alice.post("/w/acme/settings/teams", data={"name": "North"})
    team_id = (await world.services.control.db.rows("SELECT id FROM team WHERE name = 'North'"))[0][0]
    maya = await talk(world)
    await is_(world, "available", "kim")
    await alice.post(f"{maya.base}/assignment", data={"team_id": team_id}, headers=HTMX)
    await rule(world, team_id)
    assert await holder(maya) is None, "Kim is not in the team"
    assert (await alice.post(f"/w/acme/settings/members/{kim}/teams", data={"team": team_id})).status_code == 303
    assert await holder(maya) == kim
