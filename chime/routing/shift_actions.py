"""Deciding when somebody works and when they are away. Each change has what waits looked at again at once.

Who the members are is asked by whoever calls: they are in another file.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from itertools import pairwise
from zoneinfo import available_timezones

import msgspec

from chime.accounts import QUEUE, ROUTE
from chime.errors import Invalid, NotFound
from chime.routing import shift_queries as queries
from chime.routing.standing_in import STAND_IN
from chime.working_time import LONGEST_ABSENCE, Absence, Shifts, Span, moments, roster, today, write_hours
from chime.workspaces import Transaction


class NewAbsence(msgspec.Struct, frozen=True, kw_only=True):
    """An absence as somebody wants it."""

    first_day: date
    last_day: date
    stand_in_id: str | None = None
    hands_over: bool = False


async def set_shifts(tx: Transaction, new: Shifts) -> None:
    """Somebody's week; one without any hours is none, and they are never off. Raises Invalid."""
    problems = []
    if new.time_zone not in available_timezones():
        problems.append(("time_zone", "There is no such time zone."))
    if len(new.week) != 7:
        problems.append(("week", "A week has seven days, from Monday."))
    problems += [("week", "These hours overlap.") for spans in new.week if not _fits(spans)]
    if problems:
        raise Invalid(problems)
    before = (await roster(tx, new.user_id, tx.audited_at)).shifts
    after = new if any(new.week) else None
    if before == after:
        return
    if after is None:
        await tx.execute("DELETE FROM shift WHERE user_id = ?", new.user_id)
    else:
        await tx.execute(
            "INSERT INTO shift (user_id, time_zone, week_json, updated_at) VALUES (?, ?, ?, ?) ON CONFLICT (user_id) "
            "DO UPDATE SET time_zone = excluded.time_zone, week_json = excluded.week_json, "
            "updated_at = excluded.updated_at", new.user_id, new.time_zone, msgspec.json.encode(new.week).decode(),
            tx.now)
        await _move_absences(tx, after)
    await tx.audit("shifts.changed", "user", new.user_id, before=_told(before), after=_told(after))
    tx.enqueue(ROUTE, QUEUE)


def _fits(spans: Sequence[Span]) -> bool:
    return all(0 <= span.start < 1440 and span.start < span.end <= span.start + 1440 for span in spans) and all(
        earlier.end <= later.start for earlier, later in pairwise(spans))


def _told(shifts: Shifts | None) -> dict[str, object] | None:
    if shifts is None:
        return None
    return {"time_zone": shifts.time_zone, "week": [write_hours(spans) for spans in shifts.week]}


async def _move_absences(tx: Transaction, shifts: Shifts) -> None:
    """Their days begin and end by the clock of the person."""
    for one in (await roster(tx, shifts.user_id, tx.audited_at)).absences:
        starts_at, ends_at = moments(date.fromisoformat(one.first_day), date.fromisoformat(one.last_day),
                                     shifts.time_zone)
        await tx.execute("UPDATE absence SET starts_at = ?, ends_at = ? WHERE id = ?", starts_at, ends_at, one.id)


async def create_absence(tx: Transaction, user_id: str, new: NewAbsence, *, time_zone: str,
                         members: Collection[str]) -> str:
    """Its id. `time_zone` is the workspace's, for who has no shifts. Raises Invalid."""
    absence_id = tx.new_id()
    starts_at, ends_at = await _checked(tx, user_id, new, time_zone, members, but="")
    await tx.execute(
        "INSERT INTO absence (id, user_id, first_day, last_day, starts_at, ends_at, stand_in_id, hands_over, "
        "created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", absence_id, user_id, new.first_day.isoformat(),
        new.last_day.isoformat(), starts_at, ends_at, new.stand_in_id, int(new.hands_over), tx.now)
    await tx.audit("absence.created", "absence", absence_id, user_id=user_id, **_days(new))
    _look_again(tx)
    return absence_id


async def edit_absence(tx: Transaction, absence_id: str, new: NewAbsence, *, time_zone: str, members: Collection[str]
                       ) -> None:
    """Raises NotFound, Invalid."""
    known = await queries.absence(tx, absence_id)
    if known is None:
        raise NotFound("There is no such absence.")
    if as_new(known) == new:
        return
    starts_at, ends_at = await _checked(tx, known.user_id, new, time_zone, members, but=absence_id)
    await tx.execute("UPDATE absence SET first_day = ?, last_day = ?, starts_at = ?, ends_at = ?, stand_in_id = ?, "
                     "hands_over = ? WHERE id = ?", new.first_day.isoformat(), new.last_day.isoformat(), starts_at,
                     ends_at, new.stand_in_id, int(new.hands_over), absence_id)
    if known.stand_in_id != new.stand_in_id:
        await tx.execute("DELETE FROM absence_offer WHERE absence_id = ?", absence_id)
    await tx.audit("absence.edited", "absence", absence_id, user_id=known.user_id, before=_days(as_new(known)),
                   after=_days(new))
    _look_again(tx)


async def delete_absence(tx: Transaction, absence_id: str) -> None:
    """They are there after all, or it was wrong. Raises NotFound."""
    known = await queries.absence(tx, absence_id)
    if known is None:
        raise NotFound("There is no such absence.")
    await tx.execute("DELETE FROM absence WHERE id = ?", absence_id)
    await tx.audit("absence.removed", "absence", absence_id, user_id=known.user_id, **_days(as_new(known)))
    _look_again(tx)


def as_new(known: Absence) -> NewAbsence:
    return NewAbsence(first_day=date.fromisoformat(known.first_day), last_day=date.fromisoformat(known.last_day),
                      stand_in_id=known.stand_in_id, hands_over=known.hands_over)


def _days(new: NewAbsence) -> dict[str, object]:
    return {"first_day": new.first_day.isoformat(), "last_day": new.last_day.isoformat(),
            "stand_in_id": new.stand_in_id, "hands_over": new.hands_over}


async def _checked(tx: Transaction, user_id: str, new: NewAbsence, time_zone: str, members: Collection[str], *,
                   but: str) -> tuple[int, int]:
    """Its moments. Raises Invalid naming every field that does not fit."""
    known = await roster(tx, user_id, tx.audited_at)
    where = known.shifts.time_zone if known.shifts else time_zone
    problems = []
    if not 0 <= (new.last_day - new.first_day).days < LONGEST_ABSENCE:
        problems.append(("last_day", "The last day is the first one or later, within a year."))
    elif new.last_day < today(tx.audited_at, where):
        problems.append(("last_day", "This is over already."))
    if new.stand_in_id == user_id:
        problems.append(("stand_in_id", "Nobody stands in for themselves."))
    elif new.stand_in_id is not None and new.stand_in_id not in members:
        problems.append(("stand_in_id", "Choose a member who may reply."))
    elif new.hands_over and new.stand_in_id is None:
        problems.append(("stand_in_id", "Choose who takes over."))
    if problems:
        raise Invalid(problems)
    starts_at, ends_at = moments(new.first_day, new.last_day, where)
    if any(one.id != but and one.starts_at < ends_at and one.ends_at > starts_at for one in known.absences):
        raise Invalid.field("first_day", "There is an absence on these days already.")
    return starts_at, ends_at


def _look_again(tx: Transaction) -> None:
    tx.enqueue(ROUTE, QUEUE)
    tx.enqueue(STAND_IN, QUEUE)
