"""What the running appliance is made of, built once in `chime.app` and carried to every handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from litestar.connection import ASGIConnection

from chime.clock import Clock
from chime.config import Config
from chime.ids import Ids
from chime.jobs import Queue, Runner, Supervisor
from chime.security.limits import RateLimiter
from chime.security.passwords import Passwords
from chime.web.identity import Identity
from chime.web.live import Hub
from chime.web.pages import Pages
from chime.web.static_files import StaticFiles
from chime.whatsapp import GraphClient
from chime.workspaces import Control, Registry

Authenticate = Callable[["Services", ASGIConnection[Any, Any, Any, Any]], Awaitable[Identity | None]]


@dataclass(frozen=True)
class Services:
    """Everything a handler may need. Frozen: nothing is put in later."""

    config: Config
    clock: Clock
    ids: Ids
    control: Control
    registry: Registry
    graph: GraphClient
    hub: Hub
    queue: Queue
    runner: Runner
    supervisor: Supervisor
    limiter: RateLimiter
    passwords: Passwords
    pages: Pages
    static: StaticFiles
    by_session: Authenticate
    by_api_key: Authenticate

    @classmethod
    def of(cls, connection: ASGIConnection[Any, Any, Any, Any]) -> Services:
        """The services of the application that serves this connection."""
        found: Services = connection.app.state.services
        return found
