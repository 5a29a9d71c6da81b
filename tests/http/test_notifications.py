"""Notifications: who is told of what, what the list shows to whom, and that nobody hears of what is out of sight."""

from __future__ import annotations

from collections.abc import Collection

import httpx
import pytest

from chime.clock import DAY, HOUR, MINUTE
from chime.db import Db
from chime.notifications import Kind, delivery_jobs, notify, queries
from chime.notifications.jobs import FORGET, OLD
from chime.security.permissions import SYSTEM
from chime.security.scope import Viewer
from chime.simulator import write
from tests.http.inbox_setup import Talk, rows, talk, text
from tests.http.test_queues import sweep
from tests.support.webhook_bodies import account_body, seconds
from tests.support.world import ACME_NUMBER, World


async def id_of(world: World, name: str) -> str:
    (found,), = await world.services.control.db.rows("SELECT id FROM user WHERE email = ?", f"{name}@example.com")
    return str(found)


async def assign(world: World, said: Talk, by: httpx.AsyncClient, name: str) -> None:
    to = await id_of(world, name) if name else ""
    assert (await by.post(f"{said.base}/assignment", data={"assignee_id": to})).status_code in (200, 303)
    await world.settle()


async def texts(client: httpx.AsyncClient, query: str = "") -> list[str]:
    """The lines of the list, newest first."""
    page = await client.get(f"/w/acme/notifications{query}")
    assert page.status_code == 200, page.text
    lines = page.text.split('class="notice-link"')[1:]
    return [line.split('<span dir="auto">')[1].split("</span>")[0] for line in lines]


async def unread(client: httpx.AsyncClient) -> int:
    found: int = (await client.get("/w/acme/notifications/news")).json()["unread"]
    return found


async def test_an_assignee_hears_of_the_assignment_and_of_each_message(world: World) -> None:
    alice, bob = await world.session("alice"), await world.session("bob")
    said = await talk(world, "Hello?")
    await assign(world, said, alice, "bob")
    assert await texts(bob) == ["Alice assigned Maya Chen to you"], "what nobody had is told no more"
    await said.says("Is anybody there?")
    await said.says("Hello!")
    assert await texts(bob) == ["Maya Chen wrote 2 messages", "Alice assigned Maya Chen to you"]
    assert await unread(bob) == 2
    assert await texts(await world.session("mo")) == []


async def test_of_what_nobody_has_those_hear_who_may_take_it(world: World) -> None:
    said = await talk(world, "First")
    for name in ("alice", "mo", "kim", "bob"):
        assert await texts(await world.session(name)) == ["Maya Chen wrote, and nobody is assigned"], name
    assert await texts(await world.session("vera")) == [], "who cannot answer is not called"
    alice = await world.session("alice")
    await assign(world, said, alice, "alice")
    assert await texts(alice) == [], "nobody is told of what they did themselves"
    assert await texts(await world.session("mo")) == [], "somebody has it"


