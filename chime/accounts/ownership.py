"""Handing a workspace over: an owner offers, the other confirms, each with a fresh proof. `tx` is control's.

Nothing changes before the other confirmed, and then only while who offered is still an owner.
"""

from __future__ import annotations

from chime.accounts import member_queries
from chime.accounts.authority import authority, member_actor
from chime.clock import HOUR
from chime.errors import Conflict, Invalid, NotFound
from chime.security.permissions import Permission, Role
from chime.workspaces import Transaction

LIFETIME = 72 * HOUR


async def offer(tx: Transaction, workspace_id: str, user_id: str, *, keeps_ownership: bool) -> None:
    """Ask a member to own the workspace, beside the one who asks or instead of them; a newer offer replaces an older.

    Raises Forbidden, Invalid."""
    actor = await authority(tx, workspace_id, Permission.WORKSPACE_TRANSFER)
    target = await member_queries.member(tx, workspace_id, user_id)
    if target is None or target.state != "active" or target.is_disabled:
        raise Invalid.field("user_id", "Choose an active member.")
    if target.role == Role.OWNER:
        raise Invalid.field("user_id", "This member is an owner already.")
    await tx.execute(
        "INSERT INTO ownership_offer (workspace_id, from_user_id, to_user_id, keeps_ownership, created_at, expires_at) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (workspace_id) DO UPDATE SET from_user_id = excluded.from_user_id, "
        "to_user_id = excluded.to_user_id, keeps_ownership = excluded.keeps_ownership, "
        "created_at = excluded.created_at, expires_at = excluded.expires_at",
        workspace_id, actor.id, user_id, int(keeps_ownership), tx.now, tx.now + LIFETIME)
    await tx.audit("ownership.offered", "user", user_id, workspace_id=workspace_id, keeps_ownership=keeps_ownership)


async def withdraw(tx: Transaction, workspace_id: str) -> None:
    """An owner takes the offer back. Raises Forbidden, NotFound."""
    await authority(tx, workspace_id, Permission.WORKSPACE_TRANSFER)
    if not await tx.execute("DELETE FROM ownership_offer WHERE workspace_id = ?", workspace_id):
        raise NotFound("There is no open offer.")
    await tx.audit("ownership.withdrawn", "workspace", workspace_id, workspace_id=workspace_id)


async def decline(tx: Transaction, workspace_id: str) -> None:
    """Raises Forbidden, NotFound."""
    found = await _offered_to_me(tx, workspace_id)
    await tx.execute("DELETE FROM ownership_offer WHERE workspace_id = ?", workspace_id)
    await tx.audit("ownership.declined", "user", found.to_user_id, workspace_id=workspace_id)


async def accept(tx: Transaction, workspace_id: str) -> None:
    """The one who was asked becomes an owner, without any limits; who offered stays one, or is an admin from now on.

    Raises Forbidden, NotFound, Conflict."""
    found = await _offered_to_me(tx, workspace_id)
    giver = await member_actor(tx, workspace_id, found.from_user_id)
    if giver is None or giver.role != Role.OWNER:
        raise Conflict("Who offered this is not an owner any more.")
    before = await tx.value("SELECT role FROM membership WHERE workspace_id = ? AND user_id = ?",
                            workspace_id, found.to_user_id)
    # It is a person who says so: no group of the sign-in provider lowers or ends it.
    await tx.execute("UPDATE membership SET role = 'owner', modules_off = '', channels_json = NULL, masked = 0, "
                     "by_group = 0 WHERE workspace_id = ? AND user_id = ?", workspace_id, found.to_user_id)
    if not found.keeps_ownership:
        await tx.execute("UPDATE membership SET role = 'admin' WHERE workspace_id = ? AND user_id = ?",
                         workspace_id, found.from_user_id)
    await tx.execute("DELETE FROM ownership_offer WHERE workspace_id = ?", workspace_id)
    await tx.audit("ownership.accepted", "user", found.to_user_id, workspace_id=workspace_id,
                   from_user_id=found.from_user_id, keeps_ownership=found.keeps_ownership,
                   before={"role": before}, after={"role": "owner"})


async def _offered_to_me(tx: Transaction, workspace_id: str) -> member_queries.Offer:
    actor = await authority(tx, workspace_id, Permission.WORKSPACE_READ)
    found = await member_queries.offer(tx, workspace_id, tx.now)
    if found is None or actor.kind != "user" or found.to_user_id != actor.id:
        raise NotFound("Nobody offered you this workspace.")
    return found
