"""The replay: the journal applied again into a scratch file says the same as the live one, or where it does not."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chime.config import Config
from chime.inbound.model import Difference, Replayed
from chime.inbound.replay import replay
from chime.setup import opened
from tests.http.inbox_setup import indexed, talk
from tests.http.proof_setup import behind_its_back, busy_day, commanded, proved
from tests.support.webhook_bodies import (
    DANA,
    body,
    change,
    contact,
    inbound,
    message,
    rows,
    seconds,
    statuses,
    take,
    text,
)
from tests.support.world import ACME_NUMBER, World, running_world

# What somebody changes behind Chime's back -> what the replay says of it.
FAULTS: dict[str, tuple[str, str, str]] = {
    "a message is gone": ("DELETE FROM message WHERE wamid = 'wamid.d2'", "message", "missing"),
    "a message has other words": ("UPDATE message SET text = 'secret words' WHERE wamid = 'wamid.d3'",
                                  "message", "text"),
    "other content": ("UPDATE message SET content_json = '{}' WHERE wamid = 'wamid.d3'", "message", "content_json"),
    "an edit is undone": ("UPDATE message SET edited_at = NULL WHERE wamid = 'wamid.d0'", "message", "edited_at"),
    "a revocation is undone": ("UPDATE message SET revoked_at = NULL WHERE wamid = 'wamid.d1'",
                               "message", "revoked_at"),
    "a message nobody sent": (
        "INSERT INTO message (id, conversation_id, channel_id, direction, origin, type, status, wamid, at, created_at) "
        "SELECT 'forged', conversation_id, channel_id, 'in', 'customer', 'text', 'received', 'wamid.forged', 1, 1 "
        "FROM message WHERE wamid = 'wamid.d3'", "message", "unexpected"),
    "a reaction to our message is another": ("UPDATE reaction SET emoji = '👎' WHERE side = 'in'",
                                             "reaction", "reaction"),
    "a reaction is gone": ("DELETE FROM reaction WHERE side = 'in'", "reaction", "reaction"),
    "a status is another": ("UPDATE message_status SET status = 'failed' WHERE wamid = 'wamid.unknown'",
                            "status", "status"),
    "a status is gone": ("DELETE FROM message_status WHERE wamid = 'wamid.unknown'", "status", "missing"),
    "a status lies on no message": ("UPDATE message_status SET message_id = NULL WHERE status = 'read'",
                                    "status", "message_id"),
    "an opt-out is gone": ("DELETE FROM consent_event", "consent", "missing"),
    "a record is gone": ("DELETE FROM webhook_event", "record", "missing"),
    "a record says something else": ("UPDATE webhook_event SET value_json = '{}'", "record", "missing"),
    "a figure is another": ("UPDATE applied_body SET applied = 9 WHERE journal_id = 2", "body", "applied"),
    "a rejection is not written down": ("DELETE FROM rejected_event WHERE path LIKE '%.4'", "rejected", "missing"),
    "a rejection of what was applied": ("INSERT INTO rejected_event (id, journal_id, body_key, path, reason, at) "
                                        "VALUES ('forged', 1, $1, 'entry.0.changes.0.messages.0', 'X: Y', 1)",
                                        "rejected", "can be applied now"),
    "a rejection of nothing": ("INSERT INTO rejected_event (id, journal_id, body_key, path, reason, at) "
                               "VALUES ('forged', 1, $1, 'entry.7', 'X: Y', 1)", "rejected", "unexpected"),
}


async def replayed(world: World) -> Replayed:
    async with world.workspace(world.acme) as workspace:
        return await replay(workspace)


async def stored(world: World) -> dict[str, Any]:
    """Everything in Acme's two files."""
    async with world.workspace(world.acme) as workspace:
        return {f"{name}.{table}": await db.rows(f'SELECT * FROM "{table}"')
                for name, db in (("workspace", workspace.db), ("journal", workspace.journal_db))
                for (table,) in await db.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")}


async def test_a_busy_day_is_equal_and_the_replay_leaves_no_trace(world: World) -> None:
    await busy_day(world)
    await indexed(world)
    before = await stored(world)
    found = await replayed(world)
    assert found.ok and found.differences == () and found.recognised == {}
    bodies, messages, said, consents, records = [
        (await rows(world, world.acme, f"SELECT count(*) FROM {table}"))[0][0]
        for table in ("applied_body", "message", "message_status", "consent_event", "webhook_event")]
    ours = 1  # our reply is not compared, except for what customers did with it
    assert found.bodies == bodies and found.compared >= bodies + messages - ours + said + consents + records > 20
    assert await stored(world) == before
    assert not list((world.data_dir / "workspaces").rglob("scratch-*"))


@pytest.fixture(scope="module")
def files(installation: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, str]:
    """A busy day's files, at rest, and Acme's id."""
    folder = tmp_path_factory.mktemp("files") / "data"

    async def live_through_it() -> tuple[Config, str]:
        async with running_world(installation, folder) as world:
            await busy_day(world)
            return world.services.config, world.acme.workspace_id

    return asyncio.run(live_through_it())


@pytest.mark.parametrize("name", FAULTS)
async def test_every_fault_is_found_and_told_without_a_word_of_content(
    files: tuple[Config, str], tmp_path: Path, name: str,
) -> None:
    config, workspace_id = files
    sql, what, column = FAULTS[name]
    shutil.copytree(config.data_dir, tmp_path / "data")
    async with (opened(msgspec.structs.replace(config, data_dir=tmp_path / "data")) as (_, registry),
                registry.use(workspace_id) as workspace):
        assert (await replay(workspace)).ok
        key = await workspace.journal_db.value("SELECT key FROM webhook_body WHERE id = 1")
        async with workspace.ingest("test") as tx:
            assert await tx.execute(sql.replace("$1", "?"), *[key] * sql.count("$1"))
        found = await replay(workspace)
    told = [one for one in found.differences if (one.what, one.column) == (what, column)]
    assert not found.ok and told, found.differences
    assert name == "a message nobody sent" or all(one.journal_id for one in told)
    assert "secret" not in repr(found)


async def test_the_command_line_tells_the_place_and_ends_with_1(world: World) -> None:
    await busy_day(world)
    assert (await proved(world, "--replay"))[1]["replay"]["ok"] is True
    await behind_its_back(world, "DELETE FROM message WHERE wamid = 'wamid.d2'")
    status, told = await proved(world, "--replay")
    assert status == 1 and told["ok"] is False and told["replay"]["ok"] is False
    [difference] = told["replay"]["differences"]
    [(journal_id,)] = await rows(world, world.acme, "SELECT min(journal_id) FROM applied_body WHERE applied = 4")
    assert difference == {"workspace_id": world.acme.workspace_id, "journal_id": journal_id, "what": "message",
                          "column": "missing", "path": "entry.0.changes.0.messages.2"}
    assert (await proved(world))[0] == 0, "the account alone cannot know"
    words = await commanded(world, "prove-inbox", "--replay", "--scratch", str(world.data_dir))
    assert words.returncode == 1 and "1 differences" in words.stdout and words.stdout.endswith("NOT PROVED.\n")
    assert not list(world.data_dir.glob("scratch-*"))


async def test_what_came_while_the_number_was_not_connected_differs_by_rule(world: World) -> None:
    await behind_its_back(world, "UPDATE channel SET removed_at = 1")
    early = body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, text(DANA, "wamid.1", seconds(world), "hi")))
    for _ in range(2):
        await take(world, early)
    assert_equal(await replayed(world), number_not_connected=2)
    await behind_its_back(world, "UPDATE channel SET removed_at = NULL")
    assert_equal(await replayed(world), number_not_connected=2)
    await take(world, early)
    assert await rows(world, world.acme, "SELECT wamid FROM message") == [("wamid.1",)]
    assert_equal(await replayed(world), number_not_connected=2)
    # The copy was applied already when somebody tried the first one again.
    [(rejected_id,)] = await rows(world, world.acme, "SELECT id FROM rejected_event")
    await (await world.session("mo")).post(f"/w/acme/delivery/events/{rejected_id}/retry")
    assert_equal(await replayed(world), number_not_connected=1, tried_again=2)
    assert (await proved(world))[0] == 0


