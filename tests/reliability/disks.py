"""What the scenarios of ill disks share: an appliance with traffic, sends and a Meta, and the judgement at the end."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

from tests.reliability.appliance import Appliance
from tests.reliability.checker import opened, unaccounted, unsound, until_applied
from tests.reliability.meta import Meta, accept
from tests.reliability.outbox import Echoes, Outbox, twice, wrong_states
from tests.reliability.scenario import Options, Watch
from tests.reliability.senders import Delivery, Sender
from tests.reliability.traffic import Traffic
from tests.support.faulty_disk import FaultyDisk

# So slow that messages are on their way whenever something happens to the disk.
RATE, SENDS, LONGEST_ANSWER = 150, 60, 3.0
RECOVERS_IN = 30.0
# Meta does not wait for one answer before it posts the next body.
CONNECTIONS = 2_000


class Office:
    """A running appliance at work."""

    def __init__(self, appliance: Appliance, disk: FaultyDisk, luck: random.Random, meta: Meta, sends: int) -> None:
        self.appliance = appliance
        self.disk = disk
        self.luck = luck
        self.meta = meta
        self.sender = Sender(appliance.port, appliance.webhook_path, luck, connections=CONNECTIONS)
        self.echoes = Echoes(appliance, self.sender, luck)
        self.outbox = Outbox(appliance, luck, conversations=SENDS)
        self.outbox.queue(sends)
        meta.on_accepted = self.echoes.told

    @asynccontextmanager
    async def traffic(self) -> AsyncIterator[None]:
        """Meta posts all the while."""
        posting = asyncio.create_task(
            self.sender.at_rate(_endless(Traffic(self.appliance.numbers, self.luck)), RATE))
        try:
            yield
        finally:
            posting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await posting

    async def nothing_lost(self, watch: Watch) -> None:
        """Everything comes to rest, is in effect once, and nothing left twice."""
        try:
            await self.sender.settled()
            await self.outbox.drained(4 * SENDS)
            await self.echoes.settled(RECOVERS_IN)
            watch.figures["in_effect_after_seconds"] = round(await until_applied(self.appliance), 1)
        except TimeoutError as late:
            watch.faults.append(f"it does not come to rest: {late}")
        watch.faults += self.sender.unusual() + twice(self.meta.ledger)
        await self.appliance.kill()
        await self.sender.close()
        with opened(self.appliance) as files:
            watch.faults += (unsound(files) + unaccounted(files)
                             + wrong_states(files, self.meta.ledger, self.outbox.queued))
        watch.figures |= {"acknowledged": len(self.sender.acknowledged), "posts_answered_503": self.sender.answers[503],
                          "messages_posted": len(self.meta.ledger)}


@asynccontextmanager
async def office(options: Options, luck: random.Random, environment: dict[str, str] | None = None,
                 ) -> AsyncIterator[Office]:
    """Installed, not started."""
    disk = FaultyDisk(options.folder / "data")
    async with AsyncExitStack() as stack:
        meta = await stack.enter_async_context(Meta(lambda message_id: accept(luck.uniform(0, LONGEST_ANSWER))))
        appliance = await stack.enter_async_context(Appliance.install(
            options.folder, graph_url=meta.url, environment={**disk.environment, **(environment or {})}))
        yield Office(appliance, disk, luck, meta, SENDS * options.rounds)


def _endless(traffic: Traffic) -> Iterator[Delivery]:
    while True:
        yield traffic.delivery()


async def until(true: Callable[[], bool], seconds: float) -> bool:
    """Whether it becomes true in time."""
    try:
        async with asyncio.timeout(seconds):
            while not true():
                await asyncio.sleep(0.05)
    except TimeoutError:
        return False
    return True


async def until_ready(appliance: Appliance, seconds: float, *, ready: bool = True) -> bool:
    """Whether /readyz says 200 (or no longer) in time."""
    try:
        async with asyncio.timeout(seconds):
            while await appliance.is_ready() != ready:
                await asyncio.sleep(0.05)
    except TimeoutError:
        return False
    return True
