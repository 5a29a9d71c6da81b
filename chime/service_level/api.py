"""Hours, targets, questions and reports, for scripts."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

import msgspec
from litestar import delete, get, post, put

from chime import channels, working_time
from chime.clock import rfc3339
from chime.errors import Invalid, NotFound
from chime.security.permissions import Permission
from chime.security.scope import viewer
from chime.service_level import actions, pages, queries, report
from chime.service_level.actions import NewCalendar
from chime.service_level.model import Setting
from chime.service_level.report import By
from chime.service_level.report_pages import range_of
from chime.web.forms import json_body
from chime.web.here import Here
from chime.web.idempotency import once
from chime.web.listing import Page, decode_cursor, page_of, page_size, query_of
from chime.web.reference import PAGED, Moment, Operation, Parameter, api
from chime.working_time import Calendar, Holiday, OnMiss, Rule, Scope, Span, read_hours, write_hours

_CALENDARS = "/api/v1/service/calendars"
_CALENDAR = _CALENDARS + "/{calendar_id:str}"
_RULES = "/api/v1/service/targets"
_QUESTION = "/api/v1/service/questions/{channel_id:str}"
Hours = Annotated[str, msgspec.Meta(max_length=200)]
Day = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}$", extra_json_schema={"format": "date"})]
Minutes = Annotated[int, msgspec.Meta(ge=0, le=86_400)]


class HolidayAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A date that is not as its weekday; closed unless it has hours, written as those of the week."""

    day: Day
    name: str
    hours: Hours = ""


class CalendarAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Working hours. `week` are the hours of the seven days from Monday. `is_open` is now, and stays so until `until`
    (null: for good)."""

    id: str
    name: str
    time_zone: str
    week: tuple[Hours, ...]
    holidays: tuple[HolidayAnswer, ...]
    is_open: bool
    until: Moment | None

    @classmethod
    def of(cls, calendar: Calendar, now: int) -> CalendarAnswer:
        state = working_time.now_at(calendar, now)
        return cls(id=calendar.id, name=calendar.name, time_zone=calendar.time_zone,
                   week=tuple(write_hours(spans) for spans in calendar.week),
                   holidays=tuple(HolidayAnswer(day=one.day.isoformat(), name=one.name, hours=write_hours(one.spans))
                                  for one in calendar.holidays),
                   is_open=state.is_open, until=rfc3339(state.until) if state.until else None)


class CreateCalendar(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hours like `09:00-13:00, 14:00-18:00`, or `22:00-06:00` over midnight. The first calendar is the workspace's."""

    name: str
    time_zone: str
    week: Annotated[tuple[Hours, ...], msgspec.Meta(min_length=7, max_length=7)]
    holidays: tuple[HolidayAnswer, ...] = ()


_EXAMPLE: dict[str, object] = {
    "id": "01kafx2v9m3q8r5t7w1y4z6b0e", "name": "Office hours", "time_zone": "Europe/Berlin",
    "week": ["09:00-17:00"] * 5 + ["", ""], "holidays": [{"day": "2026-12-25", "name": "Christmas", "hours": ""}],
    "is_open": True, "until": "2026-11-23T16:00:00.000Z"}
_NEW: dict[str, object] = {name: _EXAMPLE[name] for name in ("name", "time_zone", "week", "holidays")}


@get(_CALENDARS, opt=api(Permission.SERVICE_EDIT, Operation(
    tag="service level", summary="List calendars", answer=Page[CalendarAnswer], description="All of them at once.",
    response_example={"items": [_EXAMPLE], "next_cursor": None})))
async def list_calendar_answers(here: Here) -> Page[CalendarAnswer]:
    return Page(tuple(CalendarAnswer.of(one, here.now) for one in await working_time.calendars(here.db)), None)


@post(_CALENDARS, status_code=201, opt=api(Permission.SERVICE_EDIT, Operation(
    tag="service level", summary="Create a calendar", status=201, body=CreateCalendar, answer=CalendarAnswer,
    refusals={409: "There are too many calendars."}, request_example=_NEW, response_example=_EXAMPLE)))
@once
async def create_calendar_answer(here: Here) -> CalendarAnswer:
    new = _new(await json_body(here.request, CreateCalendar))
    async with here.workspace.write(here.actor) as tx:
        calendar_id = await actions.create_calendar(tx, new)
    return await _calendar(here, calendar_id)


@put(_CALENDAR, opt=api(Permission.SERVICE_EDIT, Operation(
    tag="service level", summary="Replace a calendar", body=CreateCalendar, answer=CalendarAnswer,
    description="What is timed at this moment is due by the new hours, from when it began.", request_example=_NEW,
    response_example=_EXAMPLE)))
async def update_calendar_answer(here: Here, calendar_id: str) -> CalendarAnswer:
    new = _new(await json_body(here.request, CreateCalendar))
    async with here.workspace.write(here.actor) as tx:
        await actions.edit_calendar(tx, calendar_id, new)
    return await _calendar(here, calendar_id)


