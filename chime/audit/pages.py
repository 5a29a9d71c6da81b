"""The audit log of a workspace, and for operators that of the installation. Works without a script."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

from litestar import Request, get, post
from litestar.response import Redirect, Response, Stream

from chime.audit import export, jobs, letters, queries, retention
from chime.audit.model import INSTALLATION, Checkpoint, Filter, checked_days
from chime.audit.trail import Trail, installation_trail, origin, public_key, trail_of
from chime.audit.view import as_day, before_of, filter_of, line
from chime.clock import rfc3339
from chime.errors import Invalid
from chime.security import signed_note
from chime.security.permissions import Permission
from chime.web.forms import form_fields
from chime.web.here import AnyRequest, Here
from chime.web.identity import Identity
from chime.web.language import catalogue
from chime.web.listing import encode_cursor
from chime.web.services import Services

READ = {"permission": Permission.AUDIT_READ}
EXPORT = {"permission": Permission.AUDIT_EXPORT, "step_up": True}
OPERATE = {"permission": Permission.INSTALLATION}
_PAGE = "/w/{slug:str}/settings/audit"
_INSTALLATION = "/installation/audit"
PAGE = 50


async def _values(trail: Trail, query: dict[str, str], where: str) -> dict[str, Any]:
    """What either page shows. A filter that does not fit is said beside its field; the list then stays empty."""
    errors: dict[str, str] = {}
    wanted, events = Filter(), []
    try:
        wanted = filter_of(query)
        events = await queries.page(trail.db, wanted, before=before_of(query.get("cursor")), limit=PAGE + 1)
    except Invalid as error:
        errors = {problem.field: problem.message for problem in error.errors}
    checkpoint, people = await queries.newest_checkpoint(trail.db), await queries.people(trail.db)
    shown = [line(event, people, checkpoint.size if checkpoint else 0) for event in events[:PAGE]]
    kept = {name: value for name, value in query.items() if name != "cursor" and value}
    older = {"cursor": encode_cursor(events[PAGE - 1].sequence, "")} if len(events) > PAGE else {}
    said = signed_note.read(checkpoint.note) if checkpoint else None
    return {
        "where": where, "lines": shown, "errors": errors, "typed": query | {
            "since": as_day(wanted.since), "until": as_day(wanted.until, end_of_day=True)} if not errors else query,
        "older": f"{where}?{urlencode(kept | older)}" if older else "", "is_later": bool(query.get("cursor")),
        "filtered": kept, "newest": f"{where}?{urlencode(kept)}" if kept else where,
        "actions": await queries.actions(trail.db), "people": people, "size": await queries.size(trail.db),
        "checkpoint": checkpoint, "root": said.root.hex() if said else "", "said": query.get("said", ""),
        "key": await _key(trail), "alarm": await queries.alarm(trail.db),
        "kept_days": await retention.days_kept(trail.db), "typed_days": "", "cut_to": await queries.cut_to(trail.db),
        **await _verdict(trail)}


async def _verdict(trail: Trail) -> dict[str, Any]:
    return {"verdict": await jobs.last_verdict(trail.db),
            "verifying": await jobs.verification_asked(trail.db) is not None}


async def _key(trail: Trail) -> str:
    public = await public_key(trail.control)
    return signed_note.verifier_key(await origin(trail), public) if public else ""


def _query(request: Request[Any, Any, Any]) -> dict[str, str]:
    return {name: value.strip() for name, value in request.query_params.items()}


@get(_PAGE, opt=READ)
async def list_events(here: Here) -> Response[bytes]:
    trail = trail_of(here.workspace, here.services.control)
    values = await _values(trail, _query(here.request), f"{here.base}/settings/audit")
    errors = {name: here.words(message) for name, message in values["errors"].items()}
    return here.page("audit/index.html", status=422 if errors else 200, **values | {"errors": errors})


@get(_PAGE + "/verdict", opt=READ)
async def show_verdict(here: Here) -> Response[bytes]:
    """How the examination stands, for the page that waits for it."""
    trail = trail_of(here.workspace, here.services.control)
    return here.page("audit/_verdict.html", where=f"{here.base}/settings/audit", **await _verdict(trail))


@post(_PAGE + "/verifications", opt=READ | {"small": True}, status_code=303)
async def create_verification(here: Here) -> Response[Any]:
    """Examine the whole trail, in the background."""
    async with here.workspace.write(here.actor) as tx:
        await jobs.ask_to_verify(tx)
    return Redirect(f"{here.base}/settings/audit", status_code=303)


@post(_PAGE + "/export", opt=EXPORT | {"small": True}, status_code=200)
async def create_export(here: Here) -> Response[Any]:
    """The file; that it was made is written and signed before it leaves."""
    fields = await form_fields(here.request)
    wanted = filter_of(fields)
    trail = trail_of(here.workspace, here.services.control)
    made = await export.begin(trail, here.actor, wanted)
    if made is not None:
        await letters.mail_checkpoint(trail.control, here.services.mailer, trail.name, made,
                                      here.services.clock.real_now())
    name = f"audit-{here.record.slug}-{rfc3339(here.services.clock.real_now())[:10]}.jsonl"
    return Stream(_lines(here.services, here.workspace.id, made, wanted), media_type="application/jsonl", headers={
        "Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"})


@post(_PAGE + "/retention", opt={"permission": Permission.DATA_RETENTION, "step_up": True, "small": True},
      status_code=303)
async def edit_retention(here: Here) -> Response[Any]:
    """For how many days rows are kept."""
    typed = (await form_fields(here.request)).get("days", "")
    try:
        days = checked_days(typed)
        async with here.workspace.write(here.actor) as tx:
            await retention.keep_for(tx, days)
    except Invalid as error:
        trail, where = trail_of(here.workspace, here.services.control), f"{here.base}/settings/audit"
        values = await _values(trail, {}, where) | {"errors": here.problems(error), "typed_days": typed}
        return here.page("audit/index.html", status=422, **values)
    return Redirect(f"{here.base}/settings/audit", status_code=303)


async def _lines(services: Services, workspace_id: str, made: Checkpoint | None, wanted: Filter
                 ) -> AsyncIterator[bytes]:
    """Holds the workspace open itself: the answer is sent when the handler's own hold has ended."""
    async with services.registry.use(workspace_id) as workspace:
        async for chunk in export.lines(trail_of(workspace, services.control), made, wanted):
            yield chunk


@get(_INSTALLATION, opt=OPERATE, include_in_schema=False)
async def list_installation_events(request: AnyRequest) -> Response[bytes]:
    services = Services.of(request)
    identity: Identity = request.scope["state"]["identity"]
    values = await _values(installation_trail(services.control), _query(request), _INSTALLATION)
    words = catalogue(identity.locale).gettext
    errors = {name: words(message) for name, message in values["errors"].items()}
    return services.pages.answer(request, "audit/installation.html", status=422 if errors else 200,
                                 **values | {"errors": errors, "title": INSTALLATION})


@post(_INSTALLATION + "/verifications", opt=OPERATE | {"small": True}, status_code=303, include_in_schema=False)
async def create_installation_verification(request: AnyRequest) -> Response[Any]:
    """At once: the installation's trail is short."""
    services = Services.of(request)
    identity: Identity = request.scope["state"]["identity"]
    await jobs.verify(installation_trail(services.control), services.clock, identity.actor)
    return Redirect(_INSTALLATION, status_code=303)


ROUTES = [list_events, show_verdict, create_verification, create_export, edit_retention, list_installation_events,
          create_installation_verification]
