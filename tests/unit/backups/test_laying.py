"""What is laid out of a backup is looked through; who wrote it does not matter if this program can work with it."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from chime.backups.laying import check_file
from chime.backups.pieces import BackupRefused
from chime.db import Key, Kind, open_connection
from chime.db.migrate import migrate, names

KEY = Key(bytes(range(32)))


@pytest.mark.parametrize("kind", list(Kind))
def test_a_release_that_only_added_may_have_written_it(tmp_path: Path, kind: Kind) -> None:
    """After `chime rollback` a file has steps this program does not know."""
    path = tmp_path / "file.db"
    migrate(path, KEY, kind)
    _set_version(path, steps=len(names(kind)) + 3, needs=len(names(kind)))
    check_file(path, KEY, kind, Event())
    _set_version(path, steps=len(names(kind)) + 3, needs=len(names(kind)) + 1)
    with pytest.raises(BackupRefused, match="newer Chime"):
        check_file(path, KEY, kind, Event())


def _set_version(path: Path, *, steps: int, needs: int) -> None:
    connection = open_connection(path, KEY, writes=True)
    connection.execute(f"PRAGMA user_version = {steps | needs << 16}")
    connection.close()
