"""Statuses in every order and number, some before the answer of the POST: the message ends up the same.

One round is one message with one of the stories below, told in an order of its own. All messages of a story are
compared with each other; what becomes of each story is known as well.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from typing import Any

import msgspec

from tests.reliability.appliance import Appliance
from tests.reliability.checker import opened, unaccounted, unsound, until_applied
from tests.reliability.meta import Entry, Meta
from tests.reliability.outbox import Outbox, out_of_order, status_body, twice
from tests.reliability.scenario import Options, Outcome, Watch
from tests.reliability.senders import Delivery, Sender

SHORT, NIGHTLY, RELEASE = 1_200, 20_000, 200_000
RATE = 400
PRICE = {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "service"}
NOT_DELIVERED = [{"code": 131026, "title": "Message undeliverable"}]
# The words of a story -> where its message stands at last.
STORIES = {
    ("sent",): "sent", ("sent", "delivered"): "delivered", ("sent", "delivered", "read"): "read",
    ("delivered", "read"): "read", ("read",): "read", ("sent", "delivered", "read", "played"): "played",
    ("failed",): "failed", ("sent", "failed"): "failed", ("sent", "failed", "delivered"): "delivered",
    ("sent", "delivered", "failed"): "delivered", ("sent", "delivered", "read", "failed"): "read",
    ("sent", "deleted_by_a_newer_meta"): "sent",
}


class Teller:
    """Tells each message's story as it is POSTed: a part before the answer, the rest behind it."""

    def __init__(self, appliance: Appliance, sender: Sender, luck: random.Random) -> None:
        self._numbers = {number.phone_number_id: number for number in appliance.numbers}
        self._sender = sender
        self._luck = luck
        self._at = int(time.time()) - 300
        self.story: dict[str, tuple[str, ...]] = {}
        self.before_the_answer = 0

    async def told(self, entry: Entry) -> None:
        words = self._luck.choice(list(STORIES))
        self.story[entry.message_id] = words
        order = list(words)
        # Copies stand anywhere, also before their original's neighbours.
        order += self._luck.choices(words, k=self._luck.randrange(len(words) + 1))
        self._luck.shuffle(order)
        early = self._luck.randrange(len(order) + 1) if self._luck.random() < 0.6 else 0
        self.before_the_answer += early > 0
        for word in order[:early]:
            await self._sender.deliver(self._delivery(entry, words, word))
        for word in order[early:]:
            self._sender.start(self._delivery(entry, words, word))

    def _delivery(self, entry: Entry, words: tuple[str, ...], word: str) -> Delivery:
        more: dict[str, Any] = {"errors": NOT_DELIVERED} if word == "failed" else {"pricing": PRICE}
        return Delivery(status_body(self._numbers[entry.phone_number_id], entry, word, at=self._at + words.index(word),
                                    named=self._luck.random() < 0.5, **more))


async def run(options: Options) -> Outcome:
    watch, luck = Watch("statuses-all-orders", options), options.luck()
    async with Meta() as meta, Appliance.install(options.folder, graph_url=meta.url) as appliance:
        outbox = Outbox(appliance, luck, conversations=max(50, options.rounds // 20), rate=RATE)
        outbox.queue(options.rounds)
        sender = Sender(appliance.port, appliance.webhook_path, luck)
        teller = Teller(appliance, sender, luck)
        meta.before_answer = teller.told
        await appliance.start()
        try:
            watch.figures["drained_after_seconds"] = round(await outbox.drained(60 + options.rounds / 50), 1)
            await sender.settled()
            await until_applied(appliance)
        except TimeoutError as late:
            watch.faults.append(f"it did not come to rest: {late}")
        await sender.close()
        await appliance.kill()
        with opened(appliance) as files:
            watch.faults += unsound(files) + unaccounted(files) + twice(meta.ledger) + out_of_order(files, meta.ledger)
            watch.faults += _different(files.workspaces[0], teller.story, teller._at)
    watch.faults += sender.unusual()
    watch.figures |= {"messages": len(teller.story), "statuses": sum(sender.answers.values()),
                      "with_a_status_before_the_answer": teller.before_the_answer}
    return watch.outcome()


def _different(file: Any, story: dict[str, tuple[str, ...]], begun: int) -> list[str]:
    """The stories whose messages did not all end up as they must, with what is left of them."""
    left: dict[tuple[str, ...], set[bytes]] = defaultdict(set)
    statuses: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for message_id, *rest in file.execute("SELECT message_id, status, at, details_json FROM message_status "
                                          "ORDER BY message_id, status"):
        statuses[message_id].append((rest[0], rest[1] - begun * 1000, rest[2]))
    for message_id, *rest in file.execute(
            "SELECT id, status, sent_at IS NULL, delivered_at, read_at, error_code, error_title, error_what_to_do, "
            "pricing_json, attempts FROM message WHERE origin = 'api'"):
        left[story[message_id]].add(msgspec.json.encode((*rest, statuses[message_id])))
    faults = []
    for words, ends in left.items():
        told = " + ".join(words)
        if len(ends) > 1:
            faults.append(f"{told}: {len(ends)} different ends, such as {sorted(ends)[0]!r} and {sorted(ends)[-1]!r}")
        faults += [f"{told}: ends {status} instead of {STORIES[words]}" for status in
                   {msgspec.json.decode(end)[0] for end in ends} - {STORIES[words]}]
    return faults
