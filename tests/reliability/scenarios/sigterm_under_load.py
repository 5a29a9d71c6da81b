"""SIGTERM while webhooks arrive, messages leave and streams are open: exit 0 in time, nothing lost, nothing twice.

One round is one stop. Some answers of Meta take longer than a stop may take; some streams have stopped reading.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import Iterator

from tests.reliability.appliance import Appliance
from tests.reliability.checker import not_in_effect, opened, unaccounted, unsound, until_applied
from tests.reliability.meta import Meta, Mood, accept, reply_lost
from tests.reliability.outbox import SETTLED, Echoes, Outbox, out_of_order, statuses_of_sends, twice, wrong_states
from tests.reliability.scenario import Options, Outcome, Watch, percentile
from tests.reliability.senders import Delivery, Sender
from tests.reliability.streams import Streams, signed_in
from tests.reliability.traffic import Effects, Traffic

SHORT, NIGHTLY, RELEASE = 2, 200, 2_000
RATE = 200
SERVED = (0.2, 1.2)
A_ROUND = 60
QUEUE_EVERY = 10
ENDS_IN = 20.0
DRAINS_IN = 120


async def run(options: Options) -> Outcome:
    watch, luck = Watch("sigterm-under-load", options), options.luck()
    async with Meta() as meta, Appliance.install(
            options.folder, workspaces=("Acme", "Globex"), graph_url=meta.url) as appliance:
        traffic, sender = Traffic(appliance.numbers, luck), Sender(appliance.port, appliance.webhook_path, luck)
        outbox, echoes = Outbox(appliance, luck), Echoes(appliance, sender, luck)
        meta.on_accepted = echoes.told
        posting = asyncio.create_task(sender.at_rate(_endless(traffic), RATE))
        try:
            await _stops(watch, options, luck, appliance, outbox, meta)
            meta.behave = lambda message_id: accept(luck.uniform(0.005, 0.06))
            await appliance.start()
            posting.cancel()
            await _comes_to_rest(watch, appliance, sender, outbox, echoes)
        finally:
            posting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await posting
            await sender.close()
        watch.faults += sender.unusual()
        await appliance.kill()
        _judge(watch, appliance, traffic, meta, outbox)
    return watch.outcome()


def _day(luck: random.Random, *, slow: bool) -> Mood:
    """Of a slow day some answers come half a minute later."""
    return Mood(luck, [(0.93, lambda dice: accept(dice.uniform(0.01, 0.3))),
                       (0.03 * slow, lambda dice: accept(30.0)), (0.02, lambda dice: reply_lost(accepted=True)),
                       (0.02, lambda dice: reply_lost(accepted=False))])


def _endless(traffic: Traffic) -> Iterator[Delivery]:
    return (traffic.delivery() for _ in itertools.count())


async def _stops(watch: Watch, options: Options, luck: random.Random, appliance: Appliance, outbox: Outbox,
                 meta: Meta) -> None:
    ends: list[float] = []
    cookie, goodbyes, readers = "", 0, 0
    for number in range(options.rounds):
        if number % QUEUE_EVERY == 0:
            outbox.queue(A_ROUND * min(QUEUE_EVERY, options.rounds - number))
        meta.behave = _day(luck, slow=number % 2 == 1)
        await appliance.start()
        cookie = cookie or await signed_in(appliance)
        streams = Streams()
        await streams.open(appliance, cookie, reading=20, stalled=10)
        await asyncio.sleep(luck.uniform(*SERVED))
        begun = time.monotonic()
        try:
            status = await appliance.stop(ENDS_IN)
            watch.expect(status == 0, f"round {number}: exit status {status}")
        except TimeoutError as late:
            watch.faults.append(f"round {number}: {late}")
            await appliance.kill()
        ends.append(time.monotonic() - begun)
        await asyncio.sleep(0)
        goodbyes, readers = goodbyes + streams.said_goodbye, readers + 20
        await streams.close()
        if watch.faults:
            break
    watch.expect("Traceback" not in appliance.log, f"the log holds a traceback: {appliance.log[-1500:]}")
    watch.figures |= {"ended_after_p50_seconds": round(percentile(ends, 0.5), 2), "streams_told": goodbyes,
                      "streams_that_read": readers, "ended_after_most_seconds": round(max(ends), 2)}


async def _comes_to_rest(watch: Watch, appliance: Appliance, sender: Sender, outbox: Outbox, echoes: Echoes) -> None:
    try:
        await sender.settled()
        await outbox.drained(DRAINS_IN)
        await echoes.settled(60)
        await until_applied(appliance)
    except TimeoutError as late:
        watch.faults.append(f"it did not come to rest: {late}")


def _judge(watch: Watch, appliance: Appliance, traffic: Traffic, meta: Meta, outbox: Outbox) -> None:
    ours = {entry.wamid for entry in meta.accepted}
    with opened(appliance) as files:
        watch.faults += unsound(files) + unaccounted(files) + twice(meta.ledger)
        watch.faults += wrong_states(files, meta.ledger, outbox.queued) + out_of_order(files, meta.ledger)
        for index, file in enumerate(files.workspaces):
            expected = Effects(fact for fact in traffic.facts if fact.number == index)
            expected.events += statuses_of_sends(file)
            watch.faults += not_in_effect(file, expected, f"workspace {index}")
        settled = sum(status in SETTLED for file in files.workspaces for (status,) in
                      file.execute("SELECT status FROM message WHERE origin = 'api'"))
    watch.figures |= {"facts": len(traffic.facts), "posts": len(meta.ledger), "taken": len(ours),
                      "taken_and_settled": settled}
