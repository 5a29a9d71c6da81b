"""When there is room on the disk, and when not any more."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from chime.config import load
from chime.errors import StartRefused, Unavailable
from chime.workspaces import Space, space

RESERVE = 100 * space.MEGABYTE


class Disk:
    """What statvfs tells; takes effect at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = 10 * RESERVE
        self.looks = 0
        monkeypatch.setattr(space, "LOOK_EVERY", 0.01)
        monkeypatch.setattr(space, "LOOK_CLOSELY_EVERY", 0.01)
        monkeypatch.setattr(space.os, "statvfs", self._told)

    def _told(self, _: object) -> SimpleNamespace:
        self.looks += 1
        return SimpleNamespace(f_bavail=self.free // 4096, f_frsize=4096)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def _after(found: Space, disk: Disk, free: int) -> bool:
    disk.free = free
    found.look()
    return found.enough


def test_below_the_reserve_is_too_little_and_a_quarter_more_is_enough(tmp_path: Path, disk: Disk) -> None:
    found = Space(tmp_path, RESERVE)
    assert found.enough, "until the first look"
    assert _after(found, disk, RESERVE)
    assert not _after(found, disk, RESERVE - 4096)
    with pytest.raises(Unavailable, match="disk is nearly full"):
        found.need()
    assert not _after(found, disk, RESERVE), "or it would flicker"
    assert not _after(found, disk, RESERVE * 5 // 4 - 4096)
    assert _after(found, disk, RESERVE * 5 // 4)
    found.need()
    assert found.free == RESERVE * 5 // 4


async def _watched(found: Space, disk: Disk, free: int) -> None:
    """Until it has looked three times, so that what it does after a look is done twice, however busy the machine."""
    disk.free, begun = free, disk.looks
    task = asyncio.create_task(found.watch())
    while disk.looks < begun + 3:
        assert not task.done(), "it looks for ever"
        await asyncio.sleep(0.01)
    task.cancel()


async def test_the_ballast_is_kept_dropped_and_made_again(tmp_path: Path, disk: Disk) -> None:
    found, ballast = Space(tmp_path, RESERVE), tmp_path / "ballast"
    await _watched(found, disk, 10 * RESERVE)
    assert ballast.stat().st_blocks * 512 >= space.BALLAST, "a file of holes would free nothing"
    assert ballast.stat().st_mode & 0o077 == 0
    await _watched(found, disk, RESERVE // 2)
    assert ballast.exists() and not found.enough, "the reserve is not used up yet"
    await _watched(found, disk, space.FULL - 4096)
    assert not ballast.exists()
    await _watched(found, disk, RESERVE)
    assert not ballast.exists(), "room is for people first"
    await _watched(found, disk, 10 * RESERVE)
    assert ballast.stat().st_size == space.BALLAST and found.enough


async def test_a_ballast_that_cannot_be_made_does_not_end_the_watch(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(*_: object) -> None:
        raise OSError(30, os.strerror(30))

    monkeypatch.setattr(space.os, "posix_fallocate", refused)
    found = Space(tmp_path, RESERVE)
    await _watched(found, disk, 10 * RESERVE)
    await _watched(found, disk, 0)
    assert not found.enough


@pytest.mark.parametrize("text", ["", "31", "-1", "1.5", "many", "²", "10000001", "9" * 40])
def test_the_reserve_is_a_number_of_megabytes(text: str) -> None:
    with pytest.raises(StartRefused, match="CHIME_DISK_RESERVE_MB"):
        load(environment={"CHIME_DISK_RESERVE_MB": text})
    assert load(environment={"CHIME_DISK_RESERVE_MB": "32"}).disk_reserve == 32 * space.MEGABYTE
