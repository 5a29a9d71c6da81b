"""A migration that is killed at any moment: each file is as before or as after it, and the next one ends it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chime.config import Config
from chime.db import Key, Kind, open_connection
from chime.db.migrate import names, standing
from chime.setup import keys_of, new_workspace, opened
from chime.workspaces.registry import workspace_folder
from tests.support.processes import environment
from tests.unit.releases.installed import installed

MORE, ROWS = 6, 400
STEP = """def apply(db):
    db.executescript('''CREATE TABLE later_{number} (id INTEGER PRIMARY KEY, word TEXT NOT NULL) STRICT;
    INSERT INTO later_{number} (word) SELECT hex(randomblob(40)) FROM json_each(json_array({rows}));
    CREATE INDEX later_{number}_word ON later_{number} (word);''')
"""
Files = dict[str, tuple[Path, Key, Kind]]


def _more_steps(folder: Path) -> Path:
    for kind in Kind:
        (folder / kind.value).mkdir(parents=True)
        for number in range(len(names(kind)) + 1, len(names(kind)) + MORE + 1):
            (folder / kind.value / f"m{number:04d}_later.py").write_text(
                STEP.format(number=number, rows=", ".join("0" * ROWS)))
    return folder


async def _files(config: Config) -> Files:
    """All of an installation, by a name for each."""
    found: Files = {"control.db": (config.data_dir / "control.db", keys_of(config).control_file, Kind.CONTROL)}
    async with opened(config) as (control, registry):
        for record in await control.workspaces():
            keys, folder = await registry.keys(record.id), workspace_folder(config.data_dir, record.id)
            found[f"{record.slug}/workspace.db"] = (folder / "workspace.db", keys.workspace_file, Kind.WORKSPACE)
            found[f"{record.slug}/journal.db"] = (folder / "journal.db", keys.journal_file, Kind.JOURNAL)
    return found


@contextmanager
def _migrating(data_dir: Path, more: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-P", "-m", "tests.unit.releases.migrating_again", str(data_dir), str(more)],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          env=environment({"PYTHONPATH": "."})) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.stdin.close()


def _killed(process: subprocess.Popen[str], seconds: float) -> tuple[str, float]:
    assert process.stdin is not None and process.stdout is not None
    print(seconds, file=process.stdin, flush=True)
    said, took = process.stdout.readline().split()
    return said, float(took)


def _is_after(path: Path, key: Key, kind: Kind) -> bool:
    """Whether the file is as after the migration; fails when it is neither that nor as before."""
    with contextlib.closing(open_connection(path, key, writes=False)) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)], path
        tables = [row[0] for row in file.execute("SELECT name FROM sqlite_schema WHERE type = 'table' "
                                                 "AND name GLOB 'later_*'").fetchall()]
        found: Any = (standing(file).steps,
                      {name: file.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables},
                      file.execute("SELECT count(*) FROM sqlite_schema WHERE name GLOB 'later_*_word'").fetchone()[0])
    known = len(names(kind))
    after = (known + MORE, {f"later_{known + number}": ROWS for number in range(1, MORE + 1)}, MORE)
    assert found in ((known, {}, 0), after), (path, found)
    return bool(found == after)


@pytest.mark.parametrize("rounds", [10, pytest.param(200, marks=[pytest.mark.nightly, pytest.mark.timeout(3600)])])
def test_killed_at_any_moment_no_file_is_between_two_states(tmp_path: Path, rounds: int) -> None:
    config, luck = asyncio.run(installed(tmp_path)), random.Random(rounds)
    for name in ("Second", "Third"):
        asyncio.run(new_workspace(config, name))
    files, more = asyncio.run(_files(config)), _more_steps(tmp_path / "more")
    before, seen = tmp_path / "before", Counter[int]()
    shutil.copytree(config.data_dir, before)
    with _migrating(config.data_dir, more) as process:
        said, longest = _killed(process, 60)
        assert said == "done" and all(_is_after(*file) for file in files.values())
        for _ in range(rounds):
            shutil.rmtree(config.data_dir)
            shutil.copytree(before, config.data_dir)
            said, _ = _killed(process, luck.uniform(0, longest))
            after = sum(_is_after(*file) for file in files.values())
            assert said == "killed" or (said == "done" and after == len(files)), said
            seen[after] += 1
            assert _killed(process, 60)[0] == "done"
            assert all(_is_after(*file) for file in files.values())
    print(f"files that were done when it was killed: {dict(sorted(seen.items()))}")
    if rounds >= 100:
        assert sum(seen[number] for number in range(1, len(files))) > rounds // 4, "killed when nothing was going on"
