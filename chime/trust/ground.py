"""What a self-check may look at: the installation's files, and the running application if there is one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from chime.clock import Clock
from chime.config import Config
from chime.security.limits import RateLimiter
from chime.trust.model import Route
from chime.web.egress import Egress
from chime.workspaces import Control, Registry

Asgi = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass(frozen=True)
class Ground:
    """What there is to look at. A command at the shell has no running application: `app` is None, `routes` empty."""

    config: Config
    control: Control
    registry: Registry
    clock: Clock
    app: Asgi | None = None
    routes: tuple[Route, ...] = ()
    limiter: RateLimiter | None = None
    egress: Egress | None = None


Check = Callable[[Ground], Awaitable[str]]
"""What it looked at, in a few words. Raises Broken or Skipped."""
