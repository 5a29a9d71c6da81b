"""How fast a number that Meta called too fast may send again."""

from __future__ import annotations

import asyncio

from chime.jobs import Pace
from tests.unit.test_lane import HandClock

RATE = 80.0


async def slowed(clock: HandClock, times: int) -> Pace:
    pace = Pace(clock)
    await pace.slot("number", RATE)
    for _ in range(times):
        clock.seconds += 2
        pace.slow_down("number")
    return pace


async def at_once(pace: Pace) -> int:
    """How many of a second's worth leave without a pause."""
    left = 0
    while True:
        try:
            await asyncio.wait_for(pace.slot("number", RATE), 0.001)
        except TimeoutError:
            return left
        left += 1


async def test_the_minutes_without_a_word_count_also_when_nothing_was_sent() -> None:
    clock = HandClock()
    pace = await slowed(clock, 20)
    clock.seconds += 5
    assert await at_once(pace) <= 2
    clock.seconds += 8 * 3600
    await pace.slot("number", RATE)
    clock.seconds += 1
    assert await at_once(pace) >= 79, "the next morning it is as fast as ever"


async def test_the_rate_comes_back_by_a_tenth_each_minute() -> None:
    clock = HandClock()
    pace = await slowed(clock, 5)
    rate = RATE * 0.75 ** 5
    for minutes in (1, 2, 4):
        clock.seconds += minutes * 60
        rate *= 1.1 ** minutes
        await pace.slot("number", RATE)
        clock.seconds += 1
        assert abs(await at_once(pace) - rate) <= 4
