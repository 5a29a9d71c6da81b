"""Every sealed column is known to the rotation of keys: one that is forgotten would keep its old key for ever."""

from __future__ import annotations

import re

from chime.workspaces.sealed_values import CONTROL_VALUES, OTHERWISE, WORKSPACE_VALUES, SealedColumn
from tests.architecture.source import ROOT

_TABLE = re.compile(r"CREATE TABLE (\w+) \((.*?)\) STRICT", re.S)
_COLUMN = re.compile(r"\b(\w+_sealed) BLOB")


def _sealed(kind: str) -> set[tuple[str, str]]:
    schema = (ROOT / "migrations" / kind / "schema.sql").read_text("utf-8")
    return {(table, column) for table, body in _TABLE.findall(schema) for column in _COLUMN.findall(body)}


def _listed(columns: tuple[SealedColumn, ...]) -> set[tuple[str, str]]:
    return {(entry.table, f"{entry.column}_sealed") for entry in columns}


def test_every_sealed_column_is_moved_to_a_new_key() -> None:
    assert _sealed("control") == _listed(CONTROL_VALUES) | set(OTHERWISE)
    assert _sealed("workspace") == _listed(WORKSPACE_VALUES)
    assert not _sealed("journal")


def test_what_moves_a_column_moves_that_one() -> None:
    for entry in (*CONTROL_VALUES, *WORKSPACE_VALUES):
        for statement in (entry.read, entry.change):
            assert f" {entry.table} " in statement and f"{entry.column}_sealed" in statement
            assert not {name for name in re.findall(r"\w+_sealed", statement)} - {f"{entry.column}_sealed"}
