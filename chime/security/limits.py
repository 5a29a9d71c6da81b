"""Rate limits by the generic cell rate algorithm: one number a caller, exact, and no burst at a window's edge."""

from __future__ import annotations

from collections import OrderedDict

import msgspec


class Limit(msgspec.Struct, frozen=True):
    """`count` calls in each `seconds`; all of them may come at once."""

    count: int
    seconds: float


API_LIMITS = (Limit(3, 1), Limit(20, 10), Limit(100, 60))
SIGN_IN_LIMITS = (Limit(5, 10), Limit(20, 600))


class Verdict(msgspec.Struct, frozen=True):
    """Whether a call may go on; `retry_after` in seconds when not; what is left of the tightest limit."""

    allowed: bool
    retry_after: float
    remaining: int


class RateLimiter:
    """Counts callers against several limits at once. A refused call costs nothing."""

    def __init__(self, most_callers: int = 50_000) -> None:
        self._times: OrderedDict[tuple[str, int], float] = OrderedDict()
        self._most = most_callers

    def take(self, caller: str, limits: tuple[Limit, ...], now: float) -> Verdict:
        """One call of `caller` at `now` (monotonic seconds)."""
        news: list[float] = []
        wait = 0.0
        remaining = 1_000_000
        for index, limit in enumerate(limits):
            interval = limit.seconds / limit.count
            theoretical = max(self._times.get((caller, index), now), now) + interval
            over = theoretical - now - limit.seconds
            wait = max(wait, over)
            remaining = min(remaining, int((limit.seconds - (theoretical - now)) / interval + 1e-9))
            news.append(theoretical)
        if wait > 1e-9:
            return Verdict(False, wait, 0)
        for index, theoretical in enumerate(news):
            self._times[(caller, index)] = theoretical
            self._times.move_to_end((caller, index))
        while len(self._times) > self._most:
            self._times.popitem(last=False)
        return Verdict(True, 0.0, max(0, remaining))


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
