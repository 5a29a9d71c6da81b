"""Working time, against an oracle that asks every minute what the clock on the wall shows."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from chime.clock import DAY, HOUR, MINUTE
from chime.errors import Invalid
from chime.working_time import ALWAYS, Calendar, Holiday, Span, after, now_at, read_hours, working, write_hours

OFFICE = (Span(9 * 60, 13 * 60), Span(14 * 60, 18 * 60))
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Africa/Cairo", "Asia/Kolkata", "Australia/Lord_Howe",
         "America/Santiago", "Pacific/Auckland", "Asia/Beirut")


def at(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def calendar(week: dict[int, tuple[Span, ...]], *holidays: Holiday, zone: str = "UTC") -> Calendar:
    return Calendar(id="c", name="c", time_zone=zone, week=tuple(week.get(day, ()) for day in range(7)),
                    holidays=holidays)


def office(*holidays: Holiday, zone: str = "UTC") -> Calendar:
    return calendar(dict.fromkeys(range(5), OFFICE), *holidays, zone=zone)


def slow_is_open(hours: Calendar, moment: int) -> bool:
    local = datetime.fromtimestamp(moment / 1000, ZoneInfo(hours.time_zone))
    minute, day = local.hour * 60 + local.minute, local.date()
    holidays = {one.day: one.spans for one in hours.holidays}
    own = holidays.get(day, hours.week[day.weekday()])
    if any(span.start <= minute < span.end for span in own):
        return True
    before = day - timedelta(days=1)
    reaching = holidays.get(before, hours.week[before.weekday()])
    return day not in holidays and any(minute < span.end - 1440 for span in reaching)


def a_calendar(seed: random.Random, around: date) -> Calendar:
    def spans() -> tuple[Span, ...]:
        found, start = [], seed.randrange(0, 900)
        for _ in range(seed.randrange(3)):
            end = start + seed.randrange(15, 400)
            found.append(Span(start, end))
            start = end + seed.randrange(0, 200)
            if start >= 1440:
                break
        return tuple(found)

    holidays = tuple(Holiday(around + timedelta(days=seed.randrange(-3, 4)), "x", spans() if seed.random() < .5 else ())
                     for _ in range(seed.randrange(2)))
    return Calendar(id="c", name="c", time_zone=seed.choice(ZONES), week=tuple(spans() for _ in range(7)),
                    holidays=holidays)


# Around the days on which clocks are changed somewhere, and a plain one.
_DAYS = (date(2026, 3, 8), date(2026, 3, 29), date(2026, 4, 5), date(2026, 4, 24), date(2026, 10, 25),
         date(2026, 10, 29), date(2026, 11, 1), date(2026, 9, 27), date(2026, 6, 10))


def check_against_the_oracle(seed: random.Random) -> None:
    day = seed.choice(_DAYS)
    hours = a_calendar(seed, day)
    start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000) + seed.randrange(
        -2 * 1440, 1440) * MINUTE
    end = start + seed.randrange(0, 4 * 1440) * MINUTE
    minutes = [slow_is_open(hours, moment) for moment in range(start, end, MINUTE)]
    assert working(hours, start, end) == sum(minutes) * MINUTE, (hours, start, end)
    if any(minutes):
        wanted = seed.randrange(1, sum(minutes) + 1)
        found = after(hours, start, wanted * MINUTE)
        assert found is not None and working(hours, start, found) == wanted * MINUTE
        assert slow_is_open(hours, found - MINUTE), "the last minute is one that counts"


@pytest.mark.parametrize("number", range(60))
def test_it_is_what_the_clock_on_the_wall_says(number: int) -> None:
    check_against_the_oracle(random.Random(number))


@pytest.mark.nightly
def test_it_is_what_the_clock_on_the_wall_says_at_length() -> None:
    seed = random.Random(4711)
    for _ in range(5_000):
        check_against_the_oracle(seed)


def test_evenings_and_weekends_do_not_count() -> None:
    friday = at("2026-11-20T17:30")
    assert after(office(), friday, HOUR) == at("2026-11-23T09:30")
    assert working(office(), friday, at("2026-11-23T10:00")) == 30 * MINUTE + HOUR
    assert working(office(), friday, friday) == 0 and working(office(), friday, friday - DAY) == 0


def test_a_night_shift_goes_on_after_midnight() -> None:
    nights = calendar({4: (Span(22 * 60, 30 * 60),)})
    assert working(nights, at("2026-11-20T23:00"), at("2026-11-21T09:00")) == 7 * HOUR
    assert now_at(nights, at("2026-11-21T03:00")).until == at("2026-11-21T06:00")


def test_holidays_close_a_date_or_give_it_other_hours() -> None:
    closed = Holiday(date(2026, 12, 25), "Christmas")
    half = Holiday(date(2026, 12, 24), "Christmas Eve", (Span(9 * 60, 12 * 60),))
    hours = office(closed, half)
    assert working(hours, at("2026-12-24T00:00"), at("2026-12-28T00:00")) == 3 * HOUR
    now = now_at(hours, at("2026-12-25T10:00"))
    assert (now.is_open, now.until, now.holiday) == (False, at("2026-12-28T09:00"), "Christmas")
    nights = calendar(dict.fromkeys(range(7), (Span(22 * 60, 30 * 60),)), closed)
    assert working(nights, at("2026-12-24T22:00"), at("2026-12-26T00:00")) == 2 * HOUR, "shut at its midnight"


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-10", 24)])
def test_a_day_has_as_many_hours_as_its_clock(day: str, hours: int) -> None:
    whole = calendar(dict.fromkeys(range(7), (Span(0, 1440),)), Holiday(date(2020, 1, 1), "x"), zone="Europe/Berlin")
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    following = (datetime.fromisoformat(day) + timedelta(days=1)).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    assert working(whole, int(midnight.timestamp() * 1000), int(following.timestamp() * 1000)) == hours * HOUR


def test_now_is_told_with_its_end() -> None:
    assert now_at(office(), at("2026-11-20T10:00")).until == at("2026-11-20T13:00")
    lunch = now_at(office(), at("2026-11-20T13:00"))
    assert (lunch.is_open, lunch.until) == (False, at("2026-11-20T14:00"))
    weekend = now_at(office(zone="Europe/Berlin"), at("2026-11-21T12:00"))
    assert (weekend.is_open, weekend.until) == (False, at("2026-11-23T09:00", "Europe/Berlin"))


def test_always_and_never() -> None:
    never = calendar({})
    assert after(ALWAYS, 5, HOUR) == 5 + HOUR and working(ALWAYS, 5, 8) == 3
    assert after(never, 5, HOUR) is None and working(never, 5, DAY) == 0
    assert now_at(ALWAYS, 5).is_open and now_at(ALWAYS, 5).until is None
    assert not now_at(never, at("2026-11-20T10:00")).is_open and now_at(never, at("2026-11-20T10:00")).until is None


@pytest.mark.parametrize(("text", "spans"), [
    ("", ()), ("9-17", (Span(540, 1020),)), ("14:00-18:00, 09:00-13:00", OFFICE),
    ("22:00 – 06:00", (Span(1320, 1800),)),
    ("00:00-24:00", (Span(0, 1440),)), ("00:00-00:00", (Span(0, 1440),)),
])
def test_hours_are_read_as_people_write_them(text: str, spans: tuple[Span, ...]) -> None:
    assert read_hours(text) == spans
    assert read_hours(write_hours(spans)) == spans


@pytest.mark.parametrize("text", ["nine", "9", "25:00-26:00", "09:61-10:00", "9-12, 11-13", "24:00-25:00",
                                  "1-2,3-4,5-6,7-8,9-10,11-12,13-14", "09:00-10:00 11:00-12:00"])
def test_what_are_no_hours_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read_hours(text)
