"""`kill -9` while 300 bodies a second arrive: every acknowledged event is in effect exactly once.

One round is one kill: start, serve for a random moment, kill. Meta posts on all the while, into the closed port too,
and repeats until it hears 200. Messages, edits, reactions, echoes and statuses of two workspaces share bodies, some
with those of a number that nobody has connected: these are parked in control.db, each body once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from tests.reliability.appliance import Appliance
from tests.reliability.checker import lost, not_in_effect, opened, unaccounted, unsound, until_applied
from tests.reliability.parked import STRANGER, Parked
from tests.reliability.scenario import Options, Outcome, Watch, percentile
from tests.reliability.senders import Delivery, Sender
from tests.reliability.traffic import Effects, Traffic

SHORT, NIGHTLY, RELEASE = 6, 1_000, 10_000
RATE = 300
CHECK_EVERY = 25
READY_IN = 3.0
# Seconds of service before a kill: some die with the first posts, some in the middle of applying a backlog.
SERVED = (0.02, 0.9)
# Seconds Meta has to hear 200 for everything, once the server stays up.
CATCHES_UP = 60


async def run(options: Options) -> Outcome:
    watch, luck = Watch("kill-ingest", options), options.luck()
    starts: list[float] = []
    checked = 0
    async with Appliance.install(options.folder, workspaces=("Acme", "Globex")) as appliance:
        traffic = Traffic(appliance.numbers, luck, strangers=[STRANGER])
        sender = Sender(appliance.port, appliance.webhook_path, luck)
        posting = asyncio.create_task(sender.at_rate(_endless(traffic), RATE))
        try:
            for number in range(1, options.rounds + 1):
                starts.append(await appliance.start())
                await asyncio.sleep(luck.uniform(*SERVED))
                if number % CHECK_EVERY == 0:
                    fresh, checked = sender.acknowledged[checked:], len(sender.acknowledged)
                    watch.faults += await _acknowledged_are_in_effect(appliance, fresh)
                await appliance.kill()
                if watch.faults:
                    break
            starts.append(await appliance.start())
            posting.cancel()
            await _all_in_effect(watch, appliance, sender, traffic)
        finally:
            posting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await posting
            await sender.close()
    watch.figures |= {
        "kills": len(starts) - 1, "bodies_acknowledged": len(sender.acknowledged), "facts": len(traffic.facts),
        "posts_without_an_answer": sender.answers[0], "posts_answered_503": sender.answers[503],
        "start_p50_seconds": round(percentile(starts, 0.5), 2), "start_p99_seconds": round(percentile(starts, 0.99), 2),
        "acknowledged_p50_ms": round(percentile(sender.milliseconds, 0.5), 1),
        "acknowledged_p99_ms": round(percentile(sender.milliseconds, 0.99), 1)}
    # A few starts on a machine that does other things too say nothing of the hundredth.
    if options.rounds >= NIGHTLY:
        watch.expect(percentile(starts, 0.99) <= READY_IN, f"one start in a hundred takes more than {READY_IN} s")
    return watch.outcome()


def _endless(traffic: Traffic) -> Iterator[Delivery]:
    while True:
        yield traffic.delivery()


async def _acknowledged_are_in_effect(appliance: Appliance, deliveries: list[Delivery]) -> list[str]:
    """While it runs and Meta posts on: what was acknowledged until now is in effect within a minute."""
    facts = {fact for delivery in deliveries for fact in delivery.tells}
    try:
        await until_applied(appliance)
    except TimeoutError as late:
        return [str(late)]
    with opened(appliance) as files:
        faults = [fault for index, file in enumerate(files.workspaces) for fault in lost(
            file, Effects(fact for fact in facts if fact.number == index), f"workspace {index}")]
        return faults + Parked(files.control, files.keys).lost(deliveries)


async def _all_in_effect(watch: Watch, appliance: Appliance, sender: Sender, traffic: Traffic) -> None:
    try:
        await sender.settled(CATCHES_UP)
        watch.figures["in_effect_after_seconds"] = round(await until_applied(appliance), 2)
    except TimeoutError as late:
        watch.faults.append(f"{sender.outstanding} bodies were never acknowledged: {late}")
    watch.faults += sender.unusual()
    await appliance.kill()
    with opened(appliance) as files:
        watch.faults += unsound(files) + unaccounted(files)
        for index, file in enumerate(files.workspaces):
            expected = Effects(fact for fact in traffic.facts if fact.number == index)
            watch.faults += not_in_effect(file, expected, f"workspace {index}")
        parked = Parked(files.control, files.keys)
        watch.faults += parked.lost(sender.acknowledged) + parked.wrong(sender.acknowledged)
        watch.figures["bodies_parked"] = parked.count
