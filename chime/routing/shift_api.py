"""Shifts and absences, for scripts: when members work, when they are away, and who stands in for them."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import msgspec
from litestar import delete, get, patch, post
from msgspec import UNSET, Meta, UnsetType

from chime.clock import rfc3339
from chime.errors import Invalid, NotFound
from chime.routing import places, shift_actions, shift_forms
from chime.routing import shift_queries as queries
from chime.routing.pages import team
from chime.routing.shift_actions import NewAbsence
from chime.routing.shift_forms import TypedWeek
from chime.routing.shift_pages import member_or_404, repliers
from chime.security.permissions import Actor, Permission
from chime.web.forms import json_body
from chime.web.here import Here
from chime.web.idempotency import once
from chime.web.listing import Page, decode_cursor, page_of, page_size, query_of
from chime.web.reference import PAGED, Moment, Operation, api
from chime.working_time import Absence, Roster, roster

_MEMBER = "/api/v1/members/{member_id:str}"
_ABSENCES = "/api/v1/absences"
_ABSENCE = _ABSENCES + "/{absence_id:str}"
Day = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
_Week = Annotated[tuple[Annotated[str, Meta(max_length=200)], ...], Meta(min_length=7, max_length=7)]


class ShiftsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A member's own week: seven days from Monday, each like `09:00-13:00, 14:00-18:00`, empty for a day off. Both are
    null for who has no shifts. `off_until` is when the shift begins or the absence ends, null while they may be there.
    """

    member_id: str
    time_zone: str | None
    week: tuple[str, ...] | None
    is_off: bool
    off_until: Moment | None

    @classmethod
    def of(cls, member_id: str, known: Roster, now: int) -> ShiftsAnswer:
        typed, off = TypedWeek.of(known.shifts, ""), known.off(now)
        return cls(member_id=member_id, time_zone=typed.time_zone or None, week=typed.days if known.shifts else None,
                   is_off=off is not None, off_until=rfc3339(off.until) if off and off.until else None)


class UpdateShifts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Only what is given changes. A week without any hours is none: the member is never off."""

    time_zone: str | UnsetType = UNSET
    week: _Week | UnsetType = UNSET


class AbsenceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Days on which a member is away, both included, by their own clock. `stand_in_id` is given what comes for them;
    with `hands_over` also what they have, once its customer writes."""

    id: str
    member_id: str
    first_day: Day
    last_day: Day
    starts_at: Moment
    ends_at: Moment
    stand_in_id: str | None
    hands_over: bool

    @classmethod
    def of(cls, one: Absence) -> AbsenceAnswer:
        return cls(id=one.id, member_id=one.user_id, first_day=one.first_day, last_day=one.last_day,
                   starts_at=rfc3339(one.starts_at), ends_at=rfc3339(one.ends_at), stand_in_id=one.stand_in_id,
                   hands_over=one.hands_over)


class CreateAbsence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whole days, both included."""

    first_day: Day
    last_day: Day
    stand_in_id: str | None = None
    hands_over: bool = False


class UpdateAbsence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Only what is given changes."""

    first_day: Day | UnsetType = UNSET
    last_day: Day | UnsetType = UNSET
    stand_in_id: str | UnsetType | None = UNSET
    hands_over: bool | UnsetType = UNSET


_ID, _OTHER, _AWAY = "01kafx2v9m3q8r5t7w1y4z6b0e", "01kafx2v9m3q8r5t7w1y4z6b0f", "01kafx2v9m3q8r5t7w1y4z6b0g"
_WEEK: dict[str, object] = {"member_id": _ID, "time_zone": "Europe/Berlin",
                            "week": ["09:00-17:00"] * 5 + ["", ""], "is_off": False, "off_until": None}
_ABSENCE_EXAMPLE: dict[str, object] = {
    "id": _AWAY, "member_id": _ID, "first_day": "2026-11-30", "last_day": "2026-12-03",
    "starts_at": "2026-11-29T23:00:00.000Z", "ends_at": "2026-12-03T23:00:00.000Z", "stand_in_id": _OTHER,
    "hands_over": True,
}
_OF_WHOM = "Of anybody but the key's own person it needs the scope `routing:edit`."


async def _seen(here: Here, member_id: str) -> Actor:
    found = next((one for one in await team(here) if one.id == member_id), None)
    if found is None or not (places.sees(here.actor, found) or member_id == places.person_of(here.actor)):
        raise NotFound("There is no such member.")
    return found


async def _shifts(here: Here, member_id: str) -> ShiftsAnswer:
    now = here.services.clock.real_now()
    return ShiftsAnswer.of(member_id, await roster(here.db, member_id, now), now)


@get(_MEMBER + "/shifts", opt=api(Permission.MEMBERS_READ, Operation(
    tag="assignment", summary="Read a member's shifts", answer=ShiftsAnswer, response_example=_WEEK)))
async def show_shifts_answer(here: Here, member_id: str) -> ShiftsAnswer:
    await _seen(here, member_id)
    return await _shifts(here, member_id)


@patch(_MEMBER + "/shifts", opt=api(Permission.INBOX_REPLY, Operation(
    tag="assignment", summary="Set a member's shifts", body=UpdateShifts, answer=ShiftsAnswer,
    description="Outside their hours nothing is given to them by itself. " + _OF_WHOM,
    request_example={"time_zone": "Europe/Berlin", "week": ["09:00-17:00"] * 5 + ["", ""]}, response_example=_WEEK),
    small=True))
