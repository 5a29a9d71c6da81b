"""Who is calling: the one place where a forwarded header is believed.

A peer in CHIME_TRUSTED_PROXIES says for whom it asks; everybody else speaks for themselves, whatever they claim. The
list in X-Forwarded-For is walked from its right end, where our own proxy wrote, and the first address that is no proxy
of ours is the caller: what stands left of it was written by the caller.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# Nobody stands behind more proxies than this; a longer list is an attack.
MOST_HOPS = 16
LONGEST_LIST = 2_048


class Proxies:
    """The proxies of this installation."""

    def __init__(self, networks: tuple[Network, ...]) -> None:
        self._networks = networks

    def before(self, app: ASGIApp) -> ASGIApp:
        """`app`, told the caller's own address and whether they came over https."""

        async def run(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == ScopeType.HTTP and self._networks:
                self._tell(scope)
            await app(scope, receive, send)

        return run

    def caller(self, scope: Scope) -> str:
        """The caller's address, for what stands in front of the application; empty when there is none."""
        peer = _peer(scope)
        return str(self._walk(scope, peer)) if peer else ""

    def _tell(self, scope: Scope) -> None:
        peer = _peer(scope)
        if peer is None or not self._is_ours(peer):
            return
        scope["client"] = (str(self._walk(scope, peer)), 0)
        scheme = _last(scope, b"x-forwarded-proto")
        if scheme in ("http", "https"):
            scope["scheme"] = scheme

    def _is_ours(self, address: Address) -> bool:
        return any(address in network for network in self._networks)

    def _walk(self, scope: Scope, peer: Address) -> Address:
        found = peer
        hops = _all(scope, b"x-forwarded-for").split(",")
        for hop in reversed(hops[-MOST_HOPS:]):
            if not self._is_ours(found):
                break
            named = _parsed(hop)
            if named is None:
                # The proxy before does not know, or will not say: then it stands for whoever it serves.
                break
            found = named
        return found


def _peer(scope: Scope) -> Address | None:
    client = scope.get("client")
    return _parsed(client[0]) if client else None


def client_address(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Who is calling, as far as we can know: for limits, sessions and the audit trail."""
    peer = _parsed(connection.client.host if connection.client else "")
    return str(peer) if peer else ""


def counted_address(address: str) -> str:
    """What an address counts as in limits: whoever has one IPv6 address has 2^64 of them."""
    parsed = _parsed(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
    return str(parsed) if parsed else ""


def _all(scope: Scope, name: bytes) -> str:
    return ",".join(value.decode("latin-1") for key, value in scope["headers"] if key == name)[-LONGEST_LIST:]


def _last(scope: Scope, name: bytes) -> str:
    return _all(scope, name).rpartition(",")[2].strip().lower()


def _parsed(text: str) -> Address | None:
    """`192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`; an IPv4 address in IPv6 clothes as what it is."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
