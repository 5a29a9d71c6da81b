"""What goes out: messages queued while the appliance is down, the statuses Meta sends back, and the judge of it all.

`Outbox.queue` uses the product's one door for sends, many messages to a transaction, because the API takes a hundred a
minute. The judge compares Meta's ledger with the files (invariants I4 to I6 and the order within a conversation).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from chime import channels, contacts, inbox
from chime.clock import Clock
from chime.errors import Refused
from chime.security.permissions import OPERATOR
from chime.setup import opened
from chime.whatsapp import Person, parse_message
from tests.reliability.appliance import Appliance, finished
from tests.reliability.checker import FEW, Files
from tests.reliability.meta import Entry
from tests.reliability.senders import Delivery, Sender
from tests.support.webhook_bodies import body, change

# A lane's size at the default rate of a number: what may be on its way, so what may be in doubt after a kill.
MOST_IN_FLIGHT = 18
SETTLED = frozenset({"sent", "delivered", "read", "played"})
TOGETHER = 250
# In every message and every name, to be looked for where none may be.
OUR_WORDS, THEIR_NAMES = "bassoons by the dozen", "Ottoline Person"


def person(index: int) -> str:
    """The number of somebody who is written to; see `traffic.phone_of`."""
    return f"1444{7_310_000 + index}"


class Outbox:
    """Conversations with an open window for each number, and the messages queued in them."""

    def __init__(self, appliance: Appliance, luck: random.Random, *, conversations: int = 100,
                 rate: int | None = None, windows: Sequence[int] = (24 * 3600,)) -> None:
        """`rate`: messages a second of each number, when not the default; `windows`: when those of the conversations
        close, in seconds from now, in turns."""
        self._rate = rate
        self._windows = windows
        self._appliance = appliance
        self._luck = luck
        self.queued: list[set[str]] = [set() for _ in appliance.numbers]
        """The ids of all messages, by number."""
        self._conversations: list[list[str]] = finished(self._open(conversations))

    async def _open(self, count: int) -> list[list[str]]:
        made = []
        async with opened(self._appliance.config) as (_, registry):
            for number in self._appliance.numbers:
                async with registry.use(number.workspace_id) as workspace, workspace.ingest("reliability") as tx:
                    threads = []
                    if self._rate is not None:
                        await channels.record_quality(tx, number.channel_id, messages_per_second=self._rate)
                    for index in range(count):
                        found = await contacts.recognise(tx, Person(
                            phone=person(index), name=f"{THEIR_NAMES} {index}"))
                        thread = await inbox.open_thread(tx, number.channel_id, found.contact_id, at=tx.now)
                        await tx.execute("UPDATE conversation SET window_expires_at = ? WHERE id = ?",
                                         tx.now + self._windows[index % len(self._windows)] * 1000, thread.id)
                        threads.append(thread.id)
                made.append(threads)
        return made

    def queue(self, count: int) -> None:
        """So many more messages for each number. Only while no process runs on the files."""
        assert not self._appliance.runs, "the files are in use"
        finished(self._queue(count))

    async def _queue(self, count: int) -> None:
        async with opened(self._appliance.config) as (_, registry):
            for number, threads, known in zip(self._appliance.numbers, self._conversations, self.queued, strict=True):
                async with registry.use(number.workspace_id) as workspace:
                    for start in range(0, count, TOGETHER):
                        async with workspace.write(OPERATOR) as tx:
                            for _ in range(min(TOGETHER, count - start)):
                                known.add(await self._queue_one(tx, threads, len(known)))

    async def _queue_one(self, tx: Any, threads: list[str], number: int) -> str:
        draft = inbox.Draft(message=parse_message({"type": "text", "text": {"body": f"{OUR_WORDS} {number}"}}),
                            origin=inbox.Origin.API)
        while True:
            try:
                return await inbox.queue_message(tx, self._luck.choice(threads), draft)
            except Refused as refusal:  # the window of this one is closed already
                assert refusal.code == "window_closed", refusal

    async def waiting(self) -> int:
        """Messages that are queued or on their way, asked of the files."""
        from tests.reliability.checker import opened as files_of

        with files_of(self._appliance) as files:
            return sum(file.execute("SELECT count(*) FROM message WHERE status IN ('queued', 'sending')").fetchone()[0]
                       for file in files.workspaces)

    async def drained(self, seconds: float) -> float:
        """Wait until nothing waits any more; the seconds it took. Raises TimeoutError."""
        begun = time.monotonic()
        while left := await self.waiting():
            if time.monotonic() - begun > seconds:
                raise TimeoutError(f"{left} messages still wait after {seconds} s")
            await asyncio.sleep(0.1)
        return time.monotonic() - begun


class Echoes:
    """Statuses of what Meta took, with our callback data: some before the answer of the POST, some twice, in any
    order. Give `told` to Meta as `on_accepted`."""

    def __init__(self, appliance: Appliance, sender: Sender, luck: random.Random, *, slowest: float = 0.8) -> None:
        self._numbers = {number.phone_number_id: number for number in appliance.numbers}
        self._sender = sender
        self._luck = luck
        self._slowest = slowest
        self._tasks: set[asyncio.Task[None]] = set()

    def told(self, entry: Entry) -> None:
        for word in ("sent", "delivered", "read"):
            for _ in range(2 if self._luck.random() < 0.1 else 1):
                task = asyncio.create_task(self._tell(entry, word))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _tell(self, entry: Entry, word: str) -> None:
        if self._luck.random() > 0.2:
            await asyncio.sleep(self._luck.uniform(0, self._slowest))
        self._sender.start(Delivery(status_body(self._numbers[entry.phone_number_id], entry, word)))

    async def settled(self, seconds: float) -> None:
        """Wait until every status was told and acknowledged. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while self._tasks:
                await asyncio.wait(list(self._tasks))
            await self._sender.settled(seconds)


