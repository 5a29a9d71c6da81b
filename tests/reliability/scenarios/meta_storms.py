"""Storms of 429, 130429 and 131056: the number slows down, nothing leaves twice, everything arrives in the end.

One round is one storm. Its refusals come with and without Retry-After, and some with one that is nonsense.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict

from tests.reliability.appliance import Appliance
from tests.reliability.checker import opened, unsound
from tests.reliability.meta import Entry, Fate, Meta, accept
from tests.reliability.outbox import Outbox, out_of_order, twice, wrong_states
from tests.reliability.scenario import Options, Outcome, Watch

SHORT, NIGHTLY, RELEASE = 1, 50, 1_000
A_STORM = 80
RATE = 40
DRAINS_IN = 120
PATIENCE = (None, "1", "2", "-5", "soon", "", "1e999", "nan")


async def run(options: Options) -> Outcome:
    watch, luck = Watch("meta-storms", options), options.luck()
    for number in range(options.rounds):
        tries: Counter[str] = Counter()

        def stormy(message_id: str, tries: Counter[str] = tries) -> Fate:
            tries[message_id] += 1
            if tries[message_id] > 2 or luck.random() > 0.35:
                return accept(luck.uniform(0.005, 0.05))
            # The pause for a pair grows by four each time; a second one would only make the test long.
            code = luck.choice((130429, 130429, 429, 131056 if tries[message_id] == 1 else 130429))
            return refusal(code, luck.choice(PATIENCE))

        async with Meta(stormy) as meta, Appliance.install(options.folder / str(number),
                                                           graph_url=meta.url) as appliance:
            outbox = Outbox(appliance, luck, conversations=40, rate=RATE)
            outbox.queue(A_STORM)
            await appliance.start()
            try:
                watch.figures["over_after_seconds"] = round(await outbox.drained(DRAINS_IN), 1)
            except TimeoutError as late:
                watch.faults.append(str(late))
            await appliance.stop()
            with opened(appliance) as files:
                watch.faults += unsound(files) + twice(meta.ledger) + out_of_order(files, meta.ledger)
                watch.faults += wrong_states(files, meta.ledger, outbox.queued)
            watch.faults += too_fast(meta.ledger, RATE)
            refused = sum(1 for entry in meta.ledger if not entry.fate.accepted)
            watch.figures |= {"posts": len(meta.ledger), "refused": refused}
        if watch.faults:
            break
    return watch.outcome()


def refusal(code: int, retry_after: str | None) -> Fate:
    """HTTP 429; `code` 429 stands for one without an error of Meta's in it."""
    error = {} if code == 429 else {"error": {"message": "too many", "type": "OAuthException", "code": code}}
    body = json.dumps(error).encode()
    patience = f"retry-after: {retry_after}\r\n" if retry_after is not None else ""
    return Fate(name=f"refused with {code}", accepted=False, definite=True, raw=(
        f"HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\n{patience}"
        f"content-length: {len(body)}\r\n\r\n").encode() + body)


def too_fast(ledger: list[Entry], rate: int) -> list[str]:
    """More in a second than the number may, after its first second's worth; or to one person more than 45 at once."""
    faults = []
    moments = sorted(entry.at for entry in ledger)
    # A full bucket holds one second's worth, so twice that may fall into the first second.
    for index, at in enumerate(moments):
        within = sum(1 for other in moments[index:index + 2 * rate + 5] if other < at + 1)
        if within > 2 * rate + 2:
            faults.append(f"{within} POSTs in one second from a number with a rate of {rate}")
            break
    people: dict[str, list[float]] = defaultdict(list)
    for entry in ledger:
        people[entry.to].append(entry.at)
    faults += [f"{len(times)} POSTs to one person" for times in people.values() if len(times) > 45]
    return faults
