"""The disk is full in the middle of a batch. SQLite then gives up the whole transaction by itself, with everything that
was applied before in it; nothing may look as if it were in effect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chime.db import StorageUnavailable
from chime.inbound import jobs
from chime.inbound.actions import Journals
from chime.whatsapp import scan
from tests.support.webhook_bodies import DANA, body, inbound, rows, seconds, take, text
from tests.support.world import ACME_NUMBER, World

MANY = 60
FULL_AFTER = 20
WORDS = "w" * 2_000
UPTO = "SELECT value FROM meta WHERE key = 'applied_upto'"
LEFT = ("message", "rejected_event", "applied_body")


def message_of(world: World, wamid: str) -> dict[str, Any]:
    return body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, text(DANA, wamid, seconds(world), WORDS)))


async def standing(world: World) -> list[Any]:
    return [await rows(world, world.acme, UPTO), *[(await rows(world, world.acme, f"SELECT count(*) FROM {table}"))
                                                   for table in LEFT]]


async def test_nothing_of_a_batch_is_in_effect_when_the_disk_is_full_within(
        world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await take(world, message_of(world, "wamid.before"))
    services = world.services
    before = await standing(world)
    app_id = await services.control.db.value("SELECT id FROM meta_app")
    journals = Journals(services.control, services.registry, services.clock, services.ids)
    for number in range(MANY):
        await journals.store(app_id, scan(json.dumps(message_of(world, f"wamid.{number}")).encode()))
    apply_one, applied = jobs._apply_one, 0

    async def until_full(tx: Any, *rest: Any) -> str:
        nonlocal applied
        applied += 1
        if applied == FULL_AFTER:
            tx._connection.execute(f"PRAGMA max_page_count = {await tx.value('PRAGMA page_count')}")
        return await apply_one(tx, *rest)

    monkeypatch.setattr(jobs, "_apply_one", until_full)
    async with services.runner.open_work(world.acme.workspace_id) as work:
        with pytest.raises(StorageUnavailable):
            await jobs.apply(work, "")
        assert FULL_AFTER <= applied < MANY, "it was full in the middle, and the rest was not tried"
        assert await standing(world) == before
        monkeypatch.undo()
        work.workspace.db._raw_writer.execute("PRAGMA max_page_count = 1000000000")
        await jobs.apply(work, "")
    assert await rows(world, world.acme, "SELECT count(*), count(DISTINCT wamid) FROM message") == [
        (MANY + 1, MANY + 1)]
    assert await rows(world, world.acme, "SELECT count(*) FROM rejected_event") == [(0,)]
    assert await rows(world, world.acme, UPTO) == [(str(MANY + 1),)]
