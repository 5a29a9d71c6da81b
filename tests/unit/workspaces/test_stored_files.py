"""A file that was removed is gone whole, also when it was just being stored or a process died over it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chime.errors import NotFound
from chime.security.versions import KeyVersions
from chime.workspaces.files import StoredFiles
from chime.workspaces.space import Space

PART = bytes(200_000)
KILLED = """
    import asyncio, os, signal, sys
    from pathlib import Path
    from tests.unit.workspaces.test_stored_files import PART, stored

    async def breaks_off():
        yield PART
        os.kill(os.getpid(), signal.SIGKILL)
        yield PART

    asyncio.run(stored(Path(sys.argv[1])).write("a" * 26, breaks_off()))
"""


def stored(folder: Path) -> StoredFiles:
    return StoredFiles(folder / "media", KeyVersions({1: bytes(32)}, 1), "workspace", Space(folder, 0))


def left(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_what_a_killed_process_had_of_a_file_goes_with_it(tmp_path: Path) -> None:
    child = subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)], check=False,
                           env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])})
    assert child.returncode == -signal.SIGKILL and left(tmp_path)
    stored(tmp_path).remove("a" * 26)
    assert left(tmp_path) == []


async def test_who_is_still_storing_does_not_bring_back_what_was_removed(tmp_path: Path) -> None:
    files = stored(tmp_path)

    async def removed_meanwhile() -> AsyncIterator[bytes]:
        yield PART
        files.remove("a" * 26)
        yield PART

    with pytest.raises(NotFound):
        await files.write("a" * 26, removed_meanwhile())
    assert left(tmp_path) == []
