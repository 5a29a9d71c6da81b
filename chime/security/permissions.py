"""Who may do what: every permission and every built-in role on one screen, as data.

A route names one permission; the guard asks here. A grant says how far it reaches, whether numbers are masked, whether
it wants a fresh proof of identity and whether a second person has to agree. What is not granted is denied.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum, StrEnum

import msgspec


class Permission(StrEnum):
    SESSION = "session"
    """Anything a signed-in person may do for themselves: profile, password, second factor, own sessions, theme."""
    INSTALLATION = "installation:operate"
    """What concerns no single workspace. It opens none: an operator sees a workspace by support access only."""

    WORKSPACE_READ = "workspace:read"
    WORKSPACE_EDIT = "workspace:edit"
    WORKSPACE_TRANSFER = "workspace:transfer"
    WORKSPACE_ERASE = "workspace:erase"
    SECURITY_EDIT = "security:edit"
    SESSIONS_END = "sessions:end"
    MEMBERS_READ = "members:read"
    MEMBERS_INVITE = "members:invite"
    MEMBERS_EDIT = "members:edit"
    ROLES_EDIT = "roles:edit"
    TEAMS_EDIT = "teams:edit"
    CHANNELS_READ = "channels:read"
    CHANNELS_CONNECT = "channels:connect"
    INBOX_READ = "inbox:read"
    INBOX_REPLY = "inbox:reply"
    INBOX_START = "inbox:start"
    INBOX_ASSIGN = "inbox:assign"
    INBOX_FILES = "inbox:files"
    INBOX_EXPORT = "inbox:export"
    INBOX_QUICK_REPLIES = "inbox:quick_replies"
    """Own: quick replies for oneself; teams: also those of one's teams and of everybody; all: of every team."""
    VIEWS_SHARE = "views:share"
    """Saved views for others: teams, for those of one's teams and for everybody; all, for every team."""
    CONTACTS_READ = "contacts:read"
    CONTACTS_EDIT = "contacts:edit"
    CONTACTS_DELETE = "contacts:delete"
    CONTACTS_EXPORT = "contacts:export"
    NUMBERS_READ = "numbers:read"
    """Phone numbers are shown whole, always."""
    NUMBERS_REVEAL = "numbers:reveal"
    """One masked number is shown whole on a click, which is written down first."""
    CONSENT_OPT_OUT = "consent:opt_out"
    CONSENT_OPT_IN = "consent:opt_in"
    TAGS_EDIT = "tags:edit"
    TEMPLATES_READ = "templates:read"
    ROUTING_EDIT = "routing:edit"
    """Who gets which conversation by itself, and how many somebody may have; team: of one's teams."""
    SERVICE_READ = "service:read"
    """How fast customers were answered and how content they were; their words only as far as conversations reach."""
    SERVICE_EDIT = "service:edit"
    APPROVALS_DECIDE = "approvals:decide"
    API_KEYS_EDIT = "api_keys:edit"
    AUDIT_READ = "audit:read"
    AUDIT_EXPORT = "audit:export"
    DATA_QUERY = "data:query"
    """Ask questions of all data in SQL; for who reaches everything."""
    DATA_EXPORT = "data:export"
    DATA_ERASE = "data:erase"
    DATA_RETENTION = "data:retention"
    SUPPORT_APPROVE = "support:approve"
    SUPPORT_END = "support:end"
    DELIVERY_READ = "delivery:read"
    DELIVERY_RETRY = "delivery:retry"
    BACKUPS_READ = "backups:read"
    BACKUPS_RESTORE = "backups:restore"
    """Opens the workspace of an earlier moment as a copy, and lets a copy take its place; for that a second person."""


