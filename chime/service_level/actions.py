"""Setting hours, targets and the question after a conversation."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from itertools import pairwise
from zoneinfo import available_timezones

import msgspec

from chime import working_time
from chime.errors import Conflict, Invalid, NotFound
from chime.service_level import queries, recounting
from chime.service_level.model import MOST_MINUTES, Setting
from chime.working_time import Calendar, Holiday, OnMiss, Rule, Scope, Span
from chime.workspaces import Transaction

MOST_CALENDARS = 100
MOST_HOLIDAYS = 200
LONGEST_WORDS = 1000
LONGEST_PAUSE = 365


class NewCalendar(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar as somebody wants it."""

    name: str
    time_zone: str
    week: tuple[tuple[Span, ...], ...]
    holidays: tuple[Holiday, ...] = ()


def checked(new: NewCalendar) -> NewCalendar:
    """Raises Invalid naming every field that does not fit."""
    problems: list[tuple[str, str]] = []
    name = " ".join(new.name.split())
    if not 1 <= len(name) <= 60:
        problems.append(("name", "Give the calendar a name of at most 60 characters."))
    if new.time_zone not in available_timezones():
        problems.append(("time_zone", "There is no such time zone."))
    if len(new.week) != 7:
        problems.append(("week", "A week has seven days, from Monday."))
    problems += [("week", "These hours overlap.") for spans in new.week if not _fits(spans)]
    if len(new.holidays) > MOST_HOLIDAYS or len({one.day for one in new.holidays}) < len(new.holidays):
        problems.append(("holidays", "Each date stands once, and there are at most 200 of them."))
    if any(not one.name.strip() or len(one.name) > 60 or not _fits(one.spans) for one in new.holidays):
        problems.append(("holidays", "Each date needs a name of at most 60 characters, and hours that do not overlap."))
    if problems:
        raise Invalid(problems)
    return msgspec.structs.replace(new, name=name, holidays=tuple(sorted(new.holidays, key=_day)))


def _day(holiday: Holiday) -> date:
    return holiday.day


def _fits(spans: Sequence[Span]) -> bool:
    return all(0 <= span.start < 1440 and span.start < span.end <= span.start + 1440 for span in spans) and all(
        earlier.end <= later.start for earlier, later in pairwise(spans))


async def create_calendar(tx: Transaction, new: NewCalendar) -> str:
    """Its id. The first one is the workspace's own. Raises Invalid, Conflict."""
    new = checked(new)
    known = await working_time.calendars(tx)
    if len(known) >= MOST_CALENDARS:
        raise Conflict("A workspace has at most 100 calendars.")
    calendar_id = tx.new_id()
    await tx.execute("INSERT INTO calendar (id, name, time_zone, week_json, holidays_json, created_at, updated_at) "
                     "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)", calendar_id, new.name, new.time_zone, _json(new.week),
                     _json(new.holidays), tx.now)
    await tx.audit("calendar.created", "calendar", calendar_id, days=len(new.holidays))
    if not known:
        whole = next((rule for rule in await working_time.rules(tx) if rule.scope is Scope.WORKSPACE), Rule())
        await save_rule(tx, msgspec.structs.replace(whole, calendar_id=calendar_id), scope_ids=(), team_ids=())
    return calendar_id


async def edit_calendar(tx: Transaction, calendar_id: str, new: NewCalendar) -> None:
    """Raises NotFound, Invalid."""
    before = await _calendar(tx, calendar_id)
    new = checked(new)
    await tx.execute("UPDATE calendar SET name = ?, time_zone = ?, week_json = ?, holidays_json = ?, updated_at = ? "
                     "WHERE id = ?", new.name, new.time_zone, _json(new.week), _json(new.holidays), tx.now, calendar_id)
    await tx.audit("calendar.edited", "calendar", calendar_id, days=len(new.holidays),
                   week_changed=new.week != before.week, zone_changed=new.time_zone != before.time_zone)
    await recounting.begin(tx)


async def delete_calendar(tx: Transaction, calendar_id: str) -> None:
    """Whoever went by it goes by the workspace's; without any it is always working time. Raises NotFound."""
    await _calendar(tx, calendar_id)
    await tx.execute("UPDATE service_rule SET calendar_id = NULL WHERE calendar_id = ?", calendar_id)
    await tx.execute("DELETE FROM calendar WHERE id = ?", calendar_id)
    await tx.audit("calendar.deleted", "calendar", calendar_id)
    await recounting.begin(tx)


