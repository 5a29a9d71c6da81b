"""The queue's file may break at any time: it is made anew on the spot, what was lost is swept, and the minute's sweep
asks nobody whether there is a file.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chime.jobs import Queue
from chime.jobs import queue as made_of
from tests.support.queue_damage import IN_SERVICE, drop_tables

# Deleted, it is still open and goes on working without a name.
NOTICED = sorted(IN_SERVICE.keys() - {"deleted"})


class Heard:
    """A queue, and what it rang."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "queue.db"
        self.rung: list[str] = []
        self.sweeps: list[bool] = []
        self.queue = Queue(folder, lambda _, __, object_id: self.rung.append(object_id), self._sweep)

    def _sweep(self, *, everywhere: bool = False) -> None:
        self.sweeps.append(everywhere)

    def until(self, true: Callable[[], bool], seconds: float = 10.0) -> None:
        late = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < late, (self.rung, self.sweeps)
            time.sleep(0.01)


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[Heard]:
    found = Heard(tmp_path)
    found.queue.start()
    yield found
    found.queue.stop()


@pytest.mark.parametrize("how", sorted(IN_SERVICE))
def test_it_rings_whatever_was_done_to_its_file(heard: Heard, how: str) -> None:
    heard.queue.nudge("w", "kind", "before")
    heard.until(lambda: heard.rung == ["before"])
    IN_SERVICE[how](heard.path)
    heard.queue.nudge("w", "kind", "later", delay=0.3)
    heard.queue.nudge("w", "kind", "now")
    assert heard.queue.ready()
    heard.until(lambda: set(heard.rung) == {"before", "now", "later"})
    assert heard.queue.ready() and heard.queue.waiting() == 0


@pytest.mark.parametrize("how", NOTICED)
def test_a_broken_file_is_made_anew_once_and_everything_is_swept(
    heard: Heard, how: str, caplog: pytest.LogCaptureFixture,
) -> None:
    heard.queue.nudge("w", "kind", "lost", delay=3600)
    IN_SERVICE[how](heard.path)
    heard.until(lambda: heard.sweeps == [True])  # nobody asks anything of it but its own threads
    time.sleep(1.2)
    assert heard.sweeps == [True] and heard.queue.ready()
    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.getMessage() for record in told] == ["queue.made_anew"], "one line, and none of Huey's"
    assert set(told[0].__dict__["fields"]) == {"error", "at"}, "of what was in it nothing"
    assert heard.path.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(heard.path)) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_file_that_somebody_holds_is_not_broken(heard: Heard) -> None:
    heard.queue._huey.storage._timeout = 0.1  # of the next connection
    heard.queue._huey.storage.close()
    number = heard.path.stat().st_ino
    with closing(sqlite3.connect(heard.path, isolation_level=None)) as file:
        file.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError):
            heard.queue.nudge("w", "kind", "one")
    assert heard.path.stat().st_ino == number and heard.sweeps == []


def test_where_no_file_can_be_made_it_is_told_once_and_tried_again(
    heard: Heard, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(_: Path, __: int = 0) -> None:
        raise OSError("not now")

    monkeypatch.setattr(made_of, "APART", 0.0)
    with monkeypatch.context() as disk:
        disk.setattr(Path, "touch", refused)
        drop_tables(heard.path)
        heard.until(lambda: not heard.queue.ready())
        time.sleep(0.5)
        assert heard.sweeps == [] and not heard.queue.ready()
    heard.until(heard.queue.ready)
    heard.until(lambda: heard.sweeps == [True])
    ours = [record.getMessage() for record in caplog.records if record.name == "chime.queue"]
    assert ours == ["queue.not_made_anew", "queue.made_anew"]


def test_what_breaks_again_at_once_is_left_alone_for_a_while(
    heard: Heard, monkeypatch: pytest.MonkeyPatch,
) -> None:
    for expected in (True, False):
        drop_tables(heard.path)
        assert heard.queue.ready() is expected
    monkeypatch.setattr(made_of, "APART", 0.0)
    assert heard.queue.ready() and heard.sweeps.count(True) >= 2


@pytest.mark.parametrize("trouble", ["none", "broken for good", "no consumer"])
async def test_the_sweep_comes_each_minute_whatever_the_file_is_like(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str,
) -> None:
    monkeypatch.setattr(made_of, "SWEEP_EVERY", 0.05)
    heard = Heard(tmp_path)
    if trouble == "broken for good":
        monkeypatch.setattr(made_of, "APART", 1e9)
        drop_tables(heard.path)
        assert not heard.queue.ready()
    if trouble != "no consumer":
        heard.queue.start()
    watching = asyncio.create_task(heard.queue.watch())
    await asyncio.sleep(0.5)
    assert heard.sweeps.count(False) >= 3
    if trouble != "no consumer":
        await asyncio.to_thread(heard.queue.stop)
        count = len(heard.sweeps)
        await asyncio.wait_for(watching, 5)
        assert len(heard.sweeps) <= count + 1, "after the stop there is nothing to sweep for"
    watching.cancel()
