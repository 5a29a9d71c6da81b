"""Which hours and targets hold for a conversation: its team's where the team has its own, else its number's, else the
workspace's. Each part of them by itself, so that a team may have its own hours and everybody's targets."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from chime.db import Db
from chime.working_time.model import ALWAYS, Calendar


class Clock(StrEnum):
    """What is timed: the first answer, each further one, and the whole matter."""

    FIRST = "first"
    NEXT = "next"
    RESOLUTION = "resolution"


class Scope(StrEnum):
    """For whom a rule is."""

    WORKSPACE = "workspace"
    CHANNEL = "channel"
    TEAM = "team"


class OnMiss(StrEnum):
    """What becomes of a conversation whose target was missed, besides that people hear of it."""

    KEEP = "keep"
    UNASSIGN = "unassign"
    TEAM = "team"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What one of them has of its own; None is as in the workspace, 0 minutes no target."""

    scope: Scope = Scope.WORKSPACE
    scope_id: str = ""
    calendar_id: str | None = None
    first_minutes: int | None = None
    next_minutes: int | None = None
    resolution_minutes: int | None = None
    on_miss: OnMiss | None = None
    miss_team_id: str | None = None

    @property
    def is_empty(self) -> bool:
        return (self.calendar_id, self.first_minutes, self.next_minutes, self.resolution_minutes, self.on_miss) == (
            None,) * 5


WORKSPACE = Rule()


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for one conversation. `minutes` has only the targets there are."""

    calendar: Calendar
    minutes: dict[Clock, int]
    on_miss: OnMiss
    miss_team_id: str | None


_RULE = ("SELECT scope, scope_id, calendar_id, first_minutes, next_minutes, resolution_minutes, on_miss, miss_team_id "
         "FROM service_rule")
_CALENDAR = "SELECT id, name, time_zone, week_json, holidays_json FROM calendar"


async def rules(db: Db) -> list[Rule]:
    """All there are, the workspace's first."""
    return await db.all(Rule, _RULE + " ORDER BY scope <> 'workspace', scope, scope_id LIMIT 2000")


async def calendars(db: Db) -> list[Calendar]:
    return await db.all(Calendar, _CALENDAR + " ORDER BY name COLLATE NOCASE, id LIMIT 200")


async def calendar(db: Db, calendar_id: str) -> Calendar | None:
    return await db.one(Calendar, _CALENDAR + " WHERE id = ?", calendar_id)


async def has_targets(db: Db) -> bool:
    """Whether anything is timed at all."""
    return bool(await db.value("SELECT 1 FROM service_rule WHERE first_minutes > 0 OR next_minutes > 0 "
                               "OR resolution_minutes > 0 LIMIT 1"))


async def terms(db: Db, *, channel_id: str, team_id: str | None) -> Terms:
    """What holds for a conversation of this number and team."""
    found = await db.all(
        Rule, _RULE + " WHERE (scope = 'team' AND scope_id = ?) OR (scope = 'channel' AND scope_id = ?) "
        "OR scope = 'workspace' ORDER BY CASE scope WHEN 'team' THEN 0 WHEN 'channel' THEN 1 ELSE 2 END",
        team_id or "", channel_id)
    calendar_id = _nearest(found, "calendar_id")
    hours = await calendar(db, calendar_id) if calendar_id else None
    minutes = {clock: _nearest(found, f"{clock.value}_minutes") for clock in Clock}
    deciding = next((rule for rule in found if rule.on_miss is not None), WORKSPACE)
    return Terms(calendar=hours or ALWAYS, minutes={clock: value for clock, value in minutes.items() if value},
                 on_miss=deciding.on_miss or OnMiss.KEEP, miss_team_id=deciding.miss_team_id)


def _nearest(found: list[Rule], name: str) -> Any:
    return next((getattr(rule, name) for rule in found if getattr(rule, name) is not None), None)