class Role(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    MANAGER = "manager"
    MEMBER = "member"
    AGENT = "agent"
    ANALYST = "analyst"
    VIEWER = "viewer"


class Reach(IntEnum):
    """How far a grant goes: what is one's own (assigned, or made by oneself), one's teams and numbers, everything."""

    NONE = 0
    OWN = 1
    TEAM = 2
    ALL = 3


class Grant(msgspec.Struct, frozen=True):
    """`below`: only for people whose role ranks below one's own. `second`: another person has to approve."""

    reach: Reach = Reach.ALL
    masked: bool = False
    step_up: bool = False
    second: bool = False
    below: bool = False


Grants = Mapping[Permission, Grant]

# A everything, T own teams and numbers, O own, - nothing; m numbers masked, ^ fresh proof of identity,
# 2 a second person approves, < only for roles below one's own.
_MATRIX = """
                      owner  admin  manager  member  agent  analyst  viewer
workspace:read        A      A      A        A       A      A        A
workspace:edit        A      A      -        -       -      -        -
workspace:transfer    A^     -      -        -       -      -        -
workspace:erase       A^2    -      -        -       -      -        -
security:edit         A^     A^     -        -       -      -        -
sessions:end          A      A<     -        -       -      -        -
members:read          A      A      A        T       T      -        T
members:invite        A^     A<     T<       -       -      -        -
members:edit          A^     A^<    -        -       -      -        -
roles:edit            A^     A^     -        -       -      -        -
teams:edit            A      A      T        -       -      -        -
channels:read         A      A      T        T       T      -        T
channels:connect      A^     A^     -        -       -      -        -
inbox:read            A      A      T        T       Om     -        Tm
inbox:reply           A      A      T        T       O      -        -
inbox:start           A      A      T        T       -      -        -
inbox:assign          A      A      T        T       O      -        -
inbox:files           A      A      T        T       O      -        -
inbox:export          A^2    A^2    T2       -       -      -        -
inbox:quick_replies   A      A      T        O       O      -        -
views:share           A      A      T        -       -      -        -
contacts:read         A      A      T        T       Om     -        Tm
contacts:edit         A      A      T        T       O      -        -
contacts:delete       A      A      -        -       -      -        -
contacts:export       A^2    A^2    T2       -       -      -        -
numbers:read          A      A      T        T       -      -        -
numbers:reveal        A      A      T        T       -      -        -
consent:opt_out       A      A      T        T       O      -        -
consent:opt_in        A      A      T        -       -      -        -
tags:edit             A      A      T        -       -      -        -
templates:read        A      A      A        A       A      A        A
routing:edit          A      A      T        -       -      -        -
service:read          A      A      A        -       -      A        -
service:edit          A      A      A        -       -      -        -
approvals:decide      A^     A^     -        -       -      -        -
api_keys:edit         A^     A^     -        -       -      -        -
audit:read            A      A      -        -       -      -        -
audit:export          A^     A^     -        -       -      -        -
data:query            A^     A^     -        -       -      -        -
data:export           A^     A^     -        -       -      -        -
data:erase            A^2    A^2    -        -       -      -        -
data:retention        A^     -      -        -       -      -        -
support:approve       A^     -      -        -       -      -        -
support:end           A      A      -        -       -      -        -
delivery:read         A      A      A        -       -      -        -
delivery:retry        A      A      A        -       -      -        -
backups:read          A      A      -        -       -      -        -
backups:restore       A^2    -      -        -       -      -        -
"""
_REACHES = {"-": Reach.NONE, "O": Reach.OWN, "T": Reach.TEAM, "A": Reach.ALL}
_RANKS = {Role.OWNER: 4, Role.ADMIN: 3, Role.MANAGER: 2, Role.MEMBER: 1}


def _read_matrix(text: str) -> dict[Role, dict[Permission, Grant]]:
    head, *rows = (line.split() for line in text.strip().splitlines())
    granted: dict[Role, dict[Permission, Grant]] = {role: {Permission.SESSION: Grant()} for role in Role}
    for name, *cells in rows:
        for role, cell in zip(head, cells, strict=True):
            if _REACHES[cell[0]]:
                granted[Role(role)][Permission(name)] = Grant(
                    _REACHES[cell[0]], masked="m" in cell, step_up="^" in cell, second="2" in cell, below="<" in cell)
    return granted


GRANTS = _read_matrix(_MATRIX)
OPERATES: dict[Permission, Grant] = {Permission.INSTALLATION: Grant()}
NOBODY: dict[Permission, Grant] = {Permission.SESSION: Grant()}
"""The rights of somebody signed in who is no member of the workspace."""

# The two sets of roles the dashboard can offer; all seven exist underneath, so a workspace may change its mind.
PRESETS: dict[str, tuple[Role, ...]] = {
    "five": (Role.OWNER, Role.ADMIN, Role.MANAGER, Role.MEMBER, Role.VIEWER),
    "four": (Role.OWNER, Role.ADMIN, Role.AGENT, Role.ANALYST),
    "seven": tuple(Role),
}
# What a switch of a member can take away, and only take away: the part of a permission's name before the colon.
MODULES: tuple[str, ...] = ("inbox", "contacts", "channels", "templates", "members", "api_keys", "audit", "data",
                            "delivery")
# What no role but the owner's may hold.
OWNERS_ONLY = frozenset({Permission.INSTALLATION, Permission.WORKSPACE_TRANSFER, Permission.WORKSPACE_ERASE,
                         Permission.DATA_RETENTION, Permission.SUPPORT_APPROVE, Permission.BACKUPS_RESTORE})
# No custom role can hold these; they stay with the people an owner made owner or admin.
RESERVED = OWNERS_ONLY | {Permission.SESSION, Permission.BACKUPS_READ, Permission.DATA_QUERY}
# What a person does for the workspace as its owner, or for themselves, is nothing for a script. A question is, by a key
# of somebody who may ask: it shows no more than their page does.
API_SCOPES: tuple[Permission, ...] = tuple(permission for permission in Permission
                                           if permission not in (RESERVED - {Permission.DATA_QUERY}) | {
                                               Permission.SECURITY_EDIT, Permission.ROLES_EDIT,
                                               Permission.SUPPORT_END})


def rank(role: str) -> int:
    """How high a role stands, for what may only be done to roles below one's own. A custom role ranks lowest."""
    return _RANKS.get(Role(role), 0) if role in set(Role) else 0


def without_modules(grants: Grants, switched_off: Iterable[str]) -> dict[Permission, Grant]:
    """Switches of a member only ever take away."""
    off = set(switched_off)
    return {permission: grant for permission, grant in grants.items() if permission.value.partition(":")[0] not in off}


def within(grants: Grants, most: Grants) -> bool:
    """Whether nothing in `grants` goes further than `most`: the rule that nobody grants more than they hold."""
    return all(permission in most and _no_more(grant, most[permission]) for permission, grant in grants.items())


def _no_more(grant: Grant, most: Grant) -> bool:
    return (grant.reach <= most.reach and (grant.masked or not most.masked) and (grant.step_up or not most.step_up)
            and (grant.second or not most.second) and (grant.below or not most.below))


class Origin(msgspec.Struct, frozen=True):
    """Where an act came from, for the audit trail."""

    session_id: str = ""
    address: str = ""
    agent: str = ""


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who does something: a person, an API key, support, the operator at the shell, or Chime itself.

    `teams` are those they belong to; `channels` those they are limited to, None for all. `masks_texts`: to
    them numbers are masked in messages too. `on_behalf` names who an act
    is done for, when it is somebody else (a support session, an approved request).
    """

    kind: str
    id: str | None
    name: str
    grants: Mapping[Permission, Grant] = {}
    role: str = ""
    teams: frozenset[str] = frozenset()
    channels: frozenset[str] | None = None
    origin: Origin = Origin()
    on_behalf: str = ""
    masks_texts: bool = False

    @property
    def permissions(self) -> frozenset[Permission]:
        return frozenset(self.grants)

    def may(self, permission: Permission) -> bool:
        return permission in self.grants

    def grant(self, permission: Permission) -> Grant:
        """What they hold; the empty grant, which reaches nothing, when they don't."""
        return self.grants.get(permission, _NOTHING)

    def outranks(self, role: str) -> bool:
        """Whether `role` stands below their own."""
        return rank(self.role) > rank(role)

    @property
    def sees_numbers(self) -> bool:
        """Whether phone numbers are shown whole to them."""
        return Permission.NUMBERS_READ in self.grants


_NOTHING = Grant(Reach.NONE, masked=True)
SYSTEM = Actor(kind="system", id=None, name="Chime")
OPERATOR = Actor(kind="operator", id=None, name="operator at the shell")


def scopes(text: str) -> dict[Permission, Grant]:
    """The grants of an API key from its written scopes (`all`, or names with commas). Raises ValueError."""
    if text.strip() == "all":
        return {scope: Grant() for scope in API_SCOPES}
    names = {part.strip() for part in text.split(",") if part.strip()}
    unknown = names - {scope.value for scope in API_SCOPES}
    if unknown or not names:
        raise ValueError(", ".join(sorted(unknown)) or "none given")
    return {Permission(name): Grant() for name in sorted(names)}


def kept_scopes(text: str) -> dict[Permission, Grant]:
    """The grants of a key as it was saved. A scope that this version does not know grants nothing."""
    if text == "all":
        return scopes(text)
    names = text.split(",")
    return {scope: Grant() for scope in API_SCOPES if scope.value in names}
