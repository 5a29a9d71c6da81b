"""ERASE-1: a forgotten person is nowhere to be found, stays forgotten after a restore, and their no still counts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from chime import erasure
from chime.approvals.model import State
from chime.inbound.account import count
from chime.inbound.replay import replay
from chime.simulator import write
from tests.http.data_setup import SETTINGS, ask, decide, newest, standing
from tests.http.inbox_setup import Talk, indexed, rows, talk
from tests.support.files import contents
from tests.support.raw_pages import found_in
from tests.support.webhook_bodies import Customer, body, inbound, seconds, take, text
from tests.support.world import ACME_NUMBER, World, running_world

CANARY = "Zebrafinch"
HTMX = {"HX-Request": "true"}


async def forgotten(world: World, contact_id: str) -> str:
    """Mo would be nobody to ask; Alice asks and Kim, made an admin, agrees. The id of the erasure."""
    await _role(world, "kim", "admin")
    alice = await world.session("alice")
    answer = await alice.post(f"/w/acme/contacts/{contact_id}/erasure", data={"reason": "asked for it"})
    assert answer.status_code == 303, answer.text
    row = await newest(world)
    assert row.state is State.REQUESTED and row.needs == "person"
    assert (await decide(world, "alice", row)).status_code == 403
    assert (await decide(world, "kim", row)).status_code == 303
    await world.settle(60)
    assert (await standing(world, row.id)).state is State.DONE
    return row.id


async def _role(world: World, name: str, role: str) -> None:
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE membership SET role = ? WHERE user_id = (SELECT id FROM user WHERE email = ?)",
                         role, f"{name}@example.com")


def canary_of(number: int) -> str:
    """A word of theirs alone, and of one length: no other's begins with it."""
    return f"{CANARY}{number:04d}"


async def a_person(world: World, number: int) -> Talk:
    """Somebody with a conversation of every kind, whose name and words hold a canary of their own."""
    canary = canary_of(number)
    said = await talk(world, f"My word is {canary}words", name=f"{canary} Name", phone=f"1415555{number:04d}")
    await said.says({"type": "image", "image": {"caption": f"{canary}caption"}})
    alice = await world.session("alice")
    await said.reply(alice, f"Dear {canary}, hello")
    await alice.post(f"{said.base}/notes", data={"text": f"{canary}note: call back, @Mo"})
    await alice.post(f"/w/acme/contacts/{said.contact_id}/tags", data={"name": "vip"})
    await alice.post(f"/w/acme/contacts/{said.contact_id}/consent",
                     data={"marketing": "opted_out", "evidence": f"{canary} said so"})
    await _around(alice, said, canary)
    return said


async def _around(alice: httpx.AsyncClient, said: Talk, canary: str) -> None:
    """What the team keeps about somebody beside the talk: fields, a reminder, a message and a file for later."""
    for subject, path in (("contact", f"/w/acme/contacts/{said.contact_id}"), ("conversation", said.base)):
        await alice.post("/w/acme/settings/fields", data={"subject": subject, "label": "Pet", "kind": "text"})
        filled = await alice.post(f"{path}/fields", data={"key": "pet", "value": f"{canary}{subject}"}, headers=HTMX)
        assert filled.status_code == 200, filled.text
    for answer in (
            await alice.post(f"{said.base}/reminders", headers=HTMX, data={
                "about": f"{canary}reminder", "due": "hour"}),
            await alice.post(f"{said.base}/messages", headers=HTMX, data={
                "type": "text", "text": f"{canary}scheduled", "send_at": "hour"}),
            await alice.post(f"{said.base}/files", headers=HTMX, data={
                "caption": f"{canary}file", "send_at": "hour"},
                files={"file": ("a.txt", f"{canary}content".encode(), "text/plain")})):
        assert answer.status_code == 200, answer.text


def needles(number: int, wamids: list[str]) -> tuple[bytes, ...]:
    canary = canary_of(number)
    words = (canary, canary.lower(), f"1415555{number:04d}", *wamids)
    return tuple(word.encode() for word in words)


async def traces(world: World, wanted: tuple[bytes, ...]) -> set[bytes]:
    """What of these stands anywhere in the workspace's files, opened to the last byte; and in its media and exports."""
    async with world.workspace(world.acme) as workspace:
        keys = {"workspace.db": bytes(workspace.db.key), "journal.db": bytes(workspace.journal_db.key)}
    folder = world.data_dir / "workspaces" / world.acme.workspace_id
    found: set[bytes] = set()
    for name, key in keys.items():
        found |= found_in(folder / name, key, wanted)
    for path, content in contents(folder).items():
        if path.name not in keys:
            found |= {needle for needle in wanted if needle in content}
    return found


async def _wamids(world: World, conversation_id: str) -> list[str]:
    return [row[0] for row in await rows(world, world.acme, "SELECT wamid FROM message WHERE conversation_id = ? "
                                         "AND wamid IS NOT NULL", conversation_id)]


