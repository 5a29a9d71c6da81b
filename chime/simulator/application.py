"""The simulator's routes, for Chime's demo, and the simulator as an application of its own."""

from __future__ import annotations

from jinja2 import Environment
from litestar import Litestar, MediaType, Router, get
from litestar.datastructures import ResponseHeader
from litestar.response import Redirect

from chime.simulator.graph import graph_routes
from chime.simulator.pages import phone_routes
from chime.simulator.simulator import Simulator

# The same policy as Chime's pages, so that what works here works there.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:;"
    " font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types chime"
)


def routes(simulator: Simulator, templates: Environment | None = None) -> list[Router]:
    """Graph API, media host, phone and JSON, all below `/simulator/`; every handler carries `opt={"public": True}`.

    `templates` is the environment to render the phone with (with gettext installed); without one it is English.
    """
    return [*graph_routes(simulator), *phone_routes(simulator, templates)]


def create_app(simulator: Simulator) -> Litestar:
    """The simulator alone, posting webhooks for as long as it runs."""
    return Litestar(
        route_handlers=[show_start, show_health, *routes(simulator)],
        lifespan=[lambda _: simulator.running()],
        response_headers=[ResponseHeader(name="Content-Security-Policy", value=CONTENT_SECURITY_POLICY)],
        openapi_config=None,
        logging_config=None,
    )


@get("/", opt={"public": True})
async def show_start() -> Redirect:
    return Redirect("/simulator/phone")


@get("/healthz", opt={"public": True}, media_type=MediaType.TEXT)
async def show_health() -> str:
    return "ok"
