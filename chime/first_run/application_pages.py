"""The application of the first run: the wizard on the appliance's own address, until there is an installation."""

from __future__ import annotations

from typing import Any

from litestar import Litestar, Request
from litestar.datastructures import State
from litestar.response import Redirect, Response

from chime.errors import NotSignedIn
from chime.first_run import door_pages, pages
from chime.first_run.desk import Desk
from chime.web import errors
from chime.web.headers import secured
from chime.web.health import create_policy_report, show_health
from chime.web.origins import sound_hosts
from chime.web.proxies import Proxies
from chime.web.static_files import show_static_file

LARGEST_REQUEST = 256 * 1024


def first_run_app(desk: Desk) -> Litestar:
    """Served as the appliance is: the same headers, the same care about hosts and proxies."""
    app = Litestar(
        route_handlers=[show_health, create_policy_report, show_static_file, *door_pages.ROUTES, *pages.ROUTES],
        guards=[door_pages.guard], exception_handlers={Exception: _handle}, state=State({"services": desk}),
        request_max_body_size=LARGEST_REQUEST, openapi_config=None, logging_config=None,
        on_shutdown=[desk.graph.close])
    app.asgi_handler = Proxies(desk.config.trusted_proxies).before(
        secured(desk.ids)(sound_hosts(app.asgi_handler)))
    return app


def _handle(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Whoever is not at the desk is led to the door."""
    if isinstance(error, NotSignedIn):
        return Redirect("/setup", status_code=303)
    return errors.handle(request, error)
