"""The page of the workspace's file: who may ask, what a second person sees, and that the passphrase is nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chime.approvals.model import State
from tests.http.data_setup import SETTINGS, decide, fetch, newest, standing
from tests.http.inbox_setup import rows, talk
from tests.http.moving_setup import PASSPHRASE, WRONG, imported, new_server, running
from tests.support.world import World

PAGE = f"{SETTINGS}/workspace-file"
FORM = {"passphrase": PASSPHRASE, "repeated": PASSPHRASE, "reason": "for the safe"}


async def an_admin(world: World, name: str = "kim") -> None:
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE membership SET role = 'admin' WHERE user_id = (SELECT id FROM user WHERE email = ?)",
                         f"{name}@example.com")


async def test_it_is_asked_for_agreed_to_made_fetched_once_and_opens_elsewhere(world: World, tmp_path: Path) -> None:
    await talk(world, "a canary in words")
    await an_admin(world)
    alice = await world.session("alice")
    assert (await alice.post(PAGE, data=FORM)).status_code == 303
    row = await newest(world)
    assert (row.kind, row.needs, row.reason) == ("workspace_export", "person", "for the safe")
    assert PASSPHRASE not in json.dumps(row.parameters)
    seen = (await (await world.session("kim")).get(f"{SETTINGS}/approvals")).text
    assert "The whole workspace as one file" in seen and "access tokens" in seen and "sealed_key" not in seen
    assert (await decide(world, "kim", row)).status_code == 303
    assert (await standing(world, row.id)).state is State.READY
    assert (await fetch(world, "kim", row)).status_code == 409, "it is for whoever asked"
    answer = await fetch(world, "alice", row)
    assert answer.status_code == 200 and answer.headers["content-disposition"].endswith('.chime"')
    assert (await fetch(world, "alice", row)).status_code == 409
    await world.settle()
    told = [action for (action,) in await rows(world, world.acme, "SELECT action FROM audit_event ORDER BY sequence")]
    assert [action for action in told if action.startswith(("approval.", "workspace.export"))] == [
        "approval.requested", "workspace.export_locked", "approval.approved", "approval.begun", "approval.finished",
        "workspace.exported", "approval.downloaded"]
    assert await rows(world, world.acme, "SELECT length(key_sealed) FROM export_file") == [(0,)]
    folder = world.data_dir / "workspaces" / world.acme.workspace_id
    assert not [path for path in folder.rglob("*") if path.is_file() and "exports" in path.parts]
    assert not list(folder.glob("leaving-*"))
    file = tmp_path / "fetched.chime"
    file.write_bytes(answer.content)
    config = await new_server(tmp_path / "other")
    await imported(config, file)
    async with running(world, config) as there:
        assert await rows(there.world, world.acme, "SELECT count(*) FROM message WHERE text = 'a canary in words'"
                          ) == [(1,)]
        assert await rows(there.world, world.acme, "SELECT state FROM approval") == [("cancelled",)], \
            "what was under way when the copy was made does not go on elsewhere"


@pytest.mark.parametrize("fields, words", [
    ({"passphrase": "short", "repeated": "short"}, "Use at least 15 characters"),
    ({"passphrase": PASSPHRASE, "repeated": WRONG}, "This is not the same passphrase."),
])
async def test_what_is_wrong_is_said_and_no_passphrase_comes_back(world: World, fields: dict[str, str], words: str
                                                                  ) -> None:
    alice = await world.session("alice")
    answer = await alice.post(PAGE, data=FORM | fields)
    assert answer.status_code == 422 and words in answer.text and 'value="for the safe"' in answer.text
    assert PASSPHRASE not in answer.text and f'"{fields["passphrase"]}"' not in answer.text
    assert not await rows(world, world.acme, "SELECT id FROM approval")


@pytest.mark.parametrize("name, status", [("kim", 403), ("mo", 403), ("vera", 403), ("charlie", 404)])
async def test_only_owners_come_near_and_strangers_know_nothing(world: World, name: str, status: int) -> None:
    await an_admin(world)
    somebody = await world.session(name)
    assert (await somebody.get(PAGE)).status_code == status
    assert (await somebody.post(PAGE, data=FORM)).status_code == status
    key = await world.key(world.acme)
    async with world.client(key) as script:
        assert (await script.post(PAGE, data=FORM)).headers["location"].startswith("/sign-in")
    assert not await rows(world, world.acme, "SELECT id FROM approval")


async def test_alone_it_waits_a_day_and_a_refusal_destroys_its_key(world: World) -> None:
    alice = await world.session("alice")
    await alice.post(PAGE, data=FORM)
    row = await newest(world)
    assert row.needs == "delay", "nobody else at Acme may decide"
    assert (await decide(world, "alice", row, "reject")).status_code == 303
    assert await rows(world, world.acme, "SELECT length(key_sealed) FROM export_file") == [(0,)]


async def test_where_exports_need_nobody_it_begins_at_once(world: World) -> None:
    async with world.services.control.ingest("test") as tx:
        await tx.execute("INSERT INTO workspace_policy (workspace_id, policy_json) VALUES (?, ?)",
                         world.acme.workspace_id, json.dumps({"exports_need_approval": False}))
    alice = await world.session("alice")
    assert (await alice.post(PAGE, data=FORM)).status_code == 303
    await world.settle()
    row = await newest(world)
    assert row.needs == "nobody" and row.state is State.READY
    page = (await alice.get(PAGE)).text
    assert "Fetch the file" in page and f"/settings/exports/{row.id}/file" in page
