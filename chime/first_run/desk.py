"""The one desk at which an installation is set up: who sits at it, what was answered, and whether it is done.

One browser at a time. Another one that has the token too takes the desk over, answers included; the one before is told
so and can do nothing more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from chime.clock import Clock
from chime.config import Config
from chime.first_run.model import Draft
from chime.first_run.one_time import OneTimeToken
from chime.ids import Ids
from chime.security.addresses import Place
from chime.security.crypto import digest, same
from chime.security.limits import RateLimiter
from chime.web.egress import Egress
from chime.web.pages import Pages
from chime.web.static_files import StaticFiles
from chime.whatsapp import GraphClient


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """What was made. `session` is the secret for the browser's cookie."""

    slug: str
    session: str


Begin = Callable[[Draft, tuple[str, str]], Awaitable[Begun]]
EgressTo = Callable[[Place], Egress]


def _egress(place: Place) -> Egress:
    return Egress((place,), total=10.0)


class Desk:
    """Everything the wizard's handlers work with. Stands where the running appliance has its Services."""

    def __init__(self, config: Config, token: OneTimeToken, begin: Begin, sheet: Callable[[], str], *,
                 clock: Clock, ids: Ids, closed: asyncio.Event, egress: EgressTo = _egress) -> None:
        self.config = config
        self.token = token
        self.begin = begin
        self.sheet = sheet
        self.clock = clock
        self.ids = ids
        self.egress = egress
        self.static = StaticFiles()
        self.pages = Pages(self.static, clock, ids, ids.random(32), demo=False, live_position=lambda: "",
                           has_space=lambda: True)
        self.graph = GraphClient(config.graph_url, config.graph_version)
        self.limiter = RateLimiter(clock.monotonic, factor=config.rate_factor)
        self.draft = Draft()
        self.done = asyncio.Event()
        self.closed = closed
        """The door is shut: whoever calls now waits for the appliance."""
        self.finishing = asyncio.Lock()
        self.reached: dict[str, tuple[str, str, str]] = {}
        """Questions to ourselves through the public address -> scheme, peer and forwarded scheme they came with."""
        self._session = b""
        self._before: set[bytes] = set()

    @classmethod
    def of(cls, connection: Any) -> Desk:
        found: Desk = connection.app.state.services
        return found

    def sit_down(self) -> str:
        """A browser showed the token: it has the desk now. The secret for its cookie."""
        if self._session:
            self._before.add(self._session)
        secret = self.ids.token(32)
        self._session = digest(secret.encode())
        return secret

    def sits_here(self, secret: str) -> bool:
        """Whether this is the browser at the desk, and the token's day is not over."""
        return bool(secret and self._session) and same(self._session, digest(secret.encode())) and (
            not self.token.is_over)

    def sat_here(self, secret: str) -> bool:
        """Whether another browser took over from this one."""
        return bool(secret) and digest(secret.encode()) in self._before
