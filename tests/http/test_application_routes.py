"""How the application takes its routes: what a handler takes is worked out with the first request it gets, and every
one of them can be."""

from __future__ import annotations

from typing import Any

import pytest
from litestar import Litestar, Request, Router, get, post
from litestar.exceptions import ImproperlyConfiguredException
from litestar.params import JSONBody
from litestar.testing import AsyncTestClient
from litestar.types import Empty

from chime.app import create_app, routes_of
from chime.web.application import Application
from tests.support.world import World


@get("/things/{thing_id:str}")
async def show_thing(thing_id: str, request: Request[Any, Any, Any]) -> dict[str, str]:
    return {"id": thing_id, "says": request.query_params.get("says", "")}


@post("/things/{thing_id:str}", status_code=202)
async def update_thing(thing_id: str, data: JSONBody[dict[str, int]]) -> dict[str, int]:
    return data | {"length": len(thing_id)}


@get(["/first", "/second"], opt={"small": True})
async def show_either() -> str:
    return "either"


@get("/inside")
async def show_inside(request: Request[Any, Any, Any]) -> str:
    return str(request.route_handler.opt["of"])


def _application(*handlers: Any) -> Application:
    return Application(route_handlers=[show_thing, update_thing, show_either, *handlers], openapi_config=None,
                       logging_config=None)


def _worked_out(app: Litestar) -> set[str]:
    return {handler.handler_name for handler in routes_of(app) if handler._signature_model is not Empty}


async def test_every_handler_of_the_product_can_be_served(world: World) -> None:
    app = create_app(world.services)
    assert isinstance(app, Application) and _worked_out(app) == set()
    app.work_out_all()
    assert _worked_out(app) == {handler.handler_name for handler in routes_of(app)}


async def test_a_handler_is_worked_out_with_its_first_request_and_no_other() -> None:
    app = _application()
    async with AsyncTestClient(app) as client:
        assert _worked_out(app) == set()
        for says in ("one", "two"):
            answer = await client.get(f"/things/abc?says={says}")
            assert answer.status_code == 200 and answer.json() == {"id": "abc", "says": says}
            assert _worked_out(app) == {"show_thing"}
        answer = await client.post("/things/abc", json={"size": 4})
        assert answer.status_code == 202 and answer.json() == {"size": 4, "length": 3}
        assert (await client.post("/things/abc", json=["no"])).status_code == 400
        assert [(await client.get(path)).text for path in ("/first", "/second")] == ["either", "either"]
        assert (await client.post("/first")).status_code == 405
        assert (await client.get("/third")).status_code == 404


async def test_two_applications_share_no_handler() -> None:
    one, other = _application(), _application()
    async with AsyncTestClient(one) as client:
        await client.get("/first")
    assert _worked_out(one) == {"show_either"} and _worked_out(other) == set()
    assert show_either not in [*routes_of(one), *routes_of(other)]


async def test_routes_of_a_router_keep_its_place_and_options() -> None:
    room = Router("/room", route_handlers=[show_inside], opt={"of": "a room"})
    app = _application(room)
    # Before anybody asked: the trust page looks at what each route is open to.
    assert [handler.opt for handler in routes_of(app) if handler.handler_name == "show_inside"] == [{"of": "a room"}]
    async with AsyncTestClient(app) as client:
        answer = await client.get("/room/inside")
        assert answer.status_code == 200 and answer.text == "a room"


async def test_options_tells_the_methods_of_a_path() -> None:
    async with AsyncTestClient(_application()) as client:
        for path, methods in (("/things/abc", "GET, OPTIONS, POST"), ("/first", "GET, OPTIONS")):
            answer = await client.options(path)
            assert answer.status_code == 204 and answer.headers["allow"] == methods


def test_a_path_has_one_handler_for_a_method() -> None:
    @get("/first")
    async def show_again() -> str:
        return ""

    with pytest.raises(ValueError, match="two handlers answer GET /first"):
        _application(show_again)


def test_a_signature_that_cannot_be_served_is_found() -> None:
    @get("/odd")
    async def show_odd(data: JSONBody[dict[str, int]]) -> str:
        return ""

    app = _application(show_odd)
    with pytest.raises(ImproperlyConfiguredException):
        app.work_out_all()
