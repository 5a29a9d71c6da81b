"""What can be done to a member: role, limits, suspension, removal, confirmation. `tx` is control's.

Promises: nobody gives more than they hold and nobody touches who stands above them (see `authority`); a workspace never
loses its last owner; whoever is removed takes their keys, teams, open invitations and offers with them in the same
transaction.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from chime.accounts import member_queries
from chime.accounts.authority import authority, check_channels, effective, may_give, may_touch, role_grants
from chime.accounts.member_queries import MemberDetails
from chime.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from chime.security.permissions import MODULES, Actor, Grants, Permission, Reach, Role
from chime.workspaces import Transaction

_EDIT = Permission.MEMBERS_EDIT


async def change_role(tx: Transaction, workspace_id: str, user_id: str, role: str) -> None:
    """Raises NotFound, Forbidden, Invalid, Refused, Conflict."""
    actor = await authority(tx, workspace_id, _EDIT)
    target = await _within_reach(tx, workspace_id, user_id, actor)
    if role == target.role:
        return
    if role == Role.OWNER:
        raise Refused("Nobody becomes an owner by a change of role: offer them the ownership, and they confirm.",
                      code="ownership_is_offered")
    grants = effective(role, await role_grants(tx, workspace_id, role), modules_off=target.modules_off,
                       masked=target.masked)
    _may_give(actor, role, grants, target.channels)
    await _keep_an_owner(tx, workspace_id, target)
    await tx.execute("UPDATE membership SET role = ? WHERE workspace_id = ? AND user_id = ?",
                     role, workspace_id, user_id)
    await tx.execute("DELETE FROM ownership_offer WHERE workspace_id = ? AND from_user_id = ?", workspace_id, user_id)
    await tx.audit("member.role_changed", "user", user_id, workspace_id=workspace_id,
                   before={"role": target.role}, after={"role": role})


async def limit(tx: Transaction, workspace_id: str, user_id: str, *, modules_off: Collection[str],
                channels: Collection[str] | None, masked: bool) -> None:
    """Modules a member does without, the only numbers they see (None for all), and whether phone numbers are masked
    whatever the role says. Raises NotFound, Forbidden, Invalid, Refused."""
    actor = await authority(tx, workspace_id, _EDIT)
    target = await _within_reach(tx, workspace_id, user_id, actor)
    if target.role == Role.OWNER:
        raise Refused("An owner has no limits; change the role first.", code="owner_has_no_limits")
    if not set(modules_off) <= set(MODULES):
        raise Invalid.field("modules_off", "There is no such module.")
    await check_channels(tx, workspace_id, channels, target.channels)
    off = ",".join(module for module in MODULES if module in modules_off)
    numbers = None if channels is None else tuple(sorted(channels))
    _may_give(actor, target.role, effective(target.role, target.role_grants, modules_off=off, masked=masked), numbers)
    before = {"modules_off": target.modules_off, "channels": target.channels, "masked": target.masked}
    after = {"modules_off": off, "channels": numbers, "masked": masked}
    if before == after:
        return
    await tx.execute("UPDATE membership SET modules_off = ?, channels_json = ?, masked = ? "
                     "WHERE workspace_id = ? AND user_id = ?", off,
                     None if numbers is None else msgspec.json.encode(numbers).decode(), int(masked),
                     workspace_id, user_id)
    await tx.audit("member.limits_changed", "user", user_id, workspace_id=workspace_id, before=before, after=after)


async def suspend(tx: Transaction, workspace_id: str, user_id: str) -> None:
    """No way in until they are let back; their keys rest as well. Raises NotFound, Forbidden, Conflict."""
    actor = await authority(tx, workspace_id, _EDIT)
    target = await _within_reach(tx, workspace_id, user_id, actor)
    if target.state == "suspended":
        return
    await _keep_an_owner(tx, workspace_id, target)
    await tx.execute("UPDATE membership SET state = 'suspended' WHERE workspace_id = ? AND user_id = ?",
                     workspace_id, user_id)
    await tx.execute("DELETE FROM ownership_offer WHERE workspace_id = ?1 AND ?2 IN (from_user_id, to_user_id)",
                     workspace_id, user_id)
    await tx.audit("member.suspended", "user", user_id, workspace_id=workspace_id)


async def resume(tx: Transaction, workspace_id: str, user_id: str) -> None:
    """Let somebody back in who was suspended. Raises NotFound, Forbidden."""
    actor = await authority(tx, workspace_id, _EDIT)
    target = await _within_reach(tx, workspace_id, user_id, actor)
    if target.state == "active":
        return
    grants = effective(target.role, target.role_grants, modules_off=target.modules_off, masked=target.masked)
    _may_give(actor, target.role, grants, target.channels)
    await tx.execute("UPDATE membership SET state = 'active' WHERE workspace_id = ? AND user_id = ?",
                     workspace_id, user_id)
    await tx.audit("member.resumed", "user", user_id, workspace_id=workspace_id)


async def remove(tx: Transaction, workspace_id: str, user_id: str) -> None:
    """Out of the workspace, at once and with everything that hangs on the membership. Their account stays.

    Raises NotFound, Forbidden, Conflict."""
    actor = await authority(tx, workspace_id, _EDIT)
    target = await _within_reach(tx, workspace_id, user_id, actor, unconfirmed=True)
    await _keep_an_owner(tx, workspace_id, target)
    await tx.execute("DELETE FROM team_member WHERE user_id = ? AND team_id IN (SELECT id FROM team "
                     "WHERE workspace_id = ?)", user_id, workspace_id)
    # Dead already without the membership; revoked, so that they stay dead when the person comes back.
    keys = await tx.execute("UPDATE api_key SET revoked_at = ? WHERE workspace_id = ? AND made_by = ? "
                            "AND revoked_at IS NULL", tx.now, workspace_id, user_id)
    invitations = await tx.execute("UPDATE invitation SET revoked_at = ? WHERE workspace_id = ? AND made_by = ? "
                                   "AND accepted_at IS NULL AND revoked_at IS NULL", tx.now, workspace_id, user_id)
    await tx.execute("DELETE FROM ownership_offer WHERE workspace_id = ?1 AND ?2 IN (from_user_id, to_user_id)",
                     workspace_id, user_id)
    await tx.execute("DELETE FROM membership WHERE workspace_id = ? AND user_id = ?", workspace_id, user_id)
    await tx.audit("member.removed", "user", user_id, workspace_id=workspace_id, role=target.role,
                   keys_revoked=keys, invitations_revoked=invitations)


async def confirm(tx: Transaction, workspace_id: str, user_id: str) -> None:
    """An owner says that somebody who was invited as one, and accepted, shall be one. Raises NotFound, Forbidden."""
    await authority(tx, workspace_id, Permission.WORKSPACE_TRANSFER)
    changed = await tx.execute("UPDATE membership SET state = 'active' WHERE workspace_id = ? AND user_id = ? "
                               "AND state = 'unconfirmed'", workspace_id, user_id)
    if not changed:
        raise NotFound("Nobody waits for a confirmation here.")
    await tx.audit("member.confirmed", "user", user_id, workspace_id=workspace_id)


async def _within_reach(tx: Transaction, workspace_id: str, user_id: str, actor: Actor, *,
                        unconfirmed: bool = False) -> MemberDetails:
    """The member, when the actor hears of them and may act on them. Raises NotFound, Forbidden, Conflict."""
    target = await member_queries.member(tx, workspace_id, user_id)
    if target is None or (target.state == "unconfirmed" and not actor.may(Permission.WORKSPACE_TRANSFER)):
        raise NotFound("There is no such member.")
    if actor.grant(_EDIT).reach < Reach.ALL and not actor.teams & set(target.teams):
        raise NotFound("There is no such member.")
    grants = effective(target.role, target.role_grants, modules_off=target.modules_off, masked=target.masked)
    if not may_touch(actor, _EDIT, target.role, grants):
        raise Forbidden("This member stands above you, or level with you: somebody higher has to do this.")
    if target.state == "unconfirmed" and not unconfirmed:
        raise Conflict("This member waits to be confirmed as an owner: confirm them first, or remove them.")
    return target


def _may_give(actor: Actor, role: str, grants: Grants, channels: Collection[str] | None) -> None:
    if not may_give(actor, _EDIT, role, grants):
        raise Forbidden("You can give no more than you hold yourself, and only roles below your own.")
    if actor.channels is not None and (channels is None or not set(channels) <= actor.channels):
        raise Forbidden("You can allow only numbers that you may use yourself.")


async def _keep_an_owner(tx: Transaction, workspace_id: str, target: MemberDetails) -> None:
    """Nobody else writes now, so what is counted here holds; a trigger stands behind it. Raises Conflict."""
    if target.role != Role.OWNER or target.state != "active":
        return
    others = await tx.value("SELECT count(*) FROM membership WHERE workspace_id = ? AND user_id <> ? "
                            "AND role = 'owner' AND state = 'active'", workspace_id, target.id)
    if not others:
        raise Conflict("This is the last owner of the workspace. Make somebody else an owner first.")
