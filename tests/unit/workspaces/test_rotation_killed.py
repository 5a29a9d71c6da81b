"""CRY-5: a rotation that is killed at any moment leaves every secret readable, and ends when it is gone on with."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chime.clock import Clock
from chime.ids import Ids
from chime.security.crypto import master_key_id
from chime.workspaces.control_key import wrapped_for
from chime.workspaces.rotation import Rotator
from tests.support import keys as made
from tests.support.keys import everything_opens, old_anywhere, opened
from tests.support.rotating import KINDS, masters

LONGEST = 0.35


def killed(data_dir: Path, kind: str, luck: random.Random) -> None:
    """Have a process rotate and kill it at some moment."""
    process = subprocess.Popen([sys.executable, "-P", "-m", "tests.support.rotating", str(data_dir), kind],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=os.environ | {"PYTHONPATH": "."})
    assert process.stdout is not None and process.stderr is not None
    try:
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        time.sleep(luck.uniform(0, LONGEST))
        assert process.poll() is None, process.stderr.read()
    finally:
        process.kill()
        process.communicate()


async def _check(data_dir: Path) -> int:
    """Everything opens as it lies there; gone on with, nothing old is left. How much was old."""
    keys = masters(data_dir, turn=False)
    async with opened(data_dir, *keys) as (control, registry):
        await everything_opens(control, registry)
        moving = await old_anywhere(control, registry)
        assert await Rotator(control, registry, Clock(), Ids()).step()
        await everything_opens(control, registry)
        assert not await old_anywhere(control, registry)
    assert wrapped_for(data_dir) == (master_key_id(keys[0]),)
    async with opened(data_dir, keys[0]) as (control, registry):
        await everything_opens(control, registry)
    assert not made.left_over(data_dir)
    return moving


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rounds", [5, pytest.param(1_000, marks=[pytest.mark.nightly, pytest.mark.timeout(7200)])])
async def test_a_rotation_killed_anywhere(tmp_path: Path, kind: str, rounds: int) -> None:
    data_dir, luck = tmp_path / "data", random.Random(f"{kind} {rounds}")
    await made.make(data_dir, names=("Acme",))
    under_way = 0
    for _ in range(rounds):
        killed(data_dir, kind, luck)
        under_way += bool(await _check(data_dir))
    if rounds > 100:
        assert under_way > rounds // 20, "the kills came at moments when nothing was going on"
