"""Litestar, taking routes in a time that a start can spare.

It works out of every handler what it takes (a class for its arguments, a plan for getting them) when it is given it: of
a thousand in all, for the OPTIONS that it adds to each path too, half a second and ten megabytes before anybody asked
for anything. Here that is done for a handler with the first request it gets, in about a millisecond, and OPTIONS has
one handler for all paths. Routing, guards and options know no difference. `work_out_all` does it for all at once: a
test, which sees a handler whose signature cannot be served before a reader does.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response
from litestar.routes import HTTPRoute
from litestar.status_codes import HTTP_204_NO_CONTENT
from litestar.types import ControllerRouterHandler, HTTPScope, Receive, Scope, Send
from litestar.utils import join_paths


class Application(Litestar):
    """The same, with routes that are all known when it is made."""

    def __init__(self, route_handlers: Sequence[ControllerRouterHandler], **options: Any) -> None:
        super().__init__(**options)
        # It checks the whole tree of routes after each one it takes; here it does once, when all are there.
        router, self.asgi_router = self.asgi_router, cast(Any, SimpleNamespace(construct_routing_trie=lambda: None))
        paths: dict[str, list[HTTPRouteHandler]] = {}
        for value in route_handlers:
            for path, handlers in self._handlers_of(value):
                paths.setdefault(path, []).extend(handlers)
        options_handler = _options_handler(self)
        self.routes += [_Route(path, handlers, options_handler) for path, handlers in paths.items()]
        self.asgi_router = router
        router.construct_routing_trie()

    def _handlers_of(self, value: ControllerRouterHandler) -> list[tuple[str, list[HTTPRouteHandler]]]:
        """By path; none of what is no HTTP, which is registered the usual way."""
        found = []
        for path, by_method in self.get_route_handler_map(self._validate_registration_value(value)).items():
            handlers = list({id(handler): handler for handler in by_method.values()}.values())
            if not all(isinstance(handler, HTTPRouteHandler) for handler in handlers):
                self.register(value)
                return []
            found.append((join_paths([self.path, path]), cast(list[HTTPRouteHandler], handlers)))
        return found

    def work_out_all(self) -> None:
        """Of every handler, what it takes. Raises ImproperlyConfiguredException for one that cannot be served."""
        for route in self.routes:
            if isinstance(route, _Route):
                for method in route.methods:
                    route.work_out(method)


class _Route(HTTPRoute):
    __slots__ = ("_options_handler", "_ready")

    def __init__(self, path: str, handlers: list[HTTPRouteHandler], options_handler: HTTPRouteHandler) -> None:
        self._options_handler = options_handler
        self._ready: set[str] = set()
        super().__init__(path=path, route_handlers=list(handlers))
        self.create_handler_map()

    def create_options_handler(self, path: str) -> HTTPRouteHandler:
        return self._options_handler

    def create_handler_map(self) -> None:
        """As far as routing needs it; `work_out` does the rest. Whom a handler is open to stands among its options, and
        the trust page reads them before the first request."""
        for handler in self.route_handlers:
            handler.resolve_opts()
            for method in handler.http_methods:
                if method in self.route_handler_map:
                    raise ValueError(f"two handlers answer {method} {self.path}")
                self.route_handler_map[method] = (handler, cast(Any, None))

    def work_out(self, method: Any) -> None:
        """What its handler of this method takes."""
        handler, _ = self.route_handler_map[method]
        handler.on_registration(handler.app)
        self.route_handler_map[method] = (handler, handler.create_kwargs_model(path_parameters=self.path_parameters))
        self._ready.add(method)

    async def handle(self, scope: HTTPScope, receive: Receive, send: Send) -> None:  # type: ignore[override]
        if scope["method"] not in self._ready:
            self.work_out(scope["method"])
        await super().handle(scope, receive, send)


def _options_handler(app: Litestar) -> HTTPRouteHandler:
    """It says which methods a path has, where the guard lets anybody ask."""
    async def show_methods(scope: Scope) -> Response[None]:
        methods = next(route.methods for route in app.routes if route.path_format == scope["path_template"])
        return Response(None, status_code=HTTP_204_NO_CONTENT, headers={"Allow": ", ".join(sorted(methods))})

    handler = HTTPRouteHandler(http_method="OPTIONS", include_in_schema=False)(show_methods)
    handler.owner = app
    return handler