async def _forget_people(world: World, people: int, others: int) -> None:
    told = [await a_person(world, number) for number in range(people + others)]
    await indexed(world)
    wamids = [await _wamids(world, one.id) for one in told]
    before = await traces(world, needles(0, wamids[0]))
    assert len(before) == len(needles(0, wamids[0])), "the search finds what is there"
    for number in range(people):
        if number % 50 == 0:
            world.sessions_are_over()  # the proof that it is they is good for ten minutes
        await forgotten(world, told[number].contact_id)
    # Everything is opened once for all of them: with very many that is hours less.
    left = await traces(world, tuple(word for number, ids in enumerate(wamids) for word in needles(number, ids)))
    for number in range(people):
        assert left.isdisjoint(needles(number, wamids[number])), number
        assert await rows(world, world.acme, "SELECT 1 FROM message WHERE conversation_id = ?", told[number].id) == []
    for number in range(people, people + others):
        # The full-text index keeps what a word has in common with the one before it only once.
        in_full = set(needles(number, wamids[number])) - {canary_of(number).lower().encode()}
        assert left >= in_full
        assert len(await rows(world, world.acme, "SELECT 1 FROM message WHERE conversation_id = ?",
                              told[number].id)) == 3
    alice = await world.session("alice")
    found = await alice.get("/w/acme/inbox/search", params={"q": CANARY})
    assert canary_of(0) not in found.text
    for number in range(people, people + others):
        found = await alice.get("/w/acme/inbox/search", params={"q": f"{canary_of(number)}words"})
        assert f"{canary_of(number)} Name" in found.text
    async with world.workspace(world.acme) as workspace:
        assert await workspace.db.value("PRAGMA integrity_check") == "ok"
        counted = await count(workspace, now=world.clock.now(), full=True)
        assert counted.ok and counted.total.rejected == 0, counted
        replayed = await replay(workspace)
        assert replayed.ok, replayed
        assert replayed.recognised["erased"] > 0
        assert await workspace.db.value("SELECT count(*) FROM erasure_needle") == 0


async def test_nothing_is_left_of_forgotten_people_and_everything_of_others(world: World) -> None:
    await _forget_people(world, 3, 2)


@pytest.mark.nightly
@pytest.mark.timeout(7200)
async def test_nothing_is_left_of_very_many_people(world: World) -> None:
    await _forget_people(world, 1_000, 20)


async def test_the_preview_counts_and_the_certificate_tells_without_naming(world: World) -> None:
    person = await a_person(world, 7)
    alice = await world.session("alice")
    page = await alice.get(f"/w/acme/contacts/{person.contact_id}/erasure")
    assert page.status_code == 200 and "Forget this person" in page.text and "still get none" in page.text
    assert "<dt>Files</dt><dd>2</dd>" in page.text
    erasure_id = await forgotten(world, person.contact_id)
    page = await alice.get(f"{SETTINGS}/erasures/{erasure_id}")
    assert "Certificate of erasure" in page.text and CANARY not in page.text
    told = (await alice.get(f"{SETTINGS}/erasures/{erasure_id}/certificate")).json()
    assert told["removed"]["contacts"] == 1 and told["removed"]["messages"] == 3
    assert told["removed"]["files"] == 2, "the picture, and the file for later"
    assert told["requested_by"] == "Alice" and told["approved_by"] == "Kim" and told["audit"]["sequence"]
    assert CANARY not in json.dumps(told)
    listed = await alice.get(f"{SETTINGS}/erasures")
    assert erasure_id in listed.text
    assert (await alice.get(f"/w/acme/contacts/{person.contact_id}/erasure")).status_code == 404
    assert (await alice.get(f"/w/acme/inbox/{person.id}")).status_code == 404
    hidden = await rows(world, world.acme, "SELECT details_json FROM audit_event")
    assert not [row for row in hidden if CANARY in row[0] or "14155550007" in row[0]]


async def test_who_said_no_and_was_forgotten_is_known_for_nothing_but_that_no(world: World) -> None:
    person = await a_person(world, 1)
    await forgotten(world, person.contact_id)
    again = await writes_again(world, person)
    assert again != person.contact_id
    known = await rows(world, world.acme, "SELECT marketing_consent FROM contact WHERE id = ?", again)
    assert known == [("opted_out",)]
    other = await talk(world, "Hello", name="Other", phone="14155550002")
    assert await rows(world, world.acme, "SELECT marketing_consent FROM contact WHERE id = ?", other.contact_id) == [
        ("unknown",)]
    async with world.workspace(world.acme) as workspace:
        assert (await replay(workspace)).ok
        assert await erasure.reapply(workspace, world.services.control) == 0, "who came back since is somebody new"
    assert await rows(world, world.acme, "SELECT 1 FROM contact WHERE id = ?", again) == [(1,)]


async def writes_again(world: World, person: Talk) -> str:
    """Somebody who was forgotten writes; the contact they are now."""
    said = write(world.simulator, person.customer, {"type": "text", "text": {"body": "Me again"}},
                 number=ACME_NUMBER)
    await world.settle()
    found = await rows(world, world.acme, "SELECT contact_id FROM message JOIN conversation "
                       "ON conversation.id = message.conversation_id WHERE wamid = ?", said.wamid)
    return str(found[0][0])


