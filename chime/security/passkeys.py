"""Passkeys: whether there are any at this address, and what their ceremonies bring.

Discoverable, with user verification, so that a passkey alone is two factors; no attestation is asked for. A passkey
belongs to one host, that of the public address, and an answer counts only when it was given on that very origin.
Browsers offer passkeys over https, and on http://localhost for trying things out.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from chime.errors import ChimeError

if TYPE_CHECKING:
    from chime.security.relying_party import RelyingParty


class BadPasskey(ChimeError):
    """The browser's answer is damaged, was made elsewhere, for another question, or by a key we don't know."""

    status = 422
    title = "The passkey was not accepted"


class NewPasskey(msgspec.Struct, frozen=True, kw_only=True):
    """A passkey just made. `credential` holds its public key."""

    credential_id: bytes
    credential: bytes
    sign_count: int


class PasskeyUse(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer says before it is checked: which passkey, of whom, and how often it was used."""

    credential_id: bytes
    user_handle: bytes
    sign_count: int


def relying_party(public_url: str) -> RelyingParty | None:
    """For the installation's address; None when browsers have no passkeys there (plain http, or a bare number)."""
    parts = urlsplit(public_url)
    host = parts.hostname or ""
    if not host or (parts.scheme != "https" and host != "localhost"):
        return None
    try:
        ipaddress.ip_address(host)
    except ValueError:
        from chime.security.relying_party import RelyingParty  # 40 ms, and a start is not a sign-in

        return RelyingParty(host, f"{parts.scheme}://{parts.netloc}")
    return None
