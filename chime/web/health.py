"""`/healthz`, `/readyz`, `/metrics`, `/csp-report` and `/.well-known/security.txt`: what machines ask."""

from __future__ import annotations

import resource
from typing import Any

from litestar import Request, get, post
from litestar.response import Response

from chime import __version__
from chime.clock import DAY, rfc3339
from chime.config import Config
from chime.errors import NotFound
from chime.log import Log
from chime.security import limits
from chime.security.crypto import same
from chime.web.forms import LARGEST_OF_STRANGERS
from chime.web.headers import REPORTS
from chime.web.services import Services

AnyRequest = Request[Any, Any, Any]
_log = Log("web")
# RFC 9116 wants less than a year.
EXPIRES = 360 * DAY


@get("/healthz", opt={"public": True, "rate": limits.UNLIMITED}, include_in_schema=False)
async def show_health() -> Response[bytes]:
    """The process answers."""
    return Response(b"ok\n", media_type="text/plain")


async def touch_storage(services: Services) -> None:
    """Write a row into control.db. Raises what ails it."""
    async with services.control.db.transaction() as tx:
        # Another value each time: SQLite writes nothing for an update that changes nothing.
        await tx.execute("INSERT INTO meta (key, value) VALUES ('ready_checked', ?) ON CONFLICT (key) "
                         "DO UPDATE SET value = excluded.value", services.ids.code(12))


@get("/readyz", opt={"public": True, "rate": limits.UNLIMITED}, include_in_schema=False)
async def show_readiness(request: AnyRequest) -> Response[bytes]:
    """Storage and queue can be used. No detail: anybody may ask."""
    services = Services.of(request)
    try:
        await touch_storage(services)
        ready = services.queue.ready() and services.registry.space.enough
    except Exception as error:  # whatever it is, we are not ready, and that is the answer
        _log.error("ready.failed", error)
        ready = False
    return Response(b"ready\n" if ready else b"not ready\n", status_code=200 if ready else 503,
                    media_type="text/plain")


@get("/metrics", opt={"public": True, "rate": limits.UNLIMITED}, include_in_schema=False)
async def show_metrics(request: AnyRequest) -> Response[bytes]:
    """Prometheus text. With no token configured only this machine may ask."""
    services = Services.of(request)
    token = services.config.metrics_token
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    local = request.client is not None and request.client.host in ("127.0.0.1", "::1")
    if not (same(given, token) if token else local and "x-forwarded-for" not in request.headers):
        raise NotFound("Not found.")
    told = _metrics(services)
    # What features count, each by a function the composition root named.
    for gauges in request.app.state.gauges:
        told += [f"{name} {number}" for name, number in (await gauges(services)).items()]
    return Response(("\n".join(told) + "\n").encode(), media_type="text/plain; version=0.0.4")


def _metrics(services: Services) -> list[str]:
    lines = [f'chime_info{{version="{__version__}"}} 1',
             f"chime_open_workspaces {services.registry.open_count}",
             f"chime_live_streams {services.hub.streams}",
             f"chime_jobs_running {services.runner.busy}",
             f"chime_disk_free_bytes {services.registry.space.free}",
             f"chime_disk_nearly_full {int(not services.registry.space.enough)}",
             f"chime_max_rss_bytes {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}"]
    for name, counter in (("chime_jobs_finished_total", services.runner.finished),
                          ("chime_jobs_failed_total", services.runner.failed)):
        lines += [f'{name}{{kind="{kind}"}} {number}' for kind, number in sorted(counter.items())]
    lines += [f'chime_task_restarts_total{{task="{task}"}} {number}'
              for task, number in sorted(services.supervisor.restarts.items())]
    return lines


@post(REPORTS, status_code=204, include_in_schema=False, request_max_body_size=LARGEST_OF_STRANGERS,
      opt={"public": True, "no_csrf": True, "rate": limits.POLICY_REPORT})
async def create_policy_report() -> None:
    """A browser refused something our policy forbids: counted in the log, its content is not kept."""
    _log.warning("policy.violated")


@get("/.well-known/security.txt", opt={"public": True}, include_in_schema=False)
async def show_security_contact(request: AnyRequest) -> Response[bytes]:
    services = Services.of(request)
    told = security_text(services.config, services.clock.real_now())
    if not told:
        raise NotFound("No security contact is configured.")
    return Response(told.encode(), media_type="text/plain")


def security_text(config: Config, now: int) -> str:
    """RFC 9116; empty without a contact. It says where it belongs, so that a copy elsewhere is known for one."""
    contact = config.security_contact
    if not contact:
        return ""
    if ":" not in contact:
        contact = f"mailto:{contact}"
    lines = [f"Contact: {contact}", f"Expires: {rfc3339(now + EXPIRES)}", "Preferred-Languages: en"]
    if config.public_url:
        lines += [f"Canonical: {config.public_url}/.well-known/security.txt", f"Policy: {config.public_url}/security"]
    return "\n".join(lines) + "\n"


ROUTES = [show_health, show_readiness, show_metrics, create_policy_report, show_security_contact]
