"""Time, and the only place that asks the machine for it.

Every moment inside Chime is an integer: unix milliseconds, UTC. Text forms exist at the borders only.
Promise: `real_now` never follows a simulated clock, so sessions, throttles and audit rows cannot be moved by the demo.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Clock:
    """The wall clock. The simulator may move `now` forward to show what a closed reply window looks like."""

    def __init__(self) -> None:
        self._offset = 0

    def now(self) -> int:
        """Unix milliseconds as the product sees them."""
        return self.real_now() + self._offset

    def real_now(self) -> int:
        """Unix milliseconds of the machine, for everything security depends on."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds that never go back; for durations and deadlines inside the process."""
        return time.monotonic()

    def advance(self, milliseconds: int) -> None:
        """Move `now` forward (simulator and tests only)."""
        self._offset += milliseconds

    @property
    def offset(self) -> int:
        """How far `now` is ahead of the machine, in milliseconds."""
        return self._offset


def rfc3339(at: int) -> str:
    """Unix milliseconds as the API writes them: `2026-11-21T02:42:25.120Z`."""
    return f"{datetime.fromtimestamp(at // 1000, UTC).isoformat()[:19]}.{at % 1000:03d}Z"


def from_rfc3339(text: str) -> int:
    """Unix milliseconds of an RFC 3339 text. Raises ValueError when it is none or names no zone."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError("the time names no zone")
    return int(moment.timestamp() * 1000)


def as_datetime(at: int) -> datetime:
    """Unix milliseconds as an aware datetime in UTC, for formatting in a person's zone."""
    return datetime.fromtimestamp(at / 1000, UTC)