def assert_equal(found: Replayed, **recognised: int) -> None:
    """Equal but for these legal differences."""
    assert found.ok and found.recognised == recognised, found


async def test_statuses_of_what_was_sent_again_or_discarded_differ_by_rule(world: World) -> None:
    maya = await talk(world)
    alice = await world.session("alice")
    first, second = await maya.reply(alice, "one"), await maya.reply(alice, "two")
    await behind_its_back(world, "UPDATE message SET wamid = 'wamid.again' WHERE id = ?", first.id)
    await behind_its_back(world, "DELETE FROM message WHERE id = ?", second.id)
    assert_equal(await replayed(world), sent_again=3, discarded=3)


async def test_orders_that_a_server_meets(world: World) -> None:
    """Changes before what they change, echoes, history, the same in two ways, one body ten times."""
    at = seconds(world, 4000)
    people = [contact(DANA)]
    echo = {"id": "wamid.p1", "from": "15550100200", "to": DANA.phone, "timestamp": str(at), "type": "text",
            "text": {"body": "from the phone"}}
    old = [{"id": DANA.phone, "messages": [
        {"id": f"wamid.o{n}", "from": DANA.phone, "timestamp": str(at - n), "type": "text", "text": {"body": "old"},
         "history_context": {"status": "READ"}} for n in range(3)]}]
    revoked = body(ACME_NUMBER, change(ACME_NUMBER, contacts=people, messages=[
        message(DANA, "wamid.r", at, type="revoke", revoke={"original_message_id": "wamid.o1"})]))
    sent = [
        revoked,
        body(ACME_NUMBER, change(ACME_NUMBER, "history", history=[{"metadata": {"phase": 1}, "threads": old}])),
        body(ACME_NUMBER, change(ACME_NUMBER, "smb_message_echoes", message_echoes=[echo])),
        body(ACME_NUMBER, statuses(ACME_NUMBER, {"id": "wamid.p1", "status": "read", "timestamp": str(at),
                                                 "recipient_id": DANA.phone})),
        body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, text(DANA, "wamid.o2", at, "old"))),
        {"object": "whatsapp_business_account", "entry": [{"id": ACME_NUMBER.waba_id, "changes": [
            change(ACME_NUMBER, messages="no list", statuses="none", errors=[{"code": 1, "title": "x"}])]}]},
    ]
    for one in (*sent, *reversed(sent), *[revoked] * 8):
        await take(world, one)
    assert_equal(await replayed(world))
    assert {row[0] for row in await rows(world, world.acme, "SELECT origin FROM message")} >= {"phone", "history"}


