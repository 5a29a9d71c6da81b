"""A workspace goes back to an earlier moment: nothing is sent again, nothing that was refused or forgotten comes back,
nothing that came in is lost, and nobody who left is let in."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from chime import contacts, inbox, restores
from chime.audit import jobs as audit_jobs
from chime.audit.trail import trail_of
from chime.clock import HOUR
from chime.contacts import Consent
from chime.erasure.run import forget, start
from chime.errors import Conflict
from chime.inbox import scheduled
from chime.inbox.sending import DELIVER
from chime.restores import restorer as restorers
from chime.restores import taking_over
from chime.restores.model import Step
from chime.security.permissions import OPERATOR
from chime.whatsapp import parse_message
from chime.workspaces.keys import Purpose
from chime.workspaces.registry import workspace_folder
from chime.workspaces.rotation import ask
from tests.http.data_setup import contact
from tests.http.inbox_setup import Talk, rows, talk, text, until
from tests.http.restore_setup import Then, sweep, then
from tests.support.world import NEVER, World


@pytest.fixture(autouse=True)
def the_appliance_leaves_restores_to_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """One at a time works on an installation; here it is a restorer of the test's own."""
    monkeypatch.setattr(restorers, "LOOK_EVERY", NEVER)


def posts(world: World) -> list[str]:
    """Every message of ours that any customer's phone has."""
    return sorted(message.wamid for customer in world.simulator.world.customers.values()
                  for chat in customer.conversations.values() for message in chat.messages
                  if not message.from_customer)


async def queued(found: Talk, body: str, *, hold: int = HOUR) -> str:
    """A message of ours that waits."""
    async with found.world.workspace(found.tenant) as workspace, workspace.write(OPERATOR) as tx:
        return await inbox.queue_message(tx, found.id, inbox.Draft(
            message=parse_message(text(body)), origin=inbox.Origin.AGENT, hold=hold))


async def later(found: Talk, body: str, *, after: int) -> str:
    """A message for later."""
    async with found.world.workspace(found.tenant) as workspace, workspace.write(OPERATOR) as tx:
        return await scheduled.schedule(tx, found.id, inbox.Draft(
            message=parse_message(text(body)), origin=inbox.Origin.AGENT), at=tx.now + after)


async def due_now(found: Talk, message_id: str) -> None:
    async with found.world.workspace(found.tenant) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE message SET next_attempt_at = ? WHERE id = ?", tx.now, message_id)
    found.world.services.runner.start(found.tenant.workspace_id, DELIVER, found.tenant.channel_id)
    await found.world.settle()


async def status(world: World, message_id: str) -> tuple[Any, ...]:
    found = await rows(world, world.acme, "SELECT status, next_attempt_at, wamid FROM message WHERE id = ?", message_id)
    return found[0] if found else ()


async def a_day_in_the_life(world: World, folder: Path) -> dict[str, Any]:
    """What there is at the moment, and what happens after it."""
    maya = await talk(world)
    left = await queued(maya, "left after the moment")
    waits = await queued(maya, "waits still")
    doubted = await queued(maya, "nobody knows")
    planned = await later(maya, "for later", after=HOUR)
    doomed = await contact(world, "+14155550177", "Doomed Person")
    refuser = await contact(world, "+14155550178", "Will refuse")
    moment = await then(world, folder)
    await due_now(maya, left)
    async with world.workspace(world.acme) as workspace:
        await workspace.record_begun(doubted, 1, world.clock.now())
        async with workspace.write(OPERATOR) as tx:
            await contacts.record_consent(tx, refuser, Consent.OPTED_OUT, source="phone call", evidence="")
        await start(workspace, world.services.control, "erasure-1", doomed, actor=OPERATOR)

        async def beat(count: int) -> None:
            return None

        await forget(workspace, "erasure-1", beat)
    after = await maya.says("after the moment")
    await maya.says("STOP")
    async with world.services.control.write(OPERATOR) as tx:
        await tx.execute("DELETE FROM membership WHERE workspace_id = ? AND user_id = (SELECT id FROM user "
                         "WHERE name = 'Mo')", world.acme.workspace_id)
        await tx.audit("member.removed", "user", "mo")
    return {"maya": maya, "left": left, "waits": waits, "doubted": doubted, "planned": planned, "doomed": doomed,
            "refuser": refuser, "then": moment, "after": after}


