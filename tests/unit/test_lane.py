"""How a number goes on while Meta does not answer, and how soon it is tried again when it may be back."""

from __future__ import annotations

from chime.clock import Clock
from chime.jobs.model import FAILURES_TO_SLOW, LONGEST_PROBE, Lane

RATE = 80.0


class HandClock(Clock):
    """Stands until it is moved."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 1_000.0

    def monotonic(self) -> float:
        return self.seconds


def slowed(clock: HandClock, burst: int) -> Lane:
    """A lane whose burst got no answer at all."""
    lane = Lane(clock)
    names = [f"m{number}" for number in range(burst)]
    lane.on_its_way.update(dict.fromkeys(names, clock.monotonic()))
    clock.seconds += 5
    for name in names:
        lane.unanswered(name)
        del lane.on_its_way[name]
    return lane


def test_a_burst_that_fails_at_once_is_one_failure_more() -> None:
    clock = HandClock()
    lane = slowed(clock, 50)
    assert lane.free(RATE) == 0 and 0 < lane.probe_in() <= 1
    clock.seconds += 1
    assert lane.free(RATE) == 1, "one is tried"
    lane.answered()
    assert lane.free(RATE) > 1, "and what waited goes on"


def test_each_trial_without_an_answer_doubles_the_pause() -> None:
    clock = HandClock()
    lane = slowed(clock, FAILURES_TO_SLOW)
    pauses = []
    for trial in range(8):
        pauses.append(lane.probe_in())
        clock.seconds += lane.probe_in()
        lane.on_its_way[f"trial {trial}"] = clock.monotonic()
        assert lane.free(RATE) == 0, "while one is on its way no other is tried"
        lane.unanswered(f"trial {trial}")
        del lane.on_its_way[f"trial {trial}"]
    assert pauses == [1, 2, 4, 8, 16, LONGEST_PROBE, LONGEST_PROBE, LONGEST_PROBE]


def test_a_few_without_an_answer_slow_nothing() -> None:
    clock = HandClock()
    lane = slowed(clock, FAILURES_TO_SLOW - 1)
    assert lane.probe_in() == 0 and lane.free(RATE) > 1
    lane.answered()
    lane.unanswered("one more")
    assert lane.probe_in() == 0