@delete(_CALENDAR, status_code=204, opt=api(Permission.SERVICE_EDIT, Operation(
    tag="service level", summary="Delete a calendar", status=204,
    description="Whoever went by it goes by the workspace's; without any it is always working time.")))
async def delete_calendar_answer(here: Here, calendar_id: str) -> None:
    async with here.workspace.write(here.actor) as tx:
        await actions.delete_calendar(tx, calendar_id)


def _new(body: CreateCalendar) -> NewCalendar:
    problems: list[tuple[str, str]] = []

    def hours(field: str, text: str) -> tuple[Span, ...]:
        try:
            return read_hours(text)
        except Invalid as error:
            problems.append((field, error.errors[0].message))
            return ()

    def day(field: str, text: str) -> date:
        try:
            return date.fromisoformat(text)
        except ValueError:
            problems.append((field, "There is no such day."))
            return date.min

    week = tuple(hours(f"week.{place}", text) for place, text in enumerate(body.week))
    holidays = tuple(Holiday(day(f"holidays.{place}.day", one.day), one.name,
                             hours(f"holidays.{place}.hours", one.hours)) for place, one in enumerate(body.holidays))
    if problems:
        raise Invalid(problems)
    return NewCalendar(name=body.name, time_zone=body.time_zone, week=week, holidays=holidays)


async def _calendar(here: Here, calendar_id: str) -> CalendarAnswer:
    found = await working_time.calendar(here.db, calendar_id)
    if found is None:
        raise NotFound("There is no such calendar.")
    return CalendarAnswer.of(found, here.now)


