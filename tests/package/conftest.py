"""The built files, made once a session and only when the tree is newer than they."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.processes import run

ROOT = Path(__file__).resolve().parent.parent.parent
DIST = ROOT / "dist"
SOURCES = ("chime", "migrations", "templates", "packaging", "systemd", "pyproject.toml", "README.md", "LICENSE")


def load_tool(name: str) -> ModuleType:
    """A program of packaging/ as a module."""
    specification = importlib.util.spec_from_file_location(f"packaging_{name}", ROOT / "packaging" / f"{name}.py")
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def _newest() -> float:
    """When something that goes into the archive was last written."""
    roots = [ROOT / name for name in SOURCES]
    files = [file for root in roots for file in ([root] if root.is_file() else root.rglob("*"))]
    return max(file.stat().st_mtime for file in files if file.is_file() and "__pycache__" not in file.parts)


@pytest.fixture(scope="session")
def dist() -> Path:
    """`dist/` as `packaging/build` makes it of this tree."""
    archive = DIST / "chime.pyz"
    if not archive.exists() or archive.stat().st_mtime < _newest():
        built = run([str(ROOT / "packaging" / "build")], timeout=600)
        assert built.returncode == 0, built.stdout + built.stderr
    return DIST


class Archive:
    """`chime.pyz` as a person starts it: the file itself, with an interpreter that has none of our packages."""

    def __init__(self, path: Path, unpacked: str) -> None:
        self.path = path
        # Not this environment's Python: it would lend the archive what the archive must hold.
        interpreter = str(Path(getattr(sys, "_base_executable", sys.executable)).parent)
        self.environment = {"SHIV_ROOT": unpacked, "PATH": interpreter + os.pathsep + os.environ["PATH"]}

    @property
    def command(self) -> tuple[str, ...]:
        return (str(self.path),)

    def run(self, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        return run([*self.command, *arguments], extra={**self.environment, **extra})


@pytest.fixture(scope="session")
def archive(dist: Path) -> Iterator[Archive]:
    # 250 MB, so not among pytest's folders, of which the last three stay.
    with tempfile.TemporaryDirectory(prefix="chime-unpacked-") as unpacked:
        yield Archive(dist / "chime.pyz", unpacked)


@pytest.fixture(scope="session")
def release(dist: Path) -> Iterator[Path]:
    """The archive laid out as on a server, by this Python."""
    with tempfile.TemporaryDirectory(prefix="chime-releases-") as folder:
        made = run([sys.executable, "-I", str(dist / "chime.pyz"), "--lay-out", folder], timeout=120)
        assert (made.returncode, made.stderr) == (0, "")
        yield Path(made.stdout.strip())
