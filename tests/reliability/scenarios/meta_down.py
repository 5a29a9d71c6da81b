"""Meta is away for a day while messages wait, then comes back: no storm of tries, all leave at the number's rate.

A day by the appliance's wall clock, that is: the monotonic one, which paces, goes on as it is. A round is a hundred
messages, a tenth of them in conversations whose window closes meanwhile: those are told as failed and never sent.
`--rounds 500` is the day after which 50,000 wait.
"""

from __future__ import annotations

import asyncio
import time

from tests.reliability.appliance import Appliance
from tests.reliability.checker import Files, opened, unsound
from tests.reliability.meta import Entry, Meta, accept
from tests.reliability.outbox import Outbox, out_of_order, twice, wrong_states
from tests.reliability.scenario import Options, Outcome, Watch
from tests.support.wall_clock import WallClock

SHORT, NIGHTLY, RELEASE = 3, 500, 500
A_ROUND = 100
# Messages a second of a number whose rate Meta has raised, and of one for which a short run is long enough.
FAST, USUAL, MANY = 1_000, 80, 10_000
HOUR = 3_600
# Nine windows that are open for three days, as after a click on an advertisement, and one that closes on the way.
WINDOWS = (*[72 * HOUR] * 9, 12 * HOUR)
AWAY = 24 * HOUR
# Real seconds before and after the clock goes on.
BEFORE, AFTER = 4.0, 6.0
# What may be on its way at once, in seconds of the rate and at least. The sender finds out with that many tries, then
# tries once a second or less.
IN_FLIGHT, FEWEST = 0.3, 16
# The longest pause between two tries, and how many times longer than the rate allows everything may take then.
LONGEST_PAUSE, DRAINS_IN = 40, 3


async def run(options: Options) -> Outcome:
    watch, luck = Watch("meta-down", options), options.luck()
    messages = options.rounds * A_ROUND
    rate = FAST if messages >= MANY else USUAL
    at_once = max(FEWEST, int(rate * IN_FLIGHT))
    bound = LONGEST_PAUSE + DRAINS_IN * messages / rate
    clock = WallClock(options.folder / "clock")
    async with Meta(lambda message_id: accept(luck.uniform(0.01, 0.05))) as meta, Appliance.install(
            options.folder, graph_url=meta.url, environment=clock.environment) as appliance:
        outbox = Outbox(appliance, luck, conversations=max(100, messages // 4), rate=rate, windows=WINDOWS)
        outbox.queue(messages)
        await meta.vanish()
        await appliance.start()
        await asyncio.sleep(BEFORE)
        clock.set(AWAY)
        await asyncio.sleep(AFTER)
        with opened(appliance) as files:
            tries = _tries(files)
        watch.expect(not meta.ledger, "something was posted to a Meta that is away")
        watch.expect(tries <= at_once + BEFORE + AFTER, f"{tries} tries while Meta was away")
        begun = time.monotonic()
        await meta.listen()
        try:
            await outbox.drained(bound)
        except TimeoutError as late:
            watch.faults.append(str(late))
        seconds = time.monotonic() - begun
        await appliance.stop()
        with opened(appliance) as files:
            watch.faults += unsound(files) + twice(meta.ledger) + out_of_order(files, meta.ledger)
            watch.faults += wrong_states(files, meta.ledger, outbox.queued, rules_may_forbid=True)
            held = files.workspaces[0].execute("SELECT count(*) FROM message WHERE status = 'failed' AND error_title "
                                               "LIKE 'The 24-hour reply window is closed%'").fetchone()[0]
            closed = files.workspaces[0].execute(
                "SELECT count(*) FROM message JOIN conversation ON conversation.id = conversation_id "
                "WHERE window_expires_at < ?", ((time.time() + AWAY) * 1000,)).fetchone()[0]
        watch.expect(held == closed, f"{closed} messages stand in closed windows, {held} were told so")
        watch.expect(held + len(meta.accepted) == len(outbox.queued[0]), "the accounts do not add up")
        # A second's worth may be saved up, and what is on its way may arrive together.
        burst = _most_together(meta.ledger, rate)
        watch.expect(burst <= rate + at_once, f"{burst} messages more than {rate} a second")
        watch.figures |= {"messages": messages, "tries_while_away": tries, "sent": len(meta.accepted),
                          "windows_closed_meanwhile": held, "away_hours": AWAY // HOUR, "allowed_per_second": rate,
                          "most_beyond_the_rate": burst, "drained_after_seconds": round(seconds, 1),
                          "drain_bound_seconds": round(bound), "first_post_after_seconds": _first(meta.ledger, begun),
                          "sent_per_second": round(len(meta.accepted) / seconds)}
    return watch.outcome()


def _tries(files: Files) -> int:
    return sum(journal.execute("SELECT count(*) FROM send_event WHERE phase = 'begun'").fetchone()[0]
               for journal in files.journals)


def _first(ledger: list[Entry], begun: float) -> float:
    return round(min((entry.at - begun for entry in ledger), default=0.0), 1)


def _most_together(ledger: list[Entry], rate: float) -> int:
    """The most that were posted in any stretch of time beyond its length times the rate."""
    most = least = 0.0
    for place, entry in enumerate(ledger):
        ahead = place - rate * entry.at
        least = ahead if place == 0 else min(least, ahead)
        most = max(most, ahead - least + 1)
    return round(most)
