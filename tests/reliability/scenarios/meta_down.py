"""Meta is out of reach while messages wait, then comes back: no storm of tries, everything leaves at the number's rate.

A round is a hundred messages, a tenth of them in conversations whose window closes meanwhile: those are told as failed
and never sent. `--rounds 500` is the day after which 50,000 wait.
"""

from __future__ import annotations

import asyncio
import time

from chime.inbox.model import WINDOW_MARGIN
from tests.reliability.appliance import Appliance
from tests.reliability.checker import Files, opened, unsound
from tests.reliability.meta import Meta, accept
from tests.reliability.outbox import Outbox, out_of_order, twice, wrong_states
from tests.reliability.scenario import Options, Outcome, Watch

SHORT, NIGHTLY, RELEASE = 3, 500, 500
A_ROUND = 100
FAST = 1_000
DOWN = 6.0
# The sender finds out with what may be on its way at once, then tries once a second or less.
FIRST_TRIES = 320


async def run(options: Options) -> Outcome:
    watch, luck = Watch("meta-down", options), options.luck()
    messages = options.rounds * A_ROUND
    # Nine windows of a day, and one that closes (as Chime reckons, with its margin) while Meta is away.
    closing = int(messages / 5_000) + 4
    windows = [*[24 * 3600] * 9, WINDOW_MARGIN // 1000 + closing]
    async with Meta(lambda message_id: accept(luck.uniform(0.01, 0.05))) as meta, Appliance.install(
            options.folder, graph_url=meta.url) as appliance:
        outbox = Outbox(appliance, luck, conversations=max(100, messages // 4), rate=FAST, windows=windows)
        outbox.queue(messages)
        await meta.vanish()
        await appliance.start()
        await asyncio.sleep(DOWN + closing)
        with opened(appliance) as files:
            tries = _tries(files)
        watch.expect(not meta.ledger, "something was posted to a Meta that is away")
        watch.expect(tries <= FIRST_TRIES + DOWN + closing, f"{tries} tries while Meta was away")
        begun = time.monotonic()
        await meta.listen()
        try:
            await outbox.drained(90 + messages / 200)
        except TimeoutError as late:
            watch.faults.append(str(late))
        seconds = time.monotonic() - begun
        await appliance.stop()
        with opened(appliance) as files:
            watch.faults += unsound(files) + twice(meta.ledger) + out_of_order(files, meta.ledger)
            watch.faults += wrong_states(files, meta.ledger, outbox.queued, rules_may_forbid=True)
            held = files.workspaces[0].execute("SELECT count(*) FROM message WHERE status = 'failed' AND error_title "
                                               "LIKE 'The 24-hour reply window is closed%'").fetchone()[0]
        watch.expect(held + len(meta.accepted) == len(outbox.queued[0]), "the accounts do not add up")
        watch.figures |= {"messages": messages, "tries_while_away": tries, "sent": len(meta.accepted),
                          "windows_closed_meanwhile": held, "drained_after_seconds": round(seconds, 1),
                          "sent_per_second": round(len(meta.accepted) / seconds)}
    return watch.outcome()


def _tries(files: Files) -> int:
    return sum(journal.execute("SELECT count(*) FROM send_event WHERE phase = 'begun'").fetchone()[0]
               for journal in files.journals)
