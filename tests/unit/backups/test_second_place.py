"""The second place gets what the first has, and whatever it does wrong is said and hurts nothing here."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from chime.backups import second_place
from chime.backups.pieces import BackupRefused
from chime.backups.second_place import copy_to_second


def _shelf(folder: Path) -> Path:
    shelf = folder / "shelf"
    for place in ("acme/workspace.db/epoch/base-1", "acme/workspace.db/epoch/segment-2", "acme/media/aa/file"):
        (shelf / place).parent.mkdir(parents=True, exist_ok=True)
        (shelf / place).write_bytes(os.urandom(5_000))
    (shelf / "acme/workspace.db/epoch/segment-3.partial").write_bytes(b"half")
    (shelf / ".writer").touch()
    return shelf


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _whole(shelf: Path) -> dict[str, bytes]:
    return {name: content for name, content in _tree(shelf).items()
            if not name.endswith(".partial") and not name.startswith(".")}


def test_it_gets_what_is_new(tmp_path: Path) -> None:
    shelf, second = _shelf(tmp_path), tmp_path / "second"
    second.mkdir()
    (second / "of somebody else").write_text("stays")
    assert copy_to_second(shelf, str(second)) == 3
    assert copy_to_second(shelf, str(second)) == 0
    (shelf / "acme/workspace.db/epoch/segment-4").write_bytes(b"new")
    assert copy_to_second(shelf, str(second)) == 1
    assert _tree(second) == {**_whole(shelf), "of somebody else": b"stays"}


def test_a_place_that_is_away_is_said(tmp_path: Path) -> None:
    with pytest.raises(BackupRefused, match="not there"):
        copy_to_second(_shelf(tmp_path), str(tmp_path / "not mounted"))


def test_a_place_inside_the_first_is_none(tmp_path: Path) -> None:
    shelf = _shelf(tmp_path)
    with pytest.raises(BackupRefused, match="inside"):
        copy_to_second(shelf, str(shelf / "acme"))


def test_a_place_that_is_full_is_said_and_goes_on_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf, second = _shelf(tmp_path), tmp_path / "second"
    second.mkdir()
    before = _tree(shelf)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(second_place.os, "fsync", full)
    with pytest.raises(BackupRefused, match="No space left"):
        copy_to_second(shelf, str(second))
    monkeypatch.undo()
    assert _tree(second) == {}, "nothing half is left there"
    assert copy_to_second(shelf, str(second)) == 3
    assert _tree(shelf) == before


def test_a_place_that_cuts_off_silently_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf, second = _shelf(tmp_path), tmp_path / "second"
    second.mkdir()
    copystat = shutil.copystat

    def cuts(source: Path, target: Path) -> None:
        os.truncate(target, 100)
        copystat(source, target)

    monkeypatch.setattr(second_place.shutil, "copystat", cuts)
    with pytest.raises(BackupRefused, match="something else than it was given"):
        copy_to_second(shelf, str(second))
    monkeypatch.undo()
    assert copy_to_second(shelf, str(second)) == 3


def test_what_is_cut_off_later_is_copied_again(tmp_path: Path) -> None:
    shelf, second = _shelf(tmp_path), tmp_path / "second"
    second.mkdir()
    copy_to_second(shelf, str(second))
    os.truncate(second / "acme/workspace.db/epoch/base-1", 10)
    assert copy_to_second(shelf, str(second)) == 1
    assert _tree(second) == _whole(shelf)


def _rclone(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in that writes down how it was called."""
    called = folder / "called"
    program = folder / "bin" / "rclone"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> "{called}"\ncat > "{called}.$1"\n{script}\n')
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return called


def test_rclone_compares_what_was_there_when_it_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces come every few seconds while it copies, and what tells of them changes."""
    shelf = _shelf(tmp_path)
    (shelf / "acme/workspace.db/state.json").write_text("{}")
    called = _rclone(tmp_path, f'touch "{shelf}/acme/workspace.db/epoch/came-while-it-ran-$1"', monkeypatch)
    copy_to_second(shelf, "rclone:box:chime")
    pieces = ["acme/media/aa/file", "acme/workspace.db/epoch/base-1", "acme/workspace.db/epoch/segment-2"]
    assert (tmp_path / "called.check").read_text().splitlines() == pieces
    assert sorted((tmp_path / "called.copy").read_text().splitlines()) == [*pieces, "acme/workspace.db/state.json"]
    assert all("--files-from -" in line and "clude" not in line for line in called.read_text().splitlines())


def test_rclone_copies_and_then_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = _shelf(tmp_path)
    called = _rclone(tmp_path, "exit 0", monkeypatch)
    copy_to_second(shelf, "rclone:box:chime; rm -rf x")
    lines = called.read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["copy", "check"]
    assert all(line.endswith(f"{shelf} box:chime; rm -rf x") for line in lines), "one argument, no shell"


@pytest.mark.parametrize(("script", "words"), [
    ("exit 3", "exit status 3"),
    ('test "$1" = copy', "could not check"),
    ("sleep 30", "in time"),
])
def test_what_goes_wrong_with_rclone_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str,
                                             words: str) -> None:
    shelf = _shelf(tmp_path)
    _rclone(tmp_path, script.replace("sleep", "exec sleep"), monkeypatch)
    with pytest.raises(BackupRefused, match=words):
        copy_to_second(shelf, "rclone:box:chime", seconds=1.0)


def test_without_rclone_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = _shelf(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupRefused, match="not installed"):
        copy_to_second(shelf, "rclone:box:chime")
