"""The installation's doctor, for its operators: every check of the last look, what to do, and looking again."""

from __future__ import annotations

from typing import Any

from litestar import Litestar, Request, get, post
from litestar.response import Redirect, Response

from chime import trust
from chime.checked import Check, State
from chime.doctor import actions, queries, stream_pages
from chime.doctor.alarms import PAGE, Alarms
from chime.doctor.ground import Ground
from chime.doctor.model import INSTALLATION, STALE_AFTER
from chime.doctor.rounds import self_checks
from chime.doctor.watch import Doctor
from chime.errors import ChimeError, TooMany
from chime.security.permissions import Permission
from chime.web.forms import form_fields
from chime.web.identity import Identity
from chime.web.services import Services

AnyRequest = Request[Any, Any, Any]
OPERATE = {"permission": Permission.INSTALLATION}
# Seconds for which an operator waits for the answer of a look they asked for.
LONGEST_WAIT = 25.0
SMALL = {"permission": Permission.INSTALLATION, "small": True}


def doctor_of(services: Services, app: Litestar) -> Doctor:
    """The doctor of this application."""
    async def claims() -> list[Check]:
        return self_checks(await trust.findings(services.control))

    provider = app.state.provider
    ground = Ground(config=services.config, control=services.control, registry=services.registry,
                    clock=services.clock, ids=services.ids, graph=services.graph,
                    provider=provider.trouble if provider is not None else None, more=(claims,),
                    waiting=lambda: services.queue.waiting())
    alarms = Alarms(services.control, services.registry, services.mailer, services.egress, services.clock)
    doctor = Doctor(ground, alarms, lambda name, body: services.supervisor.run(name, body))
    if services.pages:
        services.pages.failing = lambda workspace_id: doctor.failing.get(workspace_id, 0)
    return doctor


@get(PAGE, opt=OPERATE, include_in_schema=False)
async def show_doctor(request: AnyRequest) -> Response[bytes]:
    return await _shown(request)


async def _shown(request: AnyRequest, *, status: int = 200, error: str = "") -> Response[bytes]:
    services = Services.of(request)
    doctor: Doctor = request.app.state.doctor
    found, now = await queries.kept(services.control.db, INSTALLATION), services.clock.real_now()
    return services.pages.answer(
        request, "doctor/installation.html", status=status, found=found, now=now, error=error,
        running=doctor.is_looking(INSTALLATION),
        counts={state.value: sum(one.state is state for one in found) for state in State}, stale_after=STALE_AFTER,
        days=(await queries.days(services.control.db, INSTALLATION, now=now)).get("", []), there=PAGE,
        said=request.query_params.get("said", ""))


@post(PAGE + "/looks", opt=SMALL, status_code=303, include_in_schema=False)
async def create_look(request: AnyRequest) -> Response[Any]:
    """Look now. Whoever does not want to wait for a long look comes back to it."""
    doctor: Doctor = request.app.state.doctor
    try:
        await doctor.look_soon(INSTALLATION)
    except TooMany as error:
        return await _shown(request, status=429, error=str(error))
    done = await doctor.looked(INSTALLATION, LONGEST_WAIT)
    return Redirect(f"{PAGE}?said={'looked' if done else 'running'}", status_code=303)


@post(PAGE + "/reminders", opt=SMALL, status_code=303, include_in_schema=False)
async def create_reminder(request: AnyRequest) -> Response[Any]:
    """They know; whoever else would be told hears of it again in a day."""
    services, identity = Services.of(request), _identity(request)
    name = (await form_fields(request)).get("name", "")
    try:
        async with services.control.write(identity.actor) as tx:
            await actions.silence(tx, INSTALLATION, "", name, now=services.clock.real_now())
    except ChimeError as error:
        if error.status not in (404, 422):
            raise
        return await _shown(request, status=error.status, error=str(error))
    return Redirect(f"{PAGE}?said=silenced", status_code=303)


def _identity(request: AnyRequest) -> Identity:
    found: Identity = request.scope["state"]["identity"]
    return found


ROUTES = [show_doctor, create_look, create_reminder, *stream_pages.ROUTES]