async def test_a_restore_sends_nothing_and_forgets_nothing(world: World, tmp_path: Path) -> None:
    day = await a_day_in_the_life(world, tmp_path / "then")
    moment: Then = day["then"]
    seen = posts(world)
    row = await moment.take_over(await moment.copy())
    world.clock.pass_time(2 * HOUR)
    await sweep(world)
    assert posts(world) == seen, "something was sent without a person's word"
    assert (await status(world, day["left"]))[0] in ("sent", "delivered", "read")
    assert (await status(world, day["waits"]))[:2] == ("queued", None)
    assert (await status(world, day["doubted"]))[0] == "unconfirmed"
    assert await rows(world, world.acme, "SELECT state FROM scheduled_message") == [("held",)]
    assert await rows(world, world.acme, "SELECT count(*) FROM message WHERE wamid = ?", day["after"].wamid) == [(1,)]
    told = await rows(world, world.acme, "SELECT id, marketing_consent FROM contact ORDER BY id")
    assert dict(told)[day["refuser"]] == "opted_out" and day["doomed"] not in dict(told)
    assert dict(told)[day["maya"].contact_id] == "opted_out"
    assert not await world.services.control.db.value(
        "SELECT 1 FROM membership JOIN user ON user.id = user_id WHERE workspace_id = ? AND name = 'Mo'",
        world.acme.workspace_id)
    assert row.found["held"] == 1 and row.found["scheduled"] == 1 and row.found["carried"] == 1
    async with world.workspace(world.acme) as workspace:
        verdict = await audit_jobs.verify(trail_of(workspace, world.services.control), world.clock)
        assert verdict.ok, verdict


async def test_what_waits_goes_when_a_person_says_so(world: World, tmp_path: Path) -> None:
    maya = await talk(world)
    first, second = await queued(maya, "one"), await queued(maya, "two")
    moment = await then(world, tmp_path / "then")
    await moment.take_over(await moment.copy())
    alice = await world.session("alice")
    page = await alice.get("/w/acme/held")
    assert page.status_code == 200 and "one" in page.text and "two" in page.text
    before = len(posts(world))
    assert (await alice.post(f"/w/acme/held/{first}", data={"do": "release"})).status_code == 303
    assert (await alice.post(f"/w/acme/held/{second}", data={"do": "discard"})).status_code == 303
    await sweep(world)
    assert len(posts(world)) == before + 1
    assert await status(world, second) == ()
    assert (await alice.post(f"/w/acme/held/{first}", data={"do": "release"})).status_code == 404
    told = [row[0] for row in await rows(world, world.acme, "SELECT action FROM audit_event ORDER BY sequence")]
    assert "message.released" in told and "message.discarded" in told and "workspace.restored" in told


async def test_a_script_that_repeats_its_call_sends_nothing_again(world: World, tmp_path: Path) -> None:
    await talk(world)
    moment = await then(world, tmp_path / "then")
    async with world.client(await world.key(world.acme)) as script:
        call = {"to": "+14155550101", "type": "text", "text": {"body": "from a script"}}
        first = await script.post("/api/v1/messages", json=call, headers={"Idempotency-Key": "once"})
        assert first.status_code == 202, first.text
        await world.settle()
        seen = posts(world)
        await moment.take_over(await moment.copy())
        again = await script.post("/api/v1/messages", json=call, headers={"Idempotency-Key": "once"})
    assert again.status_code == 202 and again.json()["id"] == first.json()["id"]
    await sweep(world)
    assert posts(world) == seen and seen


