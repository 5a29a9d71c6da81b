"""A workspace's own roles. `tx` is control's.

A role is a set of grants chosen from what its editor holds. What an editor is asked for (a fresh proof, a second
person) the role's people are asked for too, so the marks come from the editor's grants and are no choice. `RESERVED`
permissions stay with owners and admins. A change is what members hold with their next request.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from chime.accounts import member_queries
from chime.accounts.authority import authority, covers
from chime.accounts.model import Policy, check_name
from chime.accounts.rights import custom_grants
from chime.accounts.workspace_settings import store_policy
from chime.errors import Conflict, Forbidden, Invalid, NotFound
from chime.security.permissions import (
    GRANTS,
    PRESETS,
    RESERVED,
    Actor,
    Grant,
    Grants,
    Permission,
    Reach,
    Role,
    within,
)
from chime.workspaces import Transaction

MOST_ROLES = 50
# What shows numbers whole, and what a masked role sees of them in.
_NUMBERS = (Permission.NUMBERS_READ, Permission.NUMBERS_REVEAL)
_MASKABLE = (Permission.INBOX_READ, Permission.CONTACTS_READ)


class RoleWish(msgspec.Struct, frozen=True, kw_only=True):
    """A role as its editor wants it: how far each permission goes, and whether phone numbers are masked."""

    name: str
    reaches: Mapping[Permission, Reach]
    masked: bool = False


def reaches_of(permission: Permission) -> tuple[Reach, ...]:
    """How far this permission can go: what the built-in roles know of it, farthest first."""
    known = {grants[permission].reach for grants in GRANTS.values() if permission in grants}
    return tuple(sorted(known | {Reach.ALL}, reverse=True))


def offered(actor: Actor) -> dict[Permission, tuple[Reach, ...]]:
    """What this editor can put into a role. What they may do only to roles below their own is left out: a custom role
    has none below it."""
    return {permission: tuple(reach for reach in reaches_of(permission) if reach <= grant.reach)
            for permission, grant in sorted(actor.grants.items(), key=lambda item: list(Permission).index(item[0]))
            if permission not in RESERVED and not grant.below and permission not in _NUMBERS
            and permission is not Permission.WORKSPACE_READ}


async def create(tx: Transaction, workspace_id: str, wish: RoleWish) -> str:
    """Raises Forbidden, Invalid, Conflict."""
    actor = await _editor(tx, workspace_id)
    name = await _free(tx, workspace_id, wish.name)
    if await tx.value("SELECT count(*) FROM custom_role WHERE workspace_id = ?", workspace_id) >= MOST_ROLES:
        raise Conflict("A workspace has at most 50 roles of its own.")
    grants = _granted(actor, wish)
    role_id = tx.new_id()
    await tx.execute("INSERT INTO custom_role (id, workspace_id, name, grants_json, created_at) VALUES (?, ?, ?, ?, ?)",
                     role_id, workspace_id, name, _stored(grants), tx.now)
    await tx.audit("role.created", "role", role_id, workspace_id=workspace_id, after=_told(grants))
    return role_id


async def edit(tx: Transaction, workspace_id: str, role_id: str, wish: RoleWish) -> None:
    """Raises Forbidden, NotFound, Invalid."""
    actor = await _editor(tx, workspace_id)
    before = await _within_reach(tx, workspace_id, role_id, actor)
    name = await _free(tx, workspace_id, wish.name, role_id)
    grants = _granted(actor, wish)
    await tx.execute("UPDATE custom_role SET name = ?, grants_json = ? WHERE id = ? AND workspace_id = ?",
                     name, _stored(grants), role_id, workspace_id)
    await tx.audit("role.edited", "role", role_id, workspace_id=workspace_id, before=_told(before),
                   after=_told(grants))


async def delete(tx: Transaction, workspace_id: str, role_id: str) -> None:
    """Raises Forbidden, NotFound; Conflict while somebody has the role or is invited with it."""
    actor = await _editor(tx, workspace_id)
    await _within_reach(tx, workspace_id, role_id, actor)
    found = await member_queries.custom_role(tx, workspace_id, role_id)
    if found is not None and found.holders + found.invited:
        raise Conflict("Somebody has this role or is invited with it. Give them another one first.")
    await tx.execute("DELETE FROM custom_role WHERE id = ? AND workspace_id = ?", role_id, workspace_id)
    await tx.audit("role.deleted", "role", role_id, workspace_id=workspace_id)


async def choose_preset(tx: Transaction, workspace_id: str, preset: str) -> None:
    """Which built-in roles the dashboard offers; nobody's role changes. Raises Forbidden, Invalid."""
    await authority(tx, workspace_id, Permission.ROLES_EDIT)
    if preset not in PRESETS:
        raise Invalid.field("preset", "Choose one of the sets of roles.")
    saved = await member_queries.saved_policy(tx, workspace_id)
    if saved.policy.role_preset == preset:
        return
    chosen: Policy = msgspec.structs.replace(saved.policy, role_preset=preset)
    await store_policy(tx, workspace_id, chosen, owner_policy=saved.owner_policy)
    await tx.audit("role_preset.changed", "workspace", workspace_id, workspace_id=workspace_id,
                   before={"preset": saved.policy.role_preset}, after={"preset": preset})


