"""Bringing a file up to date: everything it lacks in one transaction, so a file is as before or as after.

The steps are modules `migrations/<kind>/mNNNN_<feature>.py` with an `apply(db)`; `sqlite_utils` remembers each.
`user_version` counts them, so an up-to-date file is known by one read and `sqlite_utils` (95 ms to import) is never
loaded for it.

A step only expands: what is there stays, what is new may be ignored. So the release before can work with the file as
well, and going back to it loses nothing. A step that can't keep to that says `breaking = True`, and its number is
remembered in the upper half of `user_version`: a program that does not know it refuses the file, and one line says so.
"""

from __future__ import annotations

import importlib
import pkgutil
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from sqlcipher3 import dbapi2

from chime.db.connection import Key, StorageUnavailable, close_connection, open_connection, translated
from chime.db.leftover import save_again
from chime.errors import StartRefused

_BREAKING_SHIFT = 16


class Kind(StrEnum):
    """The kinds of file, each with a sequence of its own."""

    CONTROL = "control"
    WORKSPACE = "workspace"
    JOURNAL = "journal"


class MigrationFailed(StorageUnavailable):
    """A file could not be brought up to date, and is as it was; whose it is has to wait for somebody to mend it."""

    title = "Under maintenance"


class Standing(NamedTuple):
    """How many steps a file has, and how many a program must know to work with it."""

    steps: int
    needs: int


@cache
def names(kind: Kind) -> tuple[str, ...]:
    """The steps of a kind in their order."""
    package = importlib.import_module(f"migrations.{kind.value}")
    return tuple(sorted(module.name for module in pkgutil.iter_modules(package.__path__)
                        if module.name.startswith("m")))


def standing(connection: Any) -> Standing:
    """Where the file is in its sequence of steps."""
    number = int(connection.execute("PRAGMA user_version").fetchone()[0])
    return Standing(number & ((1 << _BREAKING_SHIFT) - 1), number >> _BREAKING_SHIFT)


def pending(path: Path, key: Key, kind: Kind) -> int:
    """How many steps the file still lacks; none when a newer Chime wrote it and only added to it. Raises StartRefused
    when that Chime changed what this one relies on. It is the first to open a file in a process, so it sees to what
    the last process left."""
    save_again(path, key)
    connection = open_connection(path, key, writes=False)
    try:
        found = standing(connection)
    finally:
        connection.close()
    if found.needs > len(names(kind)):
        raise StartRefused(f"{path.name} was written by a newer Chime; install that version or a later one")
    return max(0, len(names(kind)) - found.steps)


def migrate(path: Path, key: Key, kind: Kind) -> int:
    """Create the file if there is none and apply what it lacks, all or nothing; how many steps that were. Raises
    StartRefused like `pending`, MigrationFailed."""
    if path.exists() and path.stat().st_size > 0:
        missing = pending(path, key, kind)
        if missing == 0:
            return 0
    else:
        missing = len(names(kind))
        path.touch(mode=0o600, exist_ok=True)
    connection = open_connection(path, key, writes=True, create=True)
    try:
        with translated(path):
            # Waits for whoever writes, the running service too; another process may have been here meanwhile.
            connection.execute("BEGIN IMMEDIATE")
        if standing(connection).steps < len(names(kind)):
            _apply(connection, kind)
        connection.execute("COMMIT")
    except StorageUnavailable:
        raise
    except Exception as error:  # whatever a step meets in this one file is this file's trouble
        raise MigrationFailed(f"{path.name} could not be brought up to date and is as it was "
                              f"({type(error).__name__}); `chime migrate` tries again") from error
    finally:
        close_connection(connection)  # rolls back what was not committed; other files go on meanwhile
    return missing


def breaking(kind: Kind) -> int:
    """The number of the newest step that earlier programs cannot live with; 0 when there is none."""
    numbered = enumerate((importlib.import_module(f"migrations.{kind.value}.{name}") for name in names(kind)), start=1)
    return max((number for number, module in numbered if getattr(module, "breaking", False)), default=0)


def breaks(path: Path, key: Key, kind: Kind) -> bool:
    """Whether bringing the file up to date takes it away from the programs that work with it now."""
    connection = open_connection(path, key, writes=False)
    try:
        return breaking(kind) > standing(connection).steps
    finally:
        connection.close()


def _apply(connection: Any, kind: Kind) -> None:
    """Inside a transaction, which the steps are part of."""
    from sqlite_utils import Migrations  # 95 ms, and only a new or outdated file needs it

    from chime.db.steps import StepDatabase

    steps = Migrations(kind.value)
    for name in names(kind):
        module = importlib.import_module(f"migrations.{kind.value}.{name}")
        steps(name=name)(module.apply)
    steps.apply(StepDatabase(connection))
    number = len(names(kind)) | breaking(kind) << _BREAKING_SHIFT
    connection.execute(f"PRAGMA user_version = {number}")


def schema(kind: Kind) -> str:
    """The schema a fresh file of this kind gets, as text; `migrations/<kind>/schema.sql` holds the same."""
    connection = dbapi2.connect(":memory:", isolation_level=None)
    try:
        connection.execute("BEGIN")
        _apply(connection, kind)
        connection.execute("COMMIT")
        found = connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' "
                                   "AND tbl_name NOT LIKE '_sqlite%' ORDER BY tbl_name, type DESC, name").fetchall()
    finally:
        connection.close()
    return "\n\n".join(f"{_dedented(row[0])};" for row in found) + "\n"


def _dedented(sql: str) -> str:
    """Statements keep the indentation of the module they were written in; the schema file should not."""
    lines = sql.split("\n")
    return "\n".join([lines[0], *(line.removeprefix("    ") for line in lines[1:])])
