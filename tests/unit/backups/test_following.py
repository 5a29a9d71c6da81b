"""What is committed reaches the shelf, whatever else happens to the file; and a checkpoint never loses any of it."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chime.backups.follower import Found
from chime.backups.levels import merge
from chime.backups.pieces import BackupRefused
from chime.db import DatabaseFile, Key, checkpoint, open_connection
from chime.db.rekey import change_key
from tests.unit.backups.one_file import KEY, PROOFS, OneFile, laid

ROOT = Path(__file__).parents[3]


async def test_each_step_ships_what_was_committed(tmp_path: Path) -> None:
    one = await OneFile.opened(tmp_path)
    for count in range(1, 6):
        await one.write()
        await one.ship()
        assert laid(one.place, tmp_path / "out.db") == count
    assert await one.ship() is Found.NOTHING
    assert [name.kind for name in one.place.names(one.place.epochs()[0])] == ["base", *["segment"] * 4]
    await one.file.close()


async def test_an_older_moment_is_as_it_was(tmp_path: Path) -> None:
    one = await OneFile.opened(tmp_path)
    for _ in range(4):
        await one.write()
        await one.ship()
    points = [name.time_to for name in one.place.names(one.place.epochs()[0])]
    assert [laid(one.place, tmp_path / "out.db", at) for at in points] == [1, 2, 3, 4]
    with pytest.raises(BackupRefused, match="no backup"):
        laid(one.place, tmp_path / "out.db", points[0] - 1)
    await one.file.close()


async def test_a_file_that_was_closed_in_order_is_gone_on_with(tmp_path: Path) -> None:
    for count in range(1, 4):
        one = await OneFile.opened(tmp_path)
        assert await one.ship() in (Found.NOTHING, Found.LOOK)
        await one.write()
        await one.file.close()  # ships the rest
        assert laid(one.place, tmp_path / "out.db") == count
    assert len(one.place.epochs()) == 1
    assert sum(name.kind == "base" for name in one.place.names(one.place.epochs()[0])) == 1


async def test_what_another_process_wrote_meanwhile_is_found_by_looking(tmp_path: Path) -> None:
    one = await OneFile.opened(tmp_path)
    for _ in range(60):
        await one.write(size=3_000)
    await one.ship()
    await one.file.close()
    connection = open_connection(one.file.path, KEY, writes=True)
    connection.execute("INSERT INTO line (text) VALUES (x'01')")
    connection.close()
    again = await OneFile.opened(tmp_path)
    assert await again.ship() is Found.LOOK
    assert laid(again.place, tmp_path / "out.db") == 61
    names = again.place.names(again.place.epochs()[0])
    assert len(again.place.epochs()) == 1 and [name.kind for name in names] == ["base", "segment"]
    assert names[-1].path.stat().st_size < 8 * 4_096, "only what differs is shipped"
    await again.file.close()


async def test_checkpoints_of_the_writers_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "ENOUGH", 30)
    one = await OneFile.opened(tmp_path)
    await one.ship()
    epochs = one.place.epochs()
    for count in range(1, 401):
        await one.write(size=2_000)
        if count % 90 == 0:
            await one.ship()
    await one.ship()
    assert laid(one.place, tmp_path / "out.db") == 400
    assert one.place.epochs() == epochs
    assert sum(name.kind == "base" for name in one.place.names(epochs[0])) == 1, "it was never lost sight of"
    await asyncio.to_thread(one.follower.checkpoint)
    await one.write()
    meter = open_connection(one.file.path, KEY, writes=True)
    assert meter.execute("PRAGMA wal_checkpoint(NOOP)").fetchone()[1] < 20, "the log begins anew"
    meter.close()
    await one.file.close()


async def test_another_process_that_checkpoints_takes_nothing_away(tmp_path: Path) -> None:
    one = await OneFile.opened(tmp_path)
    await one.write()
    await one.ship()
    other = open_connection(one.file.path, KEY, writes=True)
    for _ in range(20):
        await one.write(size=4_000)
        other.execute("PRAGMA wal_checkpoint(PASSIVE)")
    other.close()
    assert await one.ship() is Found.SHIPPED
    assert laid(one.place, tmp_path / "out.db") == 21
    await one.file.close()


async def test_emptying_the_log_goes_on_where_it_was(tmp_path: Path) -> None:
    one = await OneFile.opened(tmp_path)
    await one.write()
    await one.ship()
    await one.write()
    assert await one.file.empty_log()
    await one.write()
    assert await one.ship() is Found.SHIPPED
    assert laid(one.place, tmp_path / "out.db") == 3
    await one.file.close()


async def test_another_key_begins_another_epoch(tmp_path: Path) -> None:
    one = await OneFile.opened(tmp_path)
    for _ in range(20):
        await one.write(size=4_000)
    await one.ship()
    before = one.place.names(one.place.epochs()[0])[-1].time_to
    newer = Key(bytes(range(32, 64)))
    await change_key(one.file, newer)
    await one.write()
    assert await one.ship() is Found.LOOK
    assert len(one.place.epochs()) == 2
    assert laid(one.place, tmp_path / "out.db", before) == 20, "the older one opens with the older key"
    await one.file.close()


async def test_what_was_noted_is_not_believed_against_what_is_there(tmp_path: Path) -> None:
    """A kill between a piece and its note; a shelf that was put back from elsewhere."""
    one = await OneFile.opened(tmp_path)
    for _ in range(20):
        await one.write(size=4_000)
    await one.ship()
    state = one.place.folder / "state.json"
    first = state.read_bytes()
    await change_key(one.file, Key(bytes(range(32, 64))))
    await one.write()
    await one.ship()
    await one.file.close()
    newest = state.read_bytes()
    for noted in (first, b"", b"{}", newest):
        state.write_bytes(noted)
        again = OneFile(tmp_path, await DatabaseFile.open(one.file.path, Key(bytes(range(32, 64)))))
        await again.ship()
        await again.write()
        await again.ship()
        await again.file.close()
        assert again.place.followed().epoch == again.place.epochs()[-1]
        assert laid(again.place, tmp_path / "out.db", key=Key(bytes(range(32, 64)))) == await _count(again)
    pieces = again.place.names(again.place.epochs()[-1])
    pieces[-1].path.unlink()
    again = OneFile(tmp_path, await DatabaseFile.open(one.file.path, Key(bytes(range(32, 64)))))
    assert await again.ship() is Found.LOOK, "a piece is missing that was noted"
    await again.file.close()
    assert laid(again.place, tmp_path / "out.db", key=Key(bytes(range(32, 64)))) == await _count(again)


async def _count(one: OneFile) -> int:
    file = await DatabaseFile.open(one.file.path, Key(bytes(range(32, 64))))
    try:
        return int(await file.value("SELECT count(*) FROM line"))
    finally:
        await file.close()


async def test_a_long_read_only_delays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "ENOUGH", 20)
    one = await OneFile.opened(tmp_path)
    await one.write()
    await one.ship()
    reader = open_connection(one.file.path, KEY, writes=False)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM line").fetchone()
    for _ in range(80):
        await one.write(size=3_000)
    await one.ship()
    assert laid(one.place, tmp_path / "out.db") == 81
    reader.close()
    for _ in range(80):
        await one.write(size=3_000)
    await one.ship()
    assert laid(one.place, tmp_path / "out.db") == 161
    await one.file.close()


async def test_a_base_is_copied_while_writers_go_on(tmp_path: Path) -> None:
    one = await OneFile.opened(tmp_path)
    for _ in range(300):
        await one.write(size=9_000)
    await one.ship()
    stop = asyncio.Event()
    longest = 0.0

    async def writes() -> None:
        nonlocal longest
        while not stop.is_set():
            began = time.perf_counter()
            await one.write()
            longest = max(longest, time.perf_counter() - began)
            await asyncio.sleep(0.002)

    writing = asyncio.create_task(writes())
    for _ in range(5):
        await one.write()
        assert await asyncio.to_thread(one.follower.look, base=True)
    stop.set()
    await writing
    await one.ship()
    count = int(await one.file.value("SELECT count(*) FROM line"))
    assert laid(one.place, tmp_path / "out.db") == count
    epoch = one.place.epochs()[0]
    bases = [name for name in one.place.names(epoch) if name.kind == "base"]
    assert len(bases) == 6
    for base in bases:
        assert laid(one.place, tmp_path / "out.db", base.time_to) > 0
    assert merge(one.place, PROOFS, one.clock.real_now()) == 0, "this hour is not over"
    await one.file.close()


def _kill(folder: Path, seconds: float) -> int:
    """Run the process for so long, kill it; how many lines it said were on the shelf."""
    child = subprocess.Popen([sys.executable, "-m", "tests.unit.backups.one_file", str(folder)], cwd=ROOT,
                             stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child.stdout:
        first = child.stdout.readline()
        time.sleep(seconds)
        child.kill()
        said = [first, *child.stdout.read().split("\n")]
    child.wait()
    return max(int(line) for line in said if line.strip())


async def _rounds(folder: Path, rounds: int, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(rounds):
        promised = await asyncio.to_thread(_kill, folder, rng.random() * 0.6)
        one = await OneFile.opened(folder)
        points = [(epoch, name.time_to) for epoch in one.place.epochs() for name in one.place.names(epoch)]
        assert laid(one.place, folder / "out.db") >= promised, "something that was shipped is not there"
        for _, at in rng.sample(points, min(3, len(points))):
            laid(one.place, folder / "out.db", at)
        await one.file.close()


async def test_killed_at_any_moment_every_moment_on_the_shelf_is_whole(tmp_path: Path) -> None:
    await _rounds(tmp_path, 5, seed=3)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(100, 110))
async def test_killed_two_hundred_times(tmp_path: Path, seed: int) -> None:
    """Ten files, twenty rounds each."""
    await _rounds(tmp_path, 20, seed=seed)
