"""RATE-1..3: what a limit promises holds for every interval, whoever asks, however the calls are spread."""

from __future__ import annotations

import random
import sys
import threading
import tracemalloc
from bisect import bisect_left, bisect_right
from collections import defaultdict

import pytest

from chime.errors import TooMany
from chime.security import limits
from chime.security.limits import TICKS, Limit, Rate, RateLimiter, usual

WINDOWS = limits.API.limits


class Times:
    """A monotonic clock in the test's hand, in ticks so that a sum is a sum."""

    def __init__(self, ticks: int = 0) -> None:
        self.ticks = ticks

    def __call__(self) -> float:
        return (self.ticks + 0.5) / TICKS


class Naive:
    """What the limiter promises, done the slow way: every accepted call is kept, and each interval counted."""

    def __init__(self, windows: tuple[Limit, ...]) -> None:
        self._windows = windows
        self.accepted: list[int] = []

    def allows(self, tick: int) -> bool:
        # Both ends of an interval belong to it.
        return all(len(self.accepted) - bisect_left(self.accepted, tick - int(limit.seconds * TICKS)) < limit.count
                   for limit in self._windows)

    def wait(self, tick: int) -> int:
        """Ticks until a call would be allowed."""
        return max(0, *(self.accepted[-limit.count] + int(limit.seconds * TICKS) + 1 - tick
                        for limit in self._windows if len(self.accepted) >= limit.count), 0)


def _pause(luck: random.Random) -> int:
    """Mostly short, at times a jump of the machine: asleep for minutes or for a week."""
    kind = luck.random()
    if kind < 0.4:
        return luck.choice((0, 0, 1, luck.randrange(200)))
    if kind < 0.9:
        return luck.randrange(8_000)
    if kind < 0.97:
        span = luck.choice(WINDOWS).seconds
        return max(0, int(span * TICKS) + luck.choice((-2, -1, 0, 1, 2)))
    return luck.choice((3, 90, 3_600, 430_000, 700_000)) * TICKS


def _rate_1(steps: int, luck: random.Random) -> None:
    clock = Times(luck.choice((0, 2**32 - 50_000)))
    limiter = RateLimiter(clock)
    naive: dict[str, Naive] = defaultdict(lambda: Naive(WINDOWS))
    refused = 0
    for _ in range(steps):
        clock.ticks += _pause(luck)
        who = luck.choice("aaab")
        verdict = limiter.take(limits.API.of(who))
        expected = naive[who].allows(clock.ticks)
        assert verdict.allowed is expected, (clock.ticks, who)
        if expected:
            naive[who].accepted.append(clock.ticks)
        else:
            refused += 1
            assert round(verdict.retry_after * TICKS) == naive[who].wait(clock.ticks)
        del naive[who].accepted[:-200]
    assert steps // 20 < refused < steps, "the run must meet both answers"


def test_rate_1_every_decision_is_that_of_a_naive_count() -> None:
    _rate_1(20_000, random.Random("rate 1"))


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_rate_1_a_million_decisions() -> None:
    _rate_1(1_000_000, random.Random("rate 1 at night"))


def _most_in_any(times: list[float], seconds: float) -> int:
    """The most calls any half-open interval of this length holds; such an interval may as well begin at a call."""
    return max(bisect_left(times, start + seconds) - index for index, start in enumerate(times))


def test_rate_2_64_threads_together_get_no_more_than_one_would() -> None:
    """Real time and real threads: what was accepted is looked at afterwards."""
    import time

    accepted: list[float] = []
    limiter = RateLimiter(time.monotonic)
    rate = Rate("threads", (Limit(20, 0.2), Limit(50, 1)))
    until = time.monotonic() + 1.5
    at_the_latest = until + 20
    start = threading.Barrier(64)

    def hammer() -> None:
        start.wait()
        # On a busy machine 64 threads may not be asked often enough in that time to use up what is allowed.
        while (now := time.monotonic()) < until or (len(accepted) < 50 and now < at_the_latest):
            before = time.monotonic()
            if limiter.take(rate.of("everybody")).allowed:
                accepted.append(before)
            time.sleep(0.001)

    switched = sys.getswitchinterval()
    sys.setswitchinterval(0.0001)
    threads = [threading.Thread(target=hammer) for _ in range(64)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switched)
    # A time read before the call may be earlier than the limiter's: an interval seen from here is that much shorter.
    times = sorted(accepted)
    assert len(times) >= 50
    assert _most_in_any(times, 0.2 - 0.05) <= 20 and _most_in_any(times, 1 - 0.05) <= 50


def test_rate_2_calls_at_one_moment_on_many_threads_are_counted_one_by_one() -> None:
    limiter = RateLimiter(lambda: 7.0)
    allowed: list[bool] = []
    threads = [threading.Thread(target=lambda: allowed.extend(
        limiter.take(limits.WORKSPACE.of("one")).allowed for _ in range(50))) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(allowed), sum(allowed)) == (3_200, 30)


