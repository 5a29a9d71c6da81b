"""Which limits a request counts for, and what its answer says about them.

A route's kind follows from what it is; one that is different says so with `opt={"rate": limits.READ}`. Keys and changes
count for the caller, the address and the workspace; reading counts for the person alone, or the colleagues of one
office would stop each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from chime.errors import TooMany
from chime.security import limits
from chime.security.limits import Counted, Limit, Rate, RateLimiter, Verdict
from chime.web.identity import Identity
from chime.web.proxies import client_address, counted_address

Connection = ASGIConnection[Any, Any, Any, Any]
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_NAMES = {1: ("l",), 2: ("s", "l"), 3: ("s", "m", "l")}
_MORE_NAMES = tuple(f"w{number}" for number in range(1, 10))


def limit_stranger(limiter: RateLimiter, connection: Connection, handler: BaseRouteHandler) -> None:
    """Somebody without session or key. Raises TooMany."""
    if handler.opt.get("rate") != limits.UNLIMITED:
        rate = handler.opt.get("rate", limits.STRANGER)
        _take(limiter, connection, [rate.of(counted_address(client_address(connection)))])


def limit_known(limiter: RateLimiter, connection: Connection, handler: BaseRouteHandler, identity: Identity) -> None:
    """Somebody with session or key. Raises TooMany."""
    if handler.opt.get("rate") != limits.UNLIMITED:
        _take(limiter, connection, list(_counted(connection, handler, identity)))


def _counted(connection: Connection, handler: BaseRouteHandler, identity: Identity) -> Iterator[Counted]:
    workspace = identity.workspace.id if identity.workspace else ""
    rate = _rate(connection, handler, identity)
    yield rate.of(workspace, identity.actor.id or "")
    if rate in (limits.READ, limits.UNASKED, limits.FILE):
        return
    yield limits.ADDRESS.of(counted_address(client_address(connection)))
    if workspace:
        yield limits.WORKSPACE.of(workspace)


def _rate(connection: Connection, handler: BaseRouteHandler, identity: Identity) -> Rate:
    if handler.opt.get("api"):
        own = tuple(sorted(identity.limits, key=lambda limit: limit.seconds))
        return Rate(limits.API.name, own) if own else limits.API
    named: Rate | None = handler.opt.get("rate")
    return named or (limits.READ if connection.scope.get("method") in SAFE else limits.CHANGE)


def _take(limiter: RateLimiter, connection: Connection, calls: list[Counted]) -> None:
    verdict = limiter.take(*calls)
    state = connection.scope.setdefault("state", {})
    state["rate_headers"] = headers_of(verdict, limiter.policy(verdict.rate))
    if not verdict.allowed:
        raise TooMany("That was too much at once; wait a moment and try again.", retry_after=verdict.retry_after)


def headers_of(verdict: Verdict, policy: tuple[Limit, ...]) -> dict[str, str]:
    """What every answer of a limited address says: draft-ietf-httpapi-ratelimit-headers-10, and the X- names that
    clients of today know."""
    names = _NAMES.get(len(policy), _MORE_NAMES)
    quotas = zip(names, policy, strict=False)
    told = ", ".join(f'"{name}";q={limit.count};w={limit.seconds:g}' for name, limit in quotas)
    reset = math.ceil(verdict.reset)
    return {
        "RateLimit-Policy": told,
        "RateLimit": f'"{names[verdict.index]}";r={verdict.remaining};t={reset}',
        "X-RateLimit-Limit": str(policy[verdict.index].count),
        "X-RateLimit-Remaining": str(verdict.remaining),
        "X-RateLimit-Reset": str(reset),
    }
