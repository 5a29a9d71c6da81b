"""Reading the people of a workspace, their teams, roles and invitations, for those who manage them."""

from __future__ import annotations

import msgspec

from chime.accounts.model import Policy
from chime.accounts.rights import custom_grants
from chime.db import Db
from chime.security.permissions import GRANTS, Actor, Grant, Permission, Reach, Role

MOST_SHOWN = 500
FIRST = ""


class MemberDetails(msgspec.Struct, frozen=True, kw_only=True):
    """A member as those see them who manage people. `teams` are ids; `channels` None for every number."""

    id: str
    name: str
    email: str
    role: str
    custom_name: str
    custom_grants: dict[str, Grant] | None
    state: str
    modules_off: str
    channels: tuple[str, ...] | None
    masked: bool
    teams: tuple[str, ...]
    has_second_factor: bool
    is_disabled: bool
    created_at: int
    seen_at: int | None

    @property
    def switched_off(self) -> tuple[str, ...]:
        return tuple(self.modules_off.split(",")) if self.modules_off else ()

    @property
    def role_grants(self) -> dict[Permission, Grant]:
        """What the role grants, switches not yet taken into account; nothing when the custom role is gone."""
        if self.role in set(Role):
            return built_in(Role(self.role))
        return custom_grants(self.custom_grants or {})


class Team(msgspec.Struct, frozen=True, kw_only=True):
    """A team with the ids of its members."""

    id: str
    name: str
    members: tuple[str, ...]
    created_at: int


class CustomRole(msgspec.Struct, frozen=True, kw_only=True):
    """A role of the workspace's own. `holders` counts members, `invited` open invitations."""

    id: str
    name: str
    grants: dict[str, Grant]
    holders: int
    invited: int
    created_at: int

    @property
    def known_grants(self) -> dict[Permission, Grant]:
        return custom_grants(self.grants)


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation that was neither accepted nor revoked; it may have expired."""

    id: str
    email: str
    role: str
    custom_name: str
    teams: tuple[str, ...]
    channels: tuple[str, ...] | None
    made_by: str | None
    maker_name: str
    created_at: int
    expires_at: int


_MEMBER = (
    "SELECT user.id, user.name, user.email, membership.role, coalesce(custom_role.name, '') AS custom_name, "
    "custom_role.grants_json AS custom_grants_json, membership.state, membership.modules_off, "
    "membership.channels_json, membership.masked, membership.created_at, "
    "(SELECT at FROM last_seen WHERE last_seen.workspace_id = membership.workspace_id "
    "AND last_seen.user_id = user.id) AS seen_at, "
    "user.disabled_at IS NOT NULL AS is_disabled, "
    "(SELECT json_group_array(team.id) FROM team_member JOIN team ON team.id = team_member.team_id "
    "WHERE team_member.user_id = user.id AND team.workspace_id = membership.workspace_id) AS teams_json, "
    "EXISTS (SELECT 1 FROM totp WHERE totp.user_id = user.id AND totp.confirmed_at IS NOT NULL) "
    "OR EXISTS (SELECT 1 FROM passkey WHERE passkey.user_id = user.id) AS has_second_factor "
    "FROM membership JOIN user ON user.id = membership.user_id "
    "LEFT JOIN custom_role ON custom_role.id = membership.role "
    "AND custom_role.workspace_id = membership.workspace_id WHERE membership.workspace_id = ?")


async def member(db: Db, workspace_id: str, user_id: str) -> MemberDetails | None:
    """Whatever the state; who may see an unconfirmed one is for the caller to ask."""
    return await db.one(MemberDetails, _MEMBER + " AND user.id = ?", workspace_id, user_id)


async def members(db: Db, workspace_id: str) -> list[MemberDetails]:
    """All of them, by name."""
    return await db.all(MemberDetails, _MEMBER + " ORDER BY user.name COLLATE NOCASE, user.id LIMIT ?",
                        workspace_id, MOST_SHOWN)


async def members_page(db: Db, workspace_id: str, *, after: str, limit: int) -> list[MemberDetails]:
    """A page of them, in the order in which their accounts were made."""
    return await db.all(MemberDetails, _MEMBER + " AND user.id > ? ORDER BY user.id LIMIT ?",
                        workspace_id, after, limit)


def may_see(actor: Actor, found: MemberDetails) -> bool:
    """Whether somebody hears of this member at all: an owner in waiting is known to owners only, and who sees
    their teams sees the people in them and themselves."""
    if found.state == "unconfirmed" and not actor.may(Permission.WORKSPACE_TRANSFER):
        return False
    reach = actor.grant(Permission.MEMBERS_READ).reach
    near = found.id == actor.id or bool(actor.teams & set(found.teams))
    return reach is Reach.ALL or (reach is Reach.TEAM and near)


async def teams(db: Db, workspace_id: str) -> list[Team]:
    """The teams by name, with whom of the active members they hold."""
    return await db.all(
        Team, "SELECT team.id, team.name, team.created_at, (SELECT json_group_array(team_member.user_id) "
        "FROM team_member JOIN membership ON membership.user_id = team_member.user_id "
        "AND membership.workspace_id = team.workspace_id AND membership.state <> 'unconfirmed' "
        "WHERE team_member.team_id = team.id) AS members_json FROM team WHERE team.workspace_id = ? "
        "ORDER BY team.name LIMIT 500", workspace_id)


async def team(db: Db, workspace_id: str, team_id: str) -> Team | None:
    return next((found for found in await teams(db, workspace_id) if found.id == team_id), None)


async def custom_roles(db: Db, workspace_id: str) -> list[CustomRole]:
    """The workspace's own roles, by name."""
    return await db.all(
        CustomRole, "SELECT custom_role.id, custom_role.name, custom_role.grants_json, custom_role.created_at, "
        "(SELECT count(*) FROM membership WHERE membership.role = custom_role.id "
        "AND membership.workspace_id = custom_role.workspace_id) AS holders, "
        "(SELECT count(*) FROM invitation WHERE invitation.role = custom_role.id "
        "AND invitation.workspace_id = custom_role.workspace_id AND invitation.accepted_at IS NULL "
        "AND invitation.revoked_at IS NULL) AS invited "
        "FROM custom_role WHERE custom_role.workspace_id = ? ORDER BY custom_role.name LIMIT 200", workspace_id)


