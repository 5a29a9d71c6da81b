"""A thousand browsers listen in 20 workspaces, 200 more stop reading, some come and go, and the server restarts.

A round is a second with 50 customers' messages. Every listener hears of each message of its workspace once and of no
other's, within a second; who comes back is told what it missed; who stops reading is closed within the server's own
deadline and holds up nobody; after a restart all are back within ten seconds. Runs of less than a minute take a tenth
of the listeners and do not wait for the deadline.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from itertools import cycle

from tests.reliability.appliance import Appliance
from tests.reliability.listeners import Listener, cookie_of_alice
from tests.reliability.scenario import Options, Outcome, Watch, percentile
from tests.reliability.senders import Sender
from tests.reliability.traffic import Traffic

SHORT, NIGHTLY, RELEASE = 4, 120, 7_200
A_LONG_RUN = 60
EVENTS_PER_SECOND = 50
# Slow readers are noticed when their own machine takes no more; then the server's half minute begins.
STALLED_ARE_GONE_AFTER = 90


class Crowd:
    """The listeners of one run."""

    def __init__(self, appliance: Appliance, cookie: str, long: bool) -> None:
        self.appliance = appliance
        count, stalled = (1_000, 200) if long else (100, 20)
        slugs = [number.slug for number in appliance.numbers]
        places = cycle(range(len(slugs)))

        def some(how_many: int) -> list[tuple[int, Listener]]:
            return [(place, Listener(appliance.port, slugs[place], cookie))
                    for place in (next(places) for _ in range(how_many))]

        self.steady, self.flapping = some(count - count // 10), some(count // 10)
        self.stalled = some(stalled)

    @property
    def attentive(self) -> list[tuple[int, Listener]]:
        return self.steady + self.flapping

    async def gather(self) -> None:
        """All come, fifty at a time."""
        waiting = [(listener, False) for _, listener in self.attentive] + [(each, True) for _, each in self.stalled]
        for start in range(0, len(waiting), 50):
            await asyncio.gather(*(listener.open(stalls=stalls) for listener, stalls in waiting[start:start + 50]))
        async with asyncio.timeout(20):
            for _, listener in self.attentive:
                await listener.greeted.wait()

    async def flap(self) -> None:
        """Some leave without a word and come back at once."""
        while True:
            for _, listener in self.flapping:
                listener.close()
                await listener.gone.wait()
                await listener.open()
                await asyncio.sleep(1 / len(self.flapping))

    def close(self) -> None:
        for _, listener in self.attentive + self.stalled:
            listener.close()


async def run(options: Options) -> Outcome:
    watch = Watch("live-streams", options)
    long = options.rounds >= A_LONG_RUN
    names = [f"Workspace {index}" for index in range(20 if long else 4)]
    async with Appliance.install(options.folder, workspaces=names) as appliance:
        await appliance.start()
        crowd = Crowd(appliance, await cookie_of_alice(appliance.base), long)
        try:
            await _whole_run(watch, options, crowd, long)
        finally:
            crowd.close()
        watch.figures["log_lines"] = len(appliance.log.splitlines())
    return watch.outcome()


async def _whole_run(watch: Watch, options: Options, crowd: Crowd, long: bool) -> None:
    appliance = crowd.appliance
    before = appliance.resident_megabytes()
    await crowd.gather()
    flapping = asyncio.create_task(crowd.flap())
    posted, peak = await _events(watch, options, appliance)
    flapping.cancel()
    await asyncio.sleep(1)
    for _, listener in crowd.flapping:
        if not listener.greeted.is_set():
            await listener.open()
    await asyncio.sleep(1)
    _check_heard(watch, crowd, posted)
    watch.figures |= {"listeners": len(crowd.attentive), "stalled": len(crowd.stalled), "messages": sum(
        len(times) for times in posted.values()), "resident_before_mb": before, "resident_growth_mb": round(
        peak - before, 1)}
    watch.expect(peak - before <= 150, f"the process grew by {peak - before:.0f} MB")
    if long:
        await _stalled_are_closed(watch, crowd)
    await _all_come_back(watch, crowd)


async def _events(watch: Watch, options: Options,
                  appliance: Appliance) -> tuple[dict[int, list[float]], float]:
    """Post for so many seconds: when each message of each workspace was posted, and the most memory seen."""
    luck = options.luck()
    traffic = Traffic(appliance.numbers, luck)
    sender = Sender(appliance.port, appliance.webhook_path, luck, connections=8)
    posted: dict[int, list[float]] = defaultdict(list)
    peak = appliance.resident_megabytes()
    places = cycle(range(len(appliance.numbers)))
    begun = time.perf_counter()
    for count in range(options.rounds * EVENTS_PER_SECOND):
        await asyncio.sleep(max(0.0, begun + count / EVENTS_PER_SECOND - time.perf_counter()))
        place = next(places)
        posted[place].append(time.perf_counter())
        sender.start(traffic.body([traffic.text(place)]))
        if count % EVENTS_PER_SECOND == 0:
            peak = max(peak, appliance.resident_megabytes())
    try:
        await sender.settled()
    except TimeoutError:
        watch.faults.append(f"{sender.outstanding} messages were never acknowledged: {dict(sender.answers)}")
    await sender.close()
    return posted, peak


def _check_heard(watch: Watch, crowd: Crowd, posted: dict[int, list[float]]) -> None:
    everywhere: Counter[bytes] = Counter()
    known: dict[int, set[bytes]] = {}
    for place, listener in crowd.attentive:
        known.setdefault(place, set()).update(listener.heard)
    for messages in known.values():
        everywhere.update(messages)
    watch.expect(max(everywhere.values(), default=1) == 1, "a workspace heard of another's messages")
    short = sum(len(listener.heard) != len(posted[place]) for place, listener in crowd.attentive)
    watch.expect(not short, f"{short} of {len(crowd.attentive)} listeners did not hear of every message")
    twice = sum(listener.twice for _, listener in crowd.attentive)
    watch.expect(not twice, f"{twice} nudges were told twice")
    resyncs = sum(listener.resyncs for _, listener in crowd.attentive)
    watch.expect(not resyncs, f"{resyncs} times a reader was told to load anew")
    # The messages of one workspace are 0.4 s apart, so the nudges come in their order.
    waits = [heard - sent for place, listener in crowd.steady
             for sent, heard in zip(posted[place], sorted(listener.heard.values()), strict=False)]
    watch.figures |= {"heard": len(waits), "fan_out_p50_ms": round(percentile(waits, 0.5) * 1000, 1),
                      "fan_out_p99_ms": round(percentile(waits, 0.99) * 1000, 1),
                      "fan_out_max_ms": round(max(waits, default=0) * 1000, 1)}
    watch.expect(percentile(waits, 0.99) <= 1, "the 99th of 100 nudges takes more than a second")


async def _stalled_are_closed(watch: Watch, crowd: Crowd) -> None:
    begun = time.monotonic()
    open_still = len(crowd.stalled)
    while open_still > 0 and time.monotonic() - begun < STALLED_ARE_GONE_AFTER:
        await asyncio.sleep(1)
        open_still = await _streams(crowd.appliance) - len(crowd.attentive)
    watch.figures["stalled_gone_after_the_last_event_seconds"] = round(time.monotonic() - begun)
    watch.figures["stalled_still_open"] = open_still
    watch.expect(open_still <= 0, f"{open_still} browsers that read nothing still hold their stream")


async def _streams(appliance: Appliance) -> int:
    """As the metrics say."""
    reader, writer = await asyncio.open_connection("127.0.0.1", appliance.port)
    writer.write(b"GET /metrics HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
    answer = (await reader.read()).decode()
    writer.close()
    return int(answer.partition("\nchime_live_streams ")[2].split()[0])


async def _all_come_back(watch: Watch, crowd: Crowd) -> None:
    stopping = time.monotonic()
    status = await crowd.appliance.stop()
    watch.figures["stop_seconds"] = round(time.monotonic() - stopping, 2)
    watch.expect(status == 0, f"ended with {status} on SIGTERM")
    watch.expect(time.monotonic() - stopping <= 20, "took more than 20 s to stop")
    coming = asyncio.gather(*(listener.comes_back(60) for _, listener in crowd.attentive), return_exceptions=True)
    await crowd.appliance.start()
    begun = time.monotonic()
    failed = sum(isinstance(each, BaseException) for each in await coming)
    watch.figures["back_after_seconds"] = round(time.monotonic() - begun, 2)
    watch.expect(not failed, f"{failed} browsers never came back after the restart")
    watch.expect(time.monotonic() - begun <= 10, "it took more than 10 s until everybody was back")
    untold = sum(not listener.resyncs for _, listener in crowd.attentive)
    watch.expect(not untold, f"{untold} browsers were not told to load anew after the restart")
