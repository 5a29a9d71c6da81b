"""The report on answer times and ratings, as a page and as CSV."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from litestar import get
from litestar.response import Response, Stream

from chime import accounts, channels, exports
from chime.clock import rfc3339
from chime.errors import Invalid
from chime.security.permissions import Permission
from chime.security.scope import viewer
from chime.service_level import report
from chime.service_level.model import SCORES, STARS
from chime.service_level.report import By, Ratings, Times
from chime.web.here import Here
from chime.web.language import zone
from chime.working_time import Clock

READ = {"permission": Permission.SERVICE_READ}
_PAGE = "/w/{slug:str}/reports/service"
USUAL = 30
LONGEST = 366
_COLUMNS = ("resolved_at", "number", "team", "agent", "asked_at", "not_asked_because", "answered_at", "score",
            "comment", "conversation_id")


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """Whole days of the workspace's calendar; `since` and `until` are its first moment and the one after its last."""

    first: date
    last: date
    since: int
    until: int


def range_of(here: Here, first_text: str | None, last_text: str | None) -> Range:
    """Between two days as the browser writes them; the last thirty when none are named. Raises Invalid."""
    place = zone(here.record.time_zone)
    today = datetime.fromtimestamp(here.now / 1000, place).date()
    last = _date("to", last_text) if last_text is not None else today
    first = _date("from", first_text) if first_text is not None else last - timedelta(days=USUAL - 1)
    if not 0 <= (last - first).days < LONGEST:
        raise Invalid.field("from", "Choose a first day before the last one, a year at most.")

    def moment(day: date) -> int:
        return int(datetime(day.year, day.month, day.day, tzinfo=place).timestamp() * 1000)

    return Range(first=first, last=last, since=moment(first), until=moment(last + timedelta(days=1)))


def _date(name: str, text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise Invalid.field(name, "Choose a day.") from error
    if not 2000 <= found.year < 2200:
        raise Invalid.field(name, "Choose a day.")
    return found


@get(_PAGE, opt=READ)
async def show_report(here: Here) -> Response[bytes]:
    asked, errors = here.request.query_params, {}
    try:
        days = range_of(here, asked.get("from") or None, asked.get("to") or None)
    except Invalid as error:
        days, errors = range_of(here, None, None), here.problems(error)
    by = By(asked.get("by", "")) if asked.get("by", "") in set(By) - {By.ALL} else By.AGENT
    names = await _names(here)
    times = await report.times(here.db, days.since, days.until, By.ALL)
    rated = await report.ratings(here.db, days.since, days.until, By.ALL)
    return here.page(
        "service_level/report.html", status=422 if errors else 200, errors=errors, days=days, by=by.value, names=names,
        times={one.kind: one for one in times}, parts=_by_kind(await report.times(here.db, days.since, days.until, by)),
        ratings=_answered(rated), rated=await report.ratings(here.db, days.since, days.until, by), scores=SCORES,
        stars=STARS, reasons=await report.reasons(here.db, days.since, days.until), clocks=list(Clock),
        comments=await report.comments(here.db, viewer(here.actor, Permission.INBOX_READ), days.since, days.until))


def _by_kind(found: list[Times]) -> dict[Clock, list[Times]]:
    return {kind: [one for one in found if one.kind is kind] for kind in Clock}


def _answered(found: list[Ratings]) -> Ratings:
    return found[0] if found else Ratings(who=None, asked=0, not_asked=0, scores=(0,) * 5)


async def _names(here: Here) -> dict[str, str]:
    """Of people, teams and numbers, by id."""
    control = here.services.control.db
    people = {one.id: one.name for one in await accounts.members(control, here.record.id)}
    return (people | await accounts.team_names(control, here.record.id)
            | {one.id: one.display_phone for one in await channels.channels(here.db)})


@get(_PAGE + "/ratings", opt=READ)
async def show_ratings_table(here: Here) -> Response[Any]:
    """Every time somebody was asked, or was not, as CSV. Raises Invalid."""
    asked = here.request.query_params
    days = range_of(here, asked.get("from") or None, asked.get("to") or None)
    return Stream(_lines(here, days, await _names(here)), media_type="text/csv", headers={
        "Content-Disposition": f'attachment; filename="ratings-{days.first}-{days.last}.csv"',
        "Cache-Control": "no-store"})


async def _lines(here: Here, days: Range, names: dict[str, str]) -> AsyncIterator[str]:
    """Holds the workspace open itself: the answer is sent when the handler's own hold has ended."""
    yield exports.csv_line(_COLUMNS)
    seen = viewer(here.actor, Permission.INBOX_READ)
    async with here.services.registry.use(here.record.id) as workspace:
        async for one in report.all_answers(workspace.db, seen, days.since, days.until):
            yield exports.csv_line((
                rfc3339(one.closed_at), names.get(one.channel_id, ""), names.get(one.team_id or "", ""),
                names.get(one.agent_id or "", ""), rfc3339(one.asked_at) if one.asked_at else "", one.reason,
                rfc3339(one.answered_at) if one.answered_at else "", str(one.score or ""), one.comment or "",
                one.conversation_id or ""))


ROUTES = [show_report, show_ratings_table]
