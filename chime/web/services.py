"""What the running appliance is made of, built once in `chime.app` and carried to every handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from litestar.connection import ASGIConnection

from chime.clock import Clock
from chime.config import Config
from chime.ids import Ids
from chime.jobs import Queue, Runner, Supervisor
from chime.security.limits import RateLimiter
from chime.security.passwords import Passwords
from chime.security.permissions import Actor
from chime.web.egress import Egress
from chime.web.identity import Identity
from chime.web.live import Hub
from chime.web.mail import Mailer
from chime.web.pages import Pages
from chime.web.static_files import StaticFiles
from chime.web.throttle import Throttle
from chime.whatsapp import GraphClient
from chime.workspaces import Control, Registry


class Denials(Protocol):
    """Writes down what was refused. The audit feature makes it; the guard calls it."""

    async def note(self, identity: Identity, lacked: str, handler: str) -> None: ...

    async def flush(self) -> None: ...

    async def close(self) -> None: ...


ActorAgain = Callable[["Services", Identity], Awaitable[Actor | None]]
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
    mailer: Mailer
    egress: Egress
    passwords: Passwords
    throttle: Throttle
    pages: Pages
    static: StaticFiles
    by_session: Authenticate
    by_api_key: Authenticate
    actor_again: ActorAgain
    denials: Denials

    @classmethod
    def of(cls, connection: ASGIConnection[Any, Any, Any, Any]) -> Services:
        """The services of the application that serves this connection."""
        found: Services = connection.app.state.services
        return found
