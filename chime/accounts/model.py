"""Users, members, sessions and keys."""

from __future__ import annotations

import re

import msgspec

from chime.errors import Invalid
from chime.security.permissions import Grant

# The job that takes open conversations from people who left, and from teams that are gone; the inbox has its body.
UNASSIGN = "inbox.unassign"
EVERYBODY = "everybody"
# Somebody may take conversations now whom they could not have been given before. Routing has the body.
ROUTE = "inbox.route"
QUEUE = "queue"
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


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What the owners of a workspace decided about its security.

    `second_factor_roles`: whose sessions reach nothing but enrolment without one. Nobody's by default: the first owner
    must get in with what `chime init` asked for, and the dashboard keeps reminding.
    `members_masked`: footnote 7 of the matrix, members see masked numbers as agents do. `mask_in_text`: digits that
    look like numbers are masked in messages too, for those who see masked numbers.
    """

    role_preset: str = "seven"
    second_factor_roles: tuple[str, ...] = ()
    members_masked: bool = False
    mask_in_text: bool = False
    addresses: tuple[str, ...] = ()
    idle_minutes: int | None = None
    exports_need_approval: bool = True
    support_allowed: bool = True


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """What a person is in one workspace, as the request needs it. `role` is a built-in one or a custom role's id."""

    role: str
    custom_grants: dict[str, Grant] | None
    modules_off: str
    channels: tuple[str, ...] | None
    masked: bool
    policy: Policy | None
    seen_at: int | None = None


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A person of a workspace, as colleagues see them. `role` is a built-in one or a custom role's id."""

    id: str
    name: str
    role: str


class NewKey(msgspec.Struct, frozen=True):
    """A key just made: the only time its text is known."""

    id: str
    key: str


def check_email(email: str) -> str:
    """Raises Invalid."""
    email = email.strip()
    if not _EMAIL.match(email):
        raise Invalid.field("email", "Write an email address, as in ana@example.com.")
    return email


def check_name(name: str) -> str:
    """Raises Invalid."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= 80:
        raise Invalid.field("name", "Give a name of at most 80 characters.")
    return name