async def test_a_page_runs_it_and_keeps_the_result(world: World) -> None:
    await busy_day(world)
    mo = await world.session("mo")
    assert "Not run yet." in (await mo.get("/w/acme/delivery")).text
    for _ in range(2):
        assert (await mo.post("/w/acme/delivery/replays")).headers["location"] == "/w/acme/delivery"
    page = (await mo.get("/w/acme/delivery")).text
    assert 'hx-trigger="every 1s"' in page or "Equal:" in page
    await world.settle()
    progress = (await mo.get("/w/acme/delivery/progress")).text
    assert "Equal:" in progress and "hx-trigger" not in progress
    await behind_its_back(world, "DELETE FROM message WHERE wamid = 'wamid.d2'")
    await mo.post("/w/acme/delivery/replays")
    await world.settle()
    page = (await mo.get("/w/acme/delivery")).text
    assert "Not equal: 1 difference." in page and "entry.0.changes.0.messages.2" in page


async def test_it_is_equal_while_more_comes_in(world: World) -> None:
    await busy_day(world)
    stop = asyncio.Event()

    async def traffic() -> int:
        number = 0
        while not stop.is_set():
            number += 1
            at = seconds(world)
            answer = await world.webhook(body(ACME_NUMBER, inbound(
                ACME_NUMBER, DANA, *(text(DANA, f"wamid.t{number}.{n}", at, "more") for n in range(5)))))
            assert answer.status_code == 200
        return number

    task = asyncio.create_task(traffic())
    try:
        for _ in range(5):
            assert_equal(await replayed(world))
    finally:
        stop.set()
    assert await task > 5
    await world.settle()
    status, told = await proved(world, "--replay", "--workspace", "Acme")
    assert status == 0, json.dumps(told)


async def test_a_replay_that_fails_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("chime.inbound.proof_jobs.replay", broken)
    mo = await world.session("mo")
    await mo.post("/w/acme/delivery/replays")
    await world.settle()
    assert "It could not be finished" in (await mo.get("/w/acme/delivery")).text
    monkeypatch.undo()
    await mo.post("/w/acme/delivery/replays")
    await world.settle()
    assert "Equal: 0 deliveries" in (await mo.get("/w/acme/delivery")).text


def test_only_the_first_differences_are_told() -> None:
    from chime.inbound.replay import MOST_TOLD, Findings

    findings = Findings()
    for number in range(MOST_TOLD + 5):
        findings.differs("message", "text", journal_id=number)
    assert len(findings.told) == MOST_TOLD and findings.left_out == 5
    assert findings.told[0] == Difference(what="message", column="text", journal_id=0)
