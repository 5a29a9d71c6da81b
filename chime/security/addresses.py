"""Which addresses outside may be called on behalf of somebody: rules without any network.

An address is taken apart once, strictly, and only what was checked is used afterwards. Promise: whatever is written,
nothing but a public unicast address is public; the many other ways to write 127.0.0.1 are no addresses at all.
"""

from __future__ import annotations

import ipaddress
import re

import idna
import msgspec

from chime.errors import ChimeError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

LONGEST_URL = 2_048
_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>/[^?#]*)?(?P<query>\?[^#]*)?(?:#.*)?",
                  re.IGNORECASE)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
# IANA's special-purpose registries as of November 2026. Spelled out: what Python calls global differs from release to
# release, and some of it is global on paper but leads into tunnels.
_SPECIAL_4 = tuple(map(ipaddress.IPv4Network, (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4")))
_UNICAST_6 = ipaddress.IPv6Network("2000::/3")
_SPECIAL_6 = tuple(map(ipaddress.IPv6Network, (
    "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")))
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Not even for a host that the operator allows: link-local addresses hold the keys of cloud machines.
_NEVER = tuple(map(ipaddress.ip_network, ("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/128", "fe80::/10",
                                          "ff00::/8", "fd00:ec2::254/128", "fd20:ce::254/128")))


class NotAllowed(ChimeError):
    """The address as it is written may not be called. Safe to tell: it says nothing about any network."""

    status = 422
    title = "This address cannot be used"


class Place(msgspec.Struct, frozen=True):
    """A host and port, as they are allowed and compared."""

    host: str
    port: int = 443


class SafeURL(msgspec.Struct, frozen=True):
    """An https address that passed the rules. Made by `safe_url` alone."""

    host: str
    port: int
    target: str
    allowed: bool
    """Named by the operator: its host may stand in the operator's own network."""

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}" if self.port == 443 else f"https://{host}:{self.port}"

    def __str__(self) -> str:
        return self.origin + self.target


def safe_url(text: str, allowed: frozenset[Place] = frozenset()) -> SafeURL:
    """Raises NotAllowed, naming what is wrong."""
    if not isinstance(text, str) or len(text) > LONGEST_URL:
        raise NotAllowed(f"An address has at most {LONGEST_URL} characters.")
    if any(character.isspace() or not character.isprintable() or character == "\\" for character in text):
        raise NotAllowed("An address holds no spaces, control characters or backslashes.")
    found = _URL.fullmatch(text)
    if found is None or found["scheme"].lower() != "https":
        raise NotAllowed("The address must begin with https://.")
    authority = found["authority"]
    if "@" in authority:
        raise NotAllowed("A name or password does not belong into an address.")
    host, port = _host_and_port(authority)
    is_allowed = Place(host, port) in allowed
    if not is_allowed and port != 443:
        raise NotAllowed("Only port 443 can be used.")
    if not is_allowed and "." not in host and ":" not in host:
        raise NotAllowed("The address needs the whole name of its host.")
    target = (found["path"] or "/") + (found["query"] or "")
    if not target.isascii():
        raise NotAllowed("Characters other than ASCII must be written with % in the path.")
    return SafeURL(host, port, target, is_allowed)


def place(text: str) -> Place:
    """`host` or `host:port`, as the operator writes them. Raises NotAllowed."""
    return Place(*_host_and_port(text))


def _host_and_port(authority: str) -> tuple[str, int]:
    host, port = authority, ""
    if authority.startswith("["):
        host, bracket, rest = authority[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise NotAllowed("The host is not written as it should be.")
        return _literal_6(host), _port(rest)
    if ":" in authority:
        host, _, port = authority.partition(":")
        port = f":{port}"
    return _name(host), _port(port)


def _port(text: str) -> int:
    if not text:
        return 443
    digits = text[1:]
    if not digits.isascii() or not digits.isdigit() or len(digits) > 5 or not 1 <= int(digits) <= 65_535:
        raise NotAllowed("The port is not a number from 1 to 65535.")
    return int(digits)


def _literal_6(host: str) -> str:
    try:
        if "%" in host:
            raise ValueError("a zone means something on one machine only")
        return str(ipaddress.IPv6Address(host))
    except ValueError as error:
        raise NotAllowed("The host is not an IPv6 address.") from error


def _name(host: str) -> str:
    """A DNS name in ASCII and lower case, or a plain IPv4 address."""
    try:
        ascii_host = host.lower() if host.isascii() else idna.encode(host, uts46=True).decode().lower()
    except (idna.IDNAError, UnicodeError) as error:
        raise NotAllowed("The name of the host cannot be used.") from error
    labels = ascii_host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        # Resolvers read 2130706433, 0x7f.1 and 0177.0.0.1 as addresses; so such a name is an address or nothing.
        try:
            return str(ipaddress.IPv4Address(ascii_host))
        except ValueError as error:
            raise NotAllowed("The host is not an IPv4 address.") from error
    if len(ascii_host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise NotAllowed("The name of the host cannot be used.")
    return ascii_host


def is_public(address: Address) -> bool:
    """Whether this is one host on the public internet, in whatever clothes it comes."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _SPECIAL_4)
    inner = address.ipv4_mapped
    if inner is None and address in _NAT64:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    if inner is not None:
        return is_public(inner)
    return address in _UNICAST_6 and not any(address in network for network in _SPECIAL_6)


def may_call(address: Address, *, allowed: bool) -> bool:
    """Whether a connection may be opened to it. A host the operator allows may stand in their own network."""
    if not allowed:
        return is_public(address)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    plain = mapped or address
    return not any(plain in network for network in _NEVER if network.version == plain.version)
