"""The power cuts bite: with less flushing than Chime's they find what is lost. A stored file is as safe as a row."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.reliability.appliance import ROOT
from tests.reliability.images import Judge
from tests.reliability.power import Disk
from tests.reliability.recording import Recorder
from tests.reliability.scenarios.power_cut import cut
from tests.support.faulty_disk import FaultyDisk, changes, mark
from tests.support.processes import environment

CUTS = 150


async def _verdicts(folder: Path, synchronous: str) -> Counter[str]:
    luck = random.Random(4)
    recorder = Recorder(folder, luck, {"POWER_SYNCHRONOUS": synchronous})
    recording = await recorder.record()
    with Judge(recorder.installed, recording.deliveries) as judge:
        cut(recording, judge, CUTS, luck)
        return judge.verdicts


@pytest.mark.parametrize(("synchronous", "verdict"), [("NORMAL", "lost"), ("OFF", "corrupt")])
async def test_a_weaker_flush_is_found_out(tmp_path: Path, synchronous: str, verdict: str) -> None:
    found = await _verdicts(tmp_path, synchronous)
    assert found[verdict] > CUTS / 10, found


def test_half_a_line_of_a_killed_process_hides_nothing(tmp_path: Path) -> None:
    """A kill ends even a single write in the middle, and who comes after writes on behind it."""
    lines = []
    for name in ("before", "killed", "after", "later"):
        with (tmp_path / name).open("ab") as log:
            mark(log, f"workspaces/{name}.db", name.encode() * 9)
        lines.append((tmp_path / name).read_bytes())
    for length in range(len(lines[1])):
        (tmp_path / "log").write_bytes(lines[0] + lines[1][:length] + lines[2] + lines[3])
        told = [change.data for change in changes(tmp_path / "log")]
        assert told == [b"before" * 9, b"after" * 9, b"later" * 9], length
    (tmp_path / "log").write_bytes(b"".join(lines))
    assert len(list(changes(tmp_path / "log"))) == 4


ONE = "import sys; from pathlib import Path; Path(sys.argv[1]).write_bytes(b'there')"


def test_a_file_that_is_told_of_and_not_made_confuses_nobody(tmp_path: Path) -> None:
    """It is told first, so that after a kill in between the next process does not write to what was never heard of."""
    folder = tmp_path / "data"
    folder.mkdir()
    disk = FaultyDisk(folder, log=tmp_path / "log")
    for name, made in (("missing/state", 1), ("state", 0)):
        assert subprocess.run([sys.executable, "-c", ONE, str(folder / name)], stderr=subprocess.DEVNULL,
                              env=environment(disk.environment)).returncode == made
    told = list(changes(tmp_path / "log"))
    assert [change.kind + change.path for change in told] == ["Cmissing/state", "Dmissing/state", "Cstate", "Wstate"]
    played = Disk({}, random.Random(2))
    killed_between = [told[2], told[2], told[3]]
    played.play([*told[:2], *killed_between])
    assert {"state": b"there"} in [played.survivors() for _ in range(50)]


STORE = """
import asyncio, sys
from pathlib import Path
from chime.security.versions import KeyVersions
from chime.workspaces import Space, StoredFiles

async def content(size):
    yield bytes(size)

async def store(folder):
    files = StoredFiles(folder / "media", KeyVersions({1: bytes(32)}, 1), "workspace", Space(folder, 0))
    for size in (0, 10, 200_000):
        await files.write(f"a-file-of-{size:06d}-bytes-aa", content(size))

asyncio.run(store(Path(sys.argv[1])))
"""


def test_a_stored_file_outlives_the_power(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "media").mkdir(parents=True)
    disk = FaultyDisk(folder, log=tmp_path / "log")
    subprocess.run([sys.executable, "-c", STORE, str(folder)], cwd=ROOT, check=True,
                   env=environment({**disk.environment, "PYTHONPATH": str(ROOT)}))
    stored = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*aa") if path.is_file()}
    assert len(stored) == 3
    played = Disk({}, random.Random(1))
    played.play(changes(tmp_path / "log"))
    for _ in range(50):
        assert played.survivors() == stored
