"""One encrypted file with a shelf of its own, for the tests of what goes between; also as a process to be killed."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from chime.backups.follower import FileFollower, Found
from chime.backups.laying import lay_file
from chime.backups.pieces import Proofs
from chime.backups.shelf import Shelf
from chime.clock import Clock
from chime.db import DatabaseFile, Key, open_connection
from chime.ids import Ids
from chime.workspaces import Space

KEY = Key(bytes(range(32)))
PROOFS = Proofs({1: b"p" * 32}, 1)


def make(folder: Path) -> Path:
    path = folder / "live.db"
    if not path.exists():
        connection = open_connection(path, KEY, writes=True, create=True)
        connection.execute("CREATE TABLE line (id INTEGER PRIMARY KEY, text BLOB) STRICT")
        connection.close()
    return path


class OneFile:
    """`file` to write, `follower` to ship, `lay` to see what is on the shelf."""

    def __init__(self, folder: Path, file: DatabaseFile) -> None:
        self.folder = folder
        self.file = file
        self.clock = Clock()
        self.place = Shelf(folder / "shelf").place("owner", "live.db")
        self.follower = FileFollower(file, self.place, lambda: PROOFS, self.clock, Ids(), Space(folder, 0))
        file.follow(self.follower)

    @classmethod
    async def opened(cls, folder: Path) -> OneFile:
        return cls(folder, await DatabaseFile.open(make(folder), KEY))

    async def write(self, *, size: int = 300) -> int:
        async with self.file.transaction() as tx:
            await tx.execute("INSERT INTO line (text) VALUES (?)", os.urandom(size))
            return int(await tx.value("SELECT last_insert_rowid()"))

    async def ship(self) -> Found:
        found = await asyncio.to_thread(self.follower.step)
        for _ in range(200):
            if found is not Found.BUSY:
                break
            await asyncio.sleep(0.01)  # a checkpoint of its writers is under way
            found = await asyncio.to_thread(self.follower.step)
        if found is Found.LOOK:
            await asyncio.to_thread(self.follower.look)
        return found


def laid(place: Any, target: Path, at: int | None = None, *, key: Key = KEY) -> int:
    """How many lines the newest state on the shelf has, or that of a moment; looked through."""
    target.unlink(missing_ok=True)
    lay_file(place, PROOFS, at, target)
    connection = open_connection(target, key, writes=True)
    try:
        assert connection.execute("PRAGMA cipher_integrity_check").fetchall() == []
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        first, last, count = connection.execute("SELECT min(id), max(id), count(*) FROM line").fetchone()
        assert count == 0 or (first, last) == (1, count), "lines are missing in between"
        return int(count)
    finally:
        connection.close()
        target.unlink()


async def until_killed(folder: Path) -> None:
    """Write and ship; each line says how many lines were committed before a step that has ended."""
    one = await OneFile.opened(folder)
    newest = int(await one.file.value("SELECT count(*) FROM line"))

    async def ships() -> None:
        while True:
            before = newest
            await one.ship()
            print(before, flush=True)
            await asyncio.sleep(0.01)

    shipping = asyncio.create_task(ships())
    while True:
        newest = await one.write(size=1 + newest * 37 % 9_000)
        if shipping.done():
            await shipping


if __name__ == "__main__":
    asyncio.run(until_killed(Path(sys.argv[1])))
