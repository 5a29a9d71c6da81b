"""Working hours: when a workspace, one of its numbers or one of its teams is there, and what it promises then.

A calendar is a week, a time zone and dates that differ. All of its arithmetic is pure; a moment is inside when the
clock on the wall of that zone says so, also on the days on which that clock is changed. Where no hours are set, it is
always working time.

People have hours of their own, too: a week, and days on which they are away.
"""

from chime.working_time.arithmetic import Now, after, now_at, working
from chime.working_time.model import ALWAYS, Calendar, Holiday, Span, read_hours, write_hours
from chime.working_time.rules import (
    WORKSPACE,
    Clock,
    OnMiss,
    Rule,
    Scope,
    Terms,
    calendar,
    calendars,
    has_targets,
    rules,
    terms,
)
from chime.working_time.shifts import (
    ABSENCE,
    LONGEST_ABSENCE,
    NO_ROSTER,
    Absence,
    Off,
    Roster,
    Shifts,
    moments,
    roster,
    rosters,
    today,
)

__all__ = ["ABSENCE", "ALWAYS", "LONGEST_ABSENCE", "NO_ROSTER", "WORKSPACE", "Absence", "Calendar", "Clock", "Holiday",
           "Now", "Off", "OnMiss", "Roster", "Rule", "Scope", "Shifts", "Span", "Terms", "after", "calendar",
           "calendars", "has_targets", "moments", "now_at", "read_hours", "roster", "rosters", "rules", "terms",
           "today", "working", "write_hours"]
