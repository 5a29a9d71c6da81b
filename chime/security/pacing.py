"""Pacing of what we send: calls are spread out, and a burst borrows from the future. Meta counts like this.

Not for callers of ours: `chime.security.limits` promises them exact intervals.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec


class Spacing(msgspec.Struct, frozen=True):
    """`count` calls in each `seconds`, evenly; all of them may come at once and are paid for afterwards."""

    count: int
    seconds: float


class Spacer:
    """One number a key, by the generic cell rate algorithm. A call that must wait costs nothing."""

    def __init__(self, spacing: Spacing, most_keys: int = 50_000) -> None:
        self._spacing = spacing
        self._interval = spacing.seconds / spacing.count
        self._times: OrderedDict[str, float] = OrderedDict()
        self._most = most_keys

    def take(self, key: str, now: float) -> float:
        """Seconds to wait; 0 when the call may be made at `now` (monotonic seconds) and is counted."""
        paid = max(self._times.get(key, now), now) + self._interval
        wait = paid - now - self._spacing.seconds
        if wait > 1e-9:
            return wait
        self._times[key] = paid
        self._times.move_to_end(key)
        # Two at a time: who owes nothing any more is as good as one never heard of, and thousands are in a day.
        for _ in range(2):
            if next(iter(self._times.values())) <= now:
                self._times.popitem(last=False)
        if len(self._times) > self._most:
            self._times.popitem(last=False)
        return 0.0

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._times)


class TokenBucket:
    """Sends of one number: `rate` a second with a burst of one second's worth."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._allowance = rate
        self._at: float | None = None

    def take(self, now: float) -> float:
        """Seconds to wait before the next send may leave; 0 when it may leave now (and is counted)."""
        if self._at is not None:
            self._allowance = min(self.rate, self._allowance + (now - self._at) * self.rate)
        self._at = now
        if self._allowance >= 1:
            self._allowance -= 1
            return 0.0
        return (1 - self._allowance) / self.rate
