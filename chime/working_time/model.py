"""What a calendar is made of, and how its hours are written: `09:00-13:00, 14:00-18:00`, or `22:00-06:00`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from itertools import pairwise

import msgspec

from chime.errors import Invalid

MINUTES = 24 * 60
MOST_SPANS = 6
_CLOCK = re.compile(r"(\d{1,2})(?::([0-5]\d))?")
_SPAN = re.compile(r"\s*(\d{1,2}(?::[0-5]\d)?)\s*(?:-|–|—|to)\s*(\d{1,2}(?::[0-5]\d)?)\s*")


class Span(msgspec.Struct, frozen=True, array_like=True):
    """From a minute of a day to another; beyond 1440 it goes on after midnight."""

    start: int
    end: int


class Holiday(msgspec.Struct, frozen=True):
    """A date that is not as its weekday: closed, or with hours of its own."""

    day: date
    name: str
    spans: tuple[Span, ...] = ()


class Calendar(msgspec.Struct, frozen=True, kw_only=True):
    """`week` has seven days, from Monday. On a holiday's date only its own hours count, and what began the day before
    ends at midnight."""

    id: str
    name: str
    time_zone: str
    week: tuple[tuple[Span, ...], ...]
    holidays: tuple[Holiday, ...] = ()

    def holiday(self, day: date) -> Holiday | None:
        return next((one for one in self.holidays if one.day == day), None)

    def begun(self, day: date) -> tuple[Span, ...]:
        """The hours that begin on a date."""
        special = self.holiday(day)
        return special.spans if special else self.week[day.weekday()]

    @property
    def is_always(self) -> bool:
        return not self.holidays and all(day == (WHOLE_DAY,) for day in self.week)


WHOLE_DAY = Span(0, MINUTES)
ALWAYS = Calendar(id="", name="", time_zone="UTC", week=((WHOLE_DAY,),) * 7)


def _minute(text: str) -> int | None:
    found = _CLOCK.fullmatch(text)
    minute = int(found[1]) * 60 + int(found[2] or 0) if found else MINUTES + 1
    return minute if minute <= MINUTES else None


def read_hours(text: str) -> tuple[Span, ...]:
    """Hours as somebody wrote them; nothing for a closed day. Raises Invalid."""
    if not text.strip():
        return ()
    spans: list[Span] = []
    for part in re.split(r"[,;\n]", text):
        found = _SPAN.fullmatch(part)
        start, end = (_minute(found[1]), _minute(found[2])) if found else (None, None)
        if start is None or end is None or start == MINUTES:
            raise Invalid.field("hours", "Write hours like 09:00-13:00, 14:00-18:00. Leave it empty for a closed day.")
        spans.append(Span(start, end if end > start else end + MINUTES))
    spans.sort(key=lambda span: span.start)
    if len(spans) > MOST_SPANS:
        raise Invalid.field("hours", "A day has at most 6 stretches of hours.")
    if any(later.start < earlier.end for earlier, later in pairwise(spans)):
        raise Invalid.field("hours", "These hours overlap.")
    return tuple(spans)


def _clock(minute: int) -> str:
    whole = minute if minute <= MINUTES else minute - MINUTES
    return f"{whole // 60:02d}:{whole % 60:02d}"


def write_hours(spans: Iterable[Span]) -> str:
    """The same back again."""
    return ", ".join(f"{_clock(span.start)}-{_clock(span.end)}" for span in spans)
