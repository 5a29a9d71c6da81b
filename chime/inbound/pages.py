"""The delivery proof as a page: the equation, what was set aside, the last replay. Works without a script."""

from __future__ import annotations

import csv
import io
from typing import Any

import msgspec
from litestar import get, post
from litestar.response import Redirect, Response

from chime import inbox
from chime.clock import DAY, rfc3339
from chime.errors import ChimeError, Conflict, Refused
from chime.inbound import queries, retries, runs
from chime.inbound.account import count
from chime.inbound.actions import Journals
from chime.inbound.items import described, parked
from chime.inbound.jobs import APPLY
from chime.inbound.model import FIGURES, Counted, DayAccount, Replayed, Task, day_of
from chime.inbound.proof import newest_count
from chime.inbound.proof_jobs import PROVE
from chime.security.permissions import Permission
from chime.security.scope import viewer
from chime.web.forms import form_fields
from chime.web.here import Here
from chime.web.listing import query_of

READ = {"permission": Permission.DELIVERY_READ}
RETRY = {"permission": Permission.DELIVERY_RETRY}
OPERATE = {"permission": Permission.INSTALLATION}
_PAGE = "/w/{slug:str}/delivery"
DAYS = 30
SHOWN = 25


async def _values(here: Here, **more: Any) -> dict[str, Any]:
    """What the page shows."""
    counted = await newest_count(here.workspace, now=here.now)
    before = here.request.query_params.get("before", "")
    rows = await queries.unsettled(here.db, before=before or queries.LATEST_ID, limit=SHOWN + 1)
    operates = here.actor.may(Permission.INSTALLATION)
    control = here.services.control
    after = here.request.query_params.get("parked_after", "")
    nobodys = await parked(control, after=after, limit=SHOWN + 1) if operates else []
    return {
        "counted": counted, "days": _last_days(counted) if counted else [],
        "items": await described(here.workspace, rows[:SHOWN]), "older": rows[SHOWN - 1].id if rows[SHOWN:] else "",
        "before": before, "open_count": await queries.open_count(here.db),
        "parked": nobodys[:SHOWN], "parked_after": after,
        "parked_next": nobodys[SHOWN - 1].id if nobodys[SHOWN:] else "",
        "parked_count": await queries.parked_count(control.db) if operates else 0,
        "said": here.request.query_params.get("said", ""),
        "unread": await inbox.unread(here.db, viewer(here.actor, Permission.INBOX_READ)),
        "errors": {}, "refused_id": "", "typed": "",
        **await _runs(here)} | more


def _last_days(counted: Counted) -> list[DayAccount]:
    """The last thirty days on which something came in, the newest first."""
    first = day_of(counted.counted_at) - DAYS * DAY
    return [day for day in reversed(counted.days) if day.day > first]


async def _runs(here: Here) -> dict[str, Any]:
    count_run = await queries.run_of(here.db, Task.COUNT)
    replay_run = await queries.run_of(here.db, Task.REPLAY)
    result = msgspec.convert(replay_run.result, Replayed) if replay_run and replay_run.result else None
    return {"count_run": count_run, "replay_run": replay_run, "replayed": result}


@get(_PAGE, opt=READ)
async def show_delivery_proof(here: Here) -> Response[bytes]:
    return here.page("inbound/index.html", **await _values(here))


@get(_PAGE + "/progress", opt=READ)
async def show_progress(here: Here) -> Response[bytes]:
    """How far the replay is, for the page that waits for it."""
    return here.page("inbound/_replay.html", **await _runs(here))


