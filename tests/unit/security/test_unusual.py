"""Many more failed sign-ins than usual are noticed once, and a busy hour is no alarm."""

from __future__ import annotations

from chime.web.throttle import Unusual


def test_a_burst_is_told_once_an_hour() -> None:
    unusual = Unusual()
    assert [unusual.count(60.0) for _ in range(100)].count(True) == 1
    assert [unusual.count(120.0) for _ in range(100)].count(True) == 0
    assert unusual.total == 200


def test_what_is_usual_here_is_no_alarm() -> None:
    unusual = Unusual()
    told = [unusual.count(minute * 60.0) for minute in range(60) for _ in range(20)]
    assert not any(told)
    assert not any(unusual.count(3600.0) for _ in range(150)), "less than ten times twenty"
    assert any(unusual.count(3600.0) for _ in range(60))


def test_quiet_minutes_count_as_quiet() -> None:
    unusual = Unusual()
    for _ in range(20):
        unusual.count(0.0)
    assert any(unusual.count(10_000.0) for _ in range(30))
