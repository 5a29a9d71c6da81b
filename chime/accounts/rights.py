"""From a membership row to what its person may do: the role's grants, less what switches and masking take away."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from chime.accounts.model import Membership, Policy, User
from chime.security.permissions import (
    GRANTS,
    NOBODY,
    OPERATES,
    Actor,
    Grant,
    Origin,
    Permission,
    Role,
    without_modules,
)

# What is left of an owner's rights in a restored copy of the workspace: to look, and to say what becomes of it.
_IN_COPIES = frozenset({Permission.SESSION, Permission.WORKSPACE_READ, Permission.CHANNELS_READ, Permission.INBOX_READ,
                        Permission.CONTACTS_READ, Permission.NUMBERS_READ, Permission.TEMPLATES_READ,
                        Permission.SERVICE_READ, Permission.AUDIT_READ, Permission.BACKUPS_READ,
                        Permission.BACKUPS_RESTORE})
_NO_NUMBERS = frozenset({Permission.NUMBERS_READ, Permission.NUMBERS_REVEAL})
_KNOWN = frozenset(Permission)


def policy_of(membership: Membership | None) -> Policy:
    """A workspace's policy; the defaults where nobody decided."""
    return membership.policy if membership and membership.policy else Policy()


def custom_grants(stored: Mapping[str, Grant]) -> dict[Permission, Grant]:
    """The grants of a custom role as it was saved. A permission that this version does not know grants nothing."""
    return {Permission(name): grant for name, grant in stored.items() if name in _KNOWN}


def grants_of(membership: Membership | None) -> dict[Permission, Grant]:
    """What a member may do; without a membership only what anybody signed in may."""
    if membership is None:
        return dict(NOBODY)
    if membership.role in set(Role):
        granted = dict(GRANTS[Role(membership.role)])
    elif membership.custom_grants is not None:
        granted = NOBODY | custom_grants(membership.custom_grants)
    else:
        return dict(NOBODY)  # their custom role is gone
    if membership.modules_off:
        granted = without_modules(granted, membership.modules_off.split(","))
    masked = membership.role == Role.MEMBER and policy_of(membership).members_masked
    if membership.masked or masked:
        granted = {permission: grant for permission, grant in granted.items() if permission not in _NO_NUMBERS}
    return granted


def actor_of(user: User, membership: Membership | None, *, teams: frozenset[str] = frozenset(),
             origin: Origin | None = None) -> Actor:
    """A person in one workspace (or in none)."""
    granted = grants_of(membership)
    if user.is_operator:
        granted |= OPERATES
    policy = policy_of(membership)
    channels = None
    if membership is not None and membership.channels is not None:
        channels = frozenset(membership.channels)
    return Actor(kind="user", id=user.id, name=user.name, grants=granted, role=membership.role if membership else "",
                 teams=teams, channels=channels, origin=origin or Origin(),
                 masks_texts=policy.mask_in_text and Permission.NUMBERS_READ not in granted)


def only_reading(actor: Actor) -> Actor:
    """The same person in a restored copy, where nothing is changed."""
    left = {permission: grant for permission, grant in actor.grants.items() if permission in _IN_COPIES}
    return msgspec.structs.replace(actor, grants=left)
