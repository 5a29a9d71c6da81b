"""`kill -9` while messages leave, some taken and never answered: nothing leaves twice, nothing is lost, doubts settle.

One round is one kill. A doubt about what Meta took is over within a minute of service, 99 times of 100. Meta is of our
own making (`tests.reliability.meta`): it takes, refuses, garbles, and drops replies, and reports statuses with our
callback data, some of them before its answer.
"""

from __future__ import annotations

import asyncio
import contextlib

from tests.reliability.appliance import Appliance
from tests.reliability.checker import opened, unaccounted, unsound, until_applied
from tests.reliability.doubts import Doubts
from tests.reliability.meta import Meta, accept, bad_day
from tests.reliability.outbox import (
    MOST_IN_FLIGHT,
    SETTLED,
    Echoes,
    Outbox,
    doubts_by_kill,
    now,
    out_of_order,
    twice,
    wrong_states,
)
from tests.reliability.scenario import Options, Outcome, Watch, percentile
from tests.reliability.senders import Sender

SHORT, NIGHTLY, RELEASE = 4, 1_000, 10_000
SERVED = (0.05, 0.8)
# For each number and round; about what its rate lets out in the longest life.
A_ROUND = 60
QUEUE_EVERY = 10
DRAINS_IN = 120
SETTLES_IN = 60
# So many of the doubts about what Meta took are settled when the process has served so long since.
SETTLED_SHARE, SETTLED_WITHIN = 0.99, 60.0


async def run(options: Options) -> Outcome:
    watch, luck = Watch("kill-sends", options), options.luck()
    kills: list[int] = []
    async with Meta(bad_day(luck)) as meta, Appliance.install(
            options.folder, workspaces=("Acme", "Globex"), graph_url=meta.url) as appliance:
        sender = Sender(appliance.port, appliance.webhook_path, luck)
        echoes = Echoes(appliance, sender, luck)
        meta.on_accepted = echoes.told
        outbox, doubts = Outbox(appliance, luck), Doubts()
        in_flight = 0
        for number in range(options.rounds):
            if number % QUEUE_EVERY == 0:
                await _top_up(outbox, A_ROUND * min(QUEUE_EVERY, options.rounds - number))
                with opened(appliance) as files:
                    doubts.look(files)
            await appliance.start()
            doubts.uptime.began()
            await asyncio.sleep(luck.uniform(*SERVED))
            in_flight = max(in_flight, meta.in_flight)
            kills.append(now())
            doubts.uptime.ended()
            await appliance.kill()
            watch.faults += twice(meta.ledger) if number % QUEUE_EVERY == 0 else []
            if watch.faults:
                break
        meta.behave = lambda message_id: accept(luck.uniform(0.005, 0.06))
        await appliance.start()
        doubts.uptime.began()
        looking = asyncio.create_task(doubts.keep_looking(appliance))
        await _all_settled(watch, appliance, outbox, echoes, meta)
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking
        await appliance.kill()
        _judge(watch, appliance, meta, outbox, kills)
        _doubts_are_short(watch, appliance, meta, doubts)
        watch.faults += sender.unusual()
        await sender.close()
    watch.figures |= {"kills": len(kills), "queued": sum(map(len, outbox.queued)), "posts": len(meta.ledger),
                      "taken": len(meta.accepted), "most_in_flight_at_a_kill": in_flight}
    return watch.outcome()


async def _top_up(outbox: Outbox, count: int) -> None:
    """So many wait for each number again; on a busy machine a life sends fewer, and the rest would pile up."""
    missing = count - await outbox.waiting() // len(outbox.queued)
    if missing > 0:
        outbox.queue(missing)


async def _all_settled(watch: Watch, appliance: Appliance, outbox: Outbox, echoes: Echoes, meta: Meta) -> None:
    try:
        watch.figures["drained_after_seconds"] = round(await outbox.drained(DRAINS_IN), 1)
        await echoes.settled(SETTLES_IN)
        watch.figures["settled_after_seconds"] = round(await until_applied(appliance, SETTLES_IN), 2)
    except TimeoutError as late:
        watch.faults.append(f"it did not come to rest: {late}")
    # Only what Meta took can settle; what it dropped before taking stays in doubt for a person.
    taken = {entry.message_id for entry in meta.accepted}
    with opened(appliance) as files:
        settled = sum(1 for file in files.workspaces for message_id, status in file.execute(
            "SELECT id, status FROM message WHERE origin = 'api'") if status in SETTLED and message_id in taken)
        unconfirmed = sum(file.execute("SELECT count(*) FROM message WHERE status = 'unconfirmed'").fetchone()[0]
                          for file in files.workspaces)
    watch.figures |= {"taken_and_settled": settled, "left_in_doubt": unconfirmed}
    watch.expect(settled >= 0.99 * len(taken), f"only {settled} of {len(taken)} taken messages are settled")


def _judge(watch: Watch, appliance: Appliance, meta: Meta, outbox: Outbox, kills: list[int]) -> None:
    with opened(appliance) as files:
        watch.faults += unsound(files) + unaccounted(files) + twice(meta.ledger)
        watch.faults += wrong_states(files, meta.ledger, outbox.queued) + out_of_order(files, meta.ledger)
        doubts = [count for counts in doubts_by_kill(files, kills) for count in counts]
    watch.figures |= {"doubts_a_kill_p50": percentile([float(count) for count in doubts], 0.5),
                      "doubts_a_kill_most": max(doubts, default=0)}
    watch.expect(max(doubts, default=0) <= MOST_IN_FLIGHT,
                 f"a kill left {max(doubts, default=0)} sends of a number in doubt")


def _doubts_are_short(watch: Watch, appliance: Appliance, meta: Meta, doubts: Doubts) -> None:
    with opened(appliance) as files:
        doubts.look(files)
        lasted = doubts.lasted(files, meta.ledger)
    within = sum(1 for seconds in lasted if seconds <= SETTLED_WITHIN)
    share = within / len(lasted) if lasted else 1.0
    watch.figures |= {
        "doubts_of_what_was_taken": len(lasted), "doubts_settled_within_60_s": within, "doubts_share": round(share, 4),
        "doubts_p50_seconds": _told(percentile(lasted, 0.5)), "doubts_p99_seconds": _told(percentile(lasted, 0.99))}
    watch.expect(share >= SETTLED_SHARE, f"only {within} of {len(lasted)} doubts were settled within a minute")


def _told(seconds: float) -> float | str:
    """JSON has no infinity."""
    return round(seconds, 2) if seconds < float("inf") else "never"
