"""Users, members, sessions and keys."""

from __future__ import annotations

import re

import msgspec

from chime.clock import DAY, HOUR
from chime.errors import Invalid
from chime.security.permissions import Role

IDLE_LIMIT = 8 * HOUR
ABSOLUTE_LIMIT = 7 * DAY
_EMAIL = re.compile(r"^[^@\s]{1,64}@[^@\s]{1,190}$")


class User(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    email: str
    name: str
    password_hash: str
    locale: str
    time_zone: str
    disabled_at: int | None
    is_operator: bool = False


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A person of a workspace, as colleagues see them."""

    id: str
    name: str
    role: Role


class NewKey(msgspec.Struct, frozen=True):
    """A key just made: the only time its text is known."""

    id: str
    key: str


def check_email(email: str) -> str:
    """Raises Invalid."""
    email = email.strip()
    if not _EMAIL.match(email):
        raise Invalid.field("email", "Write an e-mail address, as in ana@example.com.")
    return email


def check_name(name: str) -> str:
    """Raises Invalid."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= 80:
        raise Invalid.field("name", "Give a name of at most 80 characters.")
    return name
