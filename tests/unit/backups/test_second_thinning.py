"""What goes in the second place goes for a reason that the first one shows: never because the first was lost."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from chime.backups.levels import KEPT
from chime.backups.second_place import copy_to_second
from chime.backups.second_thinning import ERASED_WAIT
from chime.clock import DAY, HOUR

NOW = 1_800_000_000_000
OLD, NEW = f"{NOW - 50 * DAY:013d}-aaaa", f"{NOW - 30 * DAY:013d}-bbbb"


def piece(shelf: Path, owner: str, epoch: str, kind: str, first: int, last: int, at: int) -> Path:
    """A piece by its name; what is in it is nobody's business here."""
    file = "control.db" if owner == "control" else "workspace.db"
    path = shelf / owner / file / epoch / f"{kind}-{first:010d}-{last:010d}-{at}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(100))
    return path


def stored(shelf: Path, owner: str, name: str) -> Path:
    path = shelf / owner / "media" / name[-2:] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"sealed")
    return path


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name != ".given"}


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """A shelf that reaches back as far as one does, in its second place too."""
    first, second = tmp_path / "first", tmp_path / "second"
    second.mkdir()
    for owner in ("control", "acme", "globex"):
        piece(first, owner, OLD, "base", 10, 10, NOW - 50 * DAY)
        piece(first, owner, OLD, "day", 11, 20, NOW - 40 * DAY)
        piece(first, owner, NEW, "base", 0, 0, NOW - 30 * DAY)
        for number in range(1, 4):
            piece(first, owner, NEW, "segment", number, number, NOW - 3 * DAY + number)
    stored(first, "acme", "file01")
    copy_to_second(first, str(second), now=NOW)
    assert tree(second) == tree(first)
    return first, second


def test_a_first_place_that_is_new_takes_nothing_away(places: tuple[Path, Path]) -> None:
    first, second = places
    before = tree(second)
    shutil.rmtree(first)
    for hours in (0, 1, 24, 20 * 24):
        for owner in ("control", "acme"):
            piece(first, owner, f"{NOW:013d}-cccc", "base", hours, hours, NOW + hours * HOUR)
        copy_to_second(first, str(second), now=NOW + hours * HOUR)
        left = before - tree(second)
        assert all(OLD in name for name in left), "the oldest moment that is kept can still be had"
        assert not left or hours == 20 * 24
    assert {name for name in before if NEW in name} <= tree(second)
    assert "acme/media/01/file01" in tree(second)


def test_an_empty_folder_in_its_place_takes_nothing_away(places: tuple[Path, Path]) -> None:
    first, second = places
    before = tree(second)
    shutil.rmtree(first)
    first.mkdir()
    copy_to_second(first, str(second), now=NOW + KEPT)
    assert tree(second) == before


def test_what_a_longer_piece_stands_for_goes(places: tuple[Path, Path]) -> None:
    first, second = places
    segments = sorted(path.name for path in (first / "acme/workspace.db" / NEW).glob("segment-*"))
    piece(first, "acme", NEW, "hour", 1, 2, NOW - 3 * DAY + 2)
    for name in segments:
        (first / "acme/workspace.db" / NEW / name).unlink()
    copy_to_second(first, str(second), now=NOW)
    left = {path.name for path in (second / "acme/workspace.db" / NEW).glob("segment-*")}
    assert left == {segments[2]}, "nothing in the first place stands for the last one: it was lost there"


def test_bases_go_when_an_older_one_is_there(places: tuple[Path, Path]) -> None:
    first, second = places
    extra = piece(first, "acme", NEW, "base", 2, 2, NOW - 2 * DAY)
    copy_to_second(first, str(second), now=NOW)
    extra.unlink()
    copy_to_second(first, str(second), now=NOW)
    assert tree(second) == tree(first)


def test_what_is_older_than_everything_that_is_kept_goes_by_its_age(places: tuple[Path, Path]) -> None:
    first, second = places
    shutil.rmtree(first / "acme/workspace.db" / OLD)
    copy_to_second(first, str(second), now=NOW)
    assert len([name for name in tree(second) if name.startswith("acme") and OLD in name]) == 2
    copy_to_second(first, str(second), now=NOW + 6 * DAY)
    assert tree(second) == tree(first) and not (second / "acme/workspace.db" / OLD).exists()


def test_stored_files_go_where_the_first_place_reaches_back_far_enough(places: tuple[Path, Path]) -> None:
    first, second = places
    (first / "acme/media/01/file01").unlink()
    copy_to_second(first, str(second), now=NOW)
    assert tree(second) == tree(first)


def test_an_erased_owner_goes_after_a_week(places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = places
    for owner in ("control", "globex"):
        os.utime(second / owner / ".given", (NOW / 1000, NOW / 1000))
    shutil.rmtree(first / "globex")
    copy_to_second(first, str(second), now=NOW + ERASED_WAIT - HOUR)
    assert (second / "globex").exists(), "who lost a folder has some days to notice"
    away = first.with_name("away")
    first.rename(away)
    piece(first, "control", f"{NOW:013d}-cccc", "base", 0, 0, NOW)
    copy_to_second(first, str(second), now=NOW + 2 * ERASED_WAIT)
    assert (second / "globex").exists(), "another shelf knows nothing of it"
    shutil.rmtree(first)
    away.rename(first)
    os.utime(second / "globex" / ".given", (NOW / 1000, NOW / 1000))
    copy_to_second(first, str(second), now=NOW + ERASED_WAIT + HOUR)
    assert not (second / "globex").exists() and (second / "acme").exists()
