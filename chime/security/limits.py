"""How often one caller may call: an exact sliding log for each caller, several limits at once.

Promises: no interval of a limit's length ever holds more accepted calls than the limit, wherever it begins; a refused
call consumes nothing, of no limit; only the monotonic clock counts; a caller of the public API costs less than a
kilobyte; strangers cannot push out what is remembered of others, for each rate has its own memory.

    services.limiter.need(limits.INVITE.of(workspace.id, actor.id))    # raises TooMany
    verdict = services.limiter.take(limits.API.of(key), limits.ADDRESS.of(address))
"""

from __future__ import annotations

import math
import threading
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from chime.errors import TooMany

# Times are kept as 32 bits of tenths of a millisecond: they go round in 119 hours, far longer than any limit.
TICKS = 10_000
_ROUND = 0xFFFF_FFFF


class Limit(msgspec.Struct, frozen=True):
    """At most `count` calls in any `seconds`."""

    count: int
    seconds: float


class Rate(msgspec.Struct, frozen=True):
    """A kind of call and its limits, shortest interval first; all of them must allow a call."""

    name: str
    limits: tuple[Limit, ...]

    def of(self, *who: str) -> Counted:
        """Calls of this kind by one caller: a key, a person in a workspace, an address."""
        return Counted(self, "\0".join(who))


class Counted(msgspec.Struct, frozen=True):
    """What a call counts for."""

    rate: Rate
    who: str


def rate(name: str, *limits: tuple[int, float]) -> Rate:
    return Rate(name, tuple(Limit(*limit) for limit in limits))


def usual(name: str, a_second: int, ten_seconds: int, a_minute: int) -> Rate:
    """Limits for one second, ten seconds and a minute."""
    return rate(name, (a_second, 1), (ten_seconds, 10), (a_minute, 60))


# The public API and everything a person changes, for each key or person in a workspace.
API = usual("api", 3, 20, 100)
CHANGE = usual("change", 3, 20, 100)
# Pages and fragments: one page of the inbox asks for several. And the files of a conversation, which come at once.
READ = usual("read", 20, 100, 600)
# What an open page says and asks by itself, so that going fast through the list never costs its person a page.
UNASKED = usual("unasked", 20, 100, 600)
FILE = usual("file", 60, 400, 2_000)
# An address: of somebody unknown, and of somebody with a key or session.
STRANGER = usual("stranger", 10, 60, 300)
ADDRESS = usual("address", 30, 200, 1_000)
WORKSPACE = usual("workspace", 30, 200, 1_000)
# A page asks for dozens at once, or a monitor asks.
UNLIMITED = Rate("unlimited", ())
# Things that are tried by guessing, mail somebody or cost much.
SIGN_IN = rate("sign-in", (5, 10), (20, 600))
RESET = rate("reset", (3, 600), (10, 86_400))
INVITE = rate("invite", (5, 10), (30, 3_600))
EXPORT = rate("export", (2, 60), (10, 3_600))
QUESTION = rate("question", (4, 10), (20, 60), (300, 3_600))
# By people, as they type; a key has the limits of its kind.
SEARCH_BY_PHONE = rate("search-by-phone", (10, 10), (40, 60), (300, 3_600))
# Deliveries nobody signed; what Meta signed is never refused for its number.
UNVERIFIED = usual("unverified", 10, 60, 300)
POLICY_REPORT = rate("policy-report", (5, 10), (20, 60))


class Verdict(msgspec.Struct, frozen=True):
    """Whether a call may go on; `retry_after` in seconds when not. The limit that is nearest to its end: which it is
    of `rate`, how many calls are left, and in how many seconds there is one more."""

    allowed: bool
    retry_after: float
    rate: Rate
    index: int
    remaining: int
    reset: float


class _Log:
    """The accepted calls of one caller."""

    __slots__ = ("last", "ticks")

    def __init__(self) -> None:
        self.last = -math.inf
        self.ticks = array("I")


