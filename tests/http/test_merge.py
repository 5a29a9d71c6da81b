"""Two contacts that are one person: chosen side by side, joined with their conversations, parted again as they were."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from chime import contacts
from chime.inbox import merging
from chime.inbox.actions import move_threads
from tests.http.inbox_setup import Talk, indexed, leaving, listening, rows, talk, until
from tests.http.people_setup import id_of
from tests.http.service_setup import targets
from tests.support.world import World

HTMX = {"HX-Request": "true"}
OTHER_PHONE = "14155550199"
# Everything of the two but the traces of what was done: when, by whom, and what is searched.
TABLES = {
    "contact": "SELECT id, name, profile_name, username, phone, user_id, fields_json, marketing_consent, consent_at, "
               "deleted_at, blocked_at FROM contact",
    "identity": "SELECT kind, value, contact_id FROM contact_identity",
    "tags": "SELECT contact_id, tag_id FROM contact_tag", "consents": "SELECT id, contact_id FROM consent_event",
    "conversation": "SELECT * FROM conversation", "message": "SELECT id, conversation_id FROM message",
    "note": "SELECT id, conversation_id FROM note", "mention": "SELECT note_id, conversation_id FROM mention",
    "pin": "SELECT * FROM conversation_pin", "thread_tag": "SELECT * FROM conversation_tag",
    "clock": "SELECT * FROM service_clock", "reminder": "SELECT id, conversation_id FROM reminder",
    "message_pin": "SELECT * FROM message_pin", "notification": "SELECT id, conversation_id FROM notification",
    "event": "SELECT id, conversation_id FROM conversation_event WHERE kind NOT LIKE 'contacts_%'",
}


async def stored(world: World) -> dict[str, list[tuple[Any, ...]]]:
    return {name: sorted(await rows(world, world.acme, sql), key=repr) for name, sql in TABLES.items()}


async def two(world: World) -> tuple[Talk, Talk, httpx.AsyncClient]:
    """Maya twice, on the same number of ours, each with something of every kind."""
    maya, again = await talk(world, name="Maya Chen"), await talk(world, name="Maya C.", phone=OTHER_PHONE)
    alice = await world.session("alice")
    async with world.client(await world.key(world.acme)) as script:
        for one, fields in ((maya, {"city": "Pune"}), (again, {"city": "Goa", "size": "M"})):
            await script.patch(f"/api/v1/contacts/{one.contact_id}", json={"fields": fields})
    for one in (maya, again):
        await alice.post(f"/w/acme/contacts/{one.contact_id}/tags", data={"name": f"of {one.id}"}, headers=HTMX)
        await alice.post(f"{one.base}/tags", data={"name": f"on {one.id}"}, headers=HTMX)
        await alice.post(f"{one.base}/pin", headers=HTMX)
        await alice.post(f"{one.base}/notes", data={"text": "@Bob have a look"}, headers=HTMX)
        first = (await one.messages())[0]
        await alice.post(f"{one.base}/messages/{first.id}/pin", headers=HTMX)
    await alice.post(f"/w/acme/contacts/{maya.contact_id}/consent", headers=HTMX,
                     data={"marketing": "opted_in", "evidence": "said so"})
    await alice.post(f"/w/acme/contacts/{again.contact_id}/consent", headers=HTMX,
                     data={"marketing": "opted_out", "evidence": "said no"})
    await indexed(world)
    return maya, again, alice


async def merge(client: httpx.AsyncClient, kept: Talk, gone: Talk, **fields: Any) -> httpx.Response:
    return await client.post(f"/w/acme/contacts/{kept.contact_id}/merge", headers=HTMX,
                             data={"other_id": gone.contact_id} | fields)


async def contact(world: World, one: Talk) -> dict[str, Any]:
    async with world.client(await world.key(world.acme)) as script:
        found: dict[str, Any] = (await script.get(f"/api/v1/contacts/{one.contact_id}")).json()
    return found


async def test_found_by_name_and_compared_side_by_side(world: World) -> None:
    maya, again, alice = await two(world)
    address = f"/w/acme/contacts/{maya.contact_id}/merge"
    found = (await alice.get(address, params={"q": "maya"}, headers=HTMX)).text
    assert again.contact_id in found and f"other={maya.contact_id}" not in found, "nobody is merged with themselves"
    page = (await alice.get(address, params={"other": again.contact_id})).text
    for words in ("Maya Chen", "Maya C.", "Pune", "Goa", "the stricter of both", "joins the one here",
                  "Write to this number"):
        assert words in page, words


async def test_joined_as_chosen_and_the_old_address_leads_there(world: World) -> None:
    maya, again, alice = await two(world)
    theirs = [message.id for message in await again.messages()]
    keep, = (await contact(world, again))["tags"]
    tag_id, = (await rows(world, world.acme, "SELECT id FROM tag WHERE name = ?", keep))[0]
    async with leaving(world, alice) as left:
        answer = await merge(alice, maya, again, name="other", tag=[tag_id], **{"field:city": "other"})
    assert answer.status_code == 200 and answer.headers["hx-redirect"] == maya.base
    assert ("contact.merged", "contact", maya.contact_id) in left.audit
    told = await contact(world, maya)
    assert told["name"] == "Maya C." and told["fields"] == {"city": "Goa", "size": "M"}
    assert told["tags"] == [keep] and told["marketing_consent"] == "opted_out"
    assert set(theirs) < {message.id for message in await maya.messages()}
    moved = await alice.get(f"{again.base}?at={theirs[0]}")
    assert moved.status_code == 303 and moved.headers["location"] == f"{maya.base}?at={theirs[0]}"
    assert "made two contacts one" in (await alice.get(maya.base)).text
    async with world.client(await world.key(world.acme)) as script:
        assert (await script.get(f"/api/v1/contacts/{again.contact_id}")).status_code == 404


@pytest.mark.parametrize("number", ["", "other"])
async def test_parted_again_everything_is_as_it_was(world: World, number: str) -> None:
    maya, again, alice = await two(world)
    before = await stored(world)
    await merge(alice, maya, again, number=number)
    assert await stored(world) != before
    assert "Part again" in (await alice.get(maya.base)).text
    parted = await alice.delete(f"/w/acme/contacts/{maya.contact_id}/merge", headers=HTMX | {
        "HX-Current-URL": f"{world.base}{maya.base}"})
    assert parted.status_code == 200, parted.text
    after = await stored(world)
    for name, found in before.items():
        assert after[name] == found, name
    assert await rows(world, world.acme, "SELECT 1 FROM contact_merge_item UNION ALL SELECT 1 FROM contact_merge_part "
                      "UNION ALL SELECT 1 FROM conversation_alias") == []
    assert (await alice.get(again.base)).status_code == 200


async def test_what_came_since_stays_and_a_refusal_holds_for_both(world: World) -> None:
    maya, again, alice = await two(world)
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE contact SET marketing_consent = 'opted_in'")
    await merge(alice, maya, again)
    later = await maya.says("And do you deliver?")
    await alice.post(f"/w/acme/contacts/{maya.contact_id}", data={"name": "Maya R."}, headers=HTMX)
    await alice.post(f"/w/acme/contacts/{maya.contact_id}/consent", headers=HTMX,
                     data={"marketing": "opted_out", "evidence": "said no"})
    await alice.delete(f"/w/acme/contacts/{maya.contact_id}/merge", headers=HTMX)
    assert later.id in [message.id for message in await maya.messages()]
    assert (await maya.conversation()).last_message_at == later.at
    mine, theirs = await contact(world, maya), await contact(world, again)
    assert mine["name"] == "Maya R." and theirs["name"] == ""
    assert [one["marketing_consent"] for one in (mine, theirs)] == ["opted_out"] * 2
    assert (await again.messages())[0].text == "Do you open on Sunday?"


async def test_only_within_a_week_and_only_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    maya, again, alice = await two(world)
    async with world.client(await world.key(world.acme)) as script:
        address = f"/api/v1/contacts/{maya.contact_id}/merge"
        made = await script.post(address, json={"other_id": again.contact_id})
        assert made.status_code == 200 and made.json()["other_id"] == again.contact_id, made.text
        assert (await script.delete(address)).status_code == 204
        assert (await script.delete(address)).status_code == 404
        assert (await script.post(address, json={"other_id": maya.contact_id})).status_code == 422
        assert (await script.post(address, json={"other_id": again.contact_id})).status_code == 200
        monkeypatch.setattr(merging, "UNDO_FOR", -1)
        assert (await script.delete(address)).status_code == 404
    assert "Part again" not in (await alice.get(maya.base)).text


async def test_not_with_a_conversation_out_of_sight(world: World) -> None:
    maya, again, alice = await two(world)
    bob = await world.session("bob")
    await alice.post(f"{maya.base}/assignment", data={"assignee_id": await id_of(world, "bob")}, headers=HTMX)
    await alice.post(f"{again.base}/assignment", data={"assignee_id": await id_of(world, "alice")}, headers=HTMX)
    assert (await merge(bob, maya, again)).status_code in (403, 404)
    assert (await merge(await world.session("vera"), maya, again)).status_code == 403
    assert [one.id for one in await again.messages()], "nothing moved"


async def test_forgotten_with_the_person_and_parted_ones_are_forgotten_apart(world: World) -> None:
    maya, again, alice = await two(world)
    await merge(alice, maya, again)
    async with world.workspace(world.acme) as workspace:
        assert set(await contacts.same_person(workspace.db, maya.contact_id)) == {maya.contact_id, again.contact_id}
    await alice.delete(f"/w/acme/contacts/{maya.contact_id}/merge", headers=HTMX)
    async with world.workspace(world.acme) as workspace:
        assert await contacts.same_person(workspace.db, maya.contact_id) == [maya.contact_id]


async def teams(world: World, *names: str) -> None:
    """Teams that nobody belongs to yet."""
    async with world.services.control.ingest("test") as tx:
        for name in names:
            await tx.execute("INSERT INTO team (id, workspace_id, name, created_at) VALUES (?, ?, ?, 0)", name,
                             world.acme.workspace_id, name.title())


async def test_what_a_team_alone_may_read_stays_with_it(world: World) -> None:
    alice, kim = await world.session("alice"), await world.session("kim")
    maya, again = await talk(world), await talk(world, "About my salary", name="Maya C.", phone=OTHER_PHONE)
    await teams(world, "staff")
    await alice.post(f"{again.base}/assignment", data={"team_id": "staff"}, headers=HTMX)
    assert [(await kim.get(one.base)).status_code for one in (maya, again)] == [200, 404]
    before = await stored(world)
    await merge(alice, maya, again)
    assert (await maya.conversation()).team_id == "staff" and (await kim.get(maya.base)).status_code == 404
    assert (await alice.delete(f"/w/acme/contacts/{maya.contact_id}/merge", headers=HTMX)).status_code == 200
    assert (await stored(world))["conversation"] == before["conversation"], "parted again, only hers is the team's"


async def test_whoever_loses_sight_of_what_was_joined_by_itself_hears_of_it(world: World) -> None:
    alice, kim = await world.session("alice"), await world.session("kim")
    maya, again = await talk(world), await talk(world, name="Maya C.", phone=OTHER_PHONE)
    await teams(world, "staff")
    await alice.post(f"{again.base}/assignment", data={"team_id": "staff"}, headers=HTMX)
    async with listening(kim, world.acme) as stream:
        async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
            await move_threads(tx, kept=maya.contact_id, gone=again.contact_id)
        await until(lambda: ("inbox", "list") in stream.nudges)
        assert ("conversation", maya.id) not in stream.nudges


_SOONER, _LATER = "2026-11-24T09:00", "2026-11-25T09:00"


@pytest.mark.parametrize(("kept", "gone", "left"), [
    ("open", _LATER, ("open", None)), (_LATER, "open", ("open", None)), ("closed", _LATER, ("snoozed", _LATER)),
    (_LATER, "closed", ("snoozed", _LATER)), (_LATER, _SOONER, ("snoozed", _SOONER)),
    ("reply", _LATER, ("snoozed", _LATER)), ("closed", "reply", ("snoozed", None)), ("closed", "open", ("open", None)),
    ("closed", "closed", ("closed", None))])
async def test_open_work_stays_open_and_what_sleeps_comes_back(world: World, kept: str, gone: str,
                                                               left: tuple[str, str | None]) -> None:
    alice = await world.session("alice")
    maya, again = await talk(world), await talk(world, name="Maya C.", phone=OTHER_PHONE)
    for one, state in ((maya, kept), (again, gone)):
        if state == "closed":
            await alice.post(f"{one.base}/closure", headers=HTMX)
        elif state != "open":
            assert (await alice.post(f"{one.base}/snooze", data={"until": state}, headers=HTMX)).status_code == 200
    moments = dict(await rows(world, world.acme, "SELECT id, snoozed_until FROM conversation"))
    before = await stored(world)
    await merge(alice, maya, again)
    state, until_when = left
    expected = moments[maya.id if until_when == kept else again.id] if until_when else None
    assert await rows(world, world.acme, "SELECT state, snoozed_until, closed_at IS NULL FROM conversation") == [
        (state, expected, int(state != "closed"))]
    await alice.delete(f"/w/acme/contacts/{maya.contact_id}/merge", headers=HTMX)
    assert (await stored(world))["conversation"] == before["conversation"]


async def test_open_again_by_a_merge_its_time_goes_on_and_by_the_targets_of_its_team(world: World) -> None:
    alice = await world.session("alice")
    await teams(world, "staff")
    await targets(alice, resolution_minutes="4h")
    await targets(alice, scope="team", scope_id="staff", resolution_minutes="2h")
    maya, again = await talk(world), await talk(world, name="Maya C.", phone=OTHER_PHONE)
    await alice.post(f"{maya.base}/snooze", data={"until": "monday"}, headers=HTMX)
    await alice.post(f"{again.base}/assignment", data={"team_id": "staff"}, headers=HTMX)
    await merge(alice, maya, again)
    assert await rows(world, world.acme, "SELECT conversation_id, minutes, running_since IS NULL FROM service_clock"
                      ) == [(maya.id, 120, 0)]


async def test_parted_after_two_merges_each_old_address_leads_to_its_own_customer(world: World) -> None:
    alice = await world.session("alice")
    ana, ben = await talk(world, name="Ana"), await talk(world, name="Ben", phone=OTHER_PHONE)
    dan = await talk(world, name="Dan", phone="14155550177")
    await merge(alice, ben, dan)
    await merge(alice, ana, ben)
    assert (await alice.get(dan.base)).headers["location"].startswith(ana.base)
    await alice.delete(f"/w/acme/contacts/{ana.contact_id}/merge", headers=HTMX)
    assert (await alice.get(dan.base)).headers["location"].startswith(ben.base)
    async with world.client(await world.key(world.acme)) as script:
        sent = await script.post("/api/v1/messages", json={
            "conversation_id": dan.id, "type": "text", "text": {"body": "Your invoice"}})
        assert sent.status_code == 202 and sent.json()["conversation_id"] == ben.id
    await alice.delete(f"/w/acme/contacts/{ben.contact_id}/merge", headers=HTMX)
    assert [(await alice.get(one.base)).status_code for one in (ana, ben, dan)] == [200] * 3
    assert await rows(world, world.acme, "SELECT 1 FROM conversation_alias") == []
