"""One writer of a file: what it does on the loop never waits there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlcipher3 import dbapi2

from chime.db import DatabaseFile, Key
from chime.db.connection import SPARING_CACHE, StorageUnavailable, open_connection
from chime.db.file import lasting

KEY = Key(bytes(range(32)))


@pytest_asyncio.fixture
async def file(tmp_path: Path) -> AsyncIterator[DatabaseFile]:
    connection = open_connection(tmp_path / "a.db", KEY, writes=True, create=True)
    connection.execute("CREATE TABLE word (text TEXT)")
    connection.close()
    found = await DatabaseFile.open(tmp_path / "a.db", KEY)
    yield found
    await found.close()


async def write(file: DatabaseFile, word: str) -> None:
    async with file.transaction() as tx:
        await tx.execute("INSERT INTO word (text) VALUES (?)", word)


@pytest.fixture
def other(file: DatabaseFile) -> Any:
    """Another process, as far as SQLite can tell."""
    connection = open_connection(file.path, KEY, writes=True)
    yield connection
    connection.close()


async def test_a_file_that_another_process_writes_is_waited_for_beside_the_loop(
    file: DatabaseFile, other: Any,
) -> None:
    await write(file, "first")
    other.execute("BEGIN IMMEDIATE")
    writing = asyncio.create_task(write(file, "second"))
    longest, last = 0.0, asyncio.get_running_loop().time()
    for _ in range(60):
        await asyncio.sleep(0.005)
        now = asyncio.get_running_loop().time()
        longest, last = max(longest, now - last), now
    assert not writing.done() and longest < 0.25, "the loop went on"
    other.execute("INSERT INTO word (text) VALUES ('theirs')")
    other.execute("COMMIT")
    await writing
    await write(file, "third")
    assert await file.rows("SELECT text FROM word ORDER BY rowid") == [
        ("first",), ("theirs",), ("second",), ("third",)]


async def test_the_log_is_emptied_as_soon_as_a_reader_is_done(file: DatabaseFile, other: Any) -> None:
    await write(file, "first")
    other.execute("BEGIN")
    other.execute("SELECT * FROM word").fetchall()
    await write(file, "second")
    emptying = asyncio.create_task(file.empty_log())
    await asyncio.sleep(0.2)
    assert not emptying.done(), "it waits, and not on the loop"
    other.execute("COMMIT")
    assert await emptying
    assert (file.path.parent / "a.db-wal").stat().st_size == 0


async def test_what_is_given_up_while_it_waits_leaves_nothing(file: DatabaseFile, other: Any) -> None:
    await write(file, "first")
    other.execute("BEGIN IMMEDIATE")
    writing = asyncio.create_task(write(file, "given up"))
    await asyncio.sleep(0.1)
    writing.cancel()
    other.execute("COMMIT")
    with pytest.raises(asyncio.CancelledError):
        await writing
    await write(file, "third")
    assert await file.rows("SELECT text FROM word ORDER BY rowid") == [("first",), ("third",)]


async def test_a_page_is_not_planned_anew_for_every_reader(file: DatabaseFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite asks its authorizer for each column while it plans a statement: a page's plan is made once."""
    for word in ("one", "two", "three"):
        await write(file, word)
    asked: list[int] = []
    file._connection.set_authorizer(lambda action, *_: asked.append(action) or 0)
    page = "SELECT text FROM word WHERE text > ?1 ORDER BY rowid LIMIT ?2"
    found = [await file.rows(page, "", size) for size in (1, 2, 3, 0)]
    assert [len(rows) for rows in found] == [1, 2, 3, 0]
    assert asked.count(dbapi2.SQLITE_SELECT) == 1


async def test_read_sparingly_few_pages_are_kept(file: DatabaseFile) -> None:
    """And afterwards as many as before, whatever went wrong inside."""
    usual = await file.value("PRAGMA cache_size")
    with pytest.raises(ValueError, match="inside"), file.sparingly():
        assert await file.value("PRAGMA cache_size") == -SPARING_CACHE
        raise ValueError("inside")
    assert await file.value("PRAGMA cache_size") == usual


@pytest.mark.parametrize(("sql", "expected"), [
    ("SELECT 1 LIMIT ?", "SELECT 1 LIMIT 0 + ?"), ("SELECT 1 LIMIT ?12 OFFSET ?3", "SELECT 1 LIMIT 0 + ?12 OFFSET ?3"),
    ("SELECT (SELECT 2 LIMIT ?2) FROM a LIMIT 3", "SELECT (SELECT 2 LIMIT 0 + ?2) FROM a LIMIT 3"),
    ("SELECT upper_limit FROM a WHERE b = ?", "SELECT upper_limit FROM a WHERE b = ?"),
])
def test_only_bound_limits_are_written_otherwise(sql: str, expected: str) -> None:
    assert lasting(sql) == expected


async def test_nothing_is_written_after_sqlite_gave_a_transaction_up(file: DatabaseFile) -> None:
    """What a full disk in the middle of a large transaction does (SQLITE_FULL while pages are spilled)."""
    async def given_up(tx: Any) -> None:
        await tx.execute("INSERT INTO word (text) VALUES ('second')")
        tx._connection.execute("ROLLBACK")
        raise dbapi2.OperationalError("database or disk is full")

    async def third(tx: Any) -> None:
        await tx.execute("INSERT INTO word (text) VALUES ('third')")

    with pytest.raises(StorageUnavailable):
        async with file.transaction() as tx:
            await tx.execute("INSERT INTO word (text) VALUES ('first')")
            with pytest.raises(StorageUnavailable):
                await tx.savepoint(lambda: given_up(tx))
            for write_more in (lambda: third(tx), lambda: tx.savepoint(lambda: third(tx)),
                               lambda: tx.execute_aside("INSERT INTO word (text) VALUES ('fourth')")):
                with pytest.raises(StorageUnavailable):
                    await write_more()
    assert await file.rows("SELECT text FROM word") == []
    await write(file, "after it")
    assert await file.rows("SELECT text FROM word") == [("after it",)]


async def test_a_refusal_in_a_savepoint_undoes_that_alone(file: DatabaseFile) -> None:
    async def refused(tx: Any) -> None:
        await tx.execute("INSERT INTO word (text) VALUES ('second')")
        raise ValueError("not this one")

    async with file.transaction() as tx:
        await tx.execute("INSERT INTO word (text) VALUES ('first')")
        with pytest.raises(ValueError, match="not this one"):
            await tx.savepoint(lambda: refused(tx))
        await tx.execute("INSERT INTO word (text) VALUES ('third')")
    assert await file.rows("SELECT text FROM word") == [("first",), ("third",)]