async def custom_role(db: Db, workspace_id: str, role_id: str) -> CustomRole | None:
    return next((found for found in await custom_roles(db, workspace_id) if found.id == role_id), None)


_INVITATION = (
    "SELECT invitation.id, invitation.email, invitation.role, coalesce(custom_role.name, '') AS custom_name, "
    "invitation.teams_json, invitation.channels_json, invitation.made_by, coalesce(user.name, '') AS maker_name, "
    "invitation.created_at, invitation.expires_at FROM invitation LEFT JOIN user ON user.id = invitation.made_by "
    "LEFT JOIN custom_role ON custom_role.id = invitation.role AND custom_role.workspace_id = invitation.workspace_id "
    "WHERE invitation.workspace_id = ? AND invitation.accepted_at IS NULL AND invitation.revoked_at IS NULL")


async def invitations(db: Db, workspace_id: str, *, after: str = FIRST, limit: int = MOST_SHOWN) -> list[Invitation]:
    """Those that wait, in the order in which they were made."""
    return await db.all(Invitation, _INVITATION + " AND invitation.id > ? ORDER BY invitation.id LIMIT ?",
                        workspace_id, after, limit)


async def invitation(db: Db, workspace_id: str, invitation_id: str) -> Invitation | None:
    return await db.one(Invitation, _INVITATION + " AND invitation.id = ?", workspace_id, invitation_id)


def may_see_invitation(actor: Actor, found: Invitation) -> bool:
    """Who invites into their own teams sees their own invitations and those of their teams."""
    if found.role == Role.OWNER and not actor.may(Permission.WORKSPACE_TRANSFER):
        return False
    reach = actor.grant(Permission.MEMBERS_INVITE).reach
    return reach is Reach.ALL or (reach is Reach.TEAM and (found.made_by == actor.id
                                                           or bool(actor.teams & set(found.teams))))


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """An owner asks somebody to own the workspace."""

    from_user_id: str
    from_name: str
    to_user_id: str
    to_name: str
    keeps_ownership: bool
    expires_at: int


async def offer(db: Db, workspace_id: str, now: int) -> Offer | None:
    """The open offer of ownership, if there is one."""
    return await db.one(
        Offer, "SELECT offer.from_user_id, giver.name AS from_name, offer.to_user_id, taker.name AS to_name, "
        "offer.keeps_ownership, offer.expires_at FROM ownership_offer AS offer "
        "JOIN user AS giver ON giver.id = offer.from_user_id JOIN user AS taker ON taker.id = offer.to_user_id "
        "WHERE offer.workspace_id = ? AND offer.expires_at > ?", workspace_id, now)


class SavedPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The policy in force, and the one an owner last saved: what an admin may only tighten."""

    policy: Policy = Policy()
    owner_policy: Policy | None = None


async def saved_policy(db: Db, workspace_id: str) -> SavedPolicy:
    found = await db.one(SavedPolicy, "SELECT policy_json, owner_policy_json FROM workspace_policy "
                         "WHERE workspace_id = ?", workspace_id)
    return found or SavedPolicy()


class NumberName(msgspec.Struct, frozen=True, kw_only=True):
    """A WhatsApp number to choose from."""

    id: str
    display_phone: str
    verified_name: str


async def numbers(db: Db) -> list[NumberName]:
    """The workspace's numbers. `db` is the workspace's: channels are a feature above this one, and of them a choice
    wants nothing but names."""
    return await db.all(NumberName, "SELECT id, display_phone, verified_name FROM channel WHERE removed_at IS NULL "
                        "ORDER BY display_phone LIMIT 200")


def built_in(role: Role) -> dict[Permission, Grant]:
    return dict(GRANTS[role])