async def _calendar(tx: Transaction, calendar_id: str) -> Calendar:
    found = await working_time.calendar(tx, calendar_id)
    if found is None:
        raise NotFound("There is no such calendar.")
    return found


async def save_rule(tx: Transaction, rule: Rule, *, scope_ids: Collection[str], team_ids: Collection[str]) -> None:
    """What holds for the workspace, a number or a team. `scope_ids` are the numbers or teams there are of that kind,
    `team_ids` the teams a missed conversation may go to. Raises NotFound, Invalid."""
    if rule.scope is Scope.WORKSPACE:
        rule = msgspec.structs.replace(rule, scope_id="")
    elif rule.scope_id not in scope_ids:
        raise NotFound("There is no such number or team.")
    await _check(tx, rule, team_ids)
    if rule.on_miss is not OnMiss.TEAM:
        rule = msgspec.structs.replace(rule, miss_team_id=None)
    if rule.is_empty:
        await tx.execute("DELETE FROM service_rule WHERE scope = ? AND scope_id = ?", rule.scope.value, rule.scope_id)
    else:
        await tx.execute(
            "INSERT INTO service_rule (scope, scope_id, calendar_id, first_minutes, next_minutes, resolution_minutes, "
            "on_miss, miss_team_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (scope, scope_id) DO UPDATE SET "
            "calendar_id = excluded.calendar_id, first_minutes = excluded.first_minutes, next_minutes = "
            "excluded.next_minutes, resolution_minutes = excluded.resolution_minutes, on_miss = excluded.on_miss, "
            "miss_team_id = excluded.miss_team_id", rule.scope.value, rule.scope_id, rule.calendar_id,
            rule.first_minutes, rule.next_minutes, rule.resolution_minutes, rule.on_miss, rule.miss_team_id)
    told = {name: value for name, value in msgspec.to_builtins(rule).items() if name not in ("scope", "scope_id")}
    await tx.audit("service_rule.saved", "service_rule", rule.scope_id or rule.scope.value, scope=rule.scope.value,
                   **told)
    await recounting.begin(tx)


async def _check(tx: Transaction, rule: Rule, team_ids: Collection[str]) -> None:
    problems: list[tuple[str, str]] = []
    if rule.calendar_id is not None and await working_time.calendar(tx, rule.calendar_id) is None:
        problems.append(("calendar_id", "There is no such calendar."))
    for name in ("first_minutes", "next_minutes", "resolution_minutes"):
        value = getattr(rule, name)
        if value is not None and not 0 <= value <= MOST_MINUTES:
            problems.append((name, "Write a time like 30, 45 min or 2h 30; 0 switches it off."))
    if rule.on_miss is OnMiss.TEAM and rule.miss_team_id not in team_ids:
        problems.append(("on_miss", "There is no such team."))
    if problems:
        raise Invalid(problems)


async def save_setting(tx: Transaction, setting: Setting) -> None:
    """Whether and how a number asks. Raises NotFound, Invalid."""
    waba_id = await tx.value("SELECT waba_id FROM channel WHERE id = ? AND removed_at IS NULL", setting.channel_id)
    if waba_id is None:
        raise NotFound("There is no such number.")
    setting = msgspec.structs.replace(setting, question=setting.question.strip(), thanks=setting.thanks.strip())
    problems: list[tuple[str, str]] = []
    if setting.is_on and not setting.question:
        problems.append(("question", "Write the question that customers get."))
    problems += [(name, "This is too long: at most 1,000 characters.") for name in ("question", "thanks")
                 if len(getattr(setting, name)) > LONGEST_WORDS]
    if not 0 <= setting.every_days <= LONGEST_PAUSE:
        problems.append(("every_days", "A number of days from 0 to 365."))
    if setting.template_name and setting.template not in await queries.template_choices(tx, waba_id):
        problems.append(("template", "Choose an approved utility template that has nothing to fill in."))
    if problems:
        raise Invalid(problems)
    await tx.execute(
        "INSERT INTO satisfaction_setting (channel_id, is_on, question, thanks, every_days, template_name, "
        "template_language) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (channel_id) DO UPDATE SET "
        "is_on = excluded.is_on, question = excluded.question, thanks = excluded.thanks, "
        "every_days = excluded.every_days, template_name = excluded.template_name, "
        "template_language = excluded.template_language", setting.channel_id,
        int(setting.is_on), setting.question, setting.thanks, setting.every_days, setting.template_name,
        setting.template_language)
    await tx.audit("satisfaction.changed", "channel", setting.channel_id, is_on=setting.is_on,
                   every_days=setting.every_days, template=setting.template)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
