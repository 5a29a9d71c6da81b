"""Many conversations at once: each by the verb it has by hand, one row of the trail, and back again."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from chime.clock import MINUTE
from chime.inbox import bulk_jobs
from chime.inbox.bulk import People
from tests.http.inbox_setup import Talk, rows, talk
from tests.http.test_list_filters import change, talks
from tests.http.test_queues import events_of, sweep
from tests.support.world import World

BULK, HTMX = "/w/acme/inbox/bulk", {"HX-Request": "true"}


async def bulk(client: httpx.AsyncClient, act: str, ids: list[str], **fields: str) -> dict[str, Any]:
    """What the toast says."""
    answer = await client.post(BULK, data={"act": act, "id": ids} | fields, headers=HTMX)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = json.loads(answer.headers["hx-trigger"])["toast"]
    return told


async def column(world: World, name: str, known: dict[str, str]) -> list[Any]:
    found = dict(await rows(world, world.acme, f"SELECT id, {name} FROM conversation"))
    return [found[conversation_id] for conversation_id in known.values()]


async def trail(world: World) -> list[tuple[str, Any]]:
    found = await rows(world, world.acme, "SELECT action, details_json FROM audit_event WHERE action LIKE "
                       "'conversation%' AND action NOT LIKE '%opened' ORDER BY sequence")
    return [(action, json.loads(details)) for action, details in found]


async def test_resolved_together_with_one_row_of_the_trail_and_undone(world: World) -> None:
    alice, known = await world.session("alice"), await talks(world)
    waiting = await column(world, "waiting_since", known)
    told = await bulk(alice, "resolve", list(known.values()))
    assert told["text"] == "4 conversations changed" and await column(world, "state", known) == ["closed"] * 4
    (action, details), = await trail(world)
    assert action == "conversations.changed" and details["act"] == "resolve"
    assert details["done"] == {"conversation.closed": list(known.values())}
    assert await events_of(world, known["Maya"]) == ["resolved"]
    undone = await alice.post(told["undo"]["url"], headers=HTMX)
    assert json.loads(undone.headers["hx-trigger"])["toast"]["text"] == "4 conversations are as they were"
    assert await column(world, "state", known) == ["open"] * 4
    assert await column(world, "waiting_since", known) == waiting, "they wait since the same moment"
    assert [action for action, _ in await trail(world)] == ["conversations.changed", "conversations.change_undone"]
    assert (await alice.post(told["undo"]["url"], headers=HTMX)).status_code == 409, "once"


async def test_undo_leaves_alone_what_was_changed_since(world: World) -> None:
    alice, mo, known = await world.session("alice"), await world.session("mo"), await talks(world)
    ids = list(known.values())
    told = await bulk(alice, "snooze", ids[:3], to="tomorrow")
    assert await column(world, "state", known) == ["snoozed"] * 3 + ["open"]
    await mo.delete(f"/w/acme/inbox/{known['Maya']}/snooze", headers=HTMX)
    await mo.post(f"/w/acme/inbox/{known['Noor']}/closure", headers=HTMX)
    undone = await alice.post(told["undo"]["url"], headers=HTMX)
    assert json.loads(undone.headers["hx-trigger"])["toast"]["text"] == (
        "One conversation is as it was · what was changed again since stays as it is")
    assert await column(world, "state", known) == ["open", "closed", "open", "open"]


@pytest.mark.parametrize(("act", "name", "before", "after"), [
    ("unread", "unread_count", 0, 1), ("read", "unread_count", 1, 0), ("reopen", "state", "closed", "open")])
async def test_each_act_and_its_undo(world: World, act: str, name: str, before: Any, after: Any) -> None:
    alice, known = await world.session("alice"), await talks(world)
    await change(world, f"UPDATE conversation SET {name} = ?", before)
    told = await bulk(alice, act, list(known.values()))
    assert await column(world, name, known) == [after] * 4
    assert (await alice.post(told["undo"]["url"], headers=HTMX)).status_code == 200
    assert await column(world, name, known) == [before] * 4


async def test_assigned_and_given_to_a_team_and_tagged(world: World) -> None:
    alice, known = await world.session("alice"), await talks(world)
    kim = (await world.services.control.db.rows("SELECT id FROM user WHERE email = 'kim@example.com'"))[0][0]
    async with world.services.control.ingest("test") as tx:
        await tx.execute("INSERT INTO team (id, workspace_id, name, created_at) VALUES ('night', ?, 'Night', 0)",
                         world.acme.workspace_id)
    ids = list(known.values())
    assigned = await bulk(alice, "assign", ids, to=kim)
    given = await bulk(alice, "team", ids[:2], to="night")
    tagged = await bulk(alice, "tag", ids, name="Holiday")
    assert await column(world, "assignee_id", known) == [kim] * 4
    assert await column(world, "team_id", known) == ["night", "night", None, None]
    assert await rows(world, world.acme, "SELECT count(*) FROM conversation_tag") == [(4,)]
    (tag_id,), = await rows(world, world.acme, "SELECT id FROM thread_tag")
    assert (await bulk(alice, "untag", ids[:1], to=tag_id))["text"] == "One conversation changed"
    for told in (tagged, given, assigned):
        assert (await alice.post(told["undo"]["url"], headers=HTMX)).status_code == 200
    assert await column(world, "assignee_id", known) == [None] * 4
    assert await column(world, "team_id", known) == [None] * 4
    assert await rows(world, world.acme, "SELECT count(*) FROM conversation_tag") == [(0,)]


async def test_only_what_one_may_change_is_changed(world: World) -> None:
    bob, vera, known = await world.session("bob"), await world.session("vera"), await talks(world)
    me = (await world.services.control.db.rows("SELECT id FROM user WHERE email = 'bob@example.com'"))[0][0]
    await change(world, "UPDATE conversation SET assignee_id = ? WHERE id = ?", me, known["Maya"])
    await change(world, "UPDATE conversation SET assignee_id = 'other' WHERE id = ?", known["Noor"])
    told = await bulk(bob, "resolve", [*known.values(), "nothing"])
    assert told["text"] == "One conversation changed · 4 are not yours to change"
    assert await column(world, "state", known) == ["closed", "open", "open", "open"]
    await bulk(bob, "assign", list(known.values()), to=me)
    assert await column(world, "assignee_id", known) == [me, "other", me, me], "an agent takes from the queue"
    assert (await vera.post(BULK, data={"act": "resolve", "id": list(known.values())})).status_code == 403
    for data, status in (({"act": "resolve", "id": ["nothing"]}, 409), ({"act": "burn", "id": ["x"]}, 422),
                         ({"act": "assign", "id": [known["Maya"]], "to": "stranger"}, 422),
                         ({"act": "tag", "id": [known["Maya"]], "to": "nothing"}, 422),
                         ({"act": "snooze", "id": [known["Maya"]], "to": "never"}, 422)):
        assert (await bob.post(BULK, data=data, headers=HTMX)).status_code == status, data


async def test_undo_is_ones_own_and_soon_too_late(world: World) -> None:
    alice, mo, known = await world.session("alice"), await world.session("mo"), await talks(world)
    told = await bulk(alice, "resolve", list(known.values()))
    assert (await mo.post(told["undo"]["url"], headers=HTMX)).status_code == 404
    assert (await mo.get(told["undo"]["url"].removesuffix("/undo"))).status_code == 404
    world.clock.advance(2 * MINUTE)
    assert (await alice.post(told["undo"]["url"], headers=HTMX)).status_code == 409
    await sweep(world)
    assert await rows(world, world.acme, "SELECT count(*) FROM bulk_change") == [(0,)]
    assert await rows(world, world.acme, "SELECT count(*) FROM bulk_item") == [(0,)]


async def undone(client: httpx.AsyncClient, told: dict[str, Any]) -> None:
    assert (await client.post(told["undo"]["url"], headers=HTMX)).status_code == 200


async def standing(world: World, said: Talk) -> list[tuple[Any, ...]]:
    return await rows(world, world.acme, "SELECT state, waiting_since IS NOT NULL FROM conversation WHERE id = ?",
                      said.id)


@pytest.mark.parametrize("waits", [False, True])
async def test_undo_of_reopening_buries_nothing_the_customer_wrote_since(world: World, waits: bool) -> None:
    alice, said = await world.session("alice"), await talk(world)
    if waits:
        await alice.post(f"{said.base}/snooze", data={"until": "reply"}, headers=HTMX)
    else:
        await alice.post(f"{said.base}/closure", headers=HTMX)
        world.clock.advance(MINUTE)
    told = await bulk(alice, "reopen", [said.id])
    assert await standing(world, said) == [("open", int(waits))]
    await said.says("I have another question")
    await undone(alice, told)
    assert await standing(world, said) == [("open", 1)]


async def test_undo_of_snoozing_makes_nobody_wait_who_was_answered_since(world: World) -> None:
    alice, said = await world.session("alice"), await talk(world)
    told = await bulk(alice, "snooze", [said.id], to="tomorrow")
    await said.reply(alice, "On Sunday, yes")
    await undone(alice, told)
    assert await standing(world, said) == [("snoozed", 0)]


async def many(world: World, count: int) -> None:
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        for number in range(count):
            await tx.execute("INSERT INTO contact (id, created_at, updated_at) VALUES (?, 0, 0)", f"p{number}")
            await tx.execute("INSERT INTO conversation (id, channel_id, contact_id, last_message_at, created_at) "
                             "VALUES (?, ?, ?, ?, 0)", f"x{number}", world.acme.channel_id, f"p{number}", number)


async def test_all_that_match_more_than_fit_a_request(world: World) -> None:
    alice, known = await world.session("alice"), await talks(world)
    await many(world, 250)
    await change(world, "UPDATE conversation SET state = 'closed' WHERE id = ?", known["Maya"])
    count = (await alice.get(f"{BULK}/count?v=all&until=2001-01-01")).json()
    assert count == {"count": 250, "most": 10_000}
    answer = await alice.post(BULK, data={"act": "resolve", "all": "1", "query": "v=all&until=2001-01-01"},
                              headers=HTMX)
    assert answer.status_code == 200 and "0 of 250" in answer.text
    await world.settle()
    address = answer.text.split('hx-get="')[1].split('"')[0]
    told = (await alice.get(address, headers=HTMX)).text
    assert "250 conversations changed" in told
    assert await rows(world, world.acme, "SELECT count(*) FROM conversation WHERE state = 'closed'") == [(251,)]
    assert [action for action, _ in await trail(world)] == ["conversations.change_begun"] + [
        "conversations.changed"] * 3
    assert (await alice.post(f"{address}/undo", headers=HTMX)).status_code == 200
    assert await rows(world, world.acme, "SELECT id FROM conversation WHERE state = 'closed'") == [(known["Maya"],)]


async def test_a_job_that_was_cut_off_goes_on_and_one_whose_asker_left_stops(world: World) -> None:
    kim = await world.session("kim")
    await many(world, 210)
    with pytest.MonkeyPatch.context() as cut_off:
        cut_off.setattr(world.services.runner, "start", lambda *_: False)
        for act in ("resolve", "unread"):
            answer = await kim.post(BULK, data={"act": act, "all": "1", "query": "v=all"}, headers=HTMX)
            assert answer.status_code == 200
    await sweep(world)
    assert await rows(world, world.acme, "SELECT DISTINCT state FROM bulk_change") == [("done",)]
    assert await rows(world, world.acme, "SELECT count(*) FROM conversation WHERE state = 'closed'") == [(210,)]
    await change(world, "UPDATE bulk_change SET state = 'running', done = 0, ended_at = NULL")
    await change(world, "UPDATE bulk_item SET done_at = NULL")
    await change(world, "UPDATE conversation SET state = 'open', unread_count = 0")
    async with world.services.control.ingest("test") as tx:
        await tx.execute("DELETE FROM membership WHERE user_id = (SELECT id FROM user WHERE email = 'kim@example.com')")
    await sweep(world)
    assert await rows(world, world.acme, "SELECT DISTINCT state FROM bulk_change") == [("done",)]
    assert await rows(world, world.acme, "SELECT count(*) FROM conversation WHERE state = 'closed'") == [(0,)]


async def test_a_job_that_is_refused_in_the_middle_is_over_and_what_it_did_can_be_undone(world: World) -> None:
    alice = await world.session("alice")
    await many(world, 210)
    async with world.services.control.ingest("test") as tx:
        await tx.execute("INSERT INTO team (id, workspace_id, name, created_at) VALUES ('night', ?, 'Night', 0)",
                         world.acme.workspace_id)
    with pytest.MonkeyPatch.context() as cut_off:
        cut_off.setattr(world.services.runner, "start", lambda *_: False)
        answer = await alice.post(BULK, data={"act": "team", "all": "1", "query": "v=all", "to": "night"},
                                  headers=HTMX)
    known = [People(members={}, teams={"night": "Night"}), People(members={}, teams={})]

    async def until_it_is_deleted(*_: Any) -> People:
        return known.pop(0)

    with pytest.MonkeyPatch.context() as deleted:
        deleted.setattr(bulk_jobs, "people_of", until_it_is_deleted)
        await sweep(world)
    assert await rows(world, world.acme, "SELECT state, total, done, changed FROM bulk_change") == [
        ("done", 210, 100, 100)]
    given = "SELECT count(*) FROM conversation WHERE team_id = 'night'"
    assert await rows(world, world.acme, given) == [(100,)]
    address = answer.text.split('hx-get="')[1].split('"')[0]
    assert (await alice.post(f"{address}/undo", headers=HTMX)).status_code == 200
    assert await rows(world, world.acme, given) == [(0,)]


async def test_to_no_team_that_is_not_there(world: World) -> None:
    alice, said = await world.session("alice"), await talk(world)
    await many(world, 210)
    assert (await alice.post(BULK, data={"act": "team", "all": "1", "query": "v=all", "to": "nothing"}, headers=HTMX)
            ).status_code == 422
    async with world.client(await world.key(world.acme)) as script:
        for which in ({"filter": "v=all"}, {"conversation_ids": [said.id]}):
            answer = await script.post("/api/v1/bulk-changes", json={"act": "team", "to": "nothing"} | which)
            assert answer.status_code == 422, answer.text
    assert await rows(world, world.acme, "SELECT count(*) FROM bulk_change") == [(0,)]


async def test_one_is_marked_unread_until_it_is_opened(world: World) -> None:
    alice, said = await world.session("alice"), await talk(world)
    await alice.post(f"{said.base}/read")
    assert (await alice.post(f"{said.base}/unread", headers=HTMX)).status_code == 200
    assert (await said.conversation()).unread_count == 1
    await alice.post(f"{said.base}/read")
    assert (await said.conversation()).unread_count == 0
