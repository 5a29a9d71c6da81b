"""Inviting people, and accepting. `tx` is control's.

An invitation is bound to one address, one workspace, one role and its teams. Its token is 256 random bits of which
only a hash is stored, good for three days and for one acceptance, which is decided inside the accepting transaction;
there is one live invitation for an address. Whoever invited must still be allowed to at that moment: with their
membership, or their rights, their invitations end. Who is invited as an owner is nobody until an owner confirms.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from chime.accounts import member_queries
from chime.accounts.authority import (
    authority,
    check_channels,
    check_reach,
    check_teams,
    may_give,
    member_actor,
    role_grants,
)
from chime.accounts.model import User, check_email
from chime.clock import HOUR
from chime.db import Db
from chime.errors import Conflict, Forbidden, Invalid, NotFound
from chime.ids import Ids
from chime.security.crypto import digest
from chime.security.permissions import Actor, Permission, Role
from chime.workspaces import Transaction, quotas

LIFETIME = 72 * HOUR
MOST_OPEN = 100
_INVITE = Permission.MEMBERS_INVITE
_OVER = "This invitation is not valid any more. Ask for a new one."


class NewInvitation(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to invite as what. `channels` None for every number."""

    email: str
    role: str
    teams: tuple[str, ...] = ()
    channels: tuple[str, ...] | None = None


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation just made. `token` goes into the link and is known nowhere else."""

    id: str
    email: str
    token: str
    expires_at: int


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: `state` is `unconfirmed` for an owner in waiting."""

    workspace_id: str
    slug: str
    state: str