@get(_PAGE + "/account", opt=READ)
async def show_account_file(here: Here) -> Response[bytes]:
    """The account as a file: `?format=csv`, a line a day, or `json`."""
    form = query_of(here.request, "format").get("format", "csv")
    counted = await count(here.workspace, now=here.now)
    name = f"delivery-{here.record.slug}-{rfc3339(here.now)[:10]}.{'json' if form == 'json' else 'csv'}"
    body = _as_json(counted) if form == "json" else _as_csv(counted)
    return Response(body, media_type="application/json" if form == "json" else "text/csv; charset=utf-8",
                    headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"})


def _as_json(counted: Counted) -> bytes:
    days = [{"day": rfc3339(day.day)[:10], **_figures(day)} for day in counted.days]
    return msgspec.json.encode({"counted_at": rfc3339(counted.counted_at), "total": _figures(counted.total),
                                "days": days})


def _as_csv(counted: Counted) -> bytes:
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(("day", *FIGURES))
    for day in counted.days:
        lines.writerow((rfc3339(day.day)[:10], *_figures(day).values()))
    lines.writerow(("total", *_figures(counted.total).values()))
    return text.getvalue().encode()


def _figures(account: Any) -> dict[str, int]:
    return {name: getattr(account, name) for name in FIGURES}


def _back(here: Here, said: str = "") -> Response[Any]:
    return Redirect(f"{here.base}/delivery" + (f"?said={said}" if said else ""), status_code=303)


@post(_PAGE + "/counts", opt=RETRY, status_code=303)
async def create_count(here: Here) -> Response[Any]:
    """Count now, in the background."""
    return await _asked(here, Task.COUNT)


@post(_PAGE + "/replays", opt=RETRY, status_code=303)
async def create_replay(here: Here) -> Response[Any]:
    """Replay the journal now, in the background."""
    return await _asked(here, Task.REPLAY)


async def _asked(here: Here, task: Task) -> Response[Any]:
    async with here.workspace.write(here.actor) as tx:
        await runs.ask(tx, task)
        tx.enqueue(PROVE, task.value)
    return _back(here)


@post(_PAGE + "/events/{rejected_id:str}/retry", opt=RETRY, status_code=303)
async def create_event_retry(here: Here, rejected_id: str) -> Response[Any]:
    try:
        found = await retries.retry(here.workspace, rejected_id, here.actor)
    except Conflict:
        return _back(here, "settled")
    return _back(here, "in-effect" if found.settled_at is not None else "still-rejected")


@post(_PAGE + "/events/{rejected_id:str}/dismissal", opt=RETRY, status_code=303)
async def create_dismissal(here: Here, rejected_id: str) -> Response[Any]:
    reason = (await form_fields(here.request)).get("reason", "")
    try:
        async with here.workspace.write(here.actor) as tx:
            await retries.dismiss(tx, rejected_id, reason=reason)
    except Conflict:
        return _back(here, "settled")
    except ChimeError as error:
        if error.status != 422:
            raise
        values = await _values(here, errors=here.problems(error), refused_id=rejected_id, typed=reason)
        return here.page("inbound/index.html", status=422, **values)
    return _back(here, "dismissed")


@post(_PAGE + "/parked/{parked_id:str}/retry", opt=OPERATE, status_code=303)
async def create_parked_retry(here: Here, parked_id: str) -> Response[Any]:
    """For operators: the delivery is nobody's, so no workspace's manager may look into it."""
    services = here.services
    journals = Journals(services.control, services.registry, services.clock, services.ids)
    try:
        owners = await retries.route_again(services.control, journals, parked_id, here.actor)
    except Refused:
        return _back(here, "still-parked")
    for workspace_id in owners:
        services.runner.start(workspace_id, APPLY, "journal")
    return _back(here, "delivered")


@post(_PAGE + "/parked/{parked_id:str}/dismissal", opt=OPERATE, status_code=303)
async def create_parked_dismissal(here: Here, parked_id: str) -> Response[Any]:
    async with here.services.control.write(here.actor) as tx:
        await retries.dismiss_parked(tx, parked_id)
    return _back(here, "parked-dismissed")


ROUTES = [show_delivery_proof, show_progress, show_account_file, create_count, create_replay, create_event_retry,
          create_dismissal, create_parked_retry, create_parked_dismissal]
