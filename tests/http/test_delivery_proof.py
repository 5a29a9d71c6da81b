"""The delivery proof: received = applied + duplicate + rejected + parked + waiting, and what happens when it is not."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest

from chime import prove_inbox, setup
from chime.channels import NewChannel
from chime.clock import DAY
from chime.inbound import account, parked_watch, proof, proof_jobs
from chime.inbound.actions import Journals
from chime.inbound.model import Task
from chime.simulator import Number
from chime.whatsapp import scan
from tests.http.proof_setup import behind_its_back, busy_day, commanded, proved, unappliable, unreadable
from tests.support.webhook_bodies import DANA, body, change, inbound, rows, seconds, take, text
from tests.support.world import ACCESS_TOKEN, ACME_NUMBER, Tenant, World

STRANGE_NUMBER = Number(phone_number_id="811222333444555", waba_id="877001122334455",
                        display_phone_number="+1 555-010-0800", verified_name="Nobody's yet")
PARTS = ("applied", "duplicate", "rejected", "parked", "waiting")
EXPECTED = {"received": 25, "applied": 14, "duplicate": 9, "rejected": 2, "parked": 0, "waiting": 0, "difference": 0}


def message_of(world: World, wamid: str, words: str = "hello", number: Number = ACME_NUMBER) -> dict[str, Any]:
    return body(number, inbound(number, DANA, text(DANA, wamid, seconds(world, 60), words)))


def figures(told: dict[str, Any]) -> dict[str, int]:
    return {name: told[name] for name in ("received", *PARTS, "difference")}


def assert_balanced(told: dict[str, Any]) -> None:
    assert told["received"] == sum(told[name] for name in PARTS) and told["difference"] == 0, told


async def counted(world: World, tenant: Tenant | None = None) -> account.Counted:
    async with world.workspace(tenant or world.acme) as workspace:
        return await account.count(workspace, now=world.clock.now())


async def test_everything_received_is_accounted_for(world: World) -> None:
    await busy_day(world)
    await take(world, message_of(world, "wamid.nobodys", number=STRANGE_NUMBER))
    status, told = await proved(world)
    assert status == 0 and told["ok"] is True and told["since"] is None and told["replay"] is None
    acme, globex = told["workspaces"]
    assert (acme["name"], globex["name"]) == ("Acme", "Globex")
    assert figures(acme) == EXPECTED and globex["received"] == globex["applied"] == 1
    for one in (acme, globex, told["total"], *acme["days"]):
        assert_balanced(one)
    assert sum(day["received"] for day in acme["days"]) == 25
    assert told["total"]["received"] == 27 and told["total"]["parked"] == 1
    [parked] = told["parked"]
    assert (parked["number"], parked["field"], parked["events"]) == ("4555", "messages", 1) and parked["reason"]
    assert {(item["field"], item["number"], item["kind"], item["state"]) for item in acme["items"]} == {
        ("messages", "4555", "Unreadable", "open"), ("messages", "4555", "MessageReceived", "open")}
    assert any("names no sender" in item["reason"] for item in acme["items"])
    for words in ("poison", "STOP", "Mallory", DANA.phone, "wamid", ACME_NUMBER.phone_number_id, "no. 0"):
        assert str(words) not in json.dumps(told), words


async def test_a_part_of_it_can_be_asked_for(world: World) -> None:
    await busy_day(world)
    status, told = await proved(world, "--workspace", "Acme", "--since", "24h")
    assert status == 0 and [one["name"] for one in told["workspaces"]] == ["Acme"]
    assert figures(told["workspaces"][0]) == EXPECTED
    status, told = await proved(world, "--since", "2400-01-01")
    assert status == 0 and figures(told["workspaces"][0]) == dict.fromkeys(EXPECTED, 0)
    refused = await commanded(world, "prove-inbox", "--since", "yesterday")
    assert refused.returncode == 1 and "since" in refused.stderr and "Traceback" not in refused.stderr
    words = await commanded(world, "prove-inbox")
    assert words.returncode == 0 and words.stdout.endswith("Proved.\n")
    assert "25 received = 14 applied + 9 duplicate + 2 rejected + 0 parked + 0 waiting; difference 0" in words.stdout


@pytest.mark.parametrize(("sql", "difference"), [
    ("UPDATE applied_body SET applied = applied + 1 WHERE journal_id = 1", 1),
    ("UPDATE applied_body SET applied = applied + CASE journal_id WHEN 1 THEN 1 ELSE -1 END WHERE journal_id IN (1, 2)",
     2),
    ("DELETE FROM applied_body WHERE journal_id = 1", 1),
    ("INSERT INTO applied_body VALUES (0, 3, 0, 0, 1)", 0),
    ("DELETE FROM rejected_event WHERE id = (SELECT min(id) FROM rejected_event)", 1),
], ids=["one too many", "two faults that make up for each other", "not written down", "before the first", "no reason"])
async def test_a_figure_changed_behind_its_back_is_a_difference(world: World, sql: str, difference: int) -> None:
    await busy_day(world)
    await behind_its_back(world, sql)
    assert (await counted(world)).total.difference == difference
    if difference:
        status, told = await proved(world)
        assert status == 1 and told["ok"] is False and told["total"]["difference"] == difference
        page = await (await world.session("alice")).get("/w/acme/delivery")
        assert f"{difference} event" in page.text and "not accounted for" in page.text


async def test_a_delivery_the_journal_has_lost_is_a_difference(world: World) -> None:
    await busy_day(world)
    async with world.workspace(world.acme) as workspace, workspace.journal_db.transaction() as tx:
        await tx.execute("DELETE FROM webhook_body WHERE id IN (2, (SELECT max(id) FROM webhook_body))")
    total = (await counted(world)).total
    assert total.difference == total.applied + total.duplicate + total.rejected - total.received > 1
    assert (await proved(world))[0] == 1


async def test_what_is_stored_and_not_applied_yet_is_waiting(world: World) -> None:
    await take(world, message_of(world, "wamid.1"))
    services = world.services
    journals = Journals(services.control, services.registry, services.clock, services.ids)
    app_id = await services.control.db.value("SELECT id FROM meta_app")
    await journals.store(app_id, scan(json.dumps(message_of(world, "wamid.2")).encode()))
    total = (await counted(world)).total
    assert (total.received, total.applied, total.waiting, total.difference) == (2, 1, 1, 0)
    services.runner.start(world.acme.workspace_id, "inbound.apply", "journal")
    await world.settle()
    total = (await counted(world)).total
    assert (total.received, total.applied, total.waiting, total.difference) == (2, 2, 0, 0)


async def test_what_was_parked_is_the_workspaces_once_its_number_is_connected(world: World) -> None:
    await take(world, message_of(world, "wamid.parked", number=STRANGE_NUMBER))
    assert (await proved(world))[1]["total"]["parked"] == 1
    await setup.connect(world.services.config, "Globex", NewChannel(
        phone_number_id=STRANGE_NUMBER.phone_number_id, waba_id=STRANGE_NUMBER.waba_id,
        display_phone=STRANGE_NUMBER.display_phone_number, app_id="200300400500600", access_token=ACCESS_TOKEN))
    status, told = await proved(world)
    assert status == 0 and told["total"]["parked"] == 0 and told["parked"] == []
    assert told["workspaces"][1]["received"] == 1 and told["workspaces"][1]["waiting"] == 1


async def test_every_parked_delivery_can_be_reached(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        answer = await world.webhook(message_of(world, f"wamid.parked.{number}", number=STRANGE_NUMBER))
        assert answer.status_code == 200
    alice = await world.session("alice")
    first = (await alice.get("/w/acme/delivery")).text
    assert first.count("Nobody claimed this number") == 25 and "The oldest 25 of 30." in first
    [more] = re.findall(r'href="(/w/acme/delivery\?parked_after=\w+)#', first)
    rest = (await alice.get(more)).text
    assert rest.count("Nobody claimed this number") == 5 and "parked_after" not in rest
    assert 'href="/w/acme/delivery#parked-title"' in rest
    assert not set(re.findall(r"parked/(\w+)/retry", first)) & set(re.findall(r"parked/(\w+)/retry", rest))
    monkeypatch.setattr(proof, "MOST_ITEMS", 20)
    told = await proof.installation(world.services.control, [])
    assert (len(told.parked), told.parked_left_out, told.total.parked) == (20, 10, 30)
    assert "and 10 more that are parked" in prove_inbox.as_text(told)


async def test_an_operator_sends_a_parked_delivery_on_its_way_again(world: World) -> None:
    await take(world, message_of(world, "wamid.parked", number=STRANGE_NUMBER))
    alice = await world.session("alice")
    assert "Parked deliveries" not in (await (await world.session("mo")).get("/w/acme/delivery")).text
    assert "Nobody claimed this number" in (await alice.get("/w/acme/delivery")).text
    parked_id = (await world.services.control.db.rows("SELECT id FROM parked_delivery"))[0][0]
    answer = await alice.post(f"/w/acme/delivery/parked/{parked_id}/retry", follow_redirects=True)
    assert "Still nobody’s" in answer.text and (await proved(world))[1]["total"]["parked"] == 1
    await behind_its_back(
        world, "INSERT INTO channel (id, phone_number_id, waba_id, meta_app_id, display_phone, access_token_sealed, "
        "access_token_last_four, created_at) SELECT 'second', ?, ?, meta_app_id, '+1 555', x'', '', 1 FROM channel",
        STRANGE_NUMBER.phone_number_id, STRANGE_NUMBER.waba_id)
    async with world.services.control.ingest("test") as tx:
        await tx.execute("INSERT INTO channel_route SELECT ?, ?, workspace_id, 'second', meta_app_id, 1 "
                         "FROM channel_route WHERE workspace_id = ?", STRANGE_NUMBER.phone_number_id,
                         STRANGE_NUMBER.waba_id, world.acme.workspace_id)
    answer = await alice.post(f"/w/acme/delivery/parked/{parked_id}/retry", follow_redirects=True)
    assert "Delivered to the workspace" in answer.text
    await world.settle()
    assert await rows(world, world.acme, "SELECT wamid FROM message") == [("wamid.parked",)]
    status, told = await proved(world)
    assert status == 0 and told["total"]["parked"] == 0 and told["total"]["applied"] == 1
    audit = await world.services.control.db.rows("SELECT actor_name, details_json FROM audit_event "
                                                 "WHERE action = 'delivery.retried' ORDER BY sequence")
    assert audit == [("Alice", '{"workspaces":0}'), ("Alice", '{"workspaces":1}')]
    assert (await alice.post(f"/w/acme/delivery/parked/{parked_id}/retry")).status_code == 404


async def test_an_operator_dismisses_a_parked_delivery_and_its_repeat_stays_away(world: World) -> None:
    sent = message_of(world, "wamid.parked", number=STRANGE_NUMBER)
    await take(world, sent)
    alice, control = await world.session("alice"), world.services.control
    parked_id = await control.db.value("SELECT id FROM parked_delivery")
    address = f"/w/acme/delivery/parked/{parked_id}/dismissal"
    assert address in (await alice.get("/w/acme/delivery")).text
    assert (await (await world.session("mo")).post(address)).status_code == 403
    answer = await alice.post(address, follow_redirects=True)
    assert "Nobody will get it" in answer.text and "Nothing is parked" in answer.text
    assert await control.db.rows("SELECT body_sealed FROM parked_delivery") == [(b"",)]
    await take(world, sent)
    assert (await proved(world))[1]["total"]["parked"] == 0, "Meta repeats for a week what it once had no answer to"
    assert (await alice.post(address)).status_code == 404
    [[actor]] = await control.db.rows("SELECT actor_name FROM audit_event WHERE action = 'delivery.dismissed'")
    assert actor == "Alice"


async def test_what_nobody_wanted_for_a_month_is_forgotten_and_counted(world: World,
                                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parked_watch, "AT_ONCE", 4)
    control = world.services.control
    for number in range(10):
        await take(world, message_of(world, f"wamid.old.{number}", number=STRANGE_NUMBER))
    async with control.ingest("test") as tx:
        await tx.execute("UPDATE parked_delivery SET released_at = 1, body_sealed = x'' WHERE id IN "
                         "(SELECT id FROM parked_delivery ORDER BY id LIMIT 5)")  # a batch of them, and one of both
    assert await parked_watch.forget_old(control, before=world.clock.now() - parked_watch.KEPT) == 0
    world.clock.advance(parked_watch.KEPT)
    await take(world, message_of(world, "wamid.young", number=STRANGE_NUMBER))
    assert await parked_watch.forget_old(control, before=world.clock.now() - parked_watch.KEPT) == 5
    assert (await proved(world))[1]["total"]["parked"] == 1
    assert await control.db.value("SELECT count(*) FROM parked_delivery") == 1
    told = await control.db.rows("SELECT details_json FROM audit_event WHERE action = 'delivery.expired'")
    assert sum(json.loads(details)["count"] for [details] in told) == 5


async def without_number(world: World, wamid: str) -> str:
    """A message that came while its number was not connected here; the id of its rejected event."""
    await behind_its_back(world, "UPDATE channel SET removed_at = 1")
    await take(world, message_of(world, wamid, "STOP"))
    await behind_its_back(world, "UPDATE channel SET removed_at = NULL")
    found = await rows(world, world.acme, "SELECT id FROM rejected_event ORDER BY id DESC")
    return str(found[0][0])


async def test_a_retry_puts_an_event_into_effect_once(world: World) -> None:
    rejected_id = await without_number(world, "wamid.late")
    alice = await world.session("alice")
    page = (await alice.get("/w/acme/delivery")).text
    assert "The number was not connected to this workspace." in page and "1 to decide" in page
    answer = await alice.post(f"/w/acme/delivery/events/{rejected_id}/retry", follow_redirects=True)
    assert "The event is in effect now." in answer.text and "Nothing is set aside" in answer.text
    await world.settle()
    assert await rows(world, world.acme, "SELECT wamid FROM message") == [("wamid.late",)]
    assert await rows(world, world.acme, "SELECT actor_name FROM consent_event") == [("Chime",)]
    assert await rows(world, world.acme, "SELECT action, actor_name, object_id, details_json FROM audit_event "
                      "WHERE actor_kind = 'user'") == [("event.retried", "Alice", rejected_id, '{"in_effect":true}')]
    status, told = await proved(world, "--replay")
    assert status == 0 and figures(told["workspaces"][0]) == EXPECTED | {
        "received": 1, "applied": 1, "duplicate": 0, "rejected": 0}
    answer = await alice.post(f"/w/acme/delivery/events/{rejected_id}/retry", follow_redirects=True)
    assert "in effect already" in answer.text
    assert await rows(world, world.acme, "SELECT count(*) FROM message") == [(1,)]


async def test_a_retry_that_fails_keeps_the_event_with_its_reason(world: World) -> None:
    at = seconds(world, 60)
    await take(world, body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, unappliable(at), unreadable(at))))
    alice, before = await world.session("alice"), await counted(world)
    for (rejected_id,) in await rows(world, world.acme, "SELECT id FROM rejected_event"):
        answer = await alice.post(f"/w/acme/delivery/events/{rejected_id}/retry", follow_redirects=True)
        assert "It still cannot be applied" in answer.text and "tried again 1 time" in answer.text
    assert (await counted(world)).total == before.total and before.total.rejected == 2
    assert await rows(world, world.acme, "SELECT count(*) FROM message") == [(0,)]
    assert await rows(world, world.acme, "SELECT count(*) FROM contact") == [(0,)]
    assert await rows(world, world.acme, "SELECT tries, settled_at FROM rejected_event") == [(1, None)] * 2


async def test_an_event_is_dismissed_with_a_reason_and_stays_in_the_account(world: World) -> None:
    at = seconds(world, 60)
    await take(world, body(ACME_NUMBER, change(ACME_NUMBER, messages=[unreadable(at)])))
    mo = await world.session("mo")
    [(rejected_id,)] = await rows(world, world.acme, "SELECT id FROM rejected_event")
    address = f"/w/acme/delivery/events/{rejected_id}/dismissal"
    for reason, words in (("", "Say in 1 to 200 characters"), ("x" * 201, "x" * 201)):
        answer = await mo.post(address, data={"reason": reason})
        assert answer.status_code == 422 and words in answer.text and 'aria-invalid="true"' in answer.text
    answer = await mo.post(address, data={"reason": " A test   of our own "}, follow_redirects=True)
    assert "Dismissed. It stays in the account" in answer.text and "Mo: “A test of our own”" in answer.text
    assert await rows(world, world.acme, "SELECT action, actor_name, details_json FROM audit_event "
                      "WHERE actor_kind = 'user'") == [("event.dismissed", "Mo", "{}")]
    status, told = await proved(world, "--replay")
    [item] = told["workspaces"][0]["items"]
    assert status == 0 and told["workspaces"][0]["rejected"] == 1 and item["state"] == "dismissed"
    assert (item["dismissed_by"], item["dismissal"]) == ("Mo", "A test of our own")
    metrics = (await mo.get("/metrics")).text
    assert "chime_events_set_aside 0\n" in metrics and "chime_deliveries_parked 0\n" in metrics


async def test_a_finished_day_is_summed_up_and_a_full_count_checks_the_sum(world: World) -> None:
    await busy_day(world)
    rejected_id = await without_number(world, "wamid.late")
    world.clock.pass_time(2 * DAY)
    mo = await world.session("mo")
    answer = await mo.post("/w/acme/delivery/counts")
    assert answer.headers["location"] == "/w/acme/delivery"
    await world.settle()
    kept = await rows(world, world.acme, "SELECT received, rejected FROM proof_segment")
    assert sum(row[0] for row in kept) == 26 and sum(row[1] for row in kept) == 3
    assert (await counted(world)).summaries_of is not None
    assert "Finished days are taken from sums" in (await mo.get("/w/acme/delivery")).text
    assert (await proved(world, "--full"))[0] == 0
    # A retry changes what the sum was made of, so the sum goes.
    await mo.post(f"/w/acme/delivery/events/{rejected_id}/retry")
    assert await rows(world, world.acme, "SELECT 1 FROM proof_segment WHERE last_id = (SELECT journal_id "
                      "FROM rejected_event WHERE id = ?)", rejected_id) == []
    await mo.post("/w/acme/delivery/counts")
    await world.settle()
    # The figures of a body moved without changing their sum: only the checksum knows.
    await behind_its_back(world, "UPDATE applied_body SET applied = applied - 1, duplicate = duplicate + 1 "
                          "WHERE journal_id = 1")
    assert (await proved(world))[0] == 0
    status, told = await proved(world, "--full")
    assert status == 1 and told["workspaces"][0]["changed_summaries"] == 1


async def test_a_count_is_due_when_something_came_in_and_not_else(
    world: World, monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def no_sweep(workspace_ids: list[str]) -> None:
        """Only the test looks for what is due."""

    async def due() -> list[str]:
        async with world.workspace(world.acme) as workspace:
            return await proof_jobs.due(workspace.db, world.clock.now())

    async def count_what_is_due() -> None:
        for name in await due():
            world.services.runner.start(world.acme.workspace_id, proof_jobs.PROVE, name)
        await world.settle()

    await world.settle()
    monkeypatch.setattr(world.services.runner, "sweep", no_sweep)
    assert await due() == []
    await take(world, message_of(world, "wamid.1"))
    assert await due() == [Task.COUNT.value]
    await count_what_is_due()
    assert await due() == [], "it was counted a moment ago"
    await take(world, message_of(world, "wamid.2"))
    assert await due() == []
    world.clock.pass_time(2 * DAY)
    assert await due() == [Task.COUNT.value]
    await count_what_is_due()
    assert await due() == []
    assert await rows(world, world.acme, "SELECT received FROM proof_segment") == [(2,)]


async def test_the_account_as_a_file(world: World) -> None:
    await busy_day(world)
    mo = await world.session("mo")
    answer = await mo.get("/w/acme/delivery/account", params={"format": "csv"})
    assert answer.headers["content-disposition"].startswith('attachment; filename="delivery-acme-')
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert lines[-1] == {"day": "total"} | {name: str(number) for name, number in EXPECTED.items()}
    assert sum(int(line["received"]) for line in lines[:-1]) == 25
    told = (await mo.get("/w/acme/delivery/account", params={"format": "json"})).json()
    assert told["total"] == EXPECTED
    assert (await mo.get("/w/acme/delivery/account", params={"form": "json"})).status_code == 422


async def test_scripts_get_the_account_and_try_again(world: World) -> None:
    await busy_day(world)
    rejected_id = await without_number(world, "wamid.late")
    async with world.client(await world.key(world.acme, "delivery:read,delivery:retry")) as script:
        told = (await script.get("/api/v1/delivery-proof", params={"since": "7d"})).json()
        assert told["ok"] and figures(told) == EXPECTED | {"received": 26, "rejected": 3}
        assert sum(day["received"] for day in told["days"]) == 26
        assert (await script.get("/api/v1/delivery-proof", params={"since": "soon"})).status_code == 422
        world.clock.pass_time(2_000)
        first = (await script.get("/api/v1/rejected-events", params={"limit": 2})).json()
        answer = await script.get("/api/v1/rejected-events", params={"cursor": first["next_cursor"]})
        rest = answer.json()
        assert first["items"][0]["id"] == rejected_id and len(first["items"] + rest["items"]) == 3
        assert first["items"][0]["cause"] == "NoChannel" and first["items"][0]["state"] == "open"
        headers = {"Idempotency-Key": "once"}
        world.clock.pass_time(2_000)
        for _ in range(2):
            answer = await script.post(f"/api/v1/rejected-events/{rejected_id}/retry", headers=headers)
            assert answer.status_code == 200 and answer.json()["state"] == "settled", answer.text
        assert (await script.post(f"/api/v1/rejected-events/{rejected_id}/retry")).status_code == 409
    async with world.client(await world.key(world.acme, "inbox:read")) as other:
        assert (await other.get("/api/v1/delivery-proof")).status_code == 403
    refused = await commanded(world, "api-key", "create", "--workspace", "Acme", "--name", "x", "--scopes",
                              "installation:operate")
    assert refused.returncode == 1, "what concerns all workspaces is no scope of one's keys"


async def test_machines_and_the_doctor_are_told(world: World) -> None:
    await busy_day(world)
    await take(world, message_of(world, "wamid.nobodys", number=STRANGE_NUMBER))
    metrics = (await (await world.session("mo")).get("/metrics")).text
    assert "chime_events_set_aside 2\n" in metrics and "chime_deliveries_parked 1\n" in metrics
    words = (await commanded(world, "doctor")).stdout
    assert "1 parked for numbers that nobody has connected" in words and "2 events could not be applied" in words
