"""Settings of hours and service: calendars, targets, the question after a conversation. Works without a script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import get, post
from litestar.response import Redirect, Response

from chime import accounts, channels, working_time
from chime.errors import ChimeError, Invalid, NotFound
from chime.security.permissions import Permission
from chime.service_level import actions, forms, queries, report_pages
from chime.service_level.forms import TypedCalendar
from chime.service_level.model import Setting
from chime.web.forms import form_fields
from chime.web.here import Here
from chime.working_time import Calendar, Rule, Scope, Terms

EDIT = {"permission": Permission.SERVICE_EDIT}
SMALL = {"small": True}
_PAGE = "/w/{slug:str}/settings/service"
_CALENDAR = _PAGE + "/calendars/{calendar_id:str}"


@get(_PAGE, opt=EDIT)
async def show_service(here: Here) -> Response[bytes]:
    return await _page(here)


async def _page(here: Here, *, status: int = 200, errors: dict[str, str] | None = None, wrong: str = "",
                typed: Mapping[str, str] | None = None) -> Response[bytes]:
    """`wrong` names the form that was refused, as `typed` has it."""
    numbers = await channels.channels(here.db)
    teams = await accounts.team_names(here.services.control.db, here.record.id)
    rules = {(rule.scope, rule.scope_id): rule for rule in await working_time.rules(here.db)}
    places = [(Scope.WORKSPACE, "", here.record.name)]
    places += [(Scope.CHANNEL, one.id, one.display_phone) for one in numbers]
    places += [(Scope.TEAM, team_id, name) for team_id, name in teams.items()]
    settings = await queries.settings(here.db)
    shown = {one.id: forms.typed_setting(settings.get(one.id) or Setting(
        channel_id=one.id, question=here.words("How did we do? Please rate this conversation."))) for one in numbers}
    typed_rules = {f"{scope.value}:{scope_id}": forms.typed_rule(rules.get((scope, scope_id)) or Rule())
                   for scope, scope_id, _ in places}
    if wrong and typed is not None:
        (shown if wrong in shown else typed_rules)[wrong] = dict(typed)
    calendars = await working_time.calendars(here.db)
    return here.page(
        "service_level/index.html", status=status, errors=errors or {}, wrong=wrong, places=places, rules=rules,
        typed_rules=typed_rules, numbers=numbers, teams=teams, settings=settings, shown=shown, calendars=calendars,
        choices={one.id: await queries.template_choices(here.db, one.waba_id) for one in numbers},
        now_at={calendar.id: working_time.now_at(calendar, here.now) for calendar in calendars},
        checked=[(name, terms, working_time.now_at(terms.calendar, here.now))
                 for name, terms in await _terms(here, places)], said=here.request.query_params.get("said", ""))


async def _terms(here: Here, places: list[tuple[Scope, str, str]]) -> list[tuple[str, Terms]]:
    """What holds now at each place that has something of its own, the workspace first."""
    own = {(rule.scope, rule.scope_id) for rule in await working_time.rules(here.db)} | {(Scope.WORKSPACE, "")}
    return [(name, await working_time.terms(here.db, channel_id=scope_id if scope is Scope.CHANNEL else "",
                                            team_id=scope_id if scope is Scope.TEAM else None))
            for scope, scope_id, name in places if (scope, scope_id) in own]


@post(_PAGE + "/rules", opt=EDIT | SMALL, status_code=303)
async def create_rule(here: Here) -> Response[Any]:
    """What holds for one place; empty fields are as in the workspace."""
    fields = await form_fields(here.request)
    try:
        rule = forms.meant_rule(fields)
        await save_rule(here, rule)
    except Invalid as error:
        return await _page(here, status=422, errors=here.problems(error), typed=fields,
                           wrong=f"{fields.get('scope', '')}:{fields.get('scope_id', '')}")
    return _back(here, "rule")


async def save_rule(here: Here, rule: Rule) -> None:
    """Raises NotFound, Invalid."""
    teams = await accounts.team_ids(here.services.control.db, here.record.id)
    ids = teams if rule.scope is Scope.TEAM else {one.id for one in await channels.channels(here.db)}
    async with here.workspace.write(here.actor) as tx:
        await actions.save_rule(tx, rule, scope_ids=ids, team_ids=teams)


@post(_PAGE + "/questions/{channel_id:str}", opt=EDIT | SMALL, status_code=303)
async def create_question(here: Here, channel_id: str) -> Response[Any]:
    """Whether and how this number asks."""
    fields = await form_fields(here.request)
    try:
        setting = forms.meant_setting(channel_id, fields)
        async with here.workspace.write(here.actor) as tx:
            await actions.save_setting(tx, setting)
    except Invalid as error:
        return await _page(here, status=422, errors=here.problems(error), wrong=channel_id, typed=fields)
    return _back(here, "question")


@get(_PAGE + "/calendars/new", opt=EDIT)
async def new_calendar(here: Here) -> Response[bytes]:
    return _form(here, TypedCalendar(time_zone=here.record.time_zone, name=here.words("Office hours")), None)


@get(_CALENDAR, opt=EDIT)
async def show_calendar(here: Here, calendar_id: str) -> Response[bytes]:
    found = await _calendar(here, calendar_id)
    return _form(here, TypedCalendar.of(found), found)


async def _calendar(here: Here, calendar_id: str) -> Calendar:
    found = await working_time.calendar(here.db, calendar_id)
    if found is None:
        raise NotFound("There is no such calendar.")
    return found


def _form(here: Here, typed: TypedCalendar, calendar: Calendar | None, *, status: int = 200,
          errors: dict[str, str] | None = None) -> Response[bytes]:
    return here.page("service_level/calendar.html", status=status, typed=typed, calendar=calendar, errors=errors or {},
                     zones=accounts.time_zones(),
                     now=working_time.now_at(calendar, here.now) if calendar else None)


@post(_PAGE + "/calendars", opt=EDIT | SMALL, status_code=303)
async def create_calendar(here: Here) -> Response[Any]:
    typed = forms.typed_calendar(await form_fields(here.request))
    try:
        async with here.workspace.write(here.actor) as tx:
            await actions.create_calendar(tx, forms.meant_calendar(typed))
    except ChimeError as error:
        return _not_saved(here, typed, None, error)
    return _back(here, "calendar")


@post(_CALENDAR, opt=EDIT | SMALL, status_code=303)
async def update_calendar(here: Here, calendar_id: str) -> Response[Any]:
    typed, found = forms.typed_calendar(await form_fields(here.request)), await _calendar(here, calendar_id)
    try:
        async with here.workspace.write(here.actor) as tx:
            await actions.edit_calendar(tx, calendar_id, forms.meant_calendar(typed))
    except ChimeError as error:
        return _not_saved(here, typed, found, error)
    return _back(here, "calendar")


def _not_saved(here: Here, typed: TypedCalendar, calendar: Calendar | None, error: ChimeError) -> Response[bytes]:
    if error.status not in (409, 422):
        raise error
    return _form(here, typed, calendar, status=error.status, errors=here.problems(error))


@post(_CALENDAR + "/removal", opt=EDIT | SMALL, status_code=303)
async def create_calendar_removal(here: Here, calendar_id: str) -> Response[Any]:
    async with here.workspace.write(here.actor) as tx:
        await actions.delete_calendar(tx, calendar_id)
    return _back(here, "removed")


def _back(here: Here, said: str) -> Response[Any]:
    return Redirect(f"{here.base}/settings/service?said={said}", status_code=303)


ROUTES = [show_service, create_rule, create_question, new_calendar, show_calendar, create_calendar, update_calendar,
          create_calendar_removal, *report_pages.ROUTES]