class Targets(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the workspace, a number or a team has of its own, in working minutes; null is as in the workspace, 0 no
    target. `scope_id` is the number's or team's id. `on_miss` team goes with `miss_team_id`."""

    scope: Literal["workspace", "channel", "team"]
    scope_id: str = ""
    calendar_id: str | None = None
    first_minutes: Minutes | None = None
    next_minutes: Minutes | None = None
    resolution_minutes: Minutes | None = None
    on_miss: Literal["keep", "unassign", "team"] | None = None
    miss_team_id: str | None = None


_TARGETS: dict[str, object] = {
    "scope": "workspace", "scope_id": "", "calendar_id": None, "first_minutes": 30, "next_minutes": 60,
    "resolution_minutes": 0, "on_miss": "unassign", "miss_team_id": None}


@get(_RULES, opt=api(Permission.SERVICE_EDIT, Operation(
    tag="service level", summary="List targets", answer=Page[Targets], description="All of them at once.",
    response_example={"items": [_TARGETS], "next_cursor": None})))
async def list_target_answers(here: Here) -> Page[Targets]:
    return Page(tuple(Targets(**msgspec.to_builtins(rule)) for rule in await working_time.rules(here.db)), None)


@put(_RULES, opt=api(Permission.SERVICE_EDIT, Operation(
    tag="service level", summary="Set targets", body=Targets, answer=Targets,
    description="Replaces what this workspace, number or team has of its own; with nothing in it, it has none.",
    refusals={404: "There is no such number or team."}, request_example=_TARGETS, response_example=_TARGETS)))
async def update_target_answer(here: Here) -> Targets:
    body = await json_body(here.request, Targets)
    told = msgspec.to_builtins(body)
    await pages.save_rule(here, Rule(**told | {
        "scope": Scope(body.scope), "on_miss": OnMiss(body.on_miss) if body.on_miss else None}))
    return body


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether and how a number asks how it was. The template, an approved utility one with nothing to fill in, is for
    when the reply window is closed; without one nobody is asked then."""

    is_on: bool
    question: str = ""
    thanks: str = ""
    every_days: Annotated[int, msgspec.Meta(ge=0, le=365)] = 30
    template_name: str = ""
    template_language: str = ""


_QUESTIONS: dict[str, object] = {"is_on": True, "question": "How did we do?", "thanks": "Thank you!", "every_days": 30,
                                 "template_name": "", "template_language": ""}


@get(_QUESTION, opt=api(Permission.SERVICE_EDIT, Operation(
    tag="service level", summary="Show the question of a number", answer=Question, response_example=_QUESTIONS)))
async def show_question_answer(here: Here, channel_id: str) -> Question:
    if await channels.channel(here.db, channel_id) is None:
        raise NotFound("There is no such number.")
    return _question(await queries.setting(here.db, channel_id))


@put(_QUESTION, opt=api(Permission.SERVICE_EDIT, Operation(
    tag="service level", summary="Set the question of a number", body=Question, answer=Question,
    request_example=_QUESTIONS, response_example=_QUESTIONS)))
async def update_question_answer(here: Here, channel_id: str) -> Question:
    body = await json_body(here.request, Question)
    async with here.workspace.write(here.actor) as tx:
        await actions.save_setting(tx, Setting(channel_id=channel_id, **msgspec.to_builtins(body)))
    return _question(await queries.setting(here.db, channel_id))


def _question(setting: Setting) -> Question:
    return Question(**{name: getattr(setting, name) for name in Question.__struct_fields__})


_DAY = {"format": "date", "pattern": "^2[01][0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"}
_RANGE = (Parameter(name="from", meaning="First day, in the workspace's time zone; 30 days in all when not given; at "
                    "most a year before the last one", limits=_DAY),
          Parameter(name="to", meaning="Last day; today when not given", limits=_DAY))
_BY = Parameter(name="by", meaning="What each item is of", choices=tuple(By))


class ResponseTimes(msgspec.Struct, frozen=True, kw_only=True):
    """How often a target's clock ended, how often within it, and the working seconds it took half and nine tenths of
    the time. `of` is the id of the agent, team or number; null for all, or where none is known."""

    kind: Literal["first", "next", "resolution"]
    of: str | None
    count: int
    within: int
    median_seconds: int
    p90_seconds: int


_TIMES: dict[str, object] = {"kind": "first", "of": None, "count": 120, "within": 108, "median_seconds": 240,
                             "p90_seconds": 1500}


@get("/api/v1/service/response-times", opt=api(Permission.SERVICE_READ, Operation(
    tag="service level", summary="Report on answer times", answer=Page[ResponseTimes], parameters=(*_RANGE, _BY),
    description="Of the clocks that ended in these days.",
    response_example={"items": [_TIMES], "next_cursor": None})))
async def list_response_time_answers(here: Here) -> Page[ResponseTimes]:
    query = query_of(here.request, "from", "to", "by")
    days = range_of(here, query.get("from"), query.get("to"))
    found = await report.times(here.db, days.since, days.until, _by(query.get("by", "")))
    return Page(tuple(ResponseTimes(kind=one.kind.value, of=one.who, count=one.count, within=one.within,
                                    median_seconds=one.median // 1000, p90_seconds=one.p90 // 1000)
                      for one in found), None)


def _by(text: str) -> By:
    try:
        return By(text or By.ALL)
    except ValueError as error:
        raise Invalid.field("by", "One of all, agent, team, channel.") from error


class RatingAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One time a conversation was resolved on a number that asks: asked, or why not; and what the customer said. Of a
    conversation out of the key's sight, neither which it is nor the comment."""

    id: str
    conversation_id: str | None
    channel_id: str
    team_id: str | None
    agent_id: str | None
    resolved_at: Moment
    asked_at: Moment | None
    not_asked_because: str | None
    answered_at: Moment | None
    score: int | None
    comment: str | None


_RATING: dict[str, object] = {
    "id": "01kafx2v9m3q8r5t7w1y4z6b0e", "conversation_id": "01kafx2v9m3q8r5t7w1y4z6b0h",
    "channel_id": "01kafx2v9m3q8r5t7w1y4z6b0g", "team_id": None, "agent_id": None,
    "resolved_at": "2026-11-21T09:30:00.000Z", "asked_at": "2026-11-21T09:30:20.000Z", "not_asked_because": None,
    "answered_at": "2026-11-21T09:32:00.000Z", "score": 5, "comment": "Quick and kind."}


@get("/api/v1/service/ratings", opt=api(Permission.SERVICE_READ, Operation(
    tag="service level", summary="List ratings", answer=Page[RatingAnswer], parameters=(*_RANGE, *PAGED),
    description="Of the conversations that were resolved in these days.",
    response_example={"items": [_RATING], "next_cursor": None})))
async def list_rating_answers(here: Here) -> Page[RatingAnswer]:
    query = query_of(here.request, "from", "to")
    days = range_of(here, query.get("from"), query.get("to"))
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    rows = await report.answers(here.db, viewer(here.actor, Permission.INBOX_READ), days.since, days.until,
                                after=after[1] if after else report.FIRST, limit=limit + 1)
    return page_of(rows, limit, place=lambda row: (0, row.id), told=_rating)


def _rating(one: report.Answer) -> RatingAnswer:
    return RatingAnswer(
        id=one.id, conversation_id=one.conversation_id, channel_id=one.channel_id, team_id=one.team_id,
        agent_id=one.agent_id, resolved_at=rfc3339(one.closed_at), not_asked_because=one.reason or None,
        asked_at=rfc3339(one.asked_at) if one.asked_at else None, score=one.score, comment=one.comment or None,
        answered_at=rfc3339(one.answered_at) if one.answered_at else None)


ROUTES = [list_calendar_answers, create_calendar_answer, update_calendar_answer, delete_calendar_answer,
          list_target_answers, update_target_answer, show_question_answer, update_question_answer,
          list_response_time_answers, list_rating_answers]