async def test_a_copy_does_nothing_by_itself(world: World, tmp_path: Path) -> None:
    maya = await talk(world)
    await queued(maya, "due", hold=1)
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE message SET next_attempt_at = ?", tx.now + 50)
    moment = await then(world, tmp_path / "then")
    await sweep(world)
    seen = posts(world)
    copy = await moment.copy()
    async with world.services.registry.use(copy.id) as workspace:
        assert workspace.db is not None
    for kind, target in ((DELIVER, world.acme.channel_id), ("inbox.send", "x"), ("inbound.apply", "journal")):
        world.services.runner.start(copy.id, kind, target)
    await world.services.runner.sweep([copy.id])
    await sweep(world)
    assert posts(world) == seen
    assert copy.state == "muted" and copy.as_of == moment.at
    assert not await world.services.control.is_active(copy.id)


async def test_owners_look_at_a_copy_and_change_nothing(world: World, tmp_path: Path) -> None:
    maya = await talk(world)
    moment = await then(world, tmp_path / "then")
    await maya.says("only in the workspace itself")
    copy = await moment.copy()
    alice = await world.session("alice")
    page = await alice.get(f"/w/{copy.slug}/inbox/{maya.id}")
    assert page.status_code == 200 and "restored copy" in page.text.lower()
    assert "only in the workspace itself" not in page.text
    refused = await alice.post(f"/w/{copy.slug}/inbox/{maya.id}/messages", data={"type": "text", "text": "hello"})
    assert refused.status_code == 409
    for name in ("mo", "kim", "bob", "vera", "charlie"):
        assert (await (await world.session(name)).get(f"/w/{copy.slug}/inbox")).status_code == 404


async def test_a_person_forgotten_since_is_not_in_the_copy(world: World, tmp_path: Path) -> None:
    doomed = await contact(world, "+14155550177", "Doomed Person")
    later_on = await contact(world, "+14155550179", "Later On")
    moment = await then(world, tmp_path / "then")

    async def beat(count: int) -> None:
        return None

    async with world.workspace(world.acme) as workspace:
        await start(workspace, world.services.control, "erasure-1", doomed, actor=OPERATOR)
        await forget(workspace, "erasure-1", beat)
    copy = await moment.copy()
    async with world.services.registry.use(copy.id) as opened:
        assert not await opened.db.rows("SELECT 1 FROM contact WHERE id = ?", doomed)
        assert await opened.db.rows("SELECT 1 FROM contact WHERE id = ?", later_on)
    # nor is anybody who is forgotten while the copy lies there
    async with world.workspace(world.acme) as workspace:
        await start(workspace, world.services.control, "erasure-2", later_on, actor=OPERATOR)
        await forget(workspace, "erasure-2", beat)
    await moment.restorer.step()
    async with world.services.registry.use(copy.id) as opened:
        assert not await opened.db.rows("SELECT 1 FROM contact WHERE id = ?", later_on)


async def test_a_workspace_whose_file_is_damaged_comes_back(world: World, tmp_path: Path) -> None:
    maya = await talk(world)
    waits = await queued(maya, "waits still")
    moment = await then(world, tmp_path / "then")
    after = await maya.says("after the moment")
    copy = await moment.copy()
    seen = posts(world)
    path = workspace_folder(world.data_dir, world.acme.workspace_id) / "workspace.db"
    async with world.services.registry.closed(world.acme.workspace_id):
        path.write_bytes(random.Random(1).randbytes(path.stat().st_size))
    row = await moment.take_over(copy)
    assert row.found["carried"] == 0 and row.found["held"] == 1
    await sweep(world)
    assert posts(world) == seen
    assert (await status(world, waits))[:2] == ("queued", None)
    assert await rows(world, world.acme, "SELECT count(*) FROM message WHERE wamid = ?", after.wamid) == [(1,)]


async def test_a_moment_from_before_the_keys_were_replaced(world: World, tmp_path: Path) -> None:
    maya = await talk(world)
    moment = await then(world, tmp_path / "then")
    control = world.services.control
    async with control.write(OPERATOR) as tx:
        await ask(tx, control.keys, world.services.ids, workspace_id=world.acme.workspace_id, purposes=list(Purpose))
    assert await until(lambda: _moved(world), 30)
    await moment.take_over(await moment.copy())
    assert (await maya.reply(await world.session("alice"), "with the token of now")).wamid
    async with world.workspace(world.acme) as workspace:
        assert workspace.db.key == workspace.keys.workspace_files[0]
    with pytest.raises(Conflict, match="keys of its workspace"):
        async with control.write(OPERATOR) as tx:
            copy_id = await tx.value("SELECT id FROM workspace WHERE copied_from IS NOT NULL")
            await ask(tx, control.keys, world.services.ids, workspace_id=copy_id, purposes=list(Purpose))


