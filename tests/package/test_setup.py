"""The two commands of a newcomer."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

import chime
from tests.package.conftest import ROOT
from tests.support.processes import run

SCRIPTS = ("packaging/start", "packaging/test", "packaging/build", "packaging/try-deb",
           "packaging/try-systemd", "packaging/lock", ".ci/run")


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_can_be_run(name: str) -> None:
    assert os.access(ROOT / name, os.X_OK)
    answer = run(["bash", "-n", str(ROOT / name)])
    assert (answer.returncode, answer.stderr) == (0, "")


def test_continuous_integration_runs_the_tests_and_nothing_else() -> None:
    lines = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert lines[0].startswith("#!") and lines[-1] == "exec ./packaging/test"
    assert all(line.startswith("cd ") for line in lines[1:-1])


def test_without_a_python_start_says_what_to_do_in_one_line(tmp_path: Path) -> None:
    copy = _copy(tmp_path)
    for name in ("bash", "dirname", "cat", "sha256sum", "rm", "env"):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    answer = run([str(tmp_path / "bin" / "bash"), str(copy / "packaging" / "start")],
                 extra={"PATH": str(tmp_path / "bin")})
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1].startswith("Chime needs Python 3.11 or newer: ")
    assert "Traceback" not in answer.stderr


@pytest.mark.nightly
def test_start_sets_up_once_in_a_fresh_folder(tmp_path: Path) -> None:
    copy = _copy(tmp_path)
    command = [str(copy / "packaging" / "start"), "--setup-only"]
    first = run(command, cwd=tmp_path, timeout=300)
    assert first.returncode == 0, first.stderr
    begun = time.monotonic()
    again = run(command, cwd=tmp_path)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert time.monotonic() - begun < 2
    answer = run([str(copy / ".venv" / "bin" / "chime"), "version"], cwd=tmp_path)
    assert answer.returncode == 0 and chime.__version__ in answer.stdout, answer.stderr


def _copy(folder: Path) -> Path:
    """The tree as a fresh clone would have it, in a folder whose name holds a space."""
    copy = folder / "a fresh clone"
    copy.mkdir()
    for name in ("chime", "migrations", "templates", "packaging"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    return copy
