"""On a server that the package set up the service reads its key from a file of its own at each start: what replaces the
key, or puts a whole installation there, leaves a server that starts again."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chime import cli
from chime.config import load
from chime.serve import only_one
from chime.setup import keys_of
from chime.workspaces import keys
from chime.workspaces.recovery_sheet import sheet
from tests.support.world import MASTER_KEY

Chime = Callable[..., tuple[int, Any, str]]
SECRETS = ("CHIME_MASTER_KEY", "CHIME_MASTER_KEY_PREVIOUS")


def written(key: bytes) -> str:
    return base64.b64encode(key).decode()


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The service's key, as the package keeps it."""
    path = tmp_path / "etc" / "chime" / "master.key"
    path.parent.mkdir(parents=True)
    path.write_text(f"{written(MASTER_KEY)}\n")
    monkeypatch.setattr(keys, "SERVICE_KEY", path)
    monkeypatch.setattr(keys, "SERVICE_DATA", tmp_path / "data")
    return path


@pytest.fixture
def chime(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Chime:
    """A command at root's shell: what the environment does not name is taken from the two files, as run.py does."""
    monkeypatch.setattr("chime.log.configure", lambda form, level: None)

    def run(*words: str, **environment: bytes) -> tuple[int, Any, str]:
        for option, path in zip(SECRETS, (kept, kept.with_name("master.key.previous")), strict=True):
            if option in environment:
                monkeypatch.setenv(option, written(environment[option]))
            elif path.exists():
                monkeypatch.setenv(option, path.read_text().strip())
        capsys.readouterr()
        left = cli.run([*words, "--data", str(tmp_path / "data"), "--json"])
        said = capsys.readouterr()
        for option in SECRETS:
            monkeypatch.delenv(option, raising=False)
        return left, json.loads(said.out) if said.out else None, said.err

    return run


def starts(data: Path, kept: Path) -> bool:
    """Whether the service, which has the key of the file alone, can open it."""
    keys_of(load(data=str(data), environment={"CHIME_MASTER_KEY": kept.read_text().strip()}))
    return True


def test_the_master_key_is_replaced_where_the_service_reads_it(installation: Path, tmp_path: Path, kept: Path,
                                                                chime: Chime) -> None:
    data, new = Path(shutil.copytree(installation, tmp_path / "data")), os.urandom(32)
    left, _, said = chime("keys", "rotate", "--master")
    assert left == 1 and f"cp -p {kept} {kept}.previous" in said and "CHIME_MASTER_KEY_PREVIOUS" not in said
    # As somebody does who knows the options: it would work until the next start.
    for words in (("--master",), ("--workspace", "Acme")):
        left, _, said = chime("keys", "rotate", *words, CHIME_MASTER_KEY=new, CHIME_MASTER_KEY_PREVIOUS=MASTER_KEY)
        assert left == 1 and str(kept) in said and "unset it" in said
    assert starts(data, kept), "nothing was done"
    shutil.copy(kept, f"{kept}.previous")
    kept.write_text(f"{written(new)}\n")
    left, _, said = chime("keys", "rotate", "--master")
    assert left == 0, said
    assert starts(data, kept)
    left, _, said = chime("keys", "rotate", "--master")
    assert left == 1 and "in use already" in said and f"{kept}.previous" in said
    Path(f"{kept}.previous").unlink()
    assert chime("keys", "rotate", "--workspace", "Acme")[0] == 0


def test_a_box_comes_back_on_a_fresh_package(installation: Path, tmp_path: Path, kept: Path, chime: Chime) -> None:
    data = Path(shutil.copytree(installation, tmp_path / "data"))
    assert chime("backup", "now")[0] == 0
    backups = tmp_path / "backups"
    (data / "backups").rename(backups)
    shutil.rmtree(data)
    data.mkdir(mode=0o700)
    for name in (".lock", "first-run"):
        (data / name).write_text("http://127.0.0.1/first-run")
    typed = tmp_path / "typed"
    typed.write_text(sheet(MASTER_KEY, data_dir=data, public_url="", at=0))
    whole = ("backup", "restore-box", "--from", str(backups), "--master-key-file", str(typed))
    kept.write_text(written(os.urandom(32)))
    left, _, said = chime(*whole)
    assert left == 1 and f"mv {kept} {kept}.unused" in said
    kept.rename(f"{kept}.unused")
    (data / "mine").touch()
    left, _, said = chime(*whole)
    assert left == 1 and "not empty" in said
    (data / "mine").unlink()
    with only_one(data):
        left, _, said = chime(*whole)
        assert left == 1 and "another Chime is running" in said
    left, found, said = chime(*whole)
    assert left == 0 and found["ok"], said
    beside = tmp_path / "data.master-key"
    assert f"install -m 600 {beside} {kept}" in said
    shutil.move(beside, kept)
    assert starts(data, kept) and not (data / "first-run").exists()
