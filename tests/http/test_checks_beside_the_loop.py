"""The hourly look through the journals of sends and of consents holds nobody up: what grows is read beside the loop,
some lines at a time, and nothing of it stays in memory."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from chime.db import DatabaseFile, LongReads
from chime.db.connection import SPARING_CACHE
from chime.trust.delivery_checks import AT_ONCE, sends, stops
from chime.trust.ground import Ground
from chime.trust.model import Broken
from tests.http.inbox_setup import talk
from tests.support.world import World

SENDS, PEOPLE = 5_200, 2_600


async def fill(world: World) -> Ground:
    """Journals as thousands of sends and of changed minds leave them: whoever has an even number said stop last."""
    await talk(world, "hello")
    async with world.workspace(world.acme) as workspace:
        async with workspace.journal_db.transaction() as raw:
            raw._connection.executemany(
                "INSERT INTO send_event (message_id, attempt, phase, outcome, wamid, at) VALUES (?, 1, ?, ?, ?, 1)",
                [(f"m{n // 2:025d}", *(("ended", "accepted", f"wamid.{n // 2}") if n % 2 else ("begun", None, None)))
                 for n in range(SENDS)])
            raw._connection.executemany(
                "INSERT INTO consent_event (contact_id, marketing, source, evidence, at) VALUES (?, ?, 'x', '', ?)",
                [(f"p{n:025d}", "opted_out" if (n + turn) % 2 else "opted_in", turn) for turn in range(2)
                 for n in range(PEOPLE)])
        async with workspace.ingest("test") as tx:
            tx._connection.executemany(
                "INSERT INTO contact (id, name, marketing_consent, created_at, updated_at) VALUES (?, '', ?, 1, 1)",
                [(f"p{n:025d}", "opted_in" if n % 2 else "opted_out") for n in range(PEOPLE)])
    ground: Ground = world.app.state.trust.ground
    return ground


async def asked(monkeypatch: pytest.MonkeyPatch, world: World) -> tuple[list[str], list[tuple[str, str, int, int]]]:
    """From now on: what the loop's own connections are asked, and of each long read its thread and statement, how many
    rows it gave and how many pages may stay."""
    on_loop: list[str] = []
    beside: list[tuple[str, str, int, int]] = []
    real = LongReads._read

    def read(self: LongReads, sql: str, *rest: Any) -> Any:
        found = real(self, sql, *rest)
        kept = int(self._connection.execute("PRAGMA cache_size").fetchone()[0])
        beside.append((threading.current_thread().name, sql, len(found[0]), kept))
        return found

    monkeypatch.setattr(LongReads, "_read", read)
    async with world.workspace(world.acme) as workspace:
        for db in (workspace.db, workspace.journal_db):
            db._connection.set_trace_callback(on_loop.append)
    return on_loop, beside


def is_closed(db: DatabaseFile) -> bool:
    return db.long_reads._connection is None


async def test_nobody_waits_for_the_look_through_the_journals(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ground = await fill(world)
    on_loop, beside = await asked(monkeypatch, world)
    assert await sends(ground) == f"{SENDS} lines of the journal of sends"
    assert await stops(ground) == f"{PEOPLE // 2} people who said stop"
    of_journals = [sql for sql in on_loop if "send_event" in sql or "consent_event" in sql or "FROM contact " in sql]
    assert of_journals and all(sql.startswith("SELECT max(id) FROM") for sql in of_journals), of_journals
    assert len(beside) >= SENDS // AT_ONCE + 2 * (2 * PEOPLE // AT_ONCE)
    assert all(name.startswith("long reads") for name, *_ in beside)
    assert all(rows <= AT_ONCE and kept == -SPARING_CACHE for *_, rows, kept in beside)
    async with world.workspace(world.acme) as workspace:
        assert is_closed(workspace.db) and is_closed(workspace.journal_db)


async def test_what_is_wrong_is_found_wherever_it_stands(world: World) -> None:
    """The second time a message was accepted may be thousands of lines after the first, and the word of a person that
    counts is the last of many."""
    ground = await fill(world)
    async with world.workspace(world.acme) as workspace:
        async with workspace.journal_db.transaction() as raw:
            await raw.execute("INSERT INTO consent_event (contact_id, marketing, source, evidence, at) "
                              "VALUES (?, 'opted_out', 'x', '', 3)", f"p{1:025d}")
        with pytest.raises(Broken, match=f"is not stopped: p{1:025d}"):
            await stops(ground)
        async with workspace.journal_db.transaction() as raw:
            await raw.execute("INSERT INTO send_event (message_id, attempt, phase, outcome, wamid, at) "
                              "VALUES (?, 2, 'ended', 'accepted', 'wamid.another', 1)", f"m{0:025d}")
        with pytest.raises(Broken, match=f"was accepted twice: m{0:025d}"):
            await sends(ground)
        assert is_closed(workspace.db) and is_closed(workspace.journal_db), "also when something was found"
