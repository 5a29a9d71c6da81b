"""The simulator inside a Chime that is no demo: both sides of the wire without a wire.

Promise: it listens nowhere and calls nobody. The Graph API is reached through a transport that only this process has,
webhooks go to the application itself, and of the rest only the customers' phones can be shown, to whom Chime lets in.
"""

from __future__ import annotations

from typing import Any

import httpx
from litestar import Litestar

from chime.simulator.graph import graph_routes
from chime.simulator.pages import phone_routes
from chime.simulator.simulator import Simulator


def graph_transport(simulator: Simulator) -> httpx.AsyncBaseTransport:
    """How Chime's client reaches this simulator. What fails in it is an answer of 500, as it would be from outside."""
    graph: Any = Litestar(route_handlers=list(graph_routes(simulator)), openapi_config=None, logging_config=None)
    return httpx.ASGITransport(graph, raise_app_exceptions=False)


def webhook_transport(application: Any) -> httpx.AsyncBaseTransport:
    """How this simulator reaches Chime."""
    return httpx.ASGITransport(application, raise_app_exceptions=False)


def phones(simulator: Simulator) -> Litestar:
    """The customers' phones alone, below `/simulator`; who may see them is asked before."""
    return Litestar(route_handlers=list(phone_routes(simulator)), openapi_config=None, logging_config=None)
