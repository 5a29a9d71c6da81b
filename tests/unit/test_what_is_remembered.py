"""What the process remembers of the last seconds or hour is forgotten with them: days of work make it no larger."""

from __future__ import annotations

from chime.clock import HOUR, MINUTE, SECOND
from chime.security.pacing import Spacer, Spacing
from chime.web.language import to_the_minute
from chime.workspaces.records import Lately


def test_who_owes_nothing_any_more_is_forgotten_by_a_spacer() -> None:
    spacer = Spacer(Spacing(count=2, seconds=12))
    now, longest = 0.0, 0
    for person in range(5_000):
        assert spacer.take(f"person {person}", now) == 0
        now += 0.5
        longest = max(longest, len(spacer))
    assert longest <= 14, "those of the last six seconds, and one or two"


def test_a_spacer_forgets_nobody_who_still_owes() -> None:
    spacer = Spacer(Spacing(count=2, seconds=12))
    assert [spacer.take("busy", 0.0) for _ in range(3)] == [0, 0, 6]
    for person in range(100):
        assert spacer.take(f"person {person}", 5.9) == 0
    assert round(spacer.take("busy", 5.9), 6) == 0.1 and spacer.take("busy", 6.0) == 0


def test_only_what_was_done_within_the_hour_is_remembered() -> None:
    lately, longest = Lately(), 0
    for number in range(10_000):
        now = number * SECOND * 30
        assert not lately.was_done((str(number),), now)
        lately.do((str(number),), now)
        longest = max(longest, len(lately))
    assert longest <= HOUR // (SECOND * 30) + 2
    assert lately.was_done(("9999",), now) and lately.was_done(("9990",), now + HOUR // 2)
    assert not lately.was_done(("9999",), now + HOUR)


def test_a_clock_that_was_put_back_leaves_nothing_behind() -> None:
    lately = Lately()
    for number in range(100):
        lately.do((str(number),), 10 * HOUR)
    for number in range(100):
        lately.do((f"later {number}",), number)
    assert len(lately) <= 101


def test_a_moment_to_the_minute() -> None:
    at = 1_795_399_762_604
    assert to_the_minute(at) == "2026-11-23T02:09Z"
    assert {to_the_minute(at // MINUTE * MINUTE + rest) for rest in (0, 1, MINUTE - 1)} == {to_the_minute(at)}