@pytest.mark.parametrize("restored", [("workspace.db",), ("workspace.db", "journal.db"), ("journal.db",)])
async def test_a_restore_does_not_bring_a_forgotten_person_back(installation: Path, tmp_path: Path,
                                                                 restored: tuple[str, ...]) -> None:
    data, copies = tmp_path / "data", tmp_path / "copies"
    async with running_world(installation, data) as world:
        person = await a_person(world, 5)
        kept = await a_person(world, 6)
        await indexed(world)
        wamids = await _wamids(world, person.id)
        folder = data / "workspaces" / world.acme.workspace_id
        async with world.workspace(world.acme) as workspace:
            for file in (workspace.db, workspace.journal_db):
                assert await file.empty_log()
        copies.mkdir()
        for name in restored:
            shutil.copy(folder / name, copies / name)
        contact_id, other_id = person.contact_id, kept.contact_id
        await forgotten(world, contact_id)
        acme = world.acme.workspace_id
    for name in restored:
        for left in (f"{name}-wal", f"{name}-shm"):
            (data / "workspaces" / acme / left).unlink(missing_ok=True)
        shutil.copy(copies / name, data / "workspaces" / acme / name)
    data.rename(tmp_path / "was")
    async with running_world(tmp_path / "was", data) as world:
        if "workspace.db" in restored:
            assert await rows(world, world.acme, "SELECT 1 FROM contact WHERE id = ?", contact_id) == [(1,)]
        async with world.workspace(world.acme) as workspace:
            await erasure.reapply(workspace, world.services.control)
            assert await erasure.reapply(workspace, world.services.control) == 0
        # Meta's ids of our own answers are known to the workspace's file only, so not when the journal alone is old.
        wanted = needles(5, wamids if "workspace.db" in restored else [])
        assert await traces(world, wanted) == set()
        assert await rows(world, world.acme, "SELECT 1 FROM contact WHERE id = ?", contact_id) == []
        assert await rows(world, world.acme, "SELECT 1 FROM contact WHERE id = ?", other_id) == [(1,)]
        again = await talk(world, "Me again", name="Somebody", phone="14155550005")  # another simulator
        assert await rows(world, world.acme, "SELECT marketing_consent FROM contact WHERE id = ?",
                          again.contact_id) == [("opted_out",)]


async def test_others_in_the_same_delivery_stay(world: World) -> None:
    one = await talk(world, "Hello", name="One", phone="14155550021")
    two = await talk(world, "Hello", name="Two", phone="14155550022")
    people = await rows(world, world.acme, "SELECT id FROM contact ORDER BY created_at")
    assert len(people) == 2
    batch = _batch(world)
    await take(world, batch)
    await forgotten(world, one.contact_id)
    async with world.workspace(world.acme) as workspace:
        bodies = b"".join(row[0] for row in await workspace.journal_db.rows("SELECT body FROM webhook_body"))
        assert b"14155550021" not in bodies and b"14155550022" in bodies and b"stays here" in bodies
        assert (await count(workspace, now=world.clock.now(), full=True)).ok
        assert (await replay(workspace)).ok
    assert len(await two.messages()) == 2


def _batch(world: World) -> dict[str, Any]:
    one, two = Customer("One", "14155550021"), Customer("Two", "14155550022")
    first = inbound(ACME_NUMBER, one, text(one, "wamid.one", seconds(world, 5), "goes away"))
    second = inbound(ACME_NUMBER, two, text(two, "wamid.two", seconds(world, 5), "stays here"))
    return body(ACME_NUMBER, first, second)


async def test_a_crash_in_the_middle_is_gone_on_from(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    person = await a_person(world, 3)
    wamids = await _wamids(world, person.id)
    calls = []

    async def breaks(*args: Any, **named: Any) -> None:
        calls.append(args)
        raise RuntimeError("the process ends here")

    monkeypatch.setattr("chime.erasure.run._forget_journal", breaks)
    await _role(world, "kim", "admin")
    alice = await world.session("alice")
    await alice.post(f"/w/acme/contacts/{person.contact_id}/erasure", data={})
    row = await newest(world)
    await decide(world, "kim", row)
    await world.settle()
    assert calls and (await standing(world, row.id)).state is State.RUNNING
    answer = await alice.post(f"{SETTINGS}/approvals/{row.id}/cancellation")
    assert answer.status_code == 409, "from the first step on there is no way back"
    monkeypatch.undo()
    await world.services.runner.sweep([world.acme.workspace_id])
    await world.settle(60)
    assert (await standing(world, row.id)).state is State.DONE
    assert await traces(world, needles(3, wamids)) == set()


async def test_an_export_made_before_goes_with_the_person(world: World) -> None:
    person = await a_person(world, 4)
    await _role(world, "kim", "admin")
    row = await ask(world, "mo")
    await decide(world, "alice", row)
    assert (await standing(world, row.id)).state is State.READY
    await forgotten(world, person.contact_id)
    found = await standing(world, row.id)
    assert found.state is State.CANCELLED and found.ending == "erasure"
