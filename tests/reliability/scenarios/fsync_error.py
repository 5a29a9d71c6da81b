"""A flush fails, and the system forgets that the pages were never saved: no 200 for what was in it, then or later.

One round is a recording in which flushes fail now and then, for moments, with kills in between; and power cuts in it.
After a flush that failed the pages look saved to whoever reads them and are not: a server that trusts them loses what
it acknowledges afterwards. Every image must hold all that was acknowledged before its cut (see `power-cut`).
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter

from tests.reliability.appliance import Appliance
from tests.reliability.images import Judge
from tests.reliability.recording import BODIES, RATE, Recorder
from tests.reliability.scenario import Options, Outcome, Watch
from tests.reliability.scenarios.power_cut import cut
from tests.support.faulty_disk import FaultyDisk

SHORT, NIGHTLY, RELEASE = 3, 500, 5_000
CUTS = 250
MOST_FAULTS = 10


async def run(options: Options) -> Outcome:
    watch, luck = Watch("fsync-error", options), options.luck()
    recorder = Recorder(options.folder, luck)
    found: Counter[str] = Counter()
    for number in range(options.rounds):
        recording = await recorder.record(Trouble(luck).disturb)
        found["flushes_failed"] += sum(1 for change in recording.log if change.kind == "F")
        found["acknowledged"] += sum(1 for change in recording.log if change.kind == "M")
        with Judge(recorder.installed, recording.deliveries) as judge:
            faults = cut(recording, judge, CUTS, luck)
            found.update(judge.verdicts)
        watch.faults += [f"round {number}: {fault}" for fault in faults]
        if len(watch.faults) >= MOST_FAULTS:
            break
    watch.expect(bool(found["flushes_failed"]), "no flush failed")
    watch.faults = watch.faults[:MOST_FAULTS]
    watch.figures |= dict(found) | {"cuts": CUTS * options.rounds}
    return watch.outcome()


class Trouble:
    """Moments in which flushes fail; some end with the process."""

    def __init__(self, luck: random.Random) -> None:
        self._luck = luck

    async def disturb(self, appliance: Appliance, disk: FaultyDisk) -> None:
        for _ in range(self._luck.randint(1, 4)):
            await asyncio.sleep(self._luck.uniform(0, BODIES / RATE / 4))
            disk.switch(fsync_fails=True)
            await asyncio.sleep(self._luck.choice((0.005, 0.05, 0.3)))
            killed = self._luck.random() < 0.4
            if killed and self._luck.random() < 0.5:
                await appliance.kill()
            disk.switch()
            if killed:
                await appliance.kill()
                await appliance.start()
