"""Exports from the request to the one fetch, through the dashboard and by script."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import msgspec
import pytest

from chime import accounts
from chime.accounts.model import Policy
from chime.approvals.model import DELAY, FILE_KEPT, VALID, State
from chime.exports.table import field_value
from tests.http.data_setup import SETTINGS, ask, contact, decide, exported, fetch, lines, newest, standing, table
from tests.http.inbox_setup import rows, talk
from tests.http.people_setup import id_of
from tests.support.world import PASSWORD, World


async def test_contacts_come_with_all_columns_and_go_in_again_without_loss(world: World) -> None:
    fields = {"city": "Pune", "orders": 5, "code": "5", "vip": True, "note": "=1+1", "quote": '"yes"'}
    contact_id = await contact(world, "+14155550101", "=cmd|' /C calc'!A0", fields=fields, tags=("gold", "a;b"))
    await contact(world, "+447700900142", "'tis Tom")
    alice = await world.session("alice")
    await alice.post(f"/w/acme/contacts/{contact_id}/consent", data={"marketing": "opted_in", "evidence": "said so"})
    found = {row["id"]: row for row in table(await exported(world, "mo", "alice"))}
    assert len(found) == 2
    row = found[contact_id]
    assert row["name"] == "=cmd|' /C calc'!A0" and row["phone"] == "+14155550101"
    assert json.loads(row["tags"]) == ["a;b", "gold"]
    told = {name.removeprefix("field."): field_value(cell) for name, cell in row.items() if name.startswith("field.")}
    assert told == fields
    assert row["marketing_consent"] == "opted_in"
    assert (row["consent_source"], row["consent_evidence"]) == ("agent", "said so")
    assert len(row["reference"]) == 16
    other = next(row for key, row in found.items() if key != contact_id)
    assert other["name"] == "'tis Tom" and other["field.city"] == ""


async def test_every_act_of_an_export_is_in_the_audit_log_and_the_fetch_before_its_bytes(world: World) -> None:
    await contact(world, "+14155550101", "Maya")
    answer = await exported(world, "mo", "alice")
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    await world.settle()
    told = [row[0] for row in await rows(world, world.acme, "SELECT action FROM audit_event "
                                         "WHERE object_kind = 'approval' ORDER BY sequence")]
    assert told[:5] == ["approval.requested", "approval.approved", "approval.begun", "approval.finished",
                        "approval.downloaded"]


async def test_a_file_is_fetched_once_and_is_unreadable_and_gone_afterwards(world: World) -> None:
    await contact(world, "+14155550101", "Maya Canary")
    row = await ask(world, "mo")
    await decide(world, "alice", row)
    folder = world.data_dir / "workspaces" / world.acme.workspace_id / "exports"
    stored = [path for path in folder.rglob("*") if path.is_file()]
    assert len(stored) == 1 and b"Canary" not in stored[0].read_bytes()
    assert stored[0].stat().st_mode & 0o077 == 0 and folder.stat().st_mode & 0o077 == 0
    assert (await fetch(world, "alice", row)).status_code == 409
    first = await fetch(world, "mo", row)
    assert first.status_code == 200 and "Maya Canary" in first.text
    assert (await fetch(world, "mo", row)).status_code == 409
    await world.settle()
    assert not any(path.is_file() for path in folder.rglob("*"))
    assert await rows(world, world.acme, "SELECT length(key_sealed) FROM export_file") == [(0,)]


async def test_nobody_approves_their_own_request_nor_something_else_than_they_saw(world: World) -> None:
    row = await ask(world, "alice")
    assert row.needs == "delay", "nobody else at Acme may decide"
    asked = await ask(world, "mo")
    assert (await decide(world, "mo", asked)).status_code == 403
    swapped = await (await world.session("alice")).post(
        f"{SETTINGS}/approvals/{asked.id}/decision", data={"decision": "approve", "fingerprint": row.fingerprint})
    assert swapped.status_code == 409
    assert (await standing(world, asked.id)).state is State.REQUESTED
    assert (await decide(world, "alice", asked)).status_code == 303
    assert (await decide(world, "alice", asked)).status_code == 409, "decided already"


async def test_alone_it_waits_a_day_and_can_be_stopped(world: World) -> None:
    await contact(world, "+14155550101", "Maya")
    first, second = await ask(world, "alice"), await ask(world, "alice")
    assert (await fetch(world, "alice", first)).status_code == 409
    assert (await decide(world, "alice", second, "reject")).status_code == 303
    world.clock.pass_time(DELAY - 60_000)
    await _swept(world)
    assert (await standing(world, first.id)).state is State.REQUESTED
    world.clock.pass_time(60_001)
    await _swept(world)
    assert (await standing(world, first.id)).state is State.READY
    assert (await standing(world, second.id)).state is State.REJECTED
    alice = await world.session("alice")
    answer = await alice.post("/sign-in", data={"email": "alice@example.com", "password": PASSWORD})
    page = await alice.get("/", follow_redirects=True)
    alice.headers["X-CSRF-Token"] = page.text.split('name="csrf-token" content="')[1].split('"')[0]
    assert answer.status_code == 303 and (await fetch(world, "alice", first)).status_code == 200


async def _swept(world: World) -> None:
    for _ in range(2):
        await world.services.runner.sweep([world.acme.workspace_id])
        await world.settle()


async def test_what_nobody_decides_or_fetches_in_time_ends(world: World) -> None:
    waiting, made = await ask(world, "mo"), await ask(world, "mo")
    await decide(world, "alice", made)
    world.clock.pass_time(max(VALID, FILE_KEPT) + 1_000)
    await _swept(world)
    for row in (waiting, made):
        assert (await standing(world, row.id)).state is State.EXPIRED
    await _swept(world)
    folder = world.data_dir / "workspaces" / world.acme.workspace_id / "exports"
    assert not any(path.is_file() for path in folder.rglob("*"))


async def test_who_lost_the_right_gets_no_file_and_their_agreement_stands_for_nothing(world: World) -> None:
    await contact(world, "+14155550101", "Maya")
    row = await ask(world, "mo")
    await decide(world, "alice", row)
    await _demote(world, "mo", "viewer")
    assert (await fetch(world, "mo", row)).status_code == 409
    assert (await standing(world, row.id)).ending == "requester_lost_right"
    await _demote(world, "mo", "manager")
    await _demote(world, "kim", "admin")
    again = await ask(world, "mo")
    await decide(world, "kim", again)
    await _demote(world, "kim", "member")
    assert (await fetch(world, "mo", again)).status_code == 409
    assert (await standing(world, again.id)).ending == "approver_lost_right"


async def _demote(world: World, name: str, role: str) -> None:
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE membership SET role = ? WHERE user_id = (SELECT id FROM user WHERE email = ?)",
                         role, f"{name}@example.com")


async def test_masked_people_get_masked_numbers_wherever_they_stand(world: World) -> None:
    maya = await talk(world, "Call me", name="Maya Chen")
    [said] = await maya.messages()
    alice = await world.session("alice")
    assert (await alice.post(f"{maya.base}/messages/{said.id}/reaction", data={"emoji": "👍"})).status_code == 200
    await world.settle()
    await _demote(world, "mo", "manager")
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE membership SET masked = 1 WHERE user_id = (SELECT id FROM user WHERE email = ?)",
                         "mo@example.com")
    for what in ("contacts", "conversations"):
        for form in ("csv", "jsonl"):
            answer = await exported(world, "mo", "alice", what, format=form)
            assert "4155550101" not in answer.text and "••101" in answer.text
            assert "wamid" not in answer.text.replace('"wamid"', "").replace('"wamid":', ""), "the number is in it"


async def test_an_export_made_whole_is_not_handed_to_somebody_who_is_masked_by_then(world: World) -> None:
    await contact(world, "+14155550101", "Maya")
    row = await ask(world, "mo")
    await decide(world, "alice", row)
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE membership SET masked = 1 WHERE user_id = (SELECT id FROM user WHERE email = ?)",
                         "mo@example.com")
    assert (await fetch(world, "mo", row)).status_code == 403


async def test_a_team_lead_exports_their_own_teams_only(world: World) -> None:
    maya = await talk(world, "Hello from Maya")
    tom = await talk(world, "Hello from Tom", name="Tom Hughes", phone="447700900142")
    async with world.services.control.ingest("test") as tx:
        await tx.execute("INSERT INTO team (id, workspace_id, name, created_at) VALUES ('t1', ?, 'North', 0)",
                         world.acme.workspace_id)
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE conversation SET team_id = 't1' WHERE id = ?", tom.id)
    answer = await exported(world, "mo", "alice", "conversations", format="jsonl")
    assert {line["conversation_id"] for line in lines(answer)} == {maya.id}
    answer = await exported(world, "mo", "alice", "contacts")
    assert {row["id"] for row in table(answer)} == {maya.contact_id}


async def test_conversations_of_a_time_span(world: World) -> None:
    conversation = await talk(world, "Do you open on Sunday?")
    await conversation.reply(await world.session("alice"), "We do, from ten.")
    told = lines(await exported(world, "mo", "alice", "conversations", format="jsonl"))
    assert [(line["direction"], line["text"]) for line in told] == [
        ("in", "Do you open on Sunday?"), ("out", "We do, from ten.")]
    assert told[0]["contact_phone"] == "+14155550101" and told[0]["wamid"]
    none = lines(await exported(world, "mo", "alice", "conversations", format="jsonl", last_day="2020-01-01"))
    assert none == []
    mo = await world.session("mo")
    wrong = await mo.post(f"{SETTINGS}/exports/conversations", data={
        "format": "xls", "first_day": "2026-13-01", "channel_id": "0" * 26})
    assert wrong.status_code == 422 and "Write a day" in wrong.text


async def test_more_rows_than_were_approved_make_no_file(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chime.exports.model.LEAST_SLACK", 1)
    await contact(world, "+14155550101", "Maya")
    row = await ask(world, "mo")
    for number in range(3):
        await contact(world, f"+4477009001{number}2", "Later")
    await decide(world, "alice", row)
    found = await standing(world, row.id)
    assert found.state is State.FAILED and found.ending == "too_many_rows"
    assert (await fetch(world, "mo", row)).status_code == 409


async def test_everything_about_one_person_comes_as_a_zip(world: World) -> None:
    conversation = await talk(world, "My address is Elm Street 4")
    await conversation.says({"type": "image", "image": {}})
    alice = await world.session("alice")
    await alice.post(f"{conversation.base}/notes", data={"text": "pays late"})
    answer = await alice.post(f"/w/acme/contacts/{conversation.contact_id}/export")
    assert answer.status_code == 303, answer.text
    await world.settle()
    row = await newest(world)
    assert row.state is State.READY and row.subject
    whole = await fetch(world, "alice", row)
    with zipfile.ZipFile(io.BytesIO(whole.content)) as found:
        assert found.testzip() is None
        about = json.loads(found.read("contact.json"))
        messages = [json.loads(line) for line in found.read("messages.jsonl").splitlines()]
        stored = [name for name in found.namelist() if name.startswith("files/")]
    assert about["phone"] == "14155550101" and about["known_as"] and about["export"]["id"] == row.id
    assert [(note["author"], note["text"]) for note in about["private_notes"]] == [("Alice", "pays late")]
    assert messages[0]["text"] == "My address is Elm Street 4"
    assert len(messages) == 2 and len(stored) == 1
    assert (await standing(world, row.id)).subject == "", "no name stays behind"


async def test_everything_about_one_person_has_no_whole_number_for_who_may_not_see_it(world: World) -> None:
    conversation = await talk(world, "Call me", name="Maya Chen")
    await conversation.says("STOP")
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE contact SET fields_json = ? WHERE id = ?",
                         json.dumps({"second": "+447700900142", "city": "Pune"}), conversation.contact_id)
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE membership SET masked = 1 WHERE user_id = (SELECT id FROM user WHERE email = ?)",
                         "alice@example.com")
    alice = await world.session("alice")
    assert (await alice.post(f"/w/acme/contacts/{conversation.contact_id}/export")).status_code == 303
    await world.settle()
    whole = await fetch(world, "alice", await newest(world))
    with zipfile.ZipFile(io.BytesIO(whole.content)) as found:
        told = {name: found.read(name).decode() for name in found.namelist()}
    about = json.loads(told["contact.json"])
    assert about["phone"].endswith("••101") and about["fields"]["city"] == "Pune"
    assert about["consent"][0]["marketing"] == "opted_out"
    for name, content in told.items():
        assert "4155550101" not in content and "7700900142" not in content and "wamid." not in content, name


async def test_scripts_ask_look_and_fetch_and_no_key_agrees_for_its_own_person(world: World) -> None:
    await contact(world, "+14155550101", "Maya")
    async with world.client(await world.key(world.acme)) as script:
        asked = await script.post("/api/v1/exports", json={"format": "jsonl", "reason": "backup"})
        assert asked.status_code == 202, asked.text
        one = asked.json()
        assert one["state"] == "requested" and one["expected_rows"] == 1
        request = (await script.get(f"/api/v1/approvals/{one['id']}")).json()
        own = await script.post(f"/api/v1/approvals/{one['id']}/decision",
                                json={"decision": "approve", "fingerprint": request["fingerprint"]})
        assert own.status_code == 403
        early = await script.post(f"/api/v1/exports/{one['id']}/file")
        assert early.status_code == 409
        await decide(world, "alice", await standing(world, one["id"]))
        assert (await script.get(f"/api/v1/exports/{one['id']}")).json()["state"] == "ready"
        listed = (await script.get("/api/v1/exports")).json()["items"]
        assert [item["id"] for item in listed] == [one["id"]]
        whole = await script.post(f"/api/v1/exports/{one['id']}/file")
        assert whole.status_code == 200 and lines(whole)[0]["name"] == "Maya"
    async with world.client(await world.key(world.acme, "workspace:read")) as other:
        assert (await other.get(f"/api/v1/exports/{one['id']}")).status_code == 404
        assert (await other.get("/api/v1/approvals")).status_code == 403


@pytest.mark.parametrize("maker", ["", "mo"])
async def test_a_key_without_numbers_exports_texts_as_masked_as_it_reads_them(world: World, maker: str) -> None:
    maya = await talk(world, "Call me on +44 7700 900142")
    scopes = "workspace:read,inbox:read,inbox:export"
    async with world.services.control.ingest("test") as tx:
        await tx.execute("INSERT INTO workspace_policy (workspace_id, policy_json) VALUES (?, ?)",
                         world.acme.workspace_id, msgspec.json.encode(Policy(
                             mask_in_text=True, exports_need_approval=False)).decode())
    key = await _key_of(world, maker, scopes) if maker else await world.key(world.acme, scopes)
    async with world.client(key) as script:
        read = (await script.get(f"/api/v1/conversations/{maya.id}/messages")).text
        assert "7700" not in read and "••" in read
        asked = await script.post("/api/v1/exports/conversations", json={"format": "jsonl"})
        assert asked.status_code == 202, asked.text
        await world.settle()
        if (await standing(world, asked.json()["id"])).state is State.REQUESTED:
            await decide(world, "alice", await standing(world, asked.json()["id"]))
        answer = await script.post(f"/api/v1/exports/{asked.json()['id']}/file")
    assert answer.status_code == 200, answer.text
    assert "7700" not in answer.text and "Call me on" in answer.text


async def test_what_is_a_persons_own_is_in_the_export_of_their_key(world: World) -> None:
    """A team lead reaches what is assigned to them in whatever team; so does a script of theirs."""
    maya = await talk(world, "Hello from Maya")
    mo = await id_of(world, "mo")
    async with world.services.control.ingest("test") as tx:
        await tx.execute("INSERT INTO team (id, workspace_id, name, created_at) VALUES ('t1', ?, 'North', 0)",
                         world.acme.workspace_id)
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE conversation SET team_id = 't1', assignee_id = ? WHERE id = ?", mo, maya.id)
    key = await _key_of(world, "mo", "workspace:read,inbox:read,inbox:export,numbers:read")
    async with world.client(key) as script:
        assert [one["id"] for one in (await script.get("/api/v1/conversations")).json()["items"]] == [maya.id]
        asked = await script.post("/api/v1/exports/conversations", json={"format": "jsonl"})
        assert asked.status_code == 202, asked.text
        await world.settle()
        await decide(world, "alice", await standing(world, asked.json()["id"]))
        answer = await script.post(f"/api/v1/exports/{asked.json()['id']}/file")
    assert {line["conversation_id"] for line in lines(answer)} == {maya.id}


async def _key_of(world: World, name: str, scopes: str) -> str:
    """A key that a member made."""
    control, user_id = world.services.control, await id_of(world, name)
    maker = await accounts.member_actor(control.db, world.acme.workspace_id, user_id)
    assert maker is not None
    async with control.write(maker) as tx:
        made = await accounts.create_api_key(tx, world.services.ids, workspace_id=world.acme.workspace_id, name="test",
                                             scope_text=scopes, made_by=user_id)
    return made.key


async def test_a_script_is_told_the_field_it_sent(world: World) -> None:
    async with world.client(await world.key(world.acme)) as script:
        wrong = await script.post("/api/v1/exports", json={"marketing_consent": "maybe", "format": "xls"})
    assert wrong.status_code == 422
    assert {error["field"] for error in wrong.json()["errors"]} == {"marketing_consent", "format"}


async def test_the_page_narrows_an_export_to_who_agreed(world: World) -> None:
    await contact(world, "+14155550101", "Maya")
    row = await ask(world, "mo", marketing_consent="opted_in")
    assert row.parameters["consent"] == "opted_in" and row.parameters["expected"] == 0


async def test_a_leaked_row_names_its_export(world: World) -> None:
    await contact(world, "+14155550101", "Maya")
    found = table(await exported(world, "mo", "alice"))
    await exported(world, "mo", "alice")
    alice = await world.session("alice")
    page = await alice.post(f"{SETTINGS}/exports/trace", data={"reference": found[0]["reference"]})
    assert "Export of contacts" in page.text and "Mo" in page.text
    page = await alice.post(f"{SETTINGS}/exports/trace", data={"reference": "0" * 16})
    assert "No export of this workspace" in page.text


async def test_pages_say_what_would_run(world: World) -> None:
    await contact(world, "+14155550101", "Maya", tags=("vip",))
    tag = (await rows(world, world.acme, "SELECT id FROM tag"))[0][0]
    row = await ask(world, "mo", tag_id=tag, reason="for the <auditor>")
    page = await (await world.session("alice")).get(f"{SETTINGS}/approvals")
    for words in ("Export of contacts", "1 row now", "Only with the tag vip", "for the &lt;auditor&gt;",
                  row.fingerprint):
        assert words in page.text, words
    mine = await (await world.session("mo")).get(f"{SETTINGS}/approvals")
    assert "Waits for approval" in mine.text and "Waits for me" not in mine.text
    vera = await (await world.session("vera")).get(f"{SETTINGS}/approvals")
    assert vera.status_code == 200 and "Export of contacts" not in vera.text


async def test_the_policy_may_switch_approval_off(world: World) -> None:
    async with world.services.control.ingest("test") as tx:
        await tx.execute("INSERT INTO workspace_policy (workspace_id, policy_json) VALUES (?, ?)",
                         world.acme.workspace_id, '{"exports_need_approval": false}')
    await contact(world, "+14155550101", "Maya")
    row = await ask(world, "mo")
    assert row.state is State.READY and (await fetch(world, "mo", row)).status_code == 200


async def test_a_crash_in_the_middle_begins_again(world: World, tmp_path: Path) -> None:
    await contact(world, "+14155550101", "Maya")
    row = await ask(world, "mo")
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE approval SET state = 'running', approver_id = 'x', approved_digest = digest, "
                         "lease_until = 0 WHERE id = ?", row.id)
        await tx.execute("UPDATE approval SET approver_id = ? WHERE id = ?", await _id(world, "alice"), row.id)
    await _swept(world)
    assert (await standing(world, row.id)).state is State.READY


async def _id(world: World, name: str) -> str:
    found: str = await world.services.control.db.value("SELECT id FROM user WHERE email = ?", f"{name}@example.com")
    return found
