"""Steps of migrations only expand, so that the release before works with the file too; or they say that they don't."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from typing import Any

import pytest
from sqlcipher3 import dbapi2
from sqlite_utils import Database

from chime.db.migrate import Kind, names

# The steps that every release had from the first on which there is a way back.
FIRST = {Kind.CONTROL: 12, Kind.WORKSPACE: 32, Kind.JOURNAL: 3}


def _shape(db: Any) -> tuple[dict[str, str], dict[str, dict[str, tuple[Any, ...]]], set[tuple[str, str]]]:
    """Tables and views with their text, the columns of each, and the unique indexes."""
    texts = dict(db.execute("SELECT name, sql FROM sqlite_schema WHERE type IN ('table', 'view') "
                            "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'").fetchall())
    columns = {name: {row[1]: (row[2], row[3], row[4] is not None, row[5])
                      for row in db.execute(f"PRAGMA table_xinfo('{name}')").fetchall()} for name in texts}
    unique = {(name, row[1]) for name in texts
              for row in db.execute(f"PRAGMA index_list('{name}')").fetchall() if row[2]}
    return texts, columns, unique


def contractions(before: Any, after: Any) -> list[str]:
    """What an earlier program would miss or stumble over."""
    (texts, columns, unique), (new_texts, new_columns, new_unique) = before, after
    faults = [f"{name} is gone" for name in texts if name not in new_texts]
    for name in texts.keys() & new_texts.keys():
        old, new = columns[name], new_columns[name]
        faults += [f"{name}.{column} is gone or another" for column in old if new.get(column) != old[column]]
        faults += [f"{name}.{column} must be given by programs that do not know it"
                   for column in new.keys() - old.keys() if new[column][1] and not new[column][2]]
        if not _is_widened(texts[name], new_texts[name], new.keys() - old.keys()):
            faults.append(f"{name} has other rules than before")
    faults += [f"{index} makes rows of {name} unique that were not" for name, index in new_unique - unique
               if name in texts]
    return faults


def _is_widened(old: str, new: str, added: Iterable[str]) -> bool:
    """ADD COLUMN puts its text behind the last column; whatever else changes a table rewrites it."""
    before, after = (re.sub(r"\s+", " ", text) for text in (old, new))
    same = next((place for place, (one, other) in enumerate(zip(before, after, strict=False)) if one != other),
                len(before))
    between = after[same:len(after) - len(before) + same]
    if after != before[:same] + between + before[same:]:
        return False
    return not between or any(re.match(rf"{column}\b", between.lstrip(", ")) for column in added)


@pytest.mark.parametrize("kind", list(Kind))
def test_each_step_only_expands_or_says_that_it_breaks(kind: Kind) -> None:
    connection = dbapi2.connect(":memory:", isolation_level=None)
    db, faults = Database(connection), []
    for number, name in enumerate(names(kind), start=1):
        module = importlib.import_module(f"migrations.{kind.value}.{name}")
        before = _shape(connection) if number > FIRST[kind] else None
        connection.execute("BEGIN")
        module.apply(db)
        connection.execute("COMMIT")
        if before is not None and not getattr(module, "breaking", False):
            faults += [f"{kind.value}/{name}: {fault}" for fault in contractions(before, _shape(connection))]
    connection.close()
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(("change", "fault"), [
    ("DROP TABLE pet", "pet is gone"),
    ("ALTER TABLE pet RENAME TO animal", "pet is gone"),
    ("ALTER TABLE pet RENAME COLUMN name TO called", "pet.name is gone or another"),
    ("ALTER TABLE pet DROP COLUMN age", "pet.age is gone or another"),
    ("CREATE UNIQUE INDEX pet_name ON pet(name)", "pet_name makes rows of pet unique that were not"),
    ("CREATE TABLE other (name TEXT, age INTEGER CHECK (age > 0)); DROP TABLE pet; ALTER TABLE other RENAME TO pet",
     "pet has other rules than before"),
    ("CREATE TABLE other (name TEXT, age INTEGER, owner TEXT NOT NULL); DROP TABLE pet; "
     "ALTER TABLE other RENAME TO pet", "pet.owner must be given by programs that do not know it"),
    ("CREATE TABLE other (name TEXT, age INTEGER, owner TEXT, CHECK (age > 0)); DROP TABLE pet; "
     "ALTER TABLE other RENAME TO pet", "pet has other rules than before"),
    ("ALTER TABLE pet ADD COLUMN owner TEXT", None),
    ("ALTER TABLE keyed ADD COLUMN owner TEXT", None),
    ("ALTER TABLE pet ADD COLUMN fed INTEGER NOT NULL DEFAULT 0", None),
    ("CREATE TABLE owner (id TEXT UNIQUE) STRICT; CREATE INDEX pet_age ON pet(age)", None),
    ("CREATE VIEW old_pet AS SELECT name FROM pet WHERE age > 10", None),
])
def test_the_rule_bites(change: str, fault: str | None) -> None:
    connection = dbapi2.connect(":memory:", isolation_level=None)
    connection.executescript("CREATE TABLE pet (name TEXT, age INTEGER); "
                             "CREATE TABLE keyed (name TEXT, age INTEGER, PRIMARY KEY (name)) WITHOUT ROWID")
    before = _shape(connection)
    connection.executescript(change)
    found = contractions(before, _shape(connection))
    connection.close()
    assert (fault in found) if fault else not found, found
