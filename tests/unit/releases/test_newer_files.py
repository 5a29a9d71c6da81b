"""Files of a newer Chime in the hands of an older one, and files that cannot be brought up to date."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from chime.db import Key, Kind, open_connection
from chime.db import migrate as migrating
from chime.db.migrate import MigrationFailed, migrate, pending, standing
from chime.errors import StartRefused

KEY = Key(bytes(range(32)))
AddStep = Callable[..., str]


@pytest.fixture
def add_step(monkeypatch: pytest.MonkeyPatch) -> Iterator[AddStep]:
    """Give the journal one more step, which the release before does not have."""
    def add(apply: Callable[[Any], None], *, breaking: bool = False) -> str:
        known = migrating.names(Kind.JOURNAL)
        name = f"m{len(known) + 1:04d}_later"
        module = ModuleType(f"migrations.journal.{name}")
        module.__dict__.update(apply=apply, breaking=breaking)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(migrating, "names", lambda kind: (*known, name))
        return name

    yield add
    monkeypatch.undo()


def _more(db: Any) -> None:
    db.executescript("CREATE TABLE later (id INTEGER PRIMARY KEY) STRICT; INSERT INTO later VALUES (1);")


def _standing(path: Path) -> tuple[int, int]:
    connection = open_connection(path, KEY, writes=False)
    try:
        return standing(connection)
    finally:
        connection.close()


def test_the_release_before_works_with_a_file_that_was_only_added_to(
        tmp_path: Path, add_step: AddStep, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.db"
    add_step(_more)
    migrate(path, KEY, Kind.JOURNAL)
    monkeypatch.undo()
    steps = len(migrating.names(Kind.JOURNAL))
    assert _standing(path) == (steps + 1, 0)
    assert (pending(path, KEY, Kind.JOURNAL), migrate(path, KEY, Kind.JOURNAL)) == (0, 0)
    assert _standing(path) == (steps + 1, 0), "the older release must not count it back"


def test_a_file_with_a_breaking_step_is_refused_in_one_line(
        tmp_path: Path, add_step: AddStep, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.db"
    add_step(_more, breaking=True)
    migrate(path, KEY, Kind.JOURNAL)
    assert pending(path, KEY, Kind.JOURNAL) == 0, "the release that has the step works with it"
    monkeypatch.undo()
    with pytest.raises(StartRefused, match=r"journal\.db was written by a newer Chime; install that version") as told:
        migrate(path, KEY, Kind.JOURNAL)
    assert "\n" not in str(told.value)


def test_a_file_whose_step_fails_is_as_it_was(
        tmp_path: Path, add_step: AddStep, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.db"
    migrate(path, KEY, Kind.JOURNAL)
    before = _standing(path)

    def fails(db: Any) -> None:
        _more(db)
        raise ZeroDivisionError("of the step")

    add_step(fails)
    with pytest.raises(MigrationFailed) as told:
        migrate(path, KEY, Kind.JOURNAL)
    assert "ZeroDivisionError" in str(told.value) and "of the step" not in str(told.value)
    assert _standing(path) == before
    connection = open_connection(path, KEY, writes=False)
    assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'later'").fetchone() == (0,)
    connection.close()
    monkeypatch.undo()
    add_step(_more)
    assert migrate(path, KEY, Kind.JOURNAL) == 1, "mended, it goes on where it was"


def test_several_steps_are_taken_together_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that dies between two steps leaves the file without both."""
    path = tmp_path / "journal.db"
    known = migrating.names(Kind.JOURNAL)
    monkeypatch.setattr(migrating, "names", lambda kind: known[:1])
    migrate(path, KEY, Kind.JOURNAL)
    monkeypatch.undo()
    real = migrating._apply

    def dies(connection: Any, kind: Kind) -> None:
        real(connection, kind)
        raise KeyboardInterrupt

    monkeypatch.setattr(migrating, "_apply", dies)
    with pytest.raises(KeyboardInterrupt):
        migrate(path, KEY, Kind.JOURNAL)
    assert _standing(path) == (1, 0)


def test_an_older_release_that_waited_does_not_count_a_file_back(
        tmp_path: Path, add_step: AddStep, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two releases migrate one file at once: the newer got the lock first."""
    path = tmp_path / "journal.db"
    add_step(_more)
    migrate(path, KEY, Kind.JOURNAL)
    newer = _standing(path)
    monkeypatch.undo()
    monkeypatch.setattr(migrating, "pending", lambda *_: 1)  # what it saw before it waited
    migrate(path, KEY, Kind.JOURNAL)
    assert _standing(path) == newer
