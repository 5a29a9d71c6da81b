"""Who may do what: every permission and every role on one screen.

A route names one permission; the guard asks here. A later issue gives the full matrix, custom roles and scopes; this
is the one place they belong.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Permission(StrEnum):
    INBOX_READ = "inbox:read"
    INBOX_REPLY = "inbox:reply"
    INBOX_ASSIGN = "inbox:assign"
    CONTACTS_READ = "contacts:read"
    CONTACTS_EDIT = "contacts:edit"
    DELIVERY_READ = "delivery:read"
    DELIVERY_RETRY = "delivery:retry"
    INSTALLATION = "installation:operate"
    """What concerns no single workspace; its operators have it in whatever workspace they are."""
    SESSION = "session"
    """Anything a signed-in person may do for themselves, such as choosing a theme."""


class Role(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    MANAGER = "manager"
    MEMBER = "member"
    AGENT = "agent"
    ANALYST = "analyst"
    VIEWER = "viewer"


_READ = frozenset({Permission.SESSION, Permission.INBOX_READ, Permission.CONTACTS_READ})
_WORK = _READ | {Permission.INBOX_REPLY, Permission.INBOX_ASSIGN, Permission.CONTACTS_EDIT}
_MANAGE = _WORK | {Permission.DELIVERY_READ, Permission.DELIVERY_RETRY}
OPERATES = frozenset({Permission.INSTALLATION})

GRANTS: dict[Role, frozenset[Permission]] = {
    Role.OWNER: _MANAGE,
    Role.ADMIN: _MANAGE,
    Role.MANAGER: _MANAGE,
    Role.MEMBER: _WORK,
    Role.AGENT: _WORK,
    Role.ANALYST: _READ,
    Role.VIEWER: _READ,
}

API_SCOPES: tuple[Permission, ...] = tuple(permission for permission in Permission
                                           if permission not in {Permission.SESSION, *OPERATES})


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who does something: a person, an API key, the operator at the shell, or Chime itself."""

    kind: str
    id: str | None
    name: str
    permissions: frozenset[Permission] = frozenset()

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions


SYSTEM = Actor(kind="system", id=None, name="Chime")
OPERATOR = Actor(kind="operator", id=None, name="operator at the shell")


def scopes(text: str) -> frozenset[Permission]:
    """The permissions of an API key from its written scopes (`all`, or names with commas). Raises ValueError."""
    if text.strip() == "all":
        return frozenset(API_SCOPES)
    names = {part.strip() for part in text.split(",") if part.strip()}
    unknown = names - {scope.value for scope in API_SCOPES}
    if unknown or not names:
        raise ValueError(", ".join(sorted(unknown)) or "none given")
    return frozenset(Permission(name) for name in names)
