"""`queue.db` deleted, cut, filled with junk or robbed of its tables, in service and between two lives: nothing is lost.

One round is one life. Messages wait in the files and stored webhooks wait to be applied when the file is damaged before
it; while it runs, the file is damaged once more under webhooks and sends, all of which are in effect and gone without
another start.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from pathlib import Path

import httpx

from tests.reliability.appliance import Appliance, DidNotStart
from tests.reliability.checker import not_in_effect, opened, unaccounted, unsound, until_applied
from tests.reliability.disks import until_ready
from tests.reliability.meta import Meta, accept
from tests.reliability.outbox import Echoes, Outbox, out_of_order, person, statuses_of_sends, twice, wrong_states
from tests.reliability.scenario import Options, Outcome, Watch, percentile
from tests.reliability.senders import Sender
from tests.reliability.traffic import Effects, Traffic
from tests.support.queue_damage import IN_SERVICE

SHORT, NIGHTLY, RELEASE = 4, 100, 1_000
A_ROUND = 30
# "sweeper re-enqueues ≤ 10 s" (R07); these few leave in less than a second after that.
LEAVES_IN = 10.0
RATE = 200
# A script's sends in each life, half of them before the file is damaged: to people whose windows are open, and at the
# rate that a key may have.
CALLS = 8
WEBHOOKS = 100
BETWEEN_CALLS = 0.1
WAYS = ("deleted", "deleted alone", "junk", "junk behind the head", "empty", "cut", "zeros", "junk log")


class Refused(Exception):
    """Something was not taken, though it had nothing to do with the queue's file."""


async def run(options: Options) -> Outcome:
    watch, luck = Watch("queue-file", options), options.luck()
    starts, drains, mended = [], [], []
    in_service = itertools.cycle(IN_SERVICE)
    async with Meta(lambda message_id: accept(luck.uniform(0.005, 0.05))) as meta, Appliance.install(
            options.folder, graph_url=meta.url) as appliance:
        traffic, sender = Traffic(appliance.numbers, luck), Sender(appliance.port, appliance.webhook_path, luck)
        outbox, echoes = Outbox(appliance, luck), Echoes(appliance, sender, luck)
        meta.on_accepted = echoes.told
        for _ in range(options.rounds):
            outbox.queue(A_ROUND)
            what = damage(appliance.data_dir / "queue.db", luck)
            try:
                starts.append(await appliance.start())
                drains.append(await outbox.drained(LEAVES_IN))
                what = next(in_service)
                mended.append(await _damaged_in_service(appliance, what, sender, traffic, outbox))
            except (DidNotStart, Refused, TimeoutError) as fault:
                watch.faults.append(f"after '{what}': {fault}")
                break
            await sender.at_rate((traffic.delivery() for _ in range(luck.randrange(40, 120))), RATE)
            await (appliance.kill() if luck.random() < 0.5 else appliance.stop())
        if not watch.faults:
            await appliance.start()
            await sender.settled()
            await echoes.settled(60)
            await until_applied(appliance)
        await sender.close()
        watch.faults += sender.unusual()
        await appliance.kill()
        if not watch.faults:
            _judge(watch, appliance, traffic, meta, outbox)
    watch.figures |= {"start_most_seconds": round(max(starts, default=0), 2),
                      "left_p50_seconds": round(percentile(drains, 0.5), 2),
                      "left_most_seconds": round(max(drains, default=0), 2),
                      "at_rest_in_service_most_seconds": round(max(mended, default=0), 2),
                      "made_anew_in_service": appliance.log.count("queue.made_anew")}
    return watch.outcome()


async def _damaged_in_service(appliance: Appliance, what: str, sender: Sender, traffic: Traffic,
                              outbox: Outbox) -> float:
    """Under webhooks and sends; the seconds until all of them were in effect. Raises TimeoutError and Refused."""
    await asyncio.gather(sender.at_rate((traffic.delivery() for _ in range(WEBHOOKS)), RATE),
                         _sends(appliance, what, outbox))
    await sender.settled()
    seconds = await outbox.drained(LEAVES_IN) + await until_applied(appliance, LEAVES_IN)
    if not await until_ready(appliance, LEAVES_IN):
        raise TimeoutError(f"not ready within {LEAVES_IN} s")
    return seconds


async def _sends(appliance: Appliance, what: str, outbox: Outbox) -> None:
    async with httpx.AsyncClient(base_url=appliance.base, timeout=30, headers={
            "authorization": f"Bearer {appliance.numbers[0].api_key}"}) as script:
        for number in range(CALLS):
            if number == CALLS // 2:
                IN_SERVICE[what](appliance.data_dir / "queue.db")
            outbox.queued[0].add(await _sent(script, number))
            await asyncio.sleep(BETWEEN_CALLS)


async def _sent(script: httpx.AsyncClient, number: int) -> str:
    answer = await script.post("/api/v1/messages", json={
        "to": f"+{person(number)}", "type": "text", "text": {"body": f"Message {number} of a script"}})
    if answer.status_code != httpx.codes.ACCEPTED:
        raise Refused(f"a send was answered {answer.status_code}: {answer.text[:120]}")
    return str(answer.json()["id"])


def damage(path: Path, luck: random.Random) -> str:
    """What happened to the queue's file."""
    log, shared = path.with_name("queue.db-wal"), path.with_name("queue.db-shm")
    what = luck.choice(WAYS)
    size = path.stat().st_size if path.exists() else 0
    content = path.read_bytes() if path.exists() else b""
    if what in ("deleted", "junk", "empty", "zeros"):
        log.unlink(missing_ok=True)
        shared.unlink(missing_ok=True)
    if what in ("deleted", "deleted alone"):
        path.unlink(missing_ok=True)
    elif what == "junk":
        path.write_bytes(luck.randbytes(max(size, 8192)))
    elif what == "junk behind the head":
        path.write_bytes(content[:100] + luck.randbytes(max(size - 100, 8192)))
    elif what == "empty":
        path.write_bytes(b"")
    elif what == "cut":
        path.write_bytes(content[:size // 2])
    elif what == "zeros":
        path.write_bytes(bytes(max(size, 8192)))
    else:
        log.write_bytes(luck.randbytes(8192))
    return what


def _judge(watch: Watch, appliance: Appliance, traffic: Traffic, meta: Meta, outbox: Outbox) -> None:
    with opened(appliance) as files:
        watch.faults += unsound(files) + unaccounted(files) + twice(meta.ledger)
        watch.faults += wrong_states(files, meta.ledger, outbox.queued) + out_of_order(files, meta.ledger)
        expected = Effects(traffic.facts)
        expected.events += statuses_of_sends(files.workspaces[0])
        watch.faults += not_in_effect(files.workspaces[0], expected, "the workspace")
    watch.expect(len(meta.accepted) == sum(map(len, outbox.queued)), "not every message left")
