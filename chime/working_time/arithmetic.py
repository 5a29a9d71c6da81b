"""Working time between two moments, the moment some working time later, and whether it is working time now.

A moment is inside when the local clock shows a minute that is inside: an hour that is skipped in spring is no time at
all, one that comes twice in autumn counts twice. Day by day, so that years are thousands of steps and not millions.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from chime.clock import DAY, HOUR, MINUTE
from chime.working_time.model import MINUTES, Calendar, Span

# Who is open at no hour of so many days is open never.
FARTHEST = 800
_FIRST = date(1970, 1, 3)
_LAST = date(9000, 1, 1)
_WIDEST_OFFSET = 15 * HOUR
_EPOCH = date(1970, 1, 1).toordinal()


class Now(msgspec.Struct, frozen=True, kw_only=True):
    """Whether it is working time at a moment, until when that stays so (None: for good), and the holiday's name."""

    is_open: bool
    until: int | None
    holiday: str = ""


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def _offset(zone: tzinfo, at: int) -> int:
    found = datetime.fromtimestamp(at // 1000, zone).utcoffset() or timedelta(0)
    return int(found.total_seconds()) * 1000


@lru_cache(maxsize=4096)
def _pieces(zone_name: str, ordinal: int) -> tuple[tuple[int, int, int], ...]:
    """The stretches of UTC around a local date with one offset each: (from, to, offset)."""
    zone = _zone(zone_name)
    start = (ordinal - _EPOCH) * DAY - _WIDEST_OFFSET
    end = start + DAY + 2 * _WIDEST_OFFSET
    first, last = _offset(zone, start), _offset(zone, end)
    if first == last:
        return ((start, end, first),)
    low, high = start, end
    while high - low > 1000:
        middle = (low + high) // 2000 * 1000
        low, high = (middle, high) if _offset(zone, middle) == first else (low, middle)
    return ((start, high, first), (high, end, last))


def _local_spans(calendar: Calendar, day: date) -> list[Span]:
    """What is open on a date, in minutes of that date: its own hours, and what reaches into it from the day before."""
    spans = [Span(span.start, min(span.end, MINUTES)) for span in calendar.begun(day)]
    if calendar.holiday(day) is None:
        spans += [Span(0, span.end - MINUTES) for span in calendar.begun(day - timedelta(days=1))
                  if span.end > MINUTES]
    spans.sort(key=lambda span: span.start)
    merged: list[Span] = []
    for span in spans:
        if merged and span.start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return merged


def _on(calendar: Calendar, day: date) -> list[tuple[int, int]]:
    """The working time of a local date as stretches of UTC, in order."""
    midnight = (day.toordinal() - _EPOCH) * DAY
    found = []
    for start, end, offset in _pieces(calendar.time_zone, day.toordinal()):
        for span in _local_spans(calendar, day):
            begins = max(start, midnight + span.start * MINUTE - offset)
            ends = min(end, midnight + span.end * MINUTE - offset)
            if begins < ends:
                found.append((begins, ends))
    return sorted(found)


def _local_date(calendar: Calendar, at: int) -> date:
    try:
        found = datetime.fromtimestamp(at // 1000, _zone(calendar.time_zone)).date()
    except (OverflowError, ValueError, OSError):
        return _LAST
    return min(max(found, _FIRST), _LAST)


def _stretches(calendar: Calendar, start: int, days: int) -> Iterator[tuple[int, int]]:
    """Working time from a moment on, for so many dates, in order."""
    day = _local_date(calendar, start) - timedelta(days=1)
    for _ in range(days + 2):
        for begins, ends in _on(calendar, day):
            if ends > start:
                yield max(begins, start), ends
        day += timedelta(days=1)


def working(calendar: Calendar, start: int, end: int) -> int:
    """The working milliseconds between two moments; none when the second is not later."""
    if end <= start:
        return 0
    if calendar.is_always:
        return end - start
    days = (_local_date(calendar, end) - _local_date(calendar, start)).days + 1
    return sum(max(0, min(ends, end) - begins) for begins, ends in _stretches(calendar, start, days))


def after(calendar: Calendar, start: int, milliseconds: int) -> int | None:
    """The moment at which so much working time has gone by; None when that is farther away than anybody plans."""
    if calendar.is_always:
        return start + milliseconds
    if milliseconds <= 0:
        return start
    left = milliseconds
    for begins, ends in _stretches(calendar, start, FARTHEST):
        if ends - begins >= left:
            return begins + left
        left -= ends - begins
    return None


def now_at(calendar: Calendar, at: int) -> Now:
    """Open until when, or closed until when."""
    special = calendar.holiday(_local_date(calendar, at))
    name = special.name if special else ""
    if calendar.is_always:
        return Now(is_open=True, until=None)
    until: int | None = None
    for begins, ends in _stretches(calendar, at, FARTHEST):
        if until is None and begins > at:
            return Now(is_open=False, until=begins, holiday=name)
        if until is not None and begins > until:
            return Now(is_open=True, until=until, holiday=name)
        until = max(until or 0, ends)
    # Open from here to where nobody looks any further, or closed as far.
    return Now(is_open=until is not None, until=None, holiday=name)
