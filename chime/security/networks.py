"""Lists of addresses that may call: written by people as `203.0.113.7` or `198.51.100.0/24`, asked on every request."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse(text: str) -> Network:
    """One address or network. Raises ValueError."""
    return ipaddress.ip_network(text.strip())


@lru_cache(maxsize=1024)
def _networks(written: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(parse(text) for text in written)


def holds(written: tuple[str, ...], address: str) -> bool:
    """Whether the address lies in one of the networks. What is no address lies in none."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found.version == network.version and found in network for network in _networks(written))


def lie_within(inner: Iterable[str], outer: tuple[str, ...]) -> bool:
    """Whether each of the inner networks lies in one of the outer ones."""
    return all(any(one.version == other.version and one.subnet_of(other)  # type: ignore[arg-type]
                   for other in _networks(outer)) for one in map(parse, inner))