async def update_shifts_answer(here: Here, member_id: str) -> ShiftsAnswer:
    body = await json_body(here.request, UpdateShifts)
    await member_or_404(here, member_id)
    known = await roster(here.db, member_id, here.services.clock.real_now())
    typed = TypedWeek.of(known.shifts, here.record.time_zone)
    typed = TypedWeek(time_zone=typed.time_zone if body.time_zone is UNSET else body.time_zone,
                      days=typed.days if body.week is UNSET else body.week)
    async with here.workspace.write(here.actor) as tx:
        await shift_actions.set_shifts(tx, shift_forms.meant_week(member_id, typed))
    return await _shifts(here, member_id)


@get(_ABSENCES, opt=api(Permission.MEMBERS_READ, Operation(
    tag="assignment", summary="List absences", answer=Page[AbsenceAnswer], parameters=PAGED,
    description="Those that are not over, of the members the key's person sees, by their first day.",
    response_example={"items": [_ABSENCE_EXAMPLE], "next_cursor": None})))
async def list_absence_answers(here: Here) -> Page[AbsenceAnswer]:
    query = query_of(here.request)
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    seen = [one.id or "" for one in await team(here) if places.sees(here.actor, one)]
    rows = await queries.absences_page(here.db, seen, since=here.services.clock.real_now(), after=after or (0, ""),
                                       limit=limit + 1)
    return page_of(rows, limit, place=lambda row: (row.starts_at, row.id), told=AbsenceAnswer.of)


@post(_MEMBER + "/absences", status_code=201, opt=api(Permission.INBOX_REPLY, Operation(
    tag="assignment", summary="Create an absence", status=201, body=CreateAbsence, answer=AbsenceAnswer,
    description="On these days nothing is given to the member by itself. " + _OF_WHOM,
    request_example={"first_day": "2026-11-30", "last_day": "2026-12-03", "stand_in_id": _OTHER, "hands_over": True},
    response_example=_ABSENCE_EXAMPLE)))
@once
async def create_absence_answer(here: Here, member_id: str) -> AbsenceAnswer:
    body = await json_body(here.request, CreateAbsence)
    await member_or_404(here, member_id)
    new = NewAbsence(first_day=_day("first_day", body.first_day), last_day=_day("last_day", body.last_day),
                     stand_in_id=body.stand_in_id, hands_over=body.hands_over)
    able = set(await repliers(here))
    async with here.workspace.write(here.actor) as tx:
        absence_id = await shift_actions.create_absence(tx, member_id, new, members=able,
                                                        time_zone=here.record.time_zone)
    return await _told(here, absence_id)


def _day(name: str, text: str) -> date:
    """Of the years the page takes; the calendar's last day has no moment after it. Raises Invalid."""
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise Invalid.field(name, "Choose a day.") from error
    if not 2000 <= found.year < 2200:
        raise Invalid.field(name, "Choose a day.")
    return found


async def _told(here: Here, absence_id: str) -> AbsenceAnswer:
    found = await queries.absence(here.db, absence_id)
    if found is None:
        raise NotFound("There is no such absence.")
    return AbsenceAnswer.of(found)


async def _decided(here: Here, absence_id: str) -> Absence:
    """One that the key's person may change. Raises NotFound."""
    found = await queries.absence(here.db, absence_id)
    if found is None:
        raise NotFound("There is no such absence.")
    await member_or_404(here, found.user_id)
    return found


@patch(_ABSENCE, opt=api(Permission.INBOX_REPLY, Operation(
    tag="assignment", summary="Change an absence", body=UpdateAbsence, answer=AbsenceAnswer,
    description="Only what is given changes. " + _OF_WHOM, request_example={"last_day": "2026-12-04"},
    response_example=_ABSENCE_EXAMPLE | {"last_day": "2026-12-04", "ends_at": "2026-12-04T23:00:00.000Z"}),
    small=True))
async def update_absence_answer(here: Here, absence_id: str) -> AbsenceAnswer:
    body = await json_body(here.request, UpdateAbsence)
    known = shift_actions.as_new(await _decided(here, absence_id))
    new = NewAbsence(
        first_day=known.first_day if body.first_day is UNSET else _day("first_day", body.first_day),
        last_day=known.last_day if body.last_day is UNSET else _day("last_day", body.last_day),
        stand_in_id=known.stand_in_id if body.stand_in_id is UNSET else body.stand_in_id,
        hands_over=known.hands_over if body.hands_over is UNSET else body.hands_over)
    able = set(await repliers(here))
    async with here.workspace.write(here.actor) as tx:
        await shift_actions.edit_absence(tx, absence_id, new, members=able, time_zone=here.record.time_zone)
    return await _told(here, absence_id)


@delete(_ABSENCE, opt=api(Permission.INBOX_REPLY, Operation(
    tag="assignment", summary="Remove an absence", status=204, description=_OF_WHOM)))
async def delete_absence_answer(here: Here, absence_id: str) -> None:
    await _decided(here, absence_id)
    async with here.workspace.write(here.actor) as tx:
        await shift_actions.delete_absence(tx, absence_id)


ROUTES = [show_shifts_answer, update_shifts_answer, list_absence_answers, create_absence_answer, update_absence_answer,
          delete_absence_answer]
