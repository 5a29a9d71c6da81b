"""A trail with rows and checkpoints in a real, encrypted file, and somebody who may write anything into it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from chime import audit
from chime.audit import export, queries
from chime.audit.model import Filter
from chime.audit.trail import Trail
from chime.db import DatabaseFile
from chime.db.connection import open_connection
from chime.db.file import RawTransaction
from chime.security.audit_hash import COLUMNS, hash_of
from chime.security.permissions import Actor, Origin
from chime.setup import opened
from chime.workspaces import Control, Workspace
from tests.support.world import _config

ALICE = Actor(kind="user", id="01kafx2v9m3q8r5t7w1y4z6b0k", name="Alice",
              origin=Origin("01kafx2v9m3q8r5t7w1y4z6b0s", "203.0.113.9", "Firefox"))
COLUMNS_AT = {name: place for place, name in enumerate(COLUMNS)}
Row = list[Any]


@dataclass
class Files:
    """An installation with one workspace open."""

    control: Control
    workspace: Workspace
    folder: Path

    @property
    def trail(self) -> Trail:
        return audit.trail_of(self.workspace, self.control)


@asynccontextmanager
async def files_of(installation: Path, folder: Path, **options: Any) -> AsyncIterator[Files]:
    """A copy of the tests' installation, its first workspace open."""
    shutil.copytree(installation, folder)
    config = msgspec.structs.replace(_config(folder, "https://chime.example.com", "http://127.0.0.1:9"), **options)
    async with opened(config) as (control, registry):
        record = await control.workspace("Acme")
        assert record is not None
        async with registry.use(record.id) as workspace:
            yield Files(control, workspace, folder)


async def write_rows(workspace: Workspace, count: int, *, together: int = 50) -> None:
    """So many rows of acts."""
    while count:
        now = min(count, together)
        async with workspace.write(ALICE) as tx:
            for number in range(now):
                await tx.audit("contact.edited", "contact", f"c{number}", before={"name": "a"}, after={"name": "b"})
        count -= now


class Intruder:
    """Somebody with the key of the file and SQL. What they do is undone when the block ends."""

    def __init__(self, connection: Any, trail: Trail, path: Path) -> None:
        self.sql = connection.execute
        self.trail = msgspec.structs.replace(trail, db=RawTransaction(connection, path))

    def rows(self) -> list[Row]:
        names = ", ".join(COLUMNS)
        return [list(row) for row in self.sql(f"SELECT {names} FROM audit_event ORDER BY sequence").fetchall()]

    def put(self, rows: list[Row]) -> None:
        """Have exactly these rows."""
        self.sql("DELETE FROM audit_event")
        for row in rows:
            self.sql(f"INSERT INTO audit_event ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})",
                     tuple(row))

    async def lines(self) -> list[str]:
        """What an export of this would hold."""
        made = await queries.newest_checkpoint(self.trail.db)
        found = b"".join([chunk async for chunk in export.lines(self.trail, made, Filter())])
        return found.decode().split("\n")


def hashed_anew(rows: list[Row], start: int, end: int | None = None) -> None:
    """Make the rows of a list follow each other again, from one place up to another."""
    for place in range(start, len(rows) if end is None else end):
        rows[place][-2] = rows[place - 1][-1] if place else bytes(32)
        rows[place][-1] = hash_of(tuple(rows[place]))


def numbered_anew(rows: list[Row]) -> None:
    for place, row in enumerate(rows):
        row[0] = place + 1


@contextmanager
def intruder(files: Files) -> Iterator[Intruder]:
    """In a transaction of their own that is given up at the end."""
    file = files.workspace.db
    assert isinstance(file, DatabaseFile)
    connection = open_connection(file.path, file._key, writes=True)
    try:
        connection.execute("BEGIN IMMEDIATE")
        for trigger in ("audit_event_is_never_changed", "audit_event_is_never_cut"):
            connection.execute(f"DROP TRIGGER {trigger}")
        yield Intruder(connection, files.trail, file.path)
    finally:
        connection.execute("ROLLBACK")
        connection.close()


