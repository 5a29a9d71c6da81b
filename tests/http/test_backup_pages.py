"""The whole way through the pages: a backup, an earlier moment as a copy, two people, and the workspace as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest

from chime import backups
from chime.clock import Clock
from chime.security.permissions import OPERATOR
from chime.trust.model import State
from chime.trust.runner import Trust, examined
from tests.http.data_setup import decide, newest
from tests.http.inbox_setup import rows, talk, until
from tests.support.world import World

PAGE = "/w/acme/settings/backups"


async def back_up(world: World) -> int:
    """Everything until now is on the shelf; the moment."""
    services = world.services
    assert await backups.backup_now(services.control, services.registry, services.config, Clock(), checks=(),
                                    seconds=30)
    return services.clock.real_now()


def typed(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).replace(tzinfo=None).isoformat()


async def open_copy(world: World, client: httpx.AsyncClient, at: int, name: str = "Then") -> str:
    """The copy's id, once it may be looked at."""
    answer = await client.post(f"{PAGE}/copies", data={"at": typed(at), "name": name})
    assert answer.status_code == 303, answer.text
    control = world.services.control.db

    async def ready() -> Any:
        trouble = await control.value("SELECT trouble FROM restore WHERE step = 'failed'")
        assert not trouble, trouble
        return await control.value("SELECT id FROM workspace WHERE name = ? AND state = 'muted'", name)

    found: str = await until(ready, 30)
    return found


async def make_admin(world: World, name: str) -> None:
    async with world.services.control.write(OPERATOR) as tx:
        await tx.execute("UPDATE membership SET role = 'admin' WHERE workspace_id = ? AND user_id = (SELECT id FROM "
                         "user WHERE email = ?)", world.acme.workspace_id, f"{name}@example.com")
        await tx.audit("member.changed", "user", name)


async def test_a_workspace_goes_back_and_forth(world: World) -> None:
    maya = await talk(world)
    at = await back_up(world)
    await maya.says("after the moment")
    await back_up(world)
    alice = await world.session("alice")
    page = await alice.get(PAGE)
    assert page.status_code == 200 and "Open an earlier moment" in page.text
    copy_id = await open_copy(world, alice, at)
    compared = await alice.get(f"{PAGE}/copies/{copy_id}")
    assert compared.status_code == 200 and "Messages received" in compared.text
    await make_admin(world, "mo")
    asked = await alice.post(f"{PAGE}/copies/{copy_id}/take-over", data={"reason": "a test"})
    assert asked.status_code == 303, asked.text
    row = await newest(world)
    assert row.kind == "restore" and row.needs == "person"
    assert (await decide(world, "alice", row)).status_code == 403
    assert (await decide(world, "mo", row)).status_code == 303
    control = world.services.control.db
    await until(lambda: control.value("SELECT 1 FROM restore WHERE kind = 'take_over' AND step = 'done'"), 30)
    await world.settle()
    assert await rows(world, world.acme, "SELECT count(*) FROM message WHERE text = 'after the moment'") == [(1,)]
    assert (await alice.get(PAGE)).status_code == 200
    # and the backup goes on from there
    await back_up(world)
    again = await open_copy(world, alice, world.services.clock.real_now(), "Now")
    gone = await alice.post(f"{PAGE}/copies/{again}/removal")
    assert gone.status_code == 303
    assert (await alice.get(f"{PAGE}/copies/{again}")).status_code == 404


@pytest.mark.parametrize(("name", "status"), [("bob", 403), ("vera", 403), ("mo", 403), ("charlie", 404)])
async def test_only_owners_restore(world: World, name: str, status: int) -> None:
    client = await world.session(name)
    assert (await client.get(PAGE)).status_code == status
    assert (await client.post(f"{PAGE}/copies", data={"at": "2026-01-01T00:00"})).status_code == status
    for way in ("take-over", "removal"):
        assert (await client.post(f"{PAGE}/copies/x/{way}")).status_code == status


async def test_an_admin_looks_and_does_not_restore(world: World) -> None:
    await make_admin(world, "mo")
    mo = await world.session("mo")
    page = await mo.get(PAGE)
    assert page.status_code == 200 and "Open an earlier moment" not in page.text
    assert (await mo.post(f"{PAGE}/copies", data={"at": "2026-01-01T00:00"})).status_code == 403


async def test_a_moment_without_a_backup_keeps_what_was_typed(world: World) -> None:
    await back_up(world)
    alice = await world.session("alice")
    for at in ("2020-01-01T00:00", "tomorrow", ""):
        answer = await alice.post(f"{PAGE}/copies", data={"at": at, "name": "My very own name"})
        assert answer.status_code == 422 and "My very own name" in answer.text, at
    other = await alice.get("/w/acme/settings/backups/copies/nothing")
    assert other.status_code == 404


async def test_the_trust_page_says_it_when_it_is_not_so(world: World) -> None:
    trust: Trust = world.app.state.trust
    maya = await talk(world)
    await back_up(world)
    for name in ("backups.good", "backups.held"):
        assert (await examined(trust.ground, name)).state is State.HOLDS
    assert (await examined(trust.ground, "backups.second")).state is State.SKIPPED
    shelf = backups.Shelf(world.services.config.backup_dir)
    result = shelf.result(world.acme.workspace_id)
    shelf.note_result(world.acme.workspace_id, msgspec.structs.replace(result, reason="a page is damaged"))
    config = msgspec.structs.replace(trust.ground.config, backup_second="/nowhere")
    late = replace(trust.ground, config=config)
    shelf.write(shelf.folder / "state.json", {"second_at": 1, "second_since": 1, "second_trouble": "it is full"})
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        message_id = await tx.value("SELECT id FROM message LIMIT 1")
        await tx.execute("INSERT INTO held_message (message_id, restore_id, why, held_at) VALUES (?, 'x', 'waited', 1)",
                         message_id)
        await tx.execute("UPDATE message SET status = 'queued', next_attempt_at = 1 WHERE id = ?", message_id)
    assert maya.id
    for ground, name, words in ((trust.ground, "backups.good", "a page is damaged"),
                                (late, "backups.second", "it is full"),
                                (trust.ground, "backups.held", "on hold is due")):
        found = await examined(ground, name)
        assert found.state is State.BROKEN and words in found.detail, found
