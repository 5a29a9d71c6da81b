"""Erasing a workspace: asked for, agreed to by another owner, seven days to change one's mind, then nothing opens."""

from __future__ import annotations

from pathlib import Path

import pytest

from chime.clock import DAY
from chime.errors import NotFound
from chime.security.permissions import OPERATOR
from chime.workspaces.closing import Closing, erase, resume, suspend
from tests.http.inbox_setup import listening, talk, until
from tests.support.webhook_bodies import Customer, body, inbound, seconds, text
from tests.support.world import ACME_NUMBER, World

DANA = Customer("Dana", "14155550123", "US.dana", "dana")
PAGE = "/w/acme/settings/erasure"


async def look(world: World) -> None:
    """What the appliance does every two seconds."""
    services = world.services
    await Closing(services.control, services.registry, services.clock, services.hub.end_streams_in).look()


async def state(world: World) -> str:
    found: str = await world.services.control.db.value("SELECT state FROM workspace WHERE id = ?",
                                                       world.acme.workspace_id)
    return found


def files_of(world: World) -> Path:
    return world.data_dir / "workspaces" / world.acme.workspace_id


async def second_owner(world: World) -> None:
    async with world.services.control.write(OPERATOR) as tx:
        mo = await tx.value("SELECT id FROM user WHERE email = 'mo@example.com'")
        await tx.execute("UPDATE membership SET role = 'owner' WHERE user_id = ?", mo)
        await tx.audit("member.role_changed", "user", mo)


async def test_after_seven_days_nothing_opens_it_any_more(world: World) -> None:
    alice, maya = await world.session("alice"), await talk(world)
    key = await world.key(world.acme)
    wrong = await alice.post(PAGE, data={"name": "acme"})
    assert wrong.status_code == 422 and 'value="acme"' in wrong.text
    assert (await alice.post(PAGE, data={"name": "Acme"})).status_code == 303
    assert "is erased on" in (await alice.get(PAGE)).text
    world.clock.pass_time(7 * DAY - 60_000)
    await look(world)
    assert await state(world) == "active"
    world.sessions_are_over()  # the session is over by now
    alice = await world.session("alice")
    async with listening(alice, world.acme) as stream:
        world.clock.pass_time(120_000)
        await look(world)
        await until(lambda: "bye" in [event[0] for event in stream.events])
    assert await state(world) == "erased"
    assert not files_of(world).exists()
    assert (await alice.get(maya.base)).status_code == 404
    async with world.client(key) as script:
        assert (await script.get("/api/v1/conversations")).status_code == 401
    control = world.services.control
    assert await control.route(world.acme.number.phone_number_id) is None
    with pytest.raises(NotFound):
        await control.workspace_keys(world.acme.workspace_id)
    told = await control.db.value("SELECT count(*) FROM audit_event WHERE action = 'workspace.erased' "
                                  "AND object_id = ?", world.acme.workspace_id)
    assert told == 1
    charlie = await world.session("charlie")
    assert (await charlie.get("/w/globex/inbox")).status_code == 200, "the others go on"


async def test_the_wrapped_keys_are_in_no_file_any_more(world: World) -> None:
    wrapped = [row[0] for row in await world.services.control.db.rows(
        "SELECT wrapped FROM workspace_key WHERE workspace_id = ?", world.acme.workspace_id)]
    async with world.services.control.write(OPERATOR) as tx:
        await erase(tx, world.acme.workspace_id)
    await look(world)
    connection = world.services.control.db
    found = await connection.rows("SELECT wrapped FROM workspace_key")
    assert wrapped[0] not in [row[0] for row in found]
    log = world.data_dir / "control.db-wal"
    assert not log.exists() or log.stat().st_size < 100_000


async def test_another_owner_has_to_agree(world: World) -> None:
    await second_owner(world)
    alice, mo = await world.session("alice"), await world.session("mo")
    assert (await alice.post(PAGE, data={"name": "Acme"})).status_code == 303
    assert (await alice.post(PAGE + "/confirmation")).status_code == 409, "nobody agrees to their own wish"
    world.clock.pass_time(8 * DAY)
    await look(world)
    assert await state(world) == "active", "nobody agreed"
    world.sessions_are_over()
    mo = await world.session("mo")
    assert (await mo.post(PAGE + "/confirmation")).status_code == 303
    await look(world)
    assert await state(world) == "erased"


async def test_any_owner_can_cancel_it(world: World) -> None:
    await second_owner(world)
    alice, mo = await world.session("alice"), await world.session("mo")
    assert (await alice.post(PAGE, data={"name": "Acme"})).status_code == 303
    assert (await alice.post(PAGE, data={"name": "Acme"})).status_code == 409
    assert (await mo.post(PAGE + "/cancellation")).status_code == 303
    world.clock.pass_time(8 * DAY)
    await look(world)
    assert await state(world) == "active"


@pytest.mark.parametrize("name", ["mo", "bob", "vera"])
async def test_only_owners_come_near(world: World, name: str) -> None:
    somebody = await world.session(name)
    assert (await somebody.get(PAGE)).status_code == 403
    for path in ("", "/confirmation", "/cancellation"):
        assert (await somebody.post(PAGE + path, data={"name": "Acme"})).status_code == 403


async def test_a_suspended_workspace_keeps_what_comes_in_and_sends_nothing(world: World) -> None:
    alice = await world.session("alice")
    async with world.services.control.write(OPERATOR) as tx:
        await suspend(tx, world.acme.workspace_id)
    world.clock.pass_time(1_000)
    assert (await alice.get("/w/acme/inbox")).status_code == 404
    late = text(DANA, "wamid.late", seconds(world), "are you there?")
    assert (await world.webhook(body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, late)))).status_code == 200
    await world.settle()
    async with world.workspace(world.acme) as workspace:
        assert await workspace.db.value("SELECT count(*) FROM message WHERE wamid = 'wamid.late'") == 0
        stored = await workspace.journal_db.value("SELECT count(*) FROM webhook_body")
    assert stored == 1, "it is kept"
    async with world.services.control.write(OPERATOR) as tx:
        await resume(tx, world.acme.workspace_id)
    world.clock.pass_time(1_000)
    await world.services.runner.sweep([world.acme.workspace_id])
    await world.settle()
    async with world.workspace(world.acme) as workspace:
        assert await workspace.db.value("SELECT count(*) FROM message WHERE wamid = 'wamid.late'") == 1