class Open(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation as its bearer sees it."""

    id: str
    workspace_id: str
    workspace_name: str
    slug: str
    email: str
    role: str
    custom_name: str
    teams: tuple[str, ...]
    channels: tuple[str, ...] | None
    made_by: str | None
    maker_name: str


async def invite(tx: Transaction, ids: Ids, workspace_id: str, new: NewInvitation) -> Made:
    """Raises Forbidden, Invalid, Conflict."""
    email = check_email(new.email)
    actor = await authority(tx, workspace_id, _INVITE)
    await _may_invite(tx, workspace_id, actor, new.role)
    check_reach(actor, _INVITE, teams=new.teams, channels=new.channels)
    await check_teams(tx, workspace_id, new.teams)
    await check_channels(tx, workspace_id, new.channels)
    if new.role == Role.OWNER and new.channels is not None:
        raise Invalid.field("channels", "An owner has no limits.")
    await _not_there_already(tx, workspace_id, email)
    await quotas.need_member(tx, workspace_id, tx.now)
    open_ones = await tx.value("SELECT count(*) FROM invitation WHERE workspace_id = ? AND accepted_at IS NULL "
                               "AND revoked_at IS NULL", workspace_id)
    if open_ones >= MOST_OPEN:
        raise Conflict("A workspace has at most 100 open invitations; revoke some.")
    made = Made(id=tx.new_id(), email=email, token=ids.token(32), expires_at=tx.now + LIFETIME)
    await tx.execute(
        "INSERT INTO invitation (id, workspace_id, email, role, teams_json, channels_json, token_hash, made_by, "
        "created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", made.id, workspace_id, email, new.role,
        _json(sorted(new.teams)), None if new.channels is None else _json(sorted(new.channels)),
        digest(made.token.encode()), await _maker(tx), tx.now, made.expires_at)
    await tx.audit("invitation.created", "invitation", made.id, workspace_id=workspace_id, role=new.role,
                   teams=sorted(new.teams))
    return made


async def invite_first_owner(tx: Transaction, ids: Ids, workspace_id: str, email: str) -> Made:
    """The first person of a workspace that was just made. It hangs on no membership, like one made at the shell: the
    operator who makes a workspace is no member of it. Raises Invalid, Conflict when it has an owner."""
    email = check_email(email)
    if await tx.value("SELECT 1 FROM membership WHERE workspace_id = ? AND role = 'owner'", workspace_id):
        raise Conflict("This workspace has an owner already, who can invite people.")
    await tx.execute("UPDATE invitation SET revoked_at = ? WHERE workspace_id = ? AND accepted_at IS NULL "
                     "AND revoked_at IS NULL", tx.now, workspace_id)
    made = Made(id=tx.new_id(), email=email, token=ids.token(32), expires_at=tx.now + LIFETIME)
    await tx.execute(
        "INSERT INTO invitation (id, workspace_id, email, role, teams_json, channels_json, token_hash, made_by, "
        "created_at, expires_at) VALUES (?, ?, ?, 'owner', '[]', NULL, ?, NULL, ?, ?)", made.id, workspace_id, email,
        digest(made.token.encode()), tx.now, made.expires_at)
    await tx.audit("invitation.created", "invitation", made.id, workspace_id=workspace_id, role=Role.OWNER.value,
                   teams=[])
    return made


async def resend(tx: Transaction, ids: Ids, workspace_id: str, invitation_id: str) -> Made:
    """A new token and three more days; the old link is dead. Whoever resends is now who invited.

    Raises Forbidden, NotFound."""
    actor = await authority(tx, workspace_id, _INVITE)
    found = await _within_reach(tx, workspace_id, invitation_id, actor)
    check_reach(actor, _INVITE, teams=found.teams, channels=found.channels)
    made = Made(id=found.id, email=found.email, token=ids.token(32), expires_at=tx.now + LIFETIME)
    await tx.execute("UPDATE invitation SET token_hash = ?, expires_at = ?, made_by = ? WHERE id = ?",
                     digest(made.token.encode()), made.expires_at, await _maker(tx), found.id)
    await tx.audit("invitation.resent", "invitation", found.id, workspace_id=workspace_id)
    return made


async def revoke(tx: Transaction, workspace_id: str, invitation_id: str) -> None:
    """Raises Forbidden, NotFound."""
    actor = await authority(tx, workspace_id, _INVITE)
    found = await _within_reach(tx, workspace_id, invitation_id, actor)
    await tx.execute("UPDATE invitation SET revoked_at = ? WHERE id = ?", tx.now, found.id)
    await tx.audit("invitation.revoked", "invitation", found.id, workspace_id=workspace_id)


async def opened(db: Db, now: int, token: str) -> Open:
    """The invitation of a link while it may be accepted; `accept` asks again where nobody else writes.

    Raises NotFound, with the same words whatever is wrong with it."""
    row = await db.one(
        Open, "SELECT invitation.id, invitation.workspace_id, workspace.name AS workspace_name, workspace.slug, "
        "invitation.email, invitation.role, coalesce(custom_role.name, '') AS custom_name, invitation.teams_json, "
        "invitation.channels_json, invitation.made_by, coalesce(user.name, '') AS maker_name FROM invitation "
        "JOIN workspace ON workspace.id = invitation.workspace_id AND workspace.state = 'active' "
        "LEFT JOIN custom_role ON custom_role.id = invitation.role "
        "AND custom_role.workspace_id = invitation.workspace_id LEFT JOIN user ON user.id = invitation.made_by "
        "WHERE invitation.token_hash = ? AND invitation.accepted_at IS NULL AND invitation.revoked_at IS NULL "
        "AND invitation.expires_at > ?", digest(token.encode()), now)
    if row is None or not await _still_meant(db, row):
        raise NotFound(_OVER)
    return row


async def accept(tx: Transaction, token: str, user: User) -> Accepted:
    """The person of the invited address becomes a member. Raises NotFound, Forbidden, Conflict."""
    found = await opened(tx, tx.now, token)
    if user.email.lower() != found.email.lower():
        raise Forbidden("This invitation is for another email address. Sign out, and accept it as that person.")
    if await tx.value("SELECT 1 FROM membership WHERE workspace_id = ? AND user_id = ?", found.workspace_id, user.id):
        raise Conflict("You are a member of this workspace already.")
    await quotas.need_member(tx, found.workspace_id, tx.now, invited=True)
    waits = found.role == Role.OWNER and await tx.value(
        "SELECT 1 FROM membership WHERE workspace_id = ? AND role = 'owner' AND state = 'active'", found.workspace_id)
    state = "unconfirmed" if waits else "active"
    await tx.execute("UPDATE invitation SET accepted_at = ?, accepted_by = ? WHERE id = ?", tx.now, user.id, found.id)
    await tx.execute(
        "INSERT INTO membership (workspace_id, user_id, role, created_at, state, channels_json) "
        "VALUES (?, ?, ?, ?, ?, ?)", found.workspace_id, user.id, found.role, tx.now, state,
        None if found.channels is None else _json(found.channels))
    await tx.execute("INSERT INTO team_member (team_id, user_id) SELECT team.id, ? FROM team WHERE workspace_id = ? "
                     "AND team.id IN (SELECT value FROM json_each(?))", user.id, found.workspace_id,
                     _json(found.teams))
    await tx.audit("invitation.accepted", "invitation", found.id, workspace_id=found.workspace_id, user_id=user.id,
                   role=found.role, state=state)
    return Accepted(workspace_id=found.workspace_id, slug=found.slug, state=state)


async def _still_meant(db: Db, found: Open) -> bool:
    """Whether who invited could invite so today. What was made at the shell stands."""
    if found.made_by is None:
        return True
    maker = await member_actor(db, found.workspace_id, found.made_by)
    if maker is None or not maker.may(_INVITE):
        return False
    try:
        await _may_invite(db, found.workspace_id, maker, found.role)
        check_reach(maker, _INVITE, teams=found.teams, channels=found.channels)
    except (Forbidden, Invalid):
        return False
    return True


async def _may_invite(db: Db, workspace_id: str, actor: Actor, role: str) -> None:
    if not may_give(actor, _INVITE, role, await role_grants(db, workspace_id, role)):
        raise Forbidden("You can give no more than you hold yourself, and only roles below your own.")


async def _within_reach(tx: Transaction, workspace_id: str, invitation_id: str,
                        actor: Actor) -> member_queries.Invitation:
    found = await member_queries.invitation(tx, workspace_id, invitation_id)
    if found is None or not member_queries.may_see_invitation(actor, found):
        raise NotFound("There is no such invitation.")
    await _may_invite(tx, workspace_id, actor, found.role)
    return found


async def _not_there_already(tx: Transaction, workspace_id: str, email: str) -> None:
    """Neither a member nor invited; an invitation that ran out makes room. Raises Conflict."""
    if await tx.value("SELECT 1 FROM membership JOIN user ON user.id = membership.user_id "
                      "WHERE membership.workspace_id = ? AND user.email = ?", workspace_id, email):
        raise Conflict("There is a member with this email address already.")
    await tx.execute("UPDATE invitation SET revoked_at = ? WHERE workspace_id = ? AND email = ? "
                     "AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at <= ?",
                     tx.now, workspace_id, email, tx.now)
    if await tx.value("SELECT 1 FROM invitation WHERE workspace_id = ? AND email = ? AND accepted_at IS NULL "
                      "AND revoked_at IS NULL", workspace_id, email):
        raise Conflict("There is an open invitation for this address: send it again, or revoke it first.")


async def _maker(tx: Transaction) -> str | None:
    """Whose membership the invitation hangs on: the person's, or that of who made the key."""
    if tx.actor.kind == "user":
        return tx.actor.id
    if tx.actor.kind == "api_key":
        found: str | None = await tx.value("SELECT made_by FROM api_key WHERE id = ?", tx.actor.id)
        return found
    return None


def _json(values: Collection[str]) -> str:
    return msgspec.json.encode(list(values)).decode()
