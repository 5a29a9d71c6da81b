"""Litestar, taking its routes in a time that grows with their number and not with its square.

It checks the whole tree of routes after each one it takes, and lists all of those there are before each. With five
hundred that is a third of what it does before a start. Here the tree is checked once, at the end, and the list is kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from litestar import Litestar
from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import ControllerRouterHandler
from litestar.types.internal_types import RouteHandlerMapItem


class Application(Litestar):
    """The same, with routes that are all known when it is made."""

    def __init__(self, route_handlers: Sequence[ControllerRouterHandler], **options: Any) -> None:
        self._listed: list[BaseRoute] = []
        self._list: dict[str, RouteHandlerMapItem] = defaultdict(dict)
        super().__init__(**options)
        router, self.asgi_router = self.asgi_router, cast(Any, SimpleNamespace(construct_routing_trie=lambda: None))
        for handler in route_handlers:
            self.register(handler)
        self.asgi_router = router
        router.construct_routing_trie()

    @property
    def route_handler_method_map(self) -> dict[str, RouteHandlerMapItem]:
        """By path and method. A path that gets a further method gets another route in the place of the one it had."""
        for place, route in enumerate(self.routes):
            if place < len(self._listed) and self._listed[place] is route:
                continue
            self._listed[place:place + 1] = [route]
            if isinstance(route, HTTPRoute):
                self._list[route.path] = {method: one for one in route.route_handlers for method in one.http_methods}
            else:
                self._list[route.path]["asgi"] = cast(Any, route).route_handler
        return self._list
