"""How long a doubt about a send lasts: from the moment Meta took it until it is settled, less the time nothing ran.

A doubt is a message that Meta took without Chime's journal saying so: the answer was lost, or the process was. Looks
that come seldom make a doubt longer than it was, never shorter.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from tests.reliability.appliance import Appliance
from tests.reliability.checker import Files, opened
from tests.reliability.meta import Entry
from tests.reliability.outbox import SETTLED

LOOKS_EVERY = 0.25


class Uptime:
    """How long the process has served, by its lives so far."""

    def __init__(self) -> None:
        self._lives: list[tuple[float, float]] = []

    def began(self) -> None:
        self._lives.append((time.monotonic(), float("inf")))

    def ended(self) -> None:
        self._lives[-1] = (self._lives[-1][0], time.monotonic())

    def at(self, moment: float) -> float:
        """The seconds it had served by this monotonic moment."""
        return sum(max(0.0, min(end, moment) - begin) for begin, end in self._lives)


class Doubts:
    """Notes when a message is first seen settled."""

    def __init__(self) -> None:
        self.uptime = Uptime()
        self._settled: dict[str, float] = {}

    def look(self, files: Files) -> None:
        served = self.uptime.at(time.monotonic())
        for file in files.workspaces:
            for message_id, status in file.execute("SELECT id, status FROM message WHERE origin = 'api'"):
                if status in SETTLED:
                    self._settled.setdefault(message_id, served)

    async def keep_looking(self, appliance: Appliance) -> None:
        """While it runs; until cancelled."""
        with opened(appliance) as files:
            while True:
                self.look(files)
                await asyncio.sleep(LOOKS_EVERY)

    def lasted(self, files: Files, ledger: Iterable[Entry]) -> list[float]:
        """Seconds of each doubt; infinite when it was never seen settled."""
        certain = {row for journal in files.journals for row in journal.execute(
            "SELECT message_id, attempt FROM send_event WHERE phase = 'ended' AND outcome = 'accepted'")}
        return [max(0.0, self._settled.get(entry.message_id, float("inf")) - self.uptime.at(entry.at))
                for entry in ledger if entry.fate.accepted and (entry.message_id, entry.attempt) not in certain]
