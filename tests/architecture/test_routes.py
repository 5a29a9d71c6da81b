"""Every address asks for a permission or stands here as public; a GET changes nothing; names tell what is done."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

from chime.app import create_app
from chime.security.permissions import Permission
from chime.trust.public_routes import PUBLIC
from chime.web.forms import LARGEST_OF_STRANGERS
from chime.web.services import Services
from tests.architecture.source import Module, chime, dotted

# module.function -> why this GET writes
GETS_THAT_WRITE = {
    "chime.accounts.oidc_pages.show_provider_answer": "OpenID Connect answers by a GET; it takes a question of this "
                                                      "browser, which it uses up",
    "chime.web.health.show_readiness": "whether storage takes a write is the very question",
}
# handler -> why it is none of the seven verbs
OTHER_VERBS = {
    "stream_events": "stays open; nothing is shown, listed or changed",
}
VERBS = re.compile(r"(list|show|new|create|edit|update|delete)_[a-z]")


@cache
def _handlers() -> tuple[tuple[str, BaseRouteHandler], ...]:
    """Every address with its handler, as the product is served; Litestar's own OPTIONS answers left out."""
    parts = SimpleNamespace(**dict.fromkeys(Services.__dataclass_fields__))
    app = create_app(cast(Services, parts))
    found = []
    for route in app.routes:
        handlers: list[BaseRouteHandler] = getattr(route, "route_handlers", None) or [
            cast(Any, route).route_handler]
        found += [(_plain(route.path), handler) for handler in handlers
                  if getattr(handler, "http_methods", None) != {"OPTIONS"}]
    return tuple(found)


def _plain(path: str) -> str:
    """`/w/{slug:str}` as `/w/{slug}`."""
    return re.sub(r"\{(\w+):\w+\}", r"{\1}", path)


def test_the_product_has_routes() -> None:
    assert len(_handlers()) > 20


def test_every_route_asks_for_a_permission_or_is_listed_as_public() -> None:
    faults = [f"{path} {handler.handler_name}: neither a Permission nor listed here" for path, handler in _handlers()
              if not isinstance(handler.opt.get("permission"), Permission)
              and not (handler.opt.get("public") is True and path in PUBLIC)]
    assert not faults, "\n".join(faults)


def test_no_route_is_public_and_asks_for_a_permission() -> None:
    assert not [path for path, handler in _handlers() if handler.opt.get("public") and "permission" in handler.opt]


def test_the_list_of_public_routes_holds_no_other() -> None:
    public = {path for path, handler in _handlers() if handler.opt.get("public")}
    assert not PUBLIC.keys() - public, "listed, but not public any more"


def test_who_is_unknown_sends_little() -> None:
    """It is held in memory before anybody is known who could be told apart."""
    faults = [path for path, handler in _handlers() if handler.opt.get("public")
              and cast(HTTPRouteHandler, handler).http_methods - {"GET", "HEAD"}
              and cast(HTTPRouteHandler, handler).request_max_body_size != LARGEST_OF_STRANGERS]
    assert not faults, faults


def test_api_routes_take_keys_and_pages_take_sessions() -> None:
    faults = [path for path, handler in _handlers() if not handler.opt.get("public")
              and bool(handler.opt.get("api")) != path.startswith("/api/")]
    assert not faults, faults


def _gets(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for function in module.functions:
        for decorator in function.decorator_list:
            if isinstance(decorator, ast.Call) and dotted(decorator.func) in ("get", "head"):
                yield function


def _writes(module: Module, function: ast.AST, seen: frozenset[str] = frozenset()) -> bool:
    """Whether it opens a transaction, itself or through a function of the same file."""
    own = {other.name: other for other in module.functions}
    for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
        name = dotted(call.func)
        if "." in name and name.rpartition(".")[2] in ("write", "ingest", "transaction"):
            return True
        if name in own and name not in seen and _writes(module, own[name], seen | {name}):
            return True
    return False


def test_a_get_changes_nothing() -> None:
    found = {f"{module.name}.{function.name}" for module in chime() if module.package != "simulator"
             for function in _gets(module) if _writes(module, function)}
    assert not found - GETS_THAT_WRITE.keys(), found
    assert not GETS_THAT_WRITE.keys() - found, "exceptions that are none any more"


def test_handlers_are_named_verb_and_noun() -> None:
    odd = {handler.handler_name for _, handler in _handlers() if not VERBS.match(handler.handler_name)}
    assert not odd - OTHER_VERBS.keys(), odd
    assert not OTHER_VERBS.keys() - odd, "exceptions that are none any more"
