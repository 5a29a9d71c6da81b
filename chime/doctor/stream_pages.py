"""The two comments of the doctor's test of live updates (see `chime.doctor.stream_test`)."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Request, get
from litestar.types import Receive, Scope, Send

from chime.doctor.stream_test import ADDRESS, PAUSE, is_ours
from chime.errors import NotFound
from chime.web.services import Services

# As chime.web.live_stream has them.
_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no")]


class TwoPieces:
    """The answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": b": one\n\n", "more_body": True})
        await asyncio.sleep(PAUSE)
        await send({"type": "http.response.body", "body": b": two\n\n", "more_body": False})


@get(ADDRESS, opt={"public": True}, include_in_schema=False)
async def show_stream_test(request: Request[Any, Any, Any]) -> TwoPieces:
    services = Services.of(request)
    if not is_ours(services.control.keys.links, request.query_params.get("code", ""), services.clock.real_now()):
        raise NotFound("There is no such page.")
    return TwoPieces()


ROUTES = [show_stream_test]
