"""Reminders: at their moment the conversation is on top again and calls its person; and the same by the API, with
snoozes, pins and notes."""

from __future__ import annotations

import httpx

from chime.clock import HOUR, MINUTE, rfc3339
from chime.inbox.actions import move_threads
from chime.security.crypto import digest
from tests.http.inbox_setup import Talk, rows, talk, without_script
from tests.http.test_queues import audited, listed, sweep
from tests.support.world import World

HTMX = {"HX-Request": "true"}


async def key_of(world: World, name: str) -> httpx.AsyncClient:
    """A script with everything its person may."""
    key = await world.key(world.acme)
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE api_key SET made_by = (SELECT id FROM user WHERE email = ?) WHERE secret_hash = ?",
                         f"{name}@example.com", digest(key.encode()))
    return world.client(key)


async def remind(client: httpx.AsyncClient, said: Talk, text: str = "call the depot", due: str = "hour",
                 **fields: str) -> httpx.Response:
    return await client.post(f"{said.base}/reminders", data={"about": text, "due": due, **fields}, headers=HTMX)


async def test_at_its_moment_it_calls_its_person_and_nobody_else(world: World) -> None:
    alice, mo = await world.session("alice"), await world.session("mo")
    said = await talk(world)
    other = await talk(world, name="Noor", phone="14155550102")
    assert (await remind(alice, said)).status_code == 200
    await alice.post(f"{said.base}/snooze", data={"until": "monday"})
    assert "call the depot" in (await alice.get(f"{said.base}/reminders", headers=HTMX)).text
    assert "call the depot" not in (await mo.get(f"{said.base}/reminders", headers=HTMX)).text
    await sweep(world)
    assert await listed(alice, "mentions") == []
    world.clock.advance(HOUR + MINUTE)
    await sweep(world)
    assert await listed(alice, "all") == [said.id, other.id], "awake and on top"
    assert await listed(alice, "mentions") == [said.id] and await listed(mo, "mentions") == []
    page = (await alice.get(said.base)).text
    assert "call the depot" in page and 'data-called="true"' in page
    assert 'data-called="true"' not in (await mo.get(said.base)).text
    await sweep(world)
    assert len(await rows(world, world.acme, "SELECT 1 FROM note")) == 1, "it calls once"
    assert not said.on_the_phone()


async def test_it_can_be_cancelled_by_its_person_only(world: World) -> None:
    alice, mo = await world.session("alice"), await world.session("mo")
    said = await talk(world)
    await remind(alice, said)
    ((reminder_id,),) = await rows(world, world.acme, "SELECT id FROM reminder")
    assert (await mo.delete(f"{said.base}/reminders/{reminder_id}", headers=HTMX)).status_code == 404
    assert (await alice.delete(f"{said.base}/reminders/{reminder_id}", headers=HTMX)).status_code == 200
    world.clock.advance(2 * HOUR)
    await sweep(world)
    assert await listed(alice, "mentions") == []
    assert [row[0] for row in await rows(world, world.acme, "SELECT action FROM audit_event WHERE object_id = ? "
                                         "ORDER BY sequence", reminder_id)] == ["reminder.made", "reminder.cancelled"]


async def test_a_moment_is_needed_and_words_have_an_end(world: World) -> None:
    alice = await world.session("alice")
    said = await talk(world)
    for fields in ({"due": ""}, {"due": "never"}, {"due": "2020-01-01T10:00"}, {"about": "x" * 501}):
        answer = await remind(alice, said, **fields)
        assert answer.status_code == 422, fields
    assert await rows(world, world.acme, "SELECT 1 FROM reminder") == []


async def test_without_scripts_it_is_a_page(world: World) -> None:
    alice = await world.session("alice")
    said = await talk(world)
    plain, token = without_script(world, alice)
    async with plain:
        assert "<h1>Remind me</h1>" in (await plain.get(f"{said.base}/reminders")).text
        made = await plain.post(f"{said.base}/reminders", data={"csrf_token": token, "due": "tomorrow", "about": ""})
        assert made.status_code == 303
        ((reminder_id,),) = await rows(world, world.acme, "SELECT id FROM reminder")
        gone = await plain.post(f"{said.base}/reminders/{reminder_id}",
                                data={"csrf_token": token, "_method": "delete"})
        assert gone.status_code == 303 and await rows(world, world.acme, "SELECT 1 FROM reminder") == []


async def test_contacts_that_are_one_keep_theirs(world: World) -> None:
    alice = await world.session("alice")
    maya, noor = await talk(world), await talk(world, name="Noor", phone="14155550102")
    await remind(alice, noor)
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await move_threads(tx, kept=maya.contact_id, gone=noor.contact_id)
    assert await rows(world, world.acme, "SELECT conversation_id FROM reminder") == [(maya.id,)]


async def test_scripts_remind_their_person(world: World) -> None:
    said = await talk(world)
    async with await key_of(world, "mo") as script:
        at = rfc3339(world.clock.now() + HOUR)
        path = f"/api/v1/conversations/{said.id}/reminders"
        assert (await script.post(path, json={"due_at": "soon"})).status_code == 422
        made = await script.post(path, json={"due_at": at, "text": "ask again"})
        assert made.status_code == 201 and made.json()["due_at"] == at
        assert [one["text"] for one in (await script.get("/api/v1/reminders")).json()["items"]] == ["ask again"]
        assert (await script.delete(f"/api/v1/reminders/{made.json()['id']}")).status_code == 204
        assert (await script.get("/api/v1/reminders")).json()["items"] == []
    async with world.client(await world.key(world.acme)) as nobody:
        assert (await nobody.post(path, json={"due_at": at})).status_code == 403


async def test_scripts_snooze_wake_and_pin(world: World) -> None:
    mo = await world.session("mo")
    said = await talk(world)
    path = f"/api/v1/conversations/{said.id}"
    async with await key_of(world, "mo") as script:
        assert (await script.put(f"{path}/snooze", json={"until": "2020-01-01T00:00:00Z"})).status_code == 422
        assert (await script.put(f"{path}/snooze", json={"until": None})).status_code == 204
        assert await listed(mo, "snoozed") == [said.id]
        assert (await script.delete(f"{path}/snooze")).status_code == 204
        assert (await script.put(f"{path}/pin")).status_code == 204
        assert await listed(mo, "pinned") == [said.id]
        assert (await script.delete(f"{path}/pin")).status_code == 204
    assert await audited(world, said.id) == ["conversation.snoozed", "conversation.woken", "conversation.pinned",
                                             "conversation.unpinned"]


async def test_scripts_write_and_change_notes(world: World) -> None:
    alice, mo = await world.session("alice"), await world.session("mo")
    said = await talk(world)
    async with await key_of(world, "alice") as script:
        path = f"/api/v1/conversations/{said.id}/notes"
        made = await script.post(path, json={"text": "look, @Mo"})
        assert made.status_code == 201, made.text
        assert await listed(mo, "mentions") == [said.id]
        own = f"/api/v1/notes/{made.json()['id']}"
        assert (await script.patch(own, json={"text": "seen"})).json()["edited_at"]
        assert [one["text"] for one in (await script.get(path)).json()["items"]] == ["seen"]
        assert (await script.delete(own)).status_code == 204
        await alice.post(f"{said.base}/notes", data={"text": "a person's"})
        (_, person) = (await script.get(path)).json()["items"]
        assert (await script.delete(f"/api/v1/notes/{person['id']}")).status_code == 403
