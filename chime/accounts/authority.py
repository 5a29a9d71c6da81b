"""What one person may give to another, take from them and decide about them, asked where nobody else writes.

The guard asked before the handler ran; by the time a verb writes, the one who acts may have been demoted by somebody
who was faster. So every verb on people asks `authority` again inside its own transaction.

The rules. Nobody gives more than they hold: what a role grants, less what the member's switches take away, lies within
the giver's own grants; so do the teams and the numbers. Who may act only on roles below their own acts on no other; who
is not bound to that (an owner, a custom role an owner made) acts on people who hold no more than they do. A fresh proof
of identity is a question to a session and no extent of a right, so it is not compared.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from chime.accounts import queries
from chime.accounts.model import Membership
from chime.accounts.rights import actor_of, custom_grants, grants_of
from chime.db import Db
from chime.errors import Forbidden, Invalid
from chime.security.permissions import GRANTS, Actor, Grant, Grants, Permission, Reach, Role, within
from chime.workspaces import Transaction

# A person's own, and the operator's: no part of what a workspace's role gives.
_OWN = frozenset({Permission.SESSION, Permission.INSTALLATION})


async def authority(tx: Transaction, workspace_id: str, permission: Permission) -> Actor:
    """The one who acts, as they are at this very moment. Raises Forbidden."""
    actor = await _now(tx, workspace_id)
    if actor is None or not actor.may(permission):
        raise Forbidden.without(permission.value)
    return actor


async def _now(tx: Transaction, workspace_id: str) -> Actor | None:
    actor = tx.actor
    if actor.kind == "operator":
        return msgspec.structs.replace(actor, role=Role.OWNER.value, grants=GRANTS[Role.OWNER])
    if actor.kind == "user":
        return await member_actor(tx, workspace_id, actor.id or "")
    if actor.kind != "api_key":
        return None
    keys = await tx.rows("SELECT made_by FROM api_key WHERE id = ? AND workspace_id = ? AND revoked_at IS NULL",
                         actor.id, workspace_id)
    if not keys:
        return None
    if keys[0][0] is None:
        return actor
    maker = await member_actor(tx, workspace_id, keys[0][0])
    if maker is None:
        return None
    held = {scope: maker.grants[scope] for scope in actor.grants if scope in maker.grants}
    return msgspec.structs.replace(maker, kind="api_key", id=actor.id, name=actor.name, grants=held)


async def member_actor(db: Db, workspace_id: str, user_id: str) -> Actor | None:
    """A member with the rights they have now; None for somebody who is no active member."""
    user = await queries.user(db, user_id)
    membership = await queries.membership(db, workspace_id, user_id)
    if user is None or user.disabled_at is not None or membership is None:
        return None
    return actor_of(user, membership, teams=await queries.teams_of(db, workspace_id, user_id))


async def role_grants(db: Db, workspace_id: str, role: str) -> dict[Permission, Grant]:
    """What a role of this workspace grants. Raises Invalid naming `role`."""
    if role in set(Role):
        return dict(GRANTS[Role(role)])
    found = await db.one(_Stored, "SELECT grants_json FROM custom_role WHERE id = ? AND workspace_id = ?",
                         role, workspace_id)
    if found is None:
        raise Invalid.field("role", "There is no such role.")
    return custom_grants(found.grants)


class _Stored(msgspec.Struct, frozen=True):
    grants: dict[str, Grant]


def covers(actor: Actor, grants: Grants) -> bool:
    """Whether the actor holds all of this, at least as far."""
    held = {permission: msgspec.structs.replace(grant, step_up=False) for permission, grant in actor.grants.items()}
    return within({permission: grant for permission, grant in grants.items() if permission not in _OWN}, held)


def may_give(actor: Actor, permission: Permission, role: str, grants: Grants) -> bool:
    """Whether the actor, by this permission, may make somebody a `role` that comes down to these grants."""
    return (actor.outranks(role) or not actor.grant(permission).below) and covers(actor, grants)


def may_touch(actor: Actor, permission: Permission, role: str, grants: Grants) -> bool:
    """Whether the actor may change, suspend or remove somebody of this role who holds these grants."""
    return actor.outranks(role) or (not actor.grant(permission).below and covers(actor, grants))


def effective(role: str, grants: Grants, *, modules_off: str = "", masked: bool = False) -> dict[Permission, Grant]:
    """What a role comes down to for a member with these switches."""
    return grants_of(Membership(role=role, custom_grants=None if role in set(Role) else
                                {permission.value: grant for permission, grant in grants.items()},
                                modules_off=modules_off, channels=None, masked=masked, policy=None))


def check_reach(actor: Actor, permission: Permission, *, teams: Collection[str],
                channels: Collection[str] | None) -> None:
    """Teams and numbers lie within the giver's own. Raises Invalid naming `teams` or `channels`."""
    if actor.grant(permission).reach < Reach.ALL:
        if not set(teams) <= actor.teams:
            raise Invalid.field("teams", "You can add people only to teams of your own.")
        if actor.teams and not teams:
            raise Invalid.field("teams", "Choose one of your teams.")
    if actor.channels is not None and (channels is None or not set(channels) <= actor.channels):
        raise Invalid.field("channels", "You can allow only numbers that you may use yourself.")


async def check_teams(db: Db, workspace_id: str, teams: Collection[str]) -> None:
    """They are teams of this workspace. Raises Invalid naming `teams`."""
    known = {row[0] for row in await db.rows("SELECT id FROM team WHERE workspace_id = ?", workspace_id)}
    if not set(teams) <= known:
        raise Invalid.field("teams", "There is no such team.")


async def check_channels(db: Db, workspace_id: str, channels: Collection[str] | None,
                         kept: Collection[str] | None = None) -> None:
    """They are numbers of this workspace, or were on the list before. Raises Invalid naming `channels`."""
    known = {row[0] for row in await db.rows("SELECT channel_id FROM channel_route WHERE workspace_id = ?",
                                             workspace_id)}
    if channels is not None and not set(channels) <= known | set(kept or ()):
        raise Invalid.field("channels", "There is no such number.")
