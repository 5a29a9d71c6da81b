"""The first lines of the archive, before shiv: which Python, which machine, which folder to unpack into."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.package.conftest import ROOT
from tests.support.processes import run


@pytest.fixture
def launcher(tmp_path: Path) -> Path:
    folder = tmp_path / "launcher"
    folder.mkdir()
    text = (ROOT / "packaging" / "launcher.py").read_text("utf-8")
    (folder / "__main__.py").write_text(text.replace("$machine", os.uname().machine), "utf-8")
    stand_in = "import os\ndef bootstrap():\n    print(os.environ['SHIV_ROOT'])\n"
    (folder / "_bootstrap.py").write_text(stand_in, "utf-8")
    return folder


def _chosen(launcher: Path, **extra: str) -> str:
    answer = run(["env", "-u", "SHIV_ROOT", "-u", "XDG_CACHE_HOME", sys.executable, "-I", str(launcher)], extra=extra)
    return answer.stdout.strip() or answer.stderr.strip()


def test_unpacks_into_the_users_cache(launcher: Path, tmp_path: Path) -> None:
    assert _chosen(launcher, HOME=str(tmp_path)) == str(tmp_path / ".cache" / "chime")
    assert (tmp_path / ".cache" / "chime").stat().st_mode & 0o777 == 0o700


def test_prefers_the_services_cache(launcher: Path, tmp_path: Path) -> None:
    service = tmp_path / "service"
    assert _chosen(launcher, HOME=str(tmp_path), CACHE_DIRECTORY=str(service)) == str(service)


def test_without_a_home_takes_a_private_folder(launcher: Path, tmp_path: Path) -> None:
    # A file in the place of the home: not even root can make a folder there.
    (tmp_path / "home").write_text("", "utf-8")
    chosen = Path(_chosen(launcher, HOME=str(tmp_path / "home"), TMPDIR=str(tmp_path)))
    assert chosen == tmp_path / f"chime-{os.geteuid()}"
    assert chosen.stat().st_mode & 0o777 == 0o700


def test_refuses_a_folder_that_others_can_write(launcher: Path, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("", "utf-8")
    shared = tmp_path / f"chime-{os.geteuid()}"
    shared.mkdir()
    shared.chmod(0o777)
    answer = _chosen(launcher, HOME=str(tmp_path / "home"), TMPDIR=str(tmp_path))
    assert answer.startswith("chime: ") and "SHIV_ROOT" in answer


def test_refuses_a_link_in_the_place_of_the_folder(launcher: Path, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("", "utf-8")
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / f"chime-{os.geteuid()}").symlink_to(tmp_path / "elsewhere")
    answer = _chosen(launcher, HOME=str(tmp_path / "home"), TMPDIR=str(tmp_path))
    assert answer.startswith("chime: ") and "SHIV_ROOT" in answer


def test_says_which_machine_it_is_for(launcher: Path) -> None:
    text = (launcher / "__main__.py").read_text("utf-8").replace(f'"{os.uname().machine}"', '"sparc"')
    (launcher / "__main__.py").write_text(text, "utf-8")
    assert _chosen(launcher).startswith("chime: this file is for sparc machines")


def test_says_which_python_it_needs(launcher: Path) -> None:
    text = (launcher / "__main__.py").read_text("utf-8")
    (launcher / "__main__.py").write_text(text.replace("PYTHONS = (", "PYTHONS = () and ("), "utf-8")
    assert _chosen(launcher).startswith("chime: this file runs on Python 3.11")
