"""A disk that fails once costs what was asked of it then, and nothing afterwards: no restart is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from sqlcipher3 import dbapi2

from chime.db import DatabaseFile, GroupCommit, Insert, Key, StorageUnavailable, open_connection

KEY = Key(bytes(range(32)))
PART = Insert("part", ("id", "content"))
ROWS, FAR, FARTHER = 300, 200, 280
LENGTH = 3_000
PAGE = 4_096
CHANGE = "UPDATE part SET content = x'01' WHERE id = ?"
_COPY = "import shutil, sys; shutil.copyfile(*sys.argv[1:])"
_TURN_OVER = """
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(int(sys.argv[2]))
    data = file.read()
    file.seek(int(sys.argv[2]))
    file.write(bytes(byte ^ 255 for byte in data))
"""


@pytest_asyncio.fixture
async def file(tmp_path: Path) -> AsyncIterator[DatabaseFile]:
    connection = open_connection(tmp_path / "a.db", KEY, writes=True, create=True)
    connection.execute("CREATE TABLE part (id INTEGER PRIMARY KEY, content BLOB) STRICT")
    connection.executemany("INSERT INTO part VALUES (?, ?)", ((id, os.urandom(LENGTH)) for id in range(ROWS)))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    found = await DatabaseFile.open(tmp_path / "a.db", KEY)
    yield found
    await found.close()


@contextmanager
def unreadable(path: Path, first_page: int) -> Iterator[None]:
    """Meanwhile nothing from that page on can be made out. Done by another process: to close a file that SQLite has
    open would drop its locks."""
    elsewhere(_TURN_OVER, path, (first_page - 1) * PAGE)
    try:
        yield
    finally:
        elsewhere(_TURN_OVER, path, (first_page - 1) * PAGE)


def elsewhere(program: str, *arguments: object) -> None:
    subprocess.run([sys.executable, "-c", program, *map(str, arguments)], check=True)


async def length_of(file: DatabaseFile, part: int) -> int:
    found: int = await file.value("SELECT length(content) FROM part WHERE id = ?", part)
    return found


async def change(file: DatabaseFile, part: int) -> None:
    async with file.transaction() as tx:
        await tx.execute(CHANGE, part)


async def test_after_a_read_that_failed_the_next_one_is_answered(file: DatabaseFile) -> None:
    assert await length_of(file, 1) == LENGTH
    async with file.transaction() as tx:
        await tx.execute(CHANGE, 1)
        with unreadable(file.path, 100):
            for part in (FAR, FARTHER):
                with pytest.raises(StorageUnavailable):
                    await length_of(file, part)
            assert await length_of(file, 2) == LENGTH, "what is whole can be read all the while"
        assert await length_of(file, FAR) == LENGTH
        assert await length_of(file, 1) == LENGTH, "and nobody's transaction was touched"
    assert await length_of(file, 1) == 1


@pytest.mark.parametrize("is_told", [True, False])
async def test_after_a_write_that_failed_the_next_one_is_done(file: DatabaseFile, *, is_told: bool) -> None:
    """Also when whoever wrote made nothing of it."""
    await change(file, 1)
    with unreadable(file.path, 100):
        with pytest.raises(StorageUnavailable):
            async with file.transaction() as tx:
                await tx.execute(CHANGE, 2)
                try:
                    await tx.execute(CHANGE, FAR)
                except StorageUnavailable:
                    if is_told:
                        raise
                raise StorageUnavailable("given up")
        with pytest.raises(StorageUnavailable):
            await change(file, FARTHER)
    await change(file, FAR)
    assert [await length_of(file, part) for part in (1, 2, FAR, FARTHER)] == [1, LENGTH, 1, LENGTH]


async def test_what_fails_inside_a_savepoint_is_known_to_the_file(file: DatabaseFile) -> None:
    async def aside() -> None:
        async with file.transaction() as tx:
            await tx.savepoint(lambda: tx.execute(CHANGE, FAR))

    await change(file, 1)
    with unreadable(file.path, 100), pytest.raises(StorageUnavailable):
        await aside()
    await aside()
    assert await length_of(file, FAR) == 1


async def test_after_a_commit_that_failed_the_next_append_is_durable(file: DatabaseFile) -> None:
    threads = ThreadPoolExecutor(1)
    journal = GroupCommit(file.path, KEY, threads)
    with unreadable(file.path, 2):
        for _ in range(2):
            with pytest.raises(StorageUnavailable):
                await journal.append(PART, ROWS, b"first")
    await journal.append(PART, ROWS, b"first")
    await journal.append(PART, ROWS + 1, b"second")
    assert await length_of(file, ROWS) == len(b"first")
    await journal.close()
    threads.shutdown()


async def test_after_a_long_read_that_failed_the_next_one_is_answered(file: DatabaseFile) -> None:
    async def lengths() -> int:
        rows, are_all = await file.long_reads.rows("SELECT length(content) FROM part", seconds=10, sparingly=True)
        assert are_all
        return len(rows)

    assert await lengths() == ROWS
    await change(file, 1)  # so that nothing that is read next is remembered
    with unreadable(file.path, 100):
        for _ in range(2):
            with pytest.raises(StorageUnavailable):
                await lengths()
    assert await lengths() == ROWS


async def test_what_was_closed_is_not_opened_again(file: DatabaseFile) -> None:
    with unreadable(file.path, 100), pytest.raises(StorageUnavailable):
        await length_of(file, FAR)
    await file.close()
    with pytest.raises(dbapi2.ProgrammingError):
        await length_of(file, FAR)


async def test_a_file_that_was_emptied_meanwhile_is_not_begun_anew(file: DatabaseFile) -> None:
    await change(file, 1)
    assert await file.empty_log(), "everything is in the file itself"
    with unreadable(file.path, 100), pytest.raises(StorageUnavailable):
        await length_of(file, FAR)
    whole = file.path.with_name("whole")
    elsewhere(_COPY, file.path, whole)
    elsewhere("import os, sys; os.truncate(sys.argv[1], 0)", file.path)
    for _ in range(2):
        with pytest.raises(StorageUnavailable, match="is not there"):
            await length_of(file, FAR)
    assert file.path.stat().st_size == 0
    elsewhere(_COPY, whole, file.path)
    assert await length_of(file, FAR) == LENGTH


async def test_only_what_spoils_a_connection_has_it_replaced(file: DatabaseFile) -> None:
    await change(file, 1)
    reader, writer = file._connection, file._raw_writer
    with pytest.raises(dbapi2.OperationalError):
        await file.value("SELECT nothing FROM nowhere")
    with pytest.raises(dbapi2.IntegrityError):
        async with file.transaction() as tx:
            await tx.execute("INSERT INTO part (id) VALUES (1)")
    await change(file, 2)
    assert await length_of(file, 2) == 1
    assert (file._connection, file._raw_writer) == (reader, writer)
