"""Shifts and absences: everybody's week for who decides about them, and one person's, which is also their own. Works
without a script."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import date, timedelta
from typing import Any

import msgspec
from litestar import get, post
from litestar.response import Redirect, Response

from chime import accounts
from chime.errors import Invalid, NotFound
from chime.routing import places, shift_actions, shift_forms
from chime.routing import shift_queries as queries
from chime.routing.pages import EDIT, team
from chime.routing.shift_forms import TypedWeek
from chime.security.permissions import Actor, Permission
from chime.web.forms import form_fields
from chime.web.here import Here
from chime.working_time import NO_ROSTER, Absence, Off, Roster, roster, rosters, today, write_hours
from chime.workspaces import Transaction

OWN = {"permission": Permission.INBOX_REPLY}
SMALL = {"small": True}
_ALL = "/w/{slug:str}/settings/shifts"
_ONE = "/w/{slug:str}/shifts/{member_id:str}"
_ABSENCES = _ONE + "/absences"
_ABSENCE = _ABSENCES + "/{absence_id:str}"


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A day of one person: the hours they work (None: they have no shifts), and whether they are absent."""

    day: str
    hours: str | None
    is_absent: bool


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A person's week."""

    id: str
    name: str
    off: Off | None
    time_zone: str
    cells: tuple[Cell, ...]
    absences: tuple[Absence, ...]
    may_manage: bool


def _row(member: Actor, known: Roster, monday: date, now: int, *, may_manage: bool) -> Row:
    cells = []
    for number in range(7):
        day = (monday + timedelta(days=number)).isoformat()
        hours = write_hours(known.shifts.week[number]) if known.shifts else None
        cells.append(Cell(day=day, hours=hours, is_absent=any(
            one.first_day <= day <= one.last_day for one in known.absences)))
    return Row(id=member.id or "", name=member.name, off=known.off(now), absences=known.coming(now),
               time_zone=known.shifts.time_zone if known.shifts else "", cells=tuple(cells), may_manage=may_manage)


async def repliers(here: Here) -> dict[str, Actor]:
    """Everybody who may reply, and so be given something or stand in, by id."""
    return {one.id or "": one for one in await team(here) if one.may(Permission.INBOX_REPLY)}


@get(_ALL, opt=EDIT)
async def show_shifts(here: Here) -> Response[bytes]:
    """A week of everybody whom the reader decides about."""
    now, people = here.services.clock.real_now(), await repliers(here)
    this = today(now, here.record.time_zone)
    asked = _day(here.request.query_params.get("week", "")) or this
    monday, known = asked - timedelta(days=asked.weekday()), await rosters(here.db)
    rows = [_row(one, known.get(one.id or "", NO_ROSTER), monday, now, may_manage=places.may_manage(here.actor, one))
            for one in people.values() if places.sees(here.actor, one)]
    return here.page("routing/shifts.html", rows=rows, names={key: one.name for key, one in people.items()},
                     monday=monday.isoformat(), before=(monday - timedelta(days=7)).isoformat(),
                     after=(monday + timedelta(days=7)).isoformat(), this=this.isoformat(),
                     said=here.request.query_params.get("said", ""))


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if 2000 <= found.year < 2200 else None


async def member_or_404(here: Here, member_id: str) -> Actor:
    """Whoever it is about: oneself, or somebody the actor decides about. Raises NotFound."""
    found = (await repliers(here)).get(member_id)
    if found is None or not (member_id == places.person_of(here.actor) or places.may_manage(here.actor, found)):
        raise NotFound("There is no such member.")
    return found


async def absence_or_404(here: Here, member_id: str, absence_id: str) -> Absence:
    found = await queries.absence(here.db, absence_id)
    if found is None or found.user_id != member_id:
        raise NotFound("There is no such absence.")
    return found


@get(_ONE, opt=OWN)
async def show_member_shifts(here: Here, member_id: str) -> Response[bytes]:
    return await _page(here, await member_or_404(here, member_id))


async def _page(here: Here, member: Actor, *, errors: dict[str, str] | None = None, wrong: str = "",
                week: TypedWeek | None = None, typed: Mapping[str, str] | None = None) -> Response[bytes]:
    """`wrong` names the form that was refused: `week`, `new`, or the id of an absence; `typed` is what stood in it."""
    now, people = here.services.clock.real_now(), await repliers(here)
    known = await roster(here.db, member.id or "", now)
    return here.page(
        "routing/member_shifts.html", status=422 if errors else 200, member=member, hours=known, off=known.off(now),
        week=week or TypedWeek.of(known.shifts, here.record.time_zone), zones=accounts.time_zones(), wrong=wrong,
        absences=[(one, typed if wrong == one.id else shift_forms.typed_absence(one)) for one in known.absences],
        fresh=typed if wrong == "new" and typed is not None else {}, errors=errors or {},
        colleagues=[(one.id, one.name) for one in people.values() if one.id != member.id],
        names={key: one.name for key, one in people.items()}, is_own=member.id == here.actor.id,
        decides=here.actor.may(Permission.ROUTING_EDIT), said=here.request.query_params.get("said", ""))


async def _done(here: Here, member: Actor, said: str, verb: Callable[[Transaction], Awaitable[Any]], *, wrong: str,
                week: TypedWeek | None = None, typed: Mapping[str, str] | None = None) -> Response[Any]:
    try:
        async with here.workspace.write(here.actor) as tx:
            await verb(tx)
    except Invalid as error:
        return await _page(here, member, errors=here.problems(error), wrong=wrong, week=week, typed=typed)
    return Redirect(f"{here.base}/shifts/{member.id}?said={said}", status_code=303)


@post(_ONE, opt=OWN | SMALL, status_code=303)
async def update_member_shifts(here: Here, member_id: str) -> Response[Any]:
    member, typed = await member_or_404(here, member_id), shift_forms.typed_week(await form_fields(here.request))
    return await _done(here, member, "week", lambda tx: shift_actions.set_shifts(
        tx, shift_forms.meant_week(member_id, typed)), wrong="week", week=typed)


@post(_ABSENCES, opt=OWN | SMALL, status_code=303)
async def create_absence(here: Here, member_id: str) -> Response[Any]:
    member, fields = await member_or_404(here, member_id), await form_fields(here.request)
    able = set(await repliers(here))
    return await _done(here, member, "created", lambda tx: shift_actions.create_absence(
        tx, member_id, shift_forms.meant_absence(fields), members=able, time_zone=here.record.time_zone),
        wrong="new", typed=fields)


@post(_ABSENCE, opt=OWN | SMALL, status_code=303)
async def update_absence(here: Here, member_id: str, absence_id: str) -> Response[Any]:
    member, fields = await member_or_404(here, member_id), await form_fields(here.request)
    await absence_or_404(here, member_id, absence_id)
    able = set(await repliers(here))
    return await _done(here, member, "edited", lambda tx: shift_actions.edit_absence(
        tx, absence_id, shift_forms.meant_absence(fields), members=able, time_zone=here.record.time_zone),
        wrong=absence_id, typed=fields)


@post(_ABSENCE + "/removal", opt=OWN | SMALL, status_code=303)
async def create_absence_removal(here: Here, member_id: str, absence_id: str) -> Response[Any]:
    member = await member_or_404(here, member_id)
    await absence_or_404(here, member_id, absence_id)
    return await _done(here, member, "removed", lambda tx: shift_actions.delete_absence(tx, absence_id), wrong="")


ROUTES = [show_shifts, show_member_shifts, update_member_shifts, create_absence, update_absence,
          create_absence_removal]
