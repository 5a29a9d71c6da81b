"""Bringing a file up to date, one step after the other, each all-or-nothing.

The steps are modules `migrations/<kind>/mNNNN_<feature>.py` with an `apply(db)`; `sqlite_utils` runs each in a
transaction of its own and remembers it. `user_version` counts them, so an up-to-date file is known by one read
and `sqlite_utils` (95 ms to import) is never loaded for it.
"""

from __future__ import annotations

import importlib
import pkgutil
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from chime.db.connection import Key, open_connection
from chime.db.leftover import save_again
from chime.errors import StartRefused


class Kind(StrEnum):
    """The kinds of file, each with a sequence of its own."""

    CONTROL = "control"
    WORKSPACE = "workspace"
    JOURNAL = "journal"


@cache
def names(kind: Kind) -> tuple[str, ...]:
    """The steps of a kind in their order."""
    package = importlib.import_module(f"migrations.{kind.value}")
    return tuple(sorted(module.name for module in pkgutil.iter_modules(package.__path__)
                        if module.name.startswith("m")))


def pending(path: Path, key: Key, kind: Kind) -> int:
    """How many steps the file still lacks. Raises StartRefused when it is newer than this program. It is the first to
    open a file in a process, so it sees to what the last process left."""
    save_again(path, key)
    connection = open_connection(path, key, writes=False)
    try:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    finally:
        connection.close()
    if version > len(names(kind)):
        raise StartRefused(f"{path.name} was written by a newer Chime; install that version or a later one")
    return len(names(kind)) - version


def migrate(path: Path, key: Key, kind: Kind) -> int:
    """Create the file if there is none and apply what it lacks; how many steps that were."""
    if path.exists() and path.stat().st_size > 0:
        missing = pending(path, key, kind)
        if missing == 0:
            return 0
    else:
        missing = len(names(kind))
        path.touch(mode=0o600, exist_ok=True)
    connection = open_connection(path, key, writes=True, create=True)
    try:
        _apply(connection, kind)
    finally:
        connection.close()
    return missing


def _apply(connection: Any, kind: Kind) -> None:
    from sqlite_utils import Database, Migrations  # 95 ms, and only a new or outdated file needs it

    steps = Migrations(kind.value)
    for name in names(kind):
        module = importlib.import_module(f"migrations.{kind.value}.{name}")
        steps(name=name)(module.apply)
    steps.apply(Database(connection))
    connection.execute(f"PRAGMA user_version = {len(names(kind))}")


def schema(kind: Kind) -> str:
    """The schema a fresh file of this kind gets, as text; `migrations/<kind>/schema.sql` holds the same."""
    from sqlcipher3 import dbapi2

    connection = dbapi2.connect(":memory:", isolation_level=None)
    try:
        _apply(connection, kind)
        found = connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' "
                                   "AND tbl_name NOT LIKE '_sqlite%' ORDER BY tbl_name, type DESC, name").fetchall()
    finally:
        connection.close()
    return "\n\n".join(f"{_dedented(row[0])};" for row in found) + "\n"


def _dedented(sql: str) -> str:
    """Statements keep the indentation of the module they were written in; the schema file should not."""
    lines = sql.split("\n")
    return "\n".join([lines[0], *(line.removeprefix("    ") for line in lines[1:])])
