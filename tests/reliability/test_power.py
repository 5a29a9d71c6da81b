"""The power cuts bite: with less flushing than Chime's they find what is lost."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from tests.reliability.images import Judge
from tests.reliability.recording import Recorder
from tests.reliability.scenarios.power_cut import cut

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
