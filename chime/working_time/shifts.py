"""When somebody works: a week of their own, and days on which they are away, with who stands in for them.

Nobody touches their switch for it: outside their hours and on those days they count as away. Without a week of their
own somebody is there whenever they say so.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from chime.db import Db
from chime.working_time.arithmetic import now_at
from chime.working_time.model import Calendar, Span

LONGEST_ABSENCE = 366
ABSENCE = ("SELECT id, user_id, first_day, last_day, starts_at, ends_at, stand_in_id, hands_over FROM absence")
SHIFTS = "SELECT user_id, time_zone, week_json FROM shift"
# The last to end first: what is to come is always among them, however long the past is.
MOST_READ = 2_000


class Shifts(msgspec.Struct, frozen=True, kw_only=True):
    """A member's own week, from Monday, by the clock of `time_zone`."""

    user_id: str
    time_zone: str
    week: tuple[tuple[Span, ...], ...]

    @property
    def calendar(self) -> Calendar:
        return Calendar(id=self.user_id, name="", time_zone=self.time_zone, week=self.week)


class Absence(msgspec.Struct, frozen=True, kw_only=True):
    """Whole days, both included, and the moments they stand for. `stand_in_id` gets what comes for who is away; with
    `hands_over` also what they have already, once its customer writes."""

    id: str
    user_id: str
    first_day: str
    last_day: str
    starts_at: int
    ends_at: int
    stand_in_id: str | None
    hands_over: bool


class Off(msgspec.Struct, frozen=True, kw_only=True):
    """Why somebody is not there, and until when (None: nobody knows). Without an absence it is their shift."""

    until: int | None
    absence: Absence | None = None


class Roster(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one member's hours; `absences` by their beginning."""

    shifts: Shifts | None = None
    absences: tuple[Absence, ...] = ()

    def off(self, now: int) -> Off | None:
        """Why they are not there at a moment; None when they may be."""
        for one in self.absences:
            if one.starts_at <= now < one.ends_at:
                return Off(until=one.ends_at, absence=one)
        if self.shifts is None:
            return None
        state = now_at(self.shifts.calendar, now)
        return None if state.is_open else Off(until=state.until)

    def coming(self, now: int) -> tuple[Absence, ...]:
        """Those that are not over."""
        return tuple(one for one in self.absences if one.ends_at > now)


NO_ROSTER = Roster()


def zone_of(name: str) -> tzinfo:
    """Of a zone that is not known any more, the world's."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def moments(first: date, last: date, time_zone: str) -> tuple[int, int]:
    """The first moment of the first day, and that of the day after the last."""
    where = zone_of(time_zone)

    def begins(day: date) -> int:
        return int(datetime(day.year, day.month, day.day, tzinfo=where).timestamp() * 1000)

    return begins(first), begins(last + timedelta(days=1))


def today(now: int, time_zone: str) -> date:
    return datetime.fromtimestamp(now / 1000, zone_of(time_zone)).date()


async def roster(db: Db, user_id: str, now: int) -> Roster:
    """Of one member, with the absences that are not over."""
    absences = await db.all(Absence, ABSENCE + " WHERE user_id = ? AND ends_at > ? ORDER BY starts_at LIMIT 500",
                            user_id, now)
    return Roster(shifts=await db.one(Shifts, SHIFTS + " WHERE user_id = ?", user_id), absences=tuple(absences))


async def rosters(db: Db) -> dict[str, Roster]:
    """Of everybody of whom anything is known."""
    weeks = {one.user_id: one for one in await db.all(Shifts, SHIFTS + " LIMIT 10000")}
    absences: dict[str, list[Absence]] = {}
    for one in await db.all(Absence, ABSENCE + " ORDER BY ends_at DESC LIMIT ?", MOST_READ):
        absences.setdefault(one.user_id, []).insert(0, one)
    return {user_id: Roster(shifts=weeks.get(user_id), absences=tuple(absences.get(user_id, ())))
            for user_id in weeks.keys() | absences.keys()}
