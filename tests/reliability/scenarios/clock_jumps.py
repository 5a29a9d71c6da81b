"""The machine's clock jumps by seconds to years while all goes on: no send outside the window, nothing twice.

One round is one jump. Messages leave at a slow rate throughout, some in conversations whose window closes soon by the
machine's clock; webhooks arrive with Meta's own times; now and then the process is killed and starts in another year.
"""

from __future__ import annotations

import random
import time

import httpx

from chime.accounts.api_keys import USUAL_DAYS as KEYS_LAST
from tests.reliability.appliance import Appliance
from tests.reliability.checker import not_in_effect, opened, unaccounted, unsound, until_applied
from tests.reliability.meta import Entry, Meta, Mood, accept, refuse, reply_lost
from tests.reliability.outbox import Echoes, Outbox, person, statuses_of_sends, twice, wrong_states
from tests.reliability.scenario import Options, Outcome, Watch
from tests.reliability.senders import Sender
from tests.reliability.traffic import Effects, Traffic
from tests.support.wall_clock import WallClock

SHORT, NIGHTLY, RELEASE = 8, 400, 4_000
SECOND, HOUR, DAY = 1, 3_600, 86_400
JUMPS = (0, SECOND, -SECOND, 40, -40, HOUR, -HOUR, DAY, -DAY, 365 * DAY, -365 * DAY, 3_650 * DAY)
# From the true now, in seconds; a quarter of the conversations each.
WINDOWS = (23 * HOUR, 23 * HOUR, HOUR // 2, -HOUR // 2)
RATE, A_ROUND = 15, 8
KILLED = 0.15
# A claim is made this long before its POST at most: a send asks the rules, then the disk, then the network.
ON_ITS_WAY = 2.0
# The queue is the messages' own; the sweep looks once a minute for what nobody rang for.
DRAINS_IN = 100.0


class Jumps:
    """Sets the clock, and knows what it showed when."""

    def __init__(self, clock: WallClock) -> None:
        self.clock = clock
        self._set: list[tuple[float, float]] = [(time.monotonic(), 0.0)]

    def to(self, seconds_ahead: float) -> None:
        self._set.append((time.monotonic(), seconds_ahead))
        self.clock.set(seconds_ahead)

    def shown_at(self, moment: float) -> list[float]:
        """What the clock may have been ahead when a send was decided that reached Meta at this monotonic moment."""
        ends = [*(begun for begun, _ in self._set[1:]), float("inf")]
        return [ahead for (begun, ahead), end in zip(self._set, ends, strict=True)
                if begun <= moment and end >= moment - ON_ITS_WAY]


async def run(options: Options) -> Outcome:
    watch, luck = Watch("clock-jumps", options), options.luck()
    clock = WallClock(options.folder / "clock")
    jumps = Jumps(clock)
    async with Meta(_mood(luck)) as meta, Appliance.install(
            options.folder, graph_url=meta.url, environment=clock.environment) as appliance:
        traffic, sender = Traffic(appliance.numbers, luck), Sender(appliance.port, appliance.webhook_path, luck)
        outbox = Outbox(appliance, luck, rate=RATE, windows=WINDOWS)
        echoes = Echoes(appliance, sender, luck)
        meta.on_accepted = echoes.told
        outbox.queue(A_ROUND * options.rounds)
        began = time.time() - time.monotonic()
        await appliance.start()
        for number in range(options.rounds):
            ahead = luck.choice(JUMPS)
            jumps.to(ahead)
            if luck.random() < KILLED:
                await appliance.kill()
                await appliance.start()
            await sender.at_rate((traffic.delivery() for _ in range(luck.randrange(20, 80))), 150)
            watch.faults += [f"round {number}, {ahead} s ahead: {fault}"
                             for fault in await _serves(appliance, luck, ahead)]
            if watch.faults:
                break
        jumps.to(0)
        meta.behave = lambda message_id: accept()
        if options.rounds <= SHORT:  # there is no time to wait for the minute's sweep
            await appliance.kill()
            await appliance.start()
        if not watch.faults:
            await _comes_to_rest(watch, appliance, sender, outbox, echoes)
        await sender.close()
        watch.faults += sender.unusual()
        await appliance.kill()
        _judge(watch, appliance, traffic, meta, outbox)
        watch.faults += _outside_the_window(appliance, meta.ledger, jumps, began)
    return watch.outcome()


def _mood(luck: random.Random) -> Mood:
    """Some are refused for now: what is put off by a few seconds may be put off in another year."""
    return Mood(luck, [(0.88, lambda dice: accept(dice.uniform(0.005, 0.3))), (0.1, lambda dice: refuse(130429)),
                       (0.01, lambda dice: reply_lost(accepted=True)), (0.01, lambda dice: reply_lost(accepted=False))])


async def _serves(appliance: Appliance, luck: random.Random, ahead: int) -> list[str]:
    """It is ready, takes a message from a script (or says that the window is closed), and lists conversations. In a
    year in which the script's key is over it is told so."""
    key = {"authorization": f"Bearer {appliance.numbers[0].api_key}"}
    faults = [] if await appliance.is_ready() else ["not ready"]
    async with httpx.AsyncClient(base_url=appliance.base, timeout=20, headers=key) as script:
        message = {"to": f"+{person(luck.randrange(100))}", "type": "text", "text": {"body": "from a script"}}
        for answer in (await script.post("/api/v1/messages", json=message),
                       await script.get("/api/v1/conversations", params={"limit": "5"})):
            closed = answer.status_code == 422 and answer.json().get("code") == "window_closed"
            expected = (401,) if ahead >= KEYS_LAST * DAY else (200, 202, 429)
            if answer.status_code not in expected and not closed:
                faults.append(f"{answer.request.method} {answer.request.url.path} is answered {answer.status_code}")
    return faults


async def _comes_to_rest(watch: Watch, appliance: Appliance, sender: Sender, outbox: Outbox, echoes: Echoes) -> None:
    """The clock is right again: whatever waits leaves, though it was put off to another year."""
    try:
        watch.figures["drained_after_seconds"] = round(await outbox.drained(DRAINS_IN), 1)
        await sender.settled()
        await echoes.settled(60)
        await until_applied(appliance)
    except TimeoutError as late:
        watch.faults.append(f"it did not come to rest: {late}")


def _judge(watch: Watch, appliance: Appliance, traffic: Traffic, meta: Meta, outbox: Outbox) -> None:
    # The order within a conversation is not asked for: a message put off to another year holds up no later one.
    with opened(appliance) as files:
        file = files.workspaces[0]
        by_scripts = {row[0] for row in file.execute("SELECT id FROM message WHERE origin = 'api'")}
        watch.faults += unsound(files) + unaccounted(files) + twice(meta.ledger)
        watch.faults += wrong_states(files, meta.ledger, [outbox.queued[0] | by_scripts], rules_may_forbid=True)
        expected = Effects(traffic.facts)
        expected.events += statuses_of_sends(file)
        watch.faults += not_in_effect(file, expected, "the workspace")
        states = dict(file.execute("SELECT status, count(*) FROM message WHERE origin = 'api' GROUP BY 1"))
    watch.figures |= {"messages": len(by_scripts), "posts": len(meta.ledger), **states}


def _outside_the_window(appliance: Appliance, ledger: list[Entry], jumps: Jumps, began: float) -> list[str]:
    """I7: the messages that left although their window was closed by every clock they may have been decided by."""
    with opened(appliance) as files:
        expiry = dict(files.workspaces[0].execute(
            "SELECT message.id, window_expires_at FROM message JOIN conversation "
            "ON conversation.id = message.conversation_id WHERE origin = 'api'"))
    return [f"message {entry.message_id} left outside its window" for entry in ledger
            if all(began + entry.at - ON_ITS_WAY + ahead > expiry[entry.message_id] / 1000
                   for ahead in jumps.shown_at(entry.at))]
