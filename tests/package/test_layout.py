"""A release laid out as on a server: whole or not there, compiled, and started without writing anything."""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
import time
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

import chime
from tests.package.conftest import ROOT, load_tool
from tests.support.processes import CHIME, run, serving

KEY = base64.b64encode(bytes(range(70, 102))).decode()
ABOUT = {"version": "1.2.3", "build": "0123456789ab", "serial": 1, "machine": "x86_64", "pythons": ["3.11"]}


@pytest.fixture
def layout() -> ModuleType:
    return load_tool("layout")


def small_archive(path: Path, modules: dict[str, str] | None = None, **about: object) -> Path:
    """An archive with our own parts and next to no modules, so that it is laid out at once."""
    launcher = (ROOT / "packaging" / "launcher.py").read_text("utf-8").replace("$machine", os.uname().machine)
    parts = {"__main__.py": launcher, "release.json": json.dumps({**ABOUT, **about}),
             "site-packages/one.py": "ONE = 1\n"}
    for name, file in (("_layout.py", "layout.py"), ("_run.py", "run.py")):
        parts[name] = (ROOT / "packaging" / file).read_text("utf-8")
    with zipfile.ZipFile(path, "w") as target:
        for name, text in (parts | (modules or {})).items():
            target.writestr(name, text)
    return path


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_a_release_is_laid_out_once_and_readable_for_the_service(layout: ModuleType, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        made = layout.lay_out(small_archive(tmp_path / "a.pyz"), tmp_path / "releases")
    finally:
        os.umask(before)
    assert made == tmp_path / "releases" / "1.2.3-0123456789ab"
    assert json.loads((made / "release.json").read_text("utf-8")) == ABOUT
    modes = {path.stat().st_mode & 0o777 for path in made.rglob("*") if path.is_file()}
    assert modes == {0o644}
    assert {path.stat().st_mode & 0o777 for path in (made, *made.rglob("*")) if path.is_dir()} == {0o755}
    assert list(made.glob(f"site/__pycache__/one.{sys.implementation.cache_tag}.pyc"))
    changed = (made / "site" / "one.py").stat().st_ino
    assert layout.lay_out(tmp_path / "a.pyz", tmp_path / "releases") == made
    assert (made / "site" / "one.py").stat().st_ino == changed


@pytest.mark.parametrize("step", ["_write", "_compile"])
def test_one_that_was_killed_leaves_nothing_that_looks_whole(
        layout: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    archive, releases = small_archive(tmp_path / "a.pyz"), tmp_path / "releases"
    pid = os.fork()
    if pid == 0:
        monkeypatch.setattr(layout, step, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        layout.lay_out(archive, releases)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    assert [path.name[:5] for path in releases.iterdir()] == [".new-"]
    made = layout.lay_out(archive, releases)
    assert list(releases.iterdir()) == [made], "and what it left is gone"


def test_another_python_gets_its_compiled_files_later(layout: ModuleType, tmp_path: Path) -> None:
    made = layout.lay_out(small_archive(tmp_path / "a.pyz"), tmp_path / "releases")
    compiled = made / "site" / "__pycache__" / f"one.{sys.implementation.cache_tag}.pyc"
    (made / f"compiled-{sys.implementation.cache_tag}").unlink()
    compiled.unlink()
    layout.lay_out(tmp_path / "a.pyz", tmp_path / "releases")
    assert compiled.exists()


@pytest.mark.parametrize("name", ["site-packages/../../out.py", "site-packages//tmp/out.py"])
def test_no_file_leaves_the_folder(layout: ModuleType, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="inside its folder"):
        layout.lay_out(small_archive(tmp_path / "a.pyz", {name: ""}), tmp_path / "releases")
    assert not list((tmp_path / "releases").glob("1*"))


def test_a_damaged_archive_is_refused_in_one_line(tmp_path: Path) -> None:
    archive = small_archive(tmp_path / "a.pyz")
    whole = archive.read_bytes()
    place = whole.index(b"ONE = 1")
    archive.write_bytes(whole[:place] + b"TWO" + whole[place + 3:])
    answer = run([sys.executable, "-I", str(archive), "--lay-out", str(tmp_path / "releases")])
    assert answer.returncode == 1 and answer.stderr.startswith("chime: cannot lay the release out in ")
    assert len(answer.stderr.splitlines()) == 1 and not list((tmp_path / "releases").glob("1*"))


@pytest.mark.package
@pytest.mark.timeout(300)
def test_it_starts_and_writes_no_code(release: Path, tmp_path: Path) -> None:
    command = (sys.executable, "-I", "-S", str(release / "run.py"))
    assert run([*command, "version", "--data", str(tmp_path)]).stdout.strip() == f"chime {chime.__version__}"
    data = tmp_path / "data"
    made = run([*CHIME, "init", "--data", str(data), "--email", "alice@acme.example", "--name", "Alice",
                "--workspace", "Acme"], extra={"CHIME_MASTER_KEY": KEY})
    assert made.returncode == 0, made.stderr
    before = _files(release)
    assert any(name.endswith(".bin") for name in before), "templates are compiled too"
    begun = time.monotonic()
    with serving(data, command=command, extra={"CHIME_MASTER_KEY": KEY}) as program:
        print(f"first answer after {time.monotonic() - begun:.2f} s")  # tests/bench `start` measures it
        program.get("/sign-in")
        assert program.terminate() == 0
    assert _files(release) == before
