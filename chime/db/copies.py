"""Copies of a file: a consistent one while others write, what is in it row by row, and ids exchanged throughout.

A copy is encrypted with the key of the file it was made of, and holds its rows alone: nothing of what was deleted.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from chime.db.connection import Key, open_connection, translated
from chime.db.rekey import _check, _keyed
from chime.db.rewrite import _copy

# Of the kinds of tables only those that hold rows of ours: an index for searching is made of them.
_TABLES = "SELECT name FROM pragma_table_list WHERE type = 'table' AND schema = 'main' AND name NOT LIKE 'sqlite_%'"


def copy_file(path: Path, key: Key, copy: Path) -> None:
    """The file as it is now, durably; writers are not kept waiting. Raises StorageUnavailable."""
    _copy(path, key, copy)


def check_whole(path: Path, key: Key) -> None:
    """Every page opens with the key and the file is a whole database. Raises StorageUnavailable."""
    _check(path, key)


def rows_by_table(path: Path, key: Key) -> dict[str, int]:
    """How many rows each table has. Of a file that nobody has open. Raises StorageUnavailable."""
    connection = _keyed(path, key, "ro")
    try:
        with translated(path):
            return {name: _count(connection, name) for name in _names(connection)}
    finally:
        connection.close()


def exchange_ids(path: Path, key: Key, ids: Mapping[str, str], *, but: Collection[str]) -> int:
    """Write another id wherever one of these stands, in every text of every table except `but`; how many values that
    changed. All or nothing. Ids are long and random, so no text holds one by chance. Raises StorageUnavailable."""
    if not ids:
        return 0
    connection = open_connection(path, key, writes=True)
    changed = 0
    try:
        with translated(path):
            connection.execute("BEGIN IMMEDIATE")
            for table in _names(connection):
                if table not in but:
                    changed += _exchange(connection, table, ids)
            connection.execute("COMMIT")
    finally:
        connection.close()
    return changed


def _names(connection: Any) -> list[str]:
    return [row[0] for row in connection.execute(_TABLES).fetchall()]


def _count(connection: Any, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {_quoted(table)}").fetchone()[0])


def _exchange(connection: Any, table: str, ids: Mapping[str, str]) -> int:
    changed = 0
    columns = connection.execute("SELECT name FROM pragma_table_info(?) WHERE type = 'TEXT'", (table,)).fetchall()
    for (column,) in columns:
        for old, new in ids.items():
            changed += connection.execute(
                f"UPDATE {_quoted(table)} SET {_quoted(column)} = replace({_quoted(column)}, ?1, ?2) "
                f"WHERE instr({_quoted(column)}, ?1)", (old, new)).rowcount
    return changed


def _quoted(name: str) -> str:
    """A name from the file's own schema."""
    return '"' + name.replace('"', '""') + '"'


def size_on_disk(path: Path) -> int:
    """Of the file and its log; 0 when it is not there."""
    return sum(found.stat().st_size for found in (path, path.with_name(f"{path.name}-wal")) if os.path.exists(found))
