"""The disk fills while webhooks arrive and messages leave: refused before it is full, and out of it without help.

One round fills the disk once, to the reserve by what is stored or wholly at a stroke by somebody else, and makes room.
Nothing is lost or sent twice; reading, signing in and deleting go on; with room again all is well within 30 seconds.
"""

from __future__ import annotations

import time
from pathlib import Path

from tests.reliability.disks import RECOVERS_IN, Office, office, until, until_ready
from tests.reliability.scenario import Options, Outcome, Watch
from tests.reliability.visitor import Visitor

SHORT, NIGHTLY, RELEASE = 2, 200, 2_000
MEGABYTE = 1024 * 1024
RESERVE = 64 * MEGABYTE  # a quarter of what an installation keeps by itself
PLENTY = 400 * MEGABYTE
BALLAST = 16 * MEGABYTE
NOTICES_IN = 5.0
WORDS = "disk is nearly full"


async def run(options: Options) -> Outcome:
    watch, luck = Watch("disk-full", options), options.luck()
    recovered: list[float] = []
    async with office(options, luck, {"CHIME_DISK_RESERVE_MB": str(RESERVE // MEGABYTE)}) as at:
        at.disk.switch(full_after_bytes=PLENTY)
        await at.appliance.start()
        async with at.traffic(), Visitor(at.appliance) as visitor:
            for number in range(options.rounds):
                faults = await _fill(at, visitor, slowly=number % 2 == 0)
                begun = time.monotonic()
                faults += await _room_again(at)
                recovered.append(time.monotonic() - begun)
                watch.faults += [f"round {number}: {fault}" for fault in faults]
                if watch.faults:
                    break
            watch.expect(not await visitor.signs_in(words="Inbox"), "nobody can sign in afterwards")
        await at.nothing_lost(watch)
    watch.figures["recovered_in_seconds"] = round(max(recovered), 1)
    return watch.outcome()


async def _fill(at: Office, visitor: Visitor, *, slowly: bool) -> list[str]:
    await visitor.prepare(1)
    ballast = at.appliance.data_dir / "ballast"
    if not await until(lambda: _allocated(ballast) >= BALLAST, NOTICES_IN):
        return ["there is no ballast"]
    faults = []
    if slowly:
        at.disk.switch(full_after_bytes=RESERVE + at.luck.randrange(MEGABYTE))
        if not await until_ready(at.appliance, 60.0, ready=False):
            return ["it goes on taking webhooks below its reserve"]
        left = at.disk.free_bytes or 0
        faults += [f"only {left} bytes were left when it began to refuse"] if left < RESERVE // 2 else []
    else:
        at.disk.switch(full_after_bytes=at.luck.choice((0, at.luck.randrange(MEGABYTE))))
        faults += await visitor.reads(recorded=False)
        if not await until(lambda: not ballast.exists(), NOTICES_IN):
            return [*faults, "the ballast is kept on a full disk"]
    return faults + await visitor.refused() + await _goes_on(visitor)


async def _goes_on(visitor: Visitor) -> list[str]:
    """What a full disk does not stop."""
    faults = await visitor.reads(recorded=False) + await visitor.deletes() + await visitor.signs_in(words=WORDS)
    return faults if await visitor.metric("chime_disk_nearly_full") == 1 else [*faults, "/metrics does not tell"]


async def _room_again(at: Office) -> list[str]:
    at.disk.switch(full_after_bytes=PLENTY)
    if not await until_ready(at.appliance, RECOVERS_IN):
        return [f"not ready {RECOVERS_IN} s after there was room again"]
    ballast = at.appliance.data_dir / "ballast"
    return [] if await until(lambda: _allocated(ballast) >= BALLAST, RECOVERS_IN) else ["there is no ballast any more"]


def _allocated(path: Path) -> int:
    try:
        return path.stat().st_blocks * 512
    except FileNotFoundError:
        return 0
