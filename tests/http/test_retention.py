"""Retention: counted before it is saved, nothing of what people said by itself, and the delivery proof balances."""

from __future__ import annotations

from chime.clock import DAY
from chime.inbound import proof_jobs
from chime.inbound.account import count
from chime.inbound.replay import replay
from tests.http.data_setup import SETTINGS
from tests.http.inbox_setup import rows, talk
from tests.support.world import PASSWORD, World


async def swept(world: World) -> None:
    for _ in range(2):
        await world.services.runner.sweep([world.acme.workspace_id])
        await world.settle()


async def signed_in_again(world: World, name: str) -> None:
    """Sessions end while days go by."""
    client = await world.session(name)
    await client.post("/sign-in", data={"email": f"{name}@example.com", "password": PASSWORD})
    page = await client.get("/", follow_redirects=True)
    client.headers["X-CSRF-Token"] = page.text.split('name="csrf-token" content="')[1].split('"')[0]


async def test_messages_are_kept_until_an_owner_decides_and_counted_before_they_go(world: World) -> None:
    old = await talk(world, "Long ago")
    await old.says({"type": "image", "image": {}})
    alice = await world.session("alice")
    world.clock.pass_time(40 * DAY)
    await signed_in_again(world, "alice")
    new = await talk(world, "Just now", name="Tom", phone="447700900142")
    await swept(world)
    assert len(await old.messages()) == 2, "nobody decided anything"
    page = await alice.get(f"{SETTINGS}/retention")
    assert page.status_code == 200 and "Kept for ever." in page.text
    form = {"messages": "30", "files": "", "deliveries": "3", "sends": "35"}
    asked = await alice.post(f"{SETTINGS}/retention", data=form)
    assert asked.status_code == 200 and "2 would be removed now." in asked.text
    assert len(await old.messages()) == 2, "counting removes nothing"
    saved = await alice.post(f"{SETTINGS}/retention", data=form | {"sure": "1"})
    assert saved.status_code == 303
    await world.settle()
    assert await old.messages() == [] and len(await new.messages()) == 1
    media = world.data_dir / "workspaces" / world.acme.workspace_id / "media"
    assert not [path for path in media.rglob("*") if path.is_file()]
    async with world.workspace(world.acme) as workspace:
        assert (await count(workspace, now=world.clock.now(), full=True)).ok
        told = await replay(workspace)
        assert told.ok, told
    found = await rows(world, world.acme, "SELECT action FROM audit_event WHERE action LIKE 'retention.%' "
                       "ORDER BY sequence")
    assert ("retention.changed",) in found and ("retention.applied",) in found


async def test_a_day_count_that_does_not_fit_is_refused_by_name(world: World) -> None:
    alice = await world.session("alice")
    answer = await alice.post(f"{SETTINGS}/retention", data={
        "messages": "3", "files": "x", "deliveries": "1", "sends": "35", "sure": "1"})
    assert answer.status_code == 422
    for name in ("messages", "files", "deliveries"):
        assert f'id="{name}-error"' in answer.text, name
    assert 'id="sends-error"' not in answer.text and 'value="x"' in answer.text
    assert await rows(world, world.acme, "SELECT 1 FROM retention_rule") == []
    assert (await (await world.session("mo")).get(f"{SETTINGS}/retention")).status_code == 403


async def test_raw_deliveries_go_when_their_day_is_summed_up_and_the_proof_still_balances(world: World) -> None:
    first = await talk(world, "Long ago")
    await first.reply(await world.session("alice"), "Hello")
    before = (await rows(world, world.acme, "SELECT count(*) FROM applied_body"))[0][0]
    world.clock.pass_time(6 * DAY)
    await talk(world, "Just now", name="Tom", phone="447700900142")
    world.services.runner.start(world.acme.workspace_id, proof_jobs.PROVE, "account")
    await world.settle()
    async with world.workspace(world.acme) as workspace:
        was = await count(workspace, now=world.clock.now())
    await swept(world)
    async with world.workspace(world.acme) as workspace:
        bodies = await workspace.journal_db.value("SELECT count(*) FROM webhook_body")
        assert 0 < bodies < before
        for full in (False, True):
            counted = await count(workspace, now=world.clock.now(), full=full)
            assert counted.ok and counted.total.received == was.total.received, counted
        told = await replay(workspace)
        assert told.ok and told.recognised["delivery_removed"] > 0, told
    assert len(await first.messages()) == 2, "what was said stays"


async def test_what_waits_for_a_person_keeps_its_delivery(world: World) -> None:
    await talk(world, "Long ago")
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("INSERT INTO rejected_event (id, journal_id, body_key, path, reason, at) "
                         "VALUES ('x', 1, x'00', 'entry.0', 'X: Y', ?)", tx.now)
        await tx.execute("UPDATE applied_body SET rejected = 1, applied = 0 WHERE journal_id = 1")
    world.clock.pass_time(6 * DAY)
    await talk(world, "Just now", name="Tom", phone="447700900142")
    world.services.runner.start(world.acme.workspace_id, proof_jobs.PROVE, "account")
    await world.settle()
    await swept(world)
    async with world.workspace(world.acme) as workspace:
        assert await workspace.journal_db.value("SELECT 1 FROM webhook_body WHERE id = 1") == 1


async def test_a_demo_that_moves_its_clock_removes_nothing(world: World) -> None:
    old = await talk(world, "Just now")
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("INSERT INTO retention_rule (kind, days, changed_at) VALUES ('messages', 30, 0)")
    world.clock.advance(400 * DAY)
    await swept(world)
    assert len(await old.messages()) == 1
