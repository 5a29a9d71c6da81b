"""The customer's phone in the browser: the page, its body as a fragment for other pages, live nudges, its files.

The phone loads its data as JSON and is told by server-sent events what changed (ids only, no content). Everything it
needs is served below `/simulator/`, so it works in the stand-alone simulator and inside Chime alike.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

from jinja2 import Environment, FunctionLoader
from litestar import MediaType, Request, Response, Router, get
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from litestar.response import ServerSentEvent
from litestar.response.sse import ServerSentEventMessage

from chime.errors import ChimeError, Invalid, NotFound
from chime.resources import static_files, template_source
from chime.security.limits import UNLIMITED
from chime.simulator.api import HANDLERS
from chime.simulator.faults import Switches
from chime.simulator.simulator import Simulator

PhoneRequest = Request[Any, Any, Any]
Injected: TypeAlias = NamedDependency[Simulator]
Id: TypeAlias = FromPath[str]

# Public, but unlike the Graph API not for pages of other sites: Chime's guard asks where a form or script comes from.
_OPTIONS = {"public": True, "rate": UNLIMITED}
_ASSETS = {
    "tokens.css": "css/tokens.css",
    "phone.css": "css/phone.css",
    "phone.js": "js/phone.js",
    "favicon.svg": "favicon.svg",
}
_KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
# Shown in the page itself; anything else is a download, and nothing of it can run.
_SHOWN = ("image/jpeg", "image/png", "image/webp", "video/mp4", "video/3gpp", "audio/")
_UNTRUSTED = {"Content-Security-Policy": "sandbox; default-src 'none'", "X-Content-Type-Options": "nosniff"}


def own_environment() -> Environment:
    """The template environment of the stand-alone simulator: English only."""
    environment = Environment(
        loader=FunctionLoader(template_source), autoescape=True, extensions=["jinja2.ext.i18n"],
        trim_blocks=True, lstrip_blocks=True,
    )
    environment.install_null_translations(newstyle=True)  # type: ignore[attr-defined]
    return environment


@get("/phone", media_type=MediaType.HTML)
async def show_phone(
    request: PhoneRequest, simulator: Injected, templates: NamedDependency[Environment],
) -> str:
    """The phone as a page of its own."""
    return _render(request, simulator, templates, "simulator/phone.html")


@get("/phone/fragment", media_type=MediaType.HTML)
async def show_phone_fragment(
    request: PhoneRequest, simulator: Injected, templates: NamedDependency[Environment],
) -> str:
    """The body of the phone, for `<section class="phone" data-phone>` in another page."""
    return _render(request, simulator, templates, "simulator/_phone.html")


@get("/events")
async def show_events(simulator: Injected) -> ServerSentEvent:
    """What changed, as it happens: `changed` with customer ids, `hb` every 15 s."""
    return ServerSentEvent(_events(simulator))


@get("/assets/{name:str}")
async def show_asset(request: PhoneRequest, name: Id, assets: NamedDependency[dict[str, bytes]]) -> Response[bytes]:
    """The phone's own style and script."""
    content = assets.get(_ASSETS.get(name, ""))
    if content is None:
        raise NotFound("There is no such file.")
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    if request.headers.get("if-none-match") == tag:
        return Response(b"", status_code=304, headers=headers)
    return Response(content, media_type=_KINDS[name.rpartition(".")[2]], headers=headers)


@get("/files/{media_id:str}")
async def show_file(media_id: Id, simulator: Injected) -> Response[bytes]:
    """A picture, recording or document of a chat, for the phone page."""
    media = simulator.world.find_media(media_id)
    if media is None:
        raise NotFound("There is no such file, or it has run out.")
    shown = media.mime_type.startswith(_SHOWN)
    disposition = "inline" if shown else "attachment"
    kind = media.mime_type if shown else "application/octet-stream"
    return Response(media.content, media_type=kind, headers={**_UNTRUSTED, "Content-Disposition": disposition})


def phone_routes(simulator: Simulator, templates: Environment | None = None) -> list[Router]:
    """The phone and the JSON behind it. `templates` is Chime's environment, where there is one."""
    environment = templates or own_environment()
    assets = static_files()
    router = Router(
        "/simulator",
        route_handlers=[show_phone, show_phone_fragment, show_events, show_asset, show_file, *HANDLERS],
        dependencies={
            "simulator": Provide(lambda: simulator, sync_to_thread=False),
            "templates": Provide(lambda: environment, sync_to_thread=False),
            "assets": Provide(lambda: assets, sync_to_thread=False),
        },
        opt=_OPTIONS,
        exception_handlers={ChimeError: answer_problem},
        include_in_schema=False,
    )
    return [router]


def answer_problem(_: PhoneRequest, error: ChimeError) -> Response[dict[str, Any]]:
    """A problem document (RFC 9457) that names every field."""
    problem: dict[str, Any] = {
        "type": "about:blank", "title": error.title, "status": error.status, "detail": str(error)
    }
    if isinstance(error, Invalid):
        problem["errors"] = [{"field": one.field, "message": one.message} for one in error.errors]
    return Response(problem, status_code=error.status, media_type="application/problem+json")


def _render(request: PhoneRequest, simulator: Simulator, templates: Environment, name: str) -> str:
    number = simulator.world.number(request.query_params.get("phone_number_id"))
    customer_id = request.query_params.get("customer", "")
    return templates.get_template(name).render(
        business=number.verified_name,
        phone_number_id=number.phone_number_id,
        customer_id=customer_id if customer_id in simulator.world.customers else "",
        switches=simulator.switches,
        switch_names=Switches.__struct_fields__,
    )


async def _events(simulator: Simulator) -> AsyncIterator[ServerSentEventMessage]:
    yield ServerSentEventMessage(event="hello", data="", retry=1_000)
    async for changed in simulator.nudges():
        yield ServerSentEventMessage(event="changed" if changed else "hb", data=json.dumps(changed))
