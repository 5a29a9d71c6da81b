"""2,000 bodies of one message each within a second over 100 connections: all answered 200, all in effect soon.

One round is one burst, posted by a process of its own so that both have a core.
"""

from __future__ import annotations

import asyncio
import time

from tests.bench.load import run_load
from tests.reliability.appliance import Appliance
from tests.reliability.checker import not_in_effect, opened, unaccounted, unsound, until_applied
from tests.reliability.scenario import Options, Outcome, Watch
from tests.reliability.senders import Sender
from tests.reliability.traffic import Effects, Traffic

SHORT, NIGHTLY, RELEASE = 2, 20, 200
POSTS, CONNECTIONS = 2_000, 100
ACKNOWLEDGED_IN = 5.0


async def run(options: Options) -> Outcome:
    watch, luck = Watch("burst", options), options.luck()
    seconds, lags, latest = [], [], []
    async with Appliance.install(options.folder, workspaces=("Acme", "Globex")) as appliance:
        traffic = Traffic(appliance.numbers, luck, customers=500)
        sender = Sender(appliance.port, appliance.webhook_path, luck)
        await appliance.start()
        for _ in range(options.rounds):
            requests = [sender.request(traffic.body([traffic.text()]).body) for _ in range(POSTS)]
            begun = time.monotonic()
            found = await asyncio.to_thread(run_load, "open", appliance.port, CONNECTIONS, requests, POSTS)
            watch.expect(found["statuses"] == {"200": POSTS}, f"the answers were {found['statuses']}")
            seconds.append(found["seconds"])
            latest.append(found["max_ms"])
            ended = time.monotonic()
            try:
                await until_applied(appliance)
            except TimeoutError as late:
                watch.faults.append(str(late))
            lags.append(time.monotonic() - ended)
            watch.expect(found["seconds"] <= ACKNOWLEDGED_IN, f"the last was acknowledged after {found['seconds']} s, "
                         f"{ended - begun:.1f} s with the generator's own")
        await appliance.kill()
        with opened(appliance) as files:
            watch.faults += unsound(files) + unaccounted(files)
            for index, file in enumerate(files.workspaces):
                expected = Effects(fact for fact in traffic.facts if fact.number == index)
                watch.faults += not_in_effect(file, expected, f"workspace {index}")
    watch.figures |= {"posts": POSTS, "last_acknowledged_after_seconds": round(max(seconds), 2),
                      "slowest_answer_ms": round(max(latest)), "in_effect_seconds_later": round(max(lags), 2)}
    return watch.outcome()
