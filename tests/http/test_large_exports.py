"""R32 in small: very many contacts go out in pieces; the loop answers others meanwhile and memory does not grow."""

from __future__ import annotations

import asyncio
import resource
import time

import pytest

from chime.approvals.model import State
from chime.exports.model import Kind
from tests.http.data_setup import decide, fetch, newest, standing, table
from tests.support.world import World

MEGABYTE = 1024  # of the kilobytes in which Linux counts


async def _contacts(world: World, count: int) -> None:
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "INSERT INTO contact (id, name, phone, fields_json, created_at, updated_at) "
            "SELECT printf('00%024d', i), 'Contact ' || i, printf('1415%07d', i), "
            "json_object('city', 'Pune', 'order', i), 1000, 1000 FROM n", count)


async def _longest_pause(stop: asyncio.Event) -> float:
    """In seconds that this thread worked: what other processes take from it is not the export's fault."""
    longest = 0.0
    while not stop.is_set():
        began = time.thread_time()
        await asyncio.sleep(0.005)
        longest = max(longest, time.thread_time() - began)
    return longest


async def _large(world: World, count: int) -> tuple[float, int]:
    """The longest time for which the loop served nobody, and by how many kilobytes memory grew."""
    await _contacts(world, count)
    mo = await world.session("mo")
    assert (await mo.post("/w/acme/settings/exports/contacts", data={"format": "csv"})).status_code == 303
    row = await newest(world)
    assert row.kind == Kind.CONTACTS and row.parameters["expected"] == count
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    stop = asyncio.Event()
    watching = asyncio.create_task(_longest_pause(stop))
    await decide(world, "alice", row)
    async with asyncio.timeout(600):
        while (await standing(world, row.id)).state is not State.READY:
            await asyncio.sleep(0.05)
    stop.set()
    pause = await watching
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    found = await standing(world, row.id)
    assert found.done == count
    answer = await fetch(world, "mo", row)
    rows = table(answer)
    assert len(rows) == count and len({one["phone"] for one in rows}) == count
    assert rows[-1]["field.order"] == str(count)
    return pause, grown


async def test_thousands_of_contacts_stop_nobody(world: World) -> None:
    pause, _ = await _large(world, 5_000)
    assert pause < 1.0, pause


@pytest.mark.nightly
@pytest.mark.timeout(1200)
async def test_a_hundred_thousand_contacts_stop_nobody_and_hold_no_memory(world: World) -> None:
    pause, grown = await _large(world, 100_000)
    assert pause < 1.0 and grown < 64 * MEGABYTE, (pause, grown)
