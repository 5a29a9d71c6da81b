"""What the wizard asks: its steps, and the answers as they wait in memory until the last one.

Nothing of it is written anywhere before that. Secrets are held as `Secret`, so no page, log or error shows one again.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from chime.channels import NewChannel
from chime.errors import Invalid, StartRefused
from chime.security.vault import Secret

STEPS = ("owner", "key", "address", "whatsapp", "finish")
# How a mail server is talked to -> the scheme of CHIME_SMTP_URL, and the port that goes with it.
SCHEMES = {"starttls": ("smtp", "587"), "tls": ("smtps", "465"), "plain": ("smtp+plain", "25")}


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """The first person, who owns the first workspace and operates the installation."""

    name: str
    email: str
    password: Secret
    workspace: str
    time_zone: str
    locale: str


class Mails(msgspec.Struct, frozen=True, kw_only=True):
    """The mail server, as its form has it. Without a host there is none."""

    host: str = ""
    security: str = "starttls"
    port: str = ""
    user: str = ""
    password: Secret | None = None
    sender: str = ""

    def url(self) -> str:
        """As CHIME_SMTP_URL says it."""
        if not self.host:
            return ""
        scheme, usual = SCHEMES[self.security]
        secret = f":{quote(self.password.reveal(), safe='')}" if self.password else ""
        person = f"{quote(self.user, safe='')}{secret}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{person}{host}:{self.port or usual}"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where this installation is reached, and which proxies stand in front of it."""

    public_url: str = ""
    trusted_proxies: str = ""


class Draft:
    """The answers so far."""

    def __init__(self) -> None:
        self.owner: Owner | None = None
        self.key_is_kept = False
        self.key_seen = False
        self.place = Place()
        self.mails = Mails()
        self.number: NewChannel | None = None
        self.practises = False
        """A practice workspace with a simulated number comes first; then there is no number"""
        self.passed: set[str] = set()
        """The steps that were answered or skipped."""

    def options(self) -> dict[str, str]:
        """The options that were given, by their names."""
        found = {"public_url": self.place.public_url, "trusted_proxies": self.place.trusted_proxies,
                 "smtp_url": self.mails.url(), "mail_from": self.mails.sender}
        return {name: value for name, value in found.items() if value}

    def may_open(self, step: str) -> bool:
        """Whoever is asked comes first; after that they go back and forth as they like."""
        return step == "owner" or self.owner is not None


# Option -> the field of the form that says it.
FIELDS = {"CHIME_PUBLIC_URL": "public_url", "CHIME_TRUSTED_PROXIES": "trusted_proxies", "CHIME_SMTP_URL": "mail_host",
          "CHIME_MAIL_FROM": "mail_from"}


def as_invalid(refused: StartRefused, fields: Mapping[str, str] = FIELDS) -> Invalid:
    """What a start would say of an option, said of the field it came from."""
    name, _, words = str(refused).partition(": ")
    return Invalid.field(fields.get(name, ""), f"{words[:1].upper()}{words[1:]}." if words else str(refused))