def status_body(number: Any, entry: Entry, word: str, *, at: int | None = None, named: bool = True,
                **more: Any) -> bytes:
    """A body with one status of a message Meta took; `named`: with our callback data."""
    status = {"id": entry.wamid, "status": word, "timestamp": str(at or int(time.time())), "recipient_id": entry.to,
              **({"biz_opaque_callback_data": entry.callback_data} if named else {}), **more}
    return json.dumps(body(number, change(number, statuses=[status]))).encode()


def twice(ledger: list[Entry]) -> list[str]:
    """I4: the messages Meta was given again although it may have taken them. Again is right only after a refusal that
    says for certain that nothing left."""
    by_message: dict[str, list[Entry]] = defaultdict(list)
    for entry in ledger:
        by_message[entry.message_id].append(entry)
    faults = []
    for message_id, entries in by_message.items():
        for before, after in itertools.pairwise(entries):
            if before.fate.accepted or not before.fate.definite:
                faults.append(f"message {message_id}: POST of attempt {after.attempt} although attempt "
                              f"{before.attempt} ended as '{before.fate.name}'")
            elif after.attempt <= before.attempt:
                faults.append(f"message {message_id}: attempt {after.attempt} after attempt {before.attempt}")
    return faults


def wrong_states(files: Files, ledger: list[Entry], queued: list[set[str]], *,
                 rules_may_forbid: bool = False) -> list[str]:
    """I5, I6: every message is where Meta's ledger says that it must be. `rules_may_forbid`: some failed without a
    POST, because their window had closed."""
    last = {entry.message_id: entry for entry in ledger}
    faults = []
    for index, (file, known) in enumerate(zip(files.workspaces, queued, strict=True)):
        found = {row[0]: row[1:] for row in file.execute("SELECT id, status, wamid FROM message WHERE origin = 'api'")}
        if missing := known - found.keys():
            faults.append(f"workspace {index}: {len(missing)} queued messages are gone")
        for message_id, (status, wamid) in found.items():
            if rules_may_forbid and status == "failed" and message_id not in last:
                continue
            if fault := _wrong(status, wamid, last.get(message_id)):
                faults.append(f"workspace {index}: message {message_id} {fault}")
    if strangers := last.keys() - set[str]().union(*queued):
        faults.append(f"Meta was given {len(strangers)} messages nobody queued, such as {sorted(strangers)[:FEW]}")
    return faults


def _wrong(status: str, wamid: str | None, entry: Entry | None) -> str:
    if status in ("queued", "sending"):
        return f"is {status} at the end"
    if entry is None:
        return "" if status == "unconfirmed" else f"is {status} and Meta never heard of it"
    if entry.fate.accepted:
        if status not in SETTLED:
            return f"is {status}, and Meta took it ('{entry.fate.name}')"
        return "" if wamid == entry.wamid else "has another id than Meta gave it"
    if not entry.fate.definite:
        return "" if status == "unconfirmed" else f"is {status} after '{entry.fate.name}'"
    return "" if status in ("failed", "unconfirmed") else f"is {status} after '{entry.fate.name}'"


def out_of_order(files: Files, ledger: list[Entry]) -> list[str]:
    """What was written first in a conversation did not leave after what was written second."""
    faults = []
    for index, file in enumerate(files.workspaces):
        written = {row[0]: row[1:] for row in file.execute("SELECT id, conversation_id, at FROM message")}
        newest: dict[str, int] = {}
        for entry in ledger:
            if entry.fate.accepted and entry.message_id in written:
                conversation_id, at = written[entry.message_id]
                if at < newest.get(conversation_id, 0):
                    faults.append(f"workspace {index}: message {entry.message_id} left after a later one of its thread")
                newest[conversation_id] = max(at, newest.get(conversation_id, 0))
    return faults


def statuses_of_sends(file: Any) -> int:
    """How many statuses of what Chime itself sent are in effect: they stand in the accounts beside the traffic's."""
    return int(file.execute("SELECT count(*) FROM message_status JOIN message ON message.id = message_id "
                            "WHERE origin = 'api'").fetchone()[0])


def doubts_by_kill(files: Files, kills: list[int]) -> list[list[int]]:
    """By workspace, for each kill (unix milliseconds): the sends whose beginning is journalled and whose end is not,
    begun in the life that it ended."""
    found = []
    for journal in files.journals:
        begun = [row[0] for row in journal.execute(
            "SELECT min(at) FROM send_event GROUP BY message_id, attempt HAVING sum(phase = 'ended') = 0")]
        lives = list(zip([0, *kills], kills, strict=False))
        found.append([sum(1 for at in begun if start < at <= end) for start, end in lives])
    return found


def now() -> int:
    """Unix milliseconds, as the journal writes them."""
    return Clock().now()