@pytest.mark.parametrize("limit", WINDOWS, ids=lambda limit: f"{limit.seconds}s")
def test_rate_3_an_interval_that_straddles_a_boundary_holds_no_more(limit: Limit) -> None:
    """All calls at the end of one second and all at the beginning of the next: fixed windows let both in."""
    alone = Rate("alone", (limit,))
    for part in range(1, 20):
        clock = Times(1_000_000)
        limiter = RateLimiter(clock)
        step = int(limit.seconds * TICKS * part / 20)
        accepted: list[int] = []
        for _ in range(60):
            for _ in range(limit.count + 2):
                if limiter.take(alone.of("x")).allowed:
                    accepted.append(clock.ticks)
            clock.ticks += step
        span = int(limit.seconds * TICKS)
        most = max(bisect_right(accepted, start + span - 1) - index for index, start in enumerate(accepted))
        assert most == limit.count


def test_a_refused_call_consumes_nothing_of_any_limit() -> None:
    clock = Times()
    limiter = RateLimiter(clock)
    narrow, wide = usual("narrow", 1, 5, 50), usual("wide", 2, 50, 500)
    assert limiter.take(narrow.of("me"), wide.of("us")).allowed
    for _ in range(500):
        assert not limiter.take(narrow.of("me"), wide.of("us")).allowed
    assert limiter.take(wide.of("us")).allowed, "my refused calls cost the others nothing"
    clock.ticks += TICKS + 1
    assert limiter.take(narrow.of("me")).allowed, "nor me"


def test_waiting_as_long_as_told_is_long_enough() -> None:
    clock = Times()
    limiter = RateLimiter(clock)
    luck = random.Random("wait")
    for _ in range(2_000):
        clock.ticks += luck.randrange(3_000)
        verdict = limiter.take(limits.API.of("me"))
        if not verdict.allowed:
            clock.ticks += round(verdict.retry_after * TICKS) - 1
            assert not limiter.take(limits.API.of("me")).allowed, "a tick earlier is too early"
            clock.ticks += 1
            assert limiter.take(limits.API.of("me")).allowed


def test_what_is_left_is_told_for_the_limit_that_is_nearest_to_its_end() -> None:
    clock = Times()
    limiter = RateLimiter(clock)
    told = []
    for _ in range(3):
        verdict = limiter.take(limits.API.of("me"))
        told.append((verdict.index, verdict.remaining))
    assert told == [(0, 2), (0, 1), (0, 0)]
    for _ in range(8):
        clock.ticks += TICKS + 1
        limiter.take(limits.API.of("me"))
        limiter.take(limits.API.of("me"))
    clock.ticks += TICKS + 1
    verdict = limiter.take(limits.API.of("me"))
    assert (verdict.index, verdict.remaining) == (1, 0) and 0.9 < verdict.reset <= 1.1, "three leave in a second"


def test_need_says_when_to_come_back() -> None:
    limiter = RateLimiter(Times())
    for _ in range(limits.INVITE.limits[0].count):
        limiter.need(limits.INVITE.of("workspace", "person"))
    with pytest.raises(TooMany) as refused:
        limiter.need(limits.INVITE.of("workspace", "person"))
    assert 9.9 < refused.value.retry_after <= 10.1
    limiter.need(limits.INVITE.of("workspace", "another"))


def test_parts_of_a_caller_cannot_be_shifted_into_each_other() -> None:
    assert limits.API.of("ab", "c") != limits.API.of("a", "bc")


def test_a_factor_widens_every_limit() -> None:
    limiter = RateLimiter(Times(), factor=4)
    assert [limiter.take(limits.API.of("me")).allowed for _ in range(13)] == [True] * 12 + [False]
    assert [limit.count for limit in limiter.policy(limits.API)] == [12, 80, 400]


def test_a_caller_costs_less_than_a_kilobyte() -> None:
    clock = Times()
    limiter = RateLimiter(clock)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(100):
            for number in range(500):
                assert limiter.take(limits.API.of("01hd3vx7y0zq8n4w5t6k9m2p1c", f"{number:026}")).allowed
            clock.ticks += TICKS // 2 + 1_000
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert limiter.callers == 500 and taken / 500 < 1_024, taken / 500


def test_no_more_callers_are_remembered_than_there_is_room_for_and_the_idle_leave_first() -> None:
    clock = Times()
    limiter = RateLimiter(clock, most_callers=1_000)
    for _ in range(3):
        assert limiter.take(limits.API.of("busy")).allowed
    for number in range(5_000):
        clock.ticks += 1
        limiter.take(limits.API.of(str(number)))
        if number % 500 == 0:
            assert not limiter.take(limits.API.of("busy")).allowed, "a flood of others must not wash its count away"
    assert limiter.callers == 1_000
    clock.ticks += 61 * TICKS
    for number in range(600):
        limiter.take(limits.API.of(f"later {number}"))
    assert limiter.callers == 600, "who was quiet for a minute is forgotten without any need"


def test_strangers_push_out_nobody_with_a_key() -> None:
    limiter = RateLimiter(Times(), most_callers=10)
    for _ in range(3):
        limiter.take(limits.API.of("key"))
    for number in range(1_000):
        limiter.take(limits.STRANGER.of(str(number)))
    assert not limiter.take(limits.API.of("key")).allowed


def test_decisions_are_cheap() -> None:
    import time

    limiter = RateLimiter(time.monotonic, factor=1_000)
    calls = limits.API.of("key"), limits.ADDRESS.of("192.0.2.1"), limits.WORKSPACE.of("acme")
    begun = time.thread_time()
    for _ in range(5_000):
        limiter.take(*calls)
    assert (time.thread_time() - begun) / 5_000 < 0.001
