"""What somebody typed about hours, targets and questions, read with every fault named and nothing lost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import msgspec

from chime.errors import Invalid
from chime.service_level.actions import MOST_HOLIDAYS, NewCalendar
from chime.service_level.model import Setting, read_minutes, write_minutes
from chime.working_time import Calendar, Holiday, OnMiss, Rule, Scope, Span, read_hours, write_hours

BLANK_DATES = 3
_TARGETS = ("first_minutes", "next_minutes", "resolution_minutes")


class TypedDate(msgspec.Struct, frozen=True):
    """A date that differs, as its three fields have it."""

    day: str = ""
    name: str = ""
    hours: str = ""

    @property
    def is_blank(self) -> bool:
        return not (self.day or self.name.strip() or self.hours.strip())


class TypedCalendar(msgspec.Struct, frozen=True, kw_only=True):
    """The form of a calendar."""

    name: str = ""
    time_zone: str = "UTC"
    days: tuple[str, ...] = ("09:00-17:00",) * 5 + ("",) * 2
    dates: tuple[TypedDate, ...] = ()

    @property
    def rows(self) -> tuple[TypedDate, ...]:
        """With room for more."""
        return (*self.dates, *(TypedDate() for _ in range(BLANK_DATES)))

    @classmethod
    def of(cls, calendar: Calendar) -> TypedCalendar:
        return cls(name=calendar.name, time_zone=calendar.time_zone,
                   days=tuple(write_hours(spans) for spans in calendar.week),
                   dates=tuple(TypedDate(one.day.isoformat(), one.name, write_hours(one.spans))
                               for one in calendar.holidays))


def typed_calendar(fields: Mapping[str, str]) -> TypedCalendar:
    dates = [TypedDate(fields.get(f"date_{row}_day", ""), fields.get(f"date_{row}_name", ""),
                       fields.get(f"date_{row}_hours", "")) for row in range(MOST_HOLIDAYS + BLANK_DATES)]
    return TypedCalendar(name=fields.get("name", ""), time_zone=fields.get("time_zone", ""),
                         days=tuple(fields.get(f"day_{day}", "") for day in range(7)),
                         dates=tuple(one for one in dates if not one.is_blank))


def meant_calendar(typed: TypedCalendar) -> NewCalendar:
    """Raises Invalid naming every field that cannot be read."""
    problems: list[tuple[str, str]] = []

    def hours(field: str, text: str) -> tuple[Span, ...]:
        try:
            return read_hours(text)
        except Invalid as error:
            problems.append((field, error.errors[0].message))
            return ()

    week = tuple(hours(f"day_{day}", text) for day, text in enumerate(typed.days))
    holidays = []
    for row, one in enumerate(typed.dates):
        try:
            holidays.append(Holiday(date.fromisoformat(one.day), " ".join(one.name.split())[:60] or one.day,
                                    hours(f"date_{row}_hours", one.hours)))
        except ValueError:
            problems.append((f"date_{row}_day", "Choose a day."))
    if problems:
        raise Invalid(problems)
    return NewCalendar(name=typed.name, time_zone=typed.time_zone, week=week, holidays=tuple(holidays))


def typed_rule(rule: Rule) -> dict[str, str]:
    """A rule as its form has it."""
    where = f"team:{rule.miss_team_id}" if rule.on_miss is OnMiss.TEAM else rule.on_miss or ""
    return {"calendar_id": rule.calendar_id or "", "on_miss": str(where)} | {
        name: write_minutes(getattr(rule, name)) for name in _TARGETS}


def meant_rule(fields: Mapping[str, str]) -> Rule:
    """Raises Invalid naming every field that cannot be read."""
    problems: list[tuple[str, str]] = []
    minutes: dict[str, int | None] = {}
    for name in _TARGETS:
        try:
            minutes[name] = read_minutes(fields.get(name, ""))
        except Invalid as error:
            problems.append((name, error.errors[0].message))
    action, _, team_id = fields.get("on_miss", "").partition(":")
    if action not in ("", *OnMiss):
        problems.append(("on_miss", "Choose what happens."))
    if fields.get("scope", "") not in set(Scope):
        problems.append(("scope", "Choose for whom this is."))
    if problems:
        raise Invalid(problems)
    return Rule(scope=Scope(fields["scope"]), scope_id=fields.get("scope_id", ""),
                calendar_id=fields.get("calendar_id") or None, on_miss=OnMiss(action) if action else None,
                miss_team_id=team_id or None, **minutes)


def typed_setting(setting: Setting) -> dict[str, str]:
    return {"is_on": "on" if setting.is_on else "", "question": setting.question, "thanks": setting.thanks,
            "every_days": str(setting.every_days), "template": setting.template}


def meant_setting(channel_id: str, fields: Mapping[str, str]) -> Setting:
    """Raises Invalid naming the field that cannot be read."""
    days = fields.get("every_days", "").strip()
    if not (days.isascii() and days.isdigit() and len(days) < 5):
        raise Invalid.field("every_days", "A number of days from 0 to 365.")
    name, _, language = fields.get("template", "").partition("/")
    return Setting(channel_id=channel_id, is_on=bool(fields.get("is_on")), question=fields.get("question", ""),
                   thanks=fields.get("thanks", ""), every_days=int(days), template_name=name,
                   template_language=language)