async def test_many_are_told_a_few_at_a_time_and_a_sight_is_asked_for_once(
    world: World, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However long it takes to tell all of all, a page is drawn in between; and nobody is left out for it."""
    asked: list[tuple[Viewer, str | None]] = []
    sees = queries.sees

    async def counted(db: Db, viewer: Viewer, conversation_id: str | None) -> bool:
        asked.append((viewer, conversation_id))
        return await sees(db, viewer, conversation_id)

    monkeypatch.setattr(queries, "sees", counted)
    monkeypatch.setattr(delivery_jobs, "MOMENT", -1.0)
    async with world.workspace(world.acme) as workspace:
        for number in range(5):
            customer = world.simulator.world.add_customer(name=f"Customer {number}", phone=f"1415555020{number}")
            write(world.simulator, customer, text("Hello"), number=world.acme.number)
        await world.settle()
        assert await workspace.db.value("SELECT count(*) FROM notification_event") == 0
    for name in ("alice", "mo", "kim"):
        assert len(await texts(await world.session(name))) == 5, name
    assert len(asked) == len(set(asked)), "those who see the same were asked for together"


async def test_a_mention_is_told_and_a_look_reads_it(world: World) -> None:
    alice, mo = await world.session("alice"), await world.session("mo")
    said = await talk(world)
    await assign(world, said, alice, "alice")
    await alice.post(f"{said.base}/notes", data={"text": "@Mo who knows?"}, headers={"HX-Request": "true"})
    await world.settle()
    assert await texts(mo) == ["Alice mentioned you in a note about Maya Chen"]
    assert (await mo.post("/w/acme/notifications/seen", data={"conversation_id": said.id})).status_code == 204
    assert await unread(mo) == 0 and await texts(mo, "?only=unread") == []
    assert len(await texts(mo)) == 1, "it stays to be found"
    assert ("notifications.seen",) in await rows(world, world.acme, "SELECT action FROM audit_event")


async def test_all_is_read_at_once_or_one_by_one(world: World) -> None:
    mo = await world.session("mo")
    said = await talk(world)
    async with world.workspace(world.acme) as workspace, workspace.write(SYSTEM) as tx:
        await notify(tx, [await id_of(world, "mo")], Kind.CAMPAIGN_FINISHED, title="Diwali")
        await notify(tx, [await id_of(world, "mo")], "reminder", conversation_id=said.id)
        await tx.audit("test.made", "test", "test")
    assert set(await texts(mo)) == {"The campaign Diwali is finished", "Reminder: Maya Chen",
                                    "Maya Chen wrote, and nobody is assigned"}
    page = (await mo.get("/w/acme/notifications")).text
    one = page.split('name="id" value="')[1].split('"')[0]
    assert (await mo.post("/w/acme/notifications/read", data={"id": one})).status_code == 303
    assert await unread(mo) == 2
    assert await texts(mo, "?kind=campaign_finished") == ["The campaign Diwali is finished"]
    answer = await mo.post("/w/acme/notifications/read", follow_redirects=True)
    assert "Everything is read." in answer.text and await unread(mo) == 0


async def test_out_of_sight_is_out_of_the_list(world: World) -> None:
    alice, bob = await world.session("alice"), await world.session("bob")
    said = await talk(world)
    await assign(world, said, alice, "bob")
    assert await unread(bob) == 1
    await assign(world, said, alice, "kim")
    assert await texts(bob) == [] and await unread(bob) == 0
    key = await world.key(world.acme)
    async with world.client(key) as script:
        assert said.id not in (await script.get("/api/v1/notifications")).text, "a key without a person has none"
    assert await texts(await world.session("kim")) == ["Alice assigned Maya Chen to you"]


async def test_a_masked_reader_reads_a_masked_number(world: World) -> None:
    alice, bob = await world.session("alice"), await world.session("bob")
    said = await talk(world)
    await assign(world, said, alice, "bob")
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE contact SET name = '', profile_name = '', username = '' WHERE id = ?", said.contact_id)
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE membership SET masked = 1 WHERE user_id = ?", await id_of(world, "bob"))
    told, = await texts(bob)
    assert "•••••" in told and "4155550101" not in told


async def test_who_chose_to_hear_nothing_of_a_kind_gets_no_row(world: World) -> None:
    mo = await world.session("mo")
    answer = await choose(mo, off={"new_unassigned"})
    assert answer.status_code == 303, answer.text
    await talk(world)
    assert await rows(world, world.acme, "SELECT 1 FROM notification WHERE user_id = ?", await id_of(world, "mo")) == []
    page = (await mo.get("/me/notifications")).text
    assert 'value="new_unassigned:push">' in page and 'value="mention:push" checked' in page


async def choose(client: httpx.AsyncClient, *, off: Collection[str] = (), **fields: str) -> httpx.Response:
    """Save choices as the form does."""
    ways = [f"{kind.value}:{way}" for kind in Kind if kind.value not in off
            for way in ("in_app", "sound", "desktop", "push", "mail")]
    data = {"sound": "bell", "volume": "60", "quiet_from": "20:00", "quiet_until": "08:00", "zone": "UTC",
            "digest": "off", "digest_at": "09:00"} | fields
    return await client.post("/me/notifications", data={**data, "way": ways})


async def test_quiet_hours_let_nothing_ring(world: World) -> None:
    bob = await world.session("bob")
    await choose(bob, is_quiet="yes", quiet_from="00:00", quiet_until="23:59")
    said = await talk(world)
    await assign(world, said, await world.session("alice"), "bob")
    (told,), = await rows(world, world.acme, "SELECT id FROM notification WHERE user_id = ? "
                          "AND kind = 'assigned_to_me'", await id_of(world, "bob"))
    item, = (await bob.get(f"/w/acme/notifications/news?ids={told}")).json()["items"]
    assert not item["sound"] and not item["desktop"] and await unread(bob) == 1
    await choose(bob)
    item, = (await bob.get(f"/w/acme/notifications/news?ids={told}")).json()["items"]
    assert item["sound"] and item["desktop"] and item["tag"] == said.id


async def test_a_wrong_choice_keeps_what_was_typed(world: World) -> None:
    answer = await choose(await world.session("mo"), quiet_from="25:00", zone="Mars/Base", sound="drop")
    assert answer.status_code == 422 and "Write a time, such as 08:30." in answer.text
    assert 'value="25:00"' in answer.text and 'value="drop" selected' in answer.text


async def test_what_is_old_goes(world: World) -> None:
    await talk(world)
    assert await rows(world, world.acme, "SELECT 1 FROM notification")
    world.clock.advance(91 * DAY)
    world.services.runner.start(world.acme.workspace_id, FORGET, OLD)
    await world.settle()
    assert await rows(world, world.acme, "SELECT 1 FROM notification") == []


async def test_a_script_reads_and_marks_those_of_its_person(world: World) -> None:
    said = await talk(world)
    alice = await id_of(world, "alice")
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE api_key SET made_by = ? WHERE workspace_id = ?", alice, world.acme.workspace_id)
    async with world.client(await world.key(world.acme)) as script:
        async with world.services.control.ingest("test") as tx:
            await tx.execute("UPDATE api_key SET made_by = ? WHERE workspace_id = ?", alice, world.acme.workspace_id)
        item, = (await script.get("/api/v1/notifications?unread=true")).json()["items"]
        assert (item["kind"], item["conversation_id"]) == ("new_unassigned", said.id)
        assert item["text"] == "Maya Chen wrote, and nobody is assigned"
        assert (await script.post("/api/v1/notifications/read", json={"ids": [item["id"]]})).json() == {"count": 1}
        assert (await script.get("/api/v1/notifications?unread=true")).json()["items"] == []


async def later(client: httpx.AsyncClient, said: Talk, words: str) -> None:
    answer = await client.post(f"{said.base}/messages", headers={"HX-Request": "true"},
                               data={"type": "text", "text": words, "send_at": "hour"})
    assert answer.status_code == 200, answer.text


async def test_who_wanted_something_later_is_told_what_became_of_it(world: World) -> None:
    alice, bob = await world.session("alice"), await world.session("bob")
    maya, noor = await talk(world), await talk(world, name="Noor Haddad", phone="14155550102")
    remembered = await talk(world, name="Ivo Lund", phone="14155550103")
    for said in (maya, noor, remembered):
        await assign(world, said, alice, "alice")
    assert (await alice.post(f"{remembered.base}/reminders", data={"about": "call", "due": "hour"},
                             headers={"HX-Request": "true"})).status_code == 200
    await later(alice, maya, "Do you still want it?")
    await later(alice, noor, "too late")
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE conversation SET window_expires_at = ? WHERE id = ?", tx.now + 3 * MINUTE, noor.id)
    await maya.says("I do!")
    assert await texts(alice) == ["Maya Chen wrote to you"]
    world.clock.advance(HOUR + MINUTE)
    await sweep(world)
    assert set(await texts(alice)) == {
        "Maya Chen wrote to you", "Maya Chen wrote before your scheduled message was sent",
        "A scheduled message to Noor Haddad was not sent", "Reminder: Ivo Lund"}
    assert await texts(bob) == [], "it is nobody else's"


async def test_a_number_rated_otherwise_is_told_to_who_may_connect_it(world: World) -> None:
    alice, mo = await world.session("alice"), await world.session("mo")
    await sweep(world)
    assert await texts(alice) == [], "a first good rating is no news"
    number = world.simulator.world.numbers[ACME_NUMBER.phone_number_id]
    number.quality_rating = "RED"
    said = {"display_phone_number": ACME_NUMBER.display_phone_number, "event": "FLAGGED"}
    assert (await world.webhook(account_body(ACME_NUMBER.waba_id, "phone_number_quality_update", seconds(world),
                                             said))).status_code == 200
    await world.settle()
    assert await texts(alice) == [f"The quality rating of {ACME_NUMBER.verified_name} changed"]
    assert await texts(mo) == []
    assert 'href="/w/acme/settings/channels"' in (await alice.get("/w/acme/notifications")).text


async def test_a_page_that_is_loaded_shows_the_count_at_once(world: World) -> None:
    mo, vera = await world.session("mo"), await world.session("vera")
    said = await talk(world)
    for path in ("/w/acme/inbox", said.base):
        badge = (await mo.get(path)).text.split("data-bell-badge")[1].split("</span>")[0]
        assert badge == ">1", path
        assert (await vera.get(path)).text.split("data-bell-badge")[1].startswith(" hidden>"), path