class RateLimiter:
    """Counts calls. `factor` widens every limit by as much; callers may come on several threads."""

    def __init__(self, monotonic: Callable[[], float], *, factor: int = 1, most_callers: int = 50_000) -> None:
        self._monotonic = monotonic
        self._factor = factor
        self._most = most_callers
        self._logs: dict[str, OrderedDict[str, _Log]] = {}
        self._lock = threading.Lock()

    def take(self, *calls: Counted) -> Verdict:
        """One call that counts for all of these, or for none when one of them refuses it."""
        with self._lock:
            # Read inside: a thread that waited here must not bring an earlier time than the one before it.
            now = self._monotonic()
            logs = [self._log(call, now) for call in calls]
            verdicts = [self._judge(call.rate, log, now) for call, log in zip(calls, logs, strict=True)]
            refused = [verdict for verdict in verdicts if not verdict.allowed]
            if refused:
                return max(refused, key=lambda verdict: verdict.retry_after)
            tick = _tick(now)
            for log in logs:
                log.ticks.append(tick)
                log.last = now
            return verdicts[0]

    def need(self, *calls: Counted) -> Verdict:
        """The same. Raises TooMany when the call may not go on."""
        verdict = self.take(*calls)
        if not verdict.allowed:
            raise TooMany("Too many requests; slow down.", retry_after=verdict.retry_after)
        return verdict

    def policy(self, rate: Rate) -> tuple[Limit, ...]:
        """The limits of a rate as they stand here."""
        return tuple(Limit(limit.count * self._factor, limit.seconds) for limit in rate.limits)

    @property
    def callers(self) -> int:
        """How many are remembered."""
        return sum(len(logs) for logs in self._logs.values())

    def _log(self, call: Counted, now: float) -> _Log:
        logs = self._logs.setdefault(call.rate.name, OrderedDict())
        longest = call.rate.limits[-1].seconds
        log = logs.get(call.who)
        if log is None:
            log = logs[call.who] = _Log()
            # Two at a time: who was quiet for longer than any limit looks back leaves before anybody new has to.
            for _ in range(2):
                if now - next(iter(logs.values())).last <= longest or len(logs) == 1:
                    break
                logs.popitem(last=False)
            if len(logs) > self._most:
                logs.popitem(last=False)
        logs.move_to_end(call.who)
        if now - log.last > longest:
            del log.ticks[:]
        else:
            del log.ticks[:_older(log.ticks, _tick(now), longest)]
        return log

    def _judge(self, rate: Rate, log: _Log, now: float) -> Verdict:
        tick, ticks = _tick(now), log.ticks
        wait, blocking, nearest, left = 0.0, 0, 0, math.inf
        for index, limit in enumerate(rate.limits):
            most = limit.count * self._factor
            if len(ticks) >= most:
                need = _span(limit.seconds) - _passed(tick, ticks[-most])
                if need > 0 and need / TICKS > wait:
                    wait, blocking = need / TICKS, index
            remaining = most - (len(ticks) - _older(ticks, tick, limit.seconds))
            if remaining < left:
                nearest, left = index, remaining
        if wait:
            return Verdict(False, wait, rate, blocking, 0, wait)
        first = _older(ticks, tick, rate.limits[nearest].seconds)
        reset = (_span(rate.limits[nearest].seconds) - _passed(tick, ticks[first]) if first < len(ticks)
                 else _span(rate.limits[nearest].seconds)) / TICKS
        return Verdict(True, 0.0, rate, nearest, int(left) - 1, reset)


def _tick(now: float) -> int:
    return int(now * TICKS) & _ROUND


def _passed(tick: int, earlier: int) -> int:
    return (tick - earlier) & _ROUND


def _span(seconds: float) -> int:
    """One more than it is: both ends of an interval are rounded down, and it must not be shorter than it was meant."""
    return math.ceil(seconds * TICKS) + 1


def _older(ticks: array[int], tick: int, seconds: float) -> int:
    """How many of the calls no longer count for an interval of this length."""
    span = _span(seconds)
    return bisect_left(ticks, -span + 1, key=lambda earlier: -_passed(tick, earlier))
