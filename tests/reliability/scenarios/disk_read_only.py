"""The disk turns read-only under a running server, as Linux does when it finds a fault: reads work, nothing is lost.

One round makes it read-only for a while and writable again. Whatever would be written is refused visibly, with no
part of it done; afterwards all goes on by itself.
"""

from __future__ import annotations

import asyncio

from tests.reliability.disks import RECOVERS_IN, office, until_ready
from tests.reliability.scenario import Options, Outcome, Watch
from tests.reliability.visitor import Visitor

SHORT, NIGHTLY, RELEASE = 1, 200, 2_000
NOTICES_IN = 5.0


async def run(options: Options) -> Outcome:
    watch, luck = Watch("disk-read-only", options), options.luck()
    async with office(options, luck) as at:
        await at.appliance.start()
        async with at.traffic(), Visitor(at.appliance) as visitor:
            for number in range(options.rounds):
                await asyncio.sleep(luck.uniform(0.2, 1.5))
                at.disk.switch(read_only=True)
                faults = await visitor.refused() + await visitor.reads(recorded=False)
                if not await until_ready(at.appliance, NOTICES_IN, ready=False):
                    faults.append("/readyz says that it is ready")
                at.disk.switch()
                if not await until_ready(at.appliance, RECOVERS_IN):
                    faults.append(f"not ready {RECOVERS_IN} s after the disk was writable again")
                watch.faults += [f"round {number}: {fault}" for fault in faults]
                if faults:
                    break
            watch.expect(not await visitor.signs_in(words="Inbox"), "nobody can sign in afterwards")
        await at.nothing_lost(watch)
    return watch.outcome()
