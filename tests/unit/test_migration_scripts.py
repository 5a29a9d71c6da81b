"""A script of a migration is taken apart where SQLite ends its statements."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from chime.db.steps import StepDatabase, statements

TRIGGER = "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET b = 'x;y'; DELETE FROM a WHERE b = 1; END;"


@pytest.mark.parametrize(("script", "expected"), [
    ("", []),
    (" \n ", []),
    ("SELECT 1", ["SELECT 1"]),
    ("SELECT 1;\n\nSELECT 2;\n", ["SELECT 1;", "SELECT 2;"]),
    ("SELECT ';', \"a;b\", [c;d] -- e; f\n FROM g;SELECT 2",
     ["SELECT ';', \"a;b\", [c;d] -- e; f\n FROM g;", "SELECT 2"]),
    ("/* one; two */ SELECT 1;", ["/* one; two */ SELECT 1;"]),
    (f"{TRIGGER}\nSELECT 1;", [TRIGGER, "SELECT 1;"]),
    ("SELECT 'it''s; so';", ["SELECT 'it''s; so';"]),
])
def test_a_statement_ends_where_sqlite_ends_it(script: str, expected: list[str]) -> None:
    assert list(statements(script)) == expected


@settings(max_examples=300)
@given(some.text(alphabet="abc 01;'\"[]-/*\n"))
def test_whatever_is_written_nothing_is_lost_and_each_is_whole(script: str) -> None:
    found = list(statements(script))
    assert "".join("".join(found).split()) == "".join(script.split())
    assert all(sqlite3.complete_statement(one) for one in found[:-1])


def test_a_script_that_fails_leaves_nothing_of_itself() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("BEGIN")
    with pytest.raises(sqlite3.OperationalError):
        StepDatabase(connection).executescript("CREATE TABLE a (b); CREATE TABLE a (b);")
    assert connection.in_transaction
    connection.execute("ROLLBACK")
    assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
    connection.close()