async def _moved(world: World) -> bool:
    return not await world.services.control.db.value("SELECT 1 FROM key_purpose WHERE target IS NOT NULL")


async def test_the_replaced_state_is_kept_aside_and_goes_in_time(world: World, tmp_path: Path) -> None:
    maya = await talk(world)
    moment = await then(world, tmp_path / "then")
    await maya.says("after the moment")
    copy = await moment.copy()
    await moment.take_over(copy)
    async with world.services.registry.use(copy.id) as aside:
        assert await aside.db.value("SELECT count(*) FROM message WHERE text = 'after the moment'") == 1
    # and can take its place again
    again = await restores.copy(world.services.control.db, copy.id)
    assert again is not None and again.kept_until is not None
    await moment.take_over(again)
    assert await rows(world, world.acme, "SELECT count(*) FROM message WHERE text = 'after the moment'") == [(1,)]
    world.clock.pass_time(8 * 24 * HOUR)
    await moment.restorer.step()
    await world.services.registry.expel(copy.id)
    assert await restores.copy(world.services.control.db, copy.id) is None


STEPS = tuple(taking_over.STEPS)


class Killed(BaseException):
    """Nothing after it runs, as when the process is killed."""


async def killed_at(moment: Then, step: Step, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The restorer dies at this step; `after`: its work is done and not written down."""
    body = taking_over.STEPS[step]

    async def dies(means: Any, row: Any) -> None:
        if when == "after":
            async def not_written(*given: Any, **named: Any) -> None:
                raise Killed

            monkeypatch.setattr(taking_over, "_done", not_written)
            monkeypatch.setattr(taking_over, "note", not_written)
            await body(means, row)
        raise Killed

    monkeypatch.setitem(taking_over.STEPS, step, dies)
    with pytest.raises(Killed):
        await moment.restorer.step()
    monkeypatch.undo()


async def killed_and_gone_on_with(world: World, folder: Path, monkeypatch: pytest.MonkeyPatch,
                                  kills: list[tuple[Step, str]]) -> None:
    maya = await talk(world)
    waits = await queued(maya, "waits still")
    moment = await then(world, folder)
    after = await maya.says("after the moment")
    copy = await moment.copy()
    seen = posts(world)
    restore_id = await moment.begin(copy)
    for step, when in kills:
        await killed_at(moment, step, when, monkeypatch)
    assert await moment.restorer.step()
    row = await restores.restore(world.services.control.db, restore_id)
    assert row is not None and row.step == "done", row
    await sweep(world)
    assert posts(world) == seen
    assert (await status(world, waits))[:2] == ("queued", None)
    assert await rows(world, world.acme, "SELECT count(*) FROM message WHERE wamid = ?", after.wamid) == [(1,)]
    left = {path.name for path in workspace_folder(world.data_dir, copy.id).iterdir()}
    assert left <= {"workspace.db", "workspace.db-wal", "workspace.db-shm", "journal.db", "journal.db-wal",
                    "journal.db-shm", "media"}


@pytest.mark.parametrize("when", ["before", "after"])
async def test_killed_at_every_step_it_is_gone_on_with(world: World, tmp_path: Path, when: str,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    await killed_and_gone_on_with(world, tmp_path / "then", monkeypatch, [(step, when) for step in STEPS])


@pytest.mark.nightly
@pytest.mark.parametrize("number", range(200))
async def test_killed_anywhere_and_again(world: World, tmp_path: Path, number: int,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(number)
    kills = [(step, chance.choice(["before", "after"])) for step in STEPS for _ in range(chance.choice([0, 0, 1, 2]))]
    await killed_and_gone_on_with(world, tmp_path / "then", monkeypatch, kills)
