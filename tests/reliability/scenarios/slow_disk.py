"""Every flush takes half a second to five: webhooks wait and nothing else does, and what waits can be seen.

One round is one speed of the disk. The event loop never stands still for a tenth of a second, an acknowledgement takes
two flushes and not more, and all that was taken is in effect once the disk is itself again.
"""

from __future__ import annotations

import asyncio

from tests.reliability.disks import RECOVERS_IN, Office, office, until_ready
from tests.reliability.heartbeat import Heartbeat
from tests.reliability.scenario import Options, Outcome, Watch, percentile
from tests.reliability.visitor import Visitor

SHORT, NIGHTLY, RELEASE = 1, 20, 100
SLOWEST = (0.5, 5.0)
LONGEST_STALL = 0.1
# Two flushes: the one that runs when a body comes, and its own. A checkpoint beside them has two more.
FLUSHES, SPARE = 4, 1.0


async def run(options: Options) -> Outcome:
    watch, luck = Watch("slow-disk", options), options.luck()
    speeds = [SLOWEST[0], *(luck.uniform(*SLOWEST) for _ in range(options.rounds - 1))]
    stalls: list[float] = []
    async with office(options, luck) as at:
        await at.appliance.start()
        async with at.traffic(), Visitor(at.appliance) as visitor:
            for number, flush in enumerate(speeds):
                faults, longest = await _slow(at, visitor, flush)
                stalls.append(longest)
                watch.faults += [f"round {number}, {flush:.2f} s: {fault}" for fault in faults]
        await at.nothing_lost(watch)
    watch.figures["longest_stall_ms"] = round(max(stalls) * 1000, 1)
    return watch.outcome()


async def _slow(at: Office, visitor: Visitor, flush: float) -> tuple[list[str], float]:
    """Faults, and the longest stall of the event loop in seconds."""
    before = len(at.sender.milliseconds)
    at.disk.switch(fsync_delay_ms=flush * 1000)
    with Heartbeat(at.appliance.port) as heartbeat:
        await asyncio.sleep(6 * flush)
        in_hand = await visitor.metric("chime_webhooks_in_hand")
        faults = await visitor.reads()
        await asyncio.sleep(2 * flush)
    at.disk.switch()
    faults += [] if in_hand else ["/metrics does not show that webhooks wait"]
    faults += ["/healthz ended its connection"] if heartbeat.failures else []
    if heartbeat.stalls[0] > LONGEST_STALL:
        longest = [round(stall * 1000) for stall in heartbeat.stalls[:5]]
        faults.append(f"the event loop stood still for {longest} ms")
    if not await until_ready(at.appliance, RECOVERS_IN):
        faults.append(f"not ready {RECOVERS_IN} s after the disk is itself again")
    took = percentile(at.sender.milliseconds[before:], 0.99) / 1000
    if took > FLUSHES * flush + SPARE:
        faults.append(f"an acknowledgement took {took:.1f} s")
    return faults, heartbeat.stalls[0]
