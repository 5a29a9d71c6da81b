"""When a snooze ends, on the reader's calendar."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from chime.clock import HOUR
from chime.errors import Invalid
from chime.inbox.snooze import Preset, moment, typed_moment

KOLKATA, NEW_YORK = ZoneInfo("Asia/Kolkata"), ZoneInfo("America/New_York")


def at(text: str, zone: ZoneInfo) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


@pytest.mark.parametrize(("preset", "now", "ends"), [
    ("evening", "2026-11-20T10:00", "2026-11-20T18:00"), ("evening", "2026-11-20T18:00", "2026-11-21T18:00"),
    ("tomorrow", "2026-11-20T23:59", "2026-11-21T09:00"), ("tomorrow", "2026-12-31T08:00", "2027-01-01T09:00"),
    ("monday", "2026-11-20T10:00", "2026-11-23T09:00"), ("monday", "2026-11-23T08:00", "2026-11-30T09:00"),
])
@pytest.mark.parametrize("zone", [KOLKATA, NEW_YORK])
def test_moments(preset: str, now: str, ends: str, zone: ZoneInfo) -> None:
    assert moment(Preset(preset), at(now, zone), zone) == at(ends, zone)


def test_an_hour_is_an_hour_and_a_reply_has_no_moment() -> None:
    assert moment(Preset.HOUR, 5, KOLKATA) == 5 + HOUR
    assert moment(Preset.REPLY, 5, KOLKATA) is None


def test_nine_is_nine_on_the_day_the_clocks_change() -> None:
    """In New York the night to 1 November 2026 has an hour more."""
    before = at("2026-10-31T20:00", NEW_YORK)
    assert moment(Preset.TOMORROW, before, NEW_YORK) == at("2026-11-01T09:00", NEW_YORK) == before + 14 * HOUR


@pytest.mark.parametrize("typed", ["", "tomorrow", "2026-11-20T09:59", "2027-11-30T10:00",
                                   "99999-01-01T00:00", "0001-01-01T00:00"])
def test_what_is_no_moment_to_come_is_refused(typed: str) -> None:
    with pytest.raises(Invalid):
        typed_moment(typed, at("2026-11-20T10:00", KOLKATA), KOLKATA)


def test_what_is_typed_is_in_the_readers_zone() -> None:
    now = at("2026-11-20T10:00", KOLKATA)
    assert typed_moment("2026-11-20T10:30", now, KOLKATA) == now + HOUR // 2
