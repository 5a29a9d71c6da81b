"""What the text of an option has to be, and what it means: one function for each kind of value.

Each raises StartRefused with one line that names the option.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chime.errors import StartRefused

_PLACE = re.compile(r"(?P<host>[a-z0-9_.-]{1,253}|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")


def master_key(name: str, text: str) -> bytes | None:
    if not text:
        return None
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise StartRefused(f"{name}: is not base64") from error
    if len(key) != 32:
        raise StartRefused(f"{name}: must be 32 bytes, this one has {len(key)}")
    if len(set(key)) < 8:
        raise StartRefused(f"{name}: is not random; make one with `openssl rand -base64 32`")
    return key


def bind(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise StartRefused(f"CHIME_BIND: {text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def url(name: str, text: str, *, optional: bool = False) -> str:
    if optional and not text:
        return ""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise StartRefused(f"CHIME_{name.upper()}: {text!r} is not an http or https address")
    return text.rstrip("/")


def megabytes(name: str, text: str, *, least: int) -> int:
    """In bytes."""
    if not text.isascii() or not text.isdigit() or not least <= int(text[:9]) <= 10_000_000:
        raise StartRefused(f"CHIME_{name.upper()}: {text!r} is not a number of megabytes from {least} on")
    return int(text) * 1024 * 1024


def networks(text: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    try:
        found = [ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise StartRefused(f"CHIME_TRUSTED_PROXIES: {error}") from error
    for version in (4, 6):
        # Halves of the world are the world.
        of_version: list[Any] = [network for network in found if network.version == version]
        if any(network.prefixlen == 0 for network in ipaddress.collapse_addresses(of_version)):
            raise StartRefused("CHIME_TRUSTED_PROXIES: everybody would be believed; name your proxies' own addresses")
    return tuple(found)


def factor(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= 1_000:
        raise StartRefused(f"CHIME_RATE_FACTOR: {text!r} is not a whole number from 1 to 1000")
    return int(text)


def mail_address(text: str) -> str:
    name, at, host = text.partition("@")
    if text and not (name and at and host and text.isascii() and text.isprintable() and not set(text) & set(" ,;<>\"")
                     and "@" not in host):
        raise StartRefused(f"CHIME_MAIL_FROM: {text!r} is not an email address")
    return text


def contact(text: str) -> str:
    """A way to reach somebody, as RFC 9116 wants it: an address of mail, web or telephone."""
    text = text.strip()
    known = text.startswith(("https://", "mailto:", "tel:")) or ("@" in text and ":" not in text)
    if text and not (known and text.isascii() and text.isprintable() and " " not in text):
        raise StartRefused(f"CHIME_SECURITY_CONTACT: {text!r} is no email, https:// or tel: address")
    return text


def places(text: str) -> tuple[tuple[str, int], ...]:
    found = []
    for part in filter(None, (part.strip().lower() for part in text.split(","))):
        match = _PLACE.fullmatch(part)
        if match is None or not 1 <= int(match["port"] or 443) <= 65_535:
            raise StartRefused(f"CHIME_EGRESS_ALLOW: {part!r} is neither host nor host:port")
        found.append((match["host"].strip("[]"), int(match["port"] or 443)))
    return tuple(found)


def outside(data_dir: Path, text: str) -> Path | None:
    """A file beside which our own folder could be lost or put back: never one inside."""
    if not text:
        return None
    path = Path(text).expanduser().absolute()
    if data_dir.absolute() in path.parents:
        raise StartRefused("CHIME_AUDIT_ANCHOR_FILE: is inside the data folder; what it is for needs another place")
    return path


def second_place(text: str) -> str:
    remote = text.startswith("rclone:") and ":" in text[7:] and not text[7:].startswith("-")
    if text and not remote and not Path(text).expanduser().is_absolute():
        raise StartRefused(f"CHIME_BACKUP_SECOND: {text!r} is neither a folder (from / on) nor rclone:remote:path")
    return text


def graph_version(text: str) -> str:
    if not text.startswith("v") or not text[1:].replace(".", "", 1).isdigit():
        raise StartRefused(f"CHIME_GRAPH_VERSION: {text!r} is not like v26.0")
    return text
