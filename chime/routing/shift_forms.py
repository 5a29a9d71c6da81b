"""The forms of shifts and absences: what was typed, and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import msgspec

from chime.errors import Invalid
from chime.routing.shift_actions import NewAbsence
from chime.working_time import Absence, Shifts, Span, read_hours, write_hours

DAYS = tuple(f"day_{day}" for day in range(7))


class TypedWeek(msgspec.Struct, frozen=True, kw_only=True):
    """The form of a week; `days` from Monday, as people write hours."""

    time_zone: str
    days: tuple[str, ...] = ("",) * 7

    @classmethod
    def of(cls, shifts: Shifts | None, time_zone: str) -> TypedWeek:
        if shifts is None:
            return cls(time_zone=time_zone)
        return cls(time_zone=shifts.time_zone, days=tuple(write_hours(spans) for spans in shifts.week))


def typed_week(fields: Mapping[str, str]) -> TypedWeek:
    return TypedWeek(time_zone=fields.get("time_zone", ""), days=tuple(fields.get(name, "") for name in DAYS))


def meant_week(user_id: str, typed: TypedWeek) -> Shifts:
    """Raises Invalid naming every day that cannot be read."""
    week: list[tuple[Span, ...]] = []
    problems: list[tuple[str, str]] = []
    for name, text in zip(DAYS, typed.days, strict=True):
        try:
            week.append(read_hours(text))
        except Invalid as error:
            problems.append((name, error.errors[0].message))
    if problems:
        raise Invalid(problems)
    return Shifts(user_id=user_id, time_zone=typed.time_zone, week=tuple(week))


def typed_absence(one: Absence) -> dict[str, str]:
    return {"first_day": one.first_day, "last_day": one.last_day, "stand_in_id": one.stand_in_id or "",
            "hands_over": "1" if one.hands_over else ""}


def meant_absence(fields: Mapping[str, str]) -> NewAbsence:
    """Without a last day it is one day. Raises Invalid naming every field that cannot be read."""
    problems: list[tuple[str, str]] = []

    def day(name: str, text: str) -> date:
        try:
            found = date.fromisoformat(text)
        except ValueError:
            found = date.min
        if not 2000 <= found.year < 2200:
            problems.append((name, "Choose a day."))
        return found

    first = day("first_day", fields.get("first_day", ""))
    last = day("last_day", fields["last_day"]) if fields.get("last_day") else first
    if problems:
        raise Invalid(problems)
    return NewAbsence(first_day=first, last_day=last, stand_in_id=fields.get("stand_in_id") or None,
                      hands_over=fields.get("hands_over") == "1")
