"""`/healthz`, `/readyz`, `/metrics`, `/csp-report` and `/.well-known/security.txt`: what machines ask."""

from __future__ import annotations

import resource
from typing import Any

from litestar import Request, get, post
from litestar.response import Response

from chime import __version__
from chime.clock import DAY, rfc3339
from chime.errors import NotFound
from chime.log import Log
from chime.security.crypto import same
from chime.web.services import Services

AnyRequest = Request[Any, Any, Any]
_log = Log("web")


@get("/healthz", opt={"public": True}, include_in_schema=False)
async def show_health() -> Response[bytes]:
    """The process answers."""
    return Response(b"ok\n", media_type="text/plain")


@get("/readyz", opt={"public": True}, include_in_schema=False)
async def show_readiness(request: AnyRequest) -> Response[bytes]:
    """Storage and queue can be used. No detail: anybody may ask."""
    services = Services.of(request)
    try:
        async with services.control.db.transaction() as tx:
            # Another value each time: SQLite writes nothing for an update that changes nothing.
            await tx.execute("INSERT INTO meta (key, value) VALUES ('ready_checked', ?) ON CONFLICT (key) "
                             "DO UPDATE SET value = excluded.value", services.ids.code(12))
        ready = services.queue.ready() and services.registry.space.enough
    except Exception as error:  # whatever it is, we are not ready, and that is the answer
        _log.error("ready.failed", error)
        ready = False
    return Response(b"ready\n" if ready else b"not ready\n", status_code=200 if ready else 503,
                    media_type="text/plain")


@get("/metrics", opt={"public": True}, include_in_schema=False)
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


@post("/csp-report", opt={"public": True, "no_csrf": True}, include_in_schema=False, status_code=204)
async def create_policy_report() -> None:
    """A browser refused something our policy forbids: counted in the log, its content is not kept."""
    _log.warning("policy.violated")


@get("/.well-known/security.txt", opt={"public": True}, include_in_schema=False)
async def show_security_contact(request: AnyRequest) -> Response[bytes]:
    services = Services.of(request)
    contact = services.config.security_contact
    if not contact:
        raise NotFound("No security contact is configured.")
    if "@" in contact and ":" not in contact:
        contact = f"mailto:{contact}"
    expires = rfc3339(services.clock.real_now() + 365 * DAY)
    return Response(f"Contact: {contact}\nExpires: {expires}\n".encode(), media_type="text/plain")


ROUTES = [show_health, show_readiness, show_metrics, create_policy_report, show_security_contact]
