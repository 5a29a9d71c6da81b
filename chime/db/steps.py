"""What the steps of a migration are given: sqlite-utils' database, with scripts taken apart in one pass.

sqlite-utils asks after each character of a script whether everything since the last statement is a statement now: for
a new workspace that was two thirds of the time. (Python's own `executescript` commits first, and a file that lacks
several steps gets all of them or none.)
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from sqlite_utils import Database


class StepDatabase(Database):
    def executescript(self, sql: str) -> sqlite3.Cursor:
        cursor = self.conn.cursor()
        for statement in statements(sql):
            cursor.execute(statement)
        return cursor


def statements(script: str) -> Iterator[str]:
    """A statement ends at a semicolon, but not at each: there are strings, comments and the bodies of triggers."""
    *ended, rest = script.split(";")
    begun = ""
    for part in ended:
        begun += f"{part};"
        if sqlite3.complete_statement(begun):
            yield begun.strip()
            begun = ""
    if last := (begun + rest).strip():
        yield last