async def _editor(tx: Transaction, workspace_id: str) -> Actor:
    actor = await authority(tx, workspace_id, Permission.ROLES_EDIT)
    if actor.channels is not None:
        raise Forbidden("Who is limited to certain numbers cannot edit roles: others hold them without that limit.")
    return actor


async def _within_reach(tx: Transaction, workspace_id: str, role_id: str, actor: Actor) -> dict[Permission, Grant]:
    """What the role grants now, when the editor holds all of it: nobody edits what stands above them."""
    found = await member_queries.custom_role(tx, workspace_id, role_id)
    if found is None:
        raise NotFound("There is no such role.")
    grants = custom_grants(found.grants)
    if not covers(actor, grants):
        raise Forbidden("This role grants more than you hold: somebody higher has to change it.")
    return grants


def _granted(actor: Actor, wish: RoleWish) -> dict[Permission, Grant]:
    """The grants of the wish, with the marks of the editor's own. Raises Invalid naming `grants`."""
    choices = offered(actor)
    wrong = [permission for permission, reach in wish.reaches.items() if reach not in choices.get(permission, ())]
    if wrong:
        raise Invalid.field("grants", "You can grant only what you hold yourself, and no farther.")
    if not wish.reaches:
        raise Invalid.field("grants", "Choose what this role may do.")
    granted = {Permission.WORKSPACE_READ: Grant()}
    for permission, reach in wish.reaches.items():
        granted[permission] = msgspec.structs.replace(
            actor.grants[permission], reach=reach,
            masked=actor.grants[permission].masked or (wish.masked and permission in _MASKABLE))
    if not wish.masked and any(permission in granted for permission in _MASKABLE):
        for permission in _NUMBERS:
            if permission in actor.grants:
                granted[permission] = actor.grants[permission]
    if not within(granted, actor.grants):
        raise Invalid.field("grants", "You can grant only what you hold yourself, and no farther.")
    return granted


def _stored(grants: Grants) -> str:
    return msgspec.json.encode({permission.value: grant for permission, grant in sorted(grants.items())}).decode()


def _told(grants: Grants) -> dict[str, str]:
    """What the audit trail says of a role: each permission and how far it goes."""
    return {permission.value: grant.reach.name.lower() + (" masked" if grant.masked else "")
            for permission, grant in sorted(grants.items())}


async def _free(tx: Transaction, workspace_id: str, name: str, role_id: str = "") -> str:
    name = check_name(name)
    taken = await tx.value("SELECT 1 FROM custom_role WHERE workspace_id = ? AND name = ? AND id <> ?",
                           workspace_id, name, role_id)
    if taken or name.lower() in set(Role):
        raise Invalid.field("name", "There is a role of this name already.")
    return name
