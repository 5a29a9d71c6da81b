"""Reading people and keys from control.db."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from chime.accounts.model import Member, Membership, Policy, User
from chime.checked import words
from chime.db import Db
from chime.workspaces import WorkspaceRecord

RESTORING = words("It is being restored; try again in a minute.")
_USER = "SELECT id, email, name, password_hash, locale, time_zone, disabled_at, is_operator FROM user"


async def user_by_email(db: Db, email: str) -> User | None:
    return await db.one(User, f"{_USER} WHERE email = ?", email.strip())


async def user(db: Db, user_id: str) -> User | None:
    return await db.one(User, f"{_USER} WHERE id = ?", user_id)


async def members(db: Db, workspace_id: str) -> list[Member]:
    """The people of a workspace, by name."""
    return await db.all(Member, "SELECT user.id, user.name, membership.role FROM membership JOIN user "
                        "ON user.id = membership.user_id WHERE membership.workspace_id = ? "
                        "AND membership.state = 'active' AND user.disabled_at IS NULL "
                        "ORDER BY user.name LIMIT 1000", workspace_id)


async def active_ids(db: Db, workspace_id: str) -> frozenset[str]:
    """The ids of all who may come in."""
    rows = await db.rows("SELECT user.id FROM membership JOIN user ON user.id = membership.user_id "
                         "WHERE membership.workspace_id = ? AND membership.state = 'active' "
                         "AND user.disabled_at IS NULL", workspace_id)
    return frozenset(row[0] for row in rows)


async def member_ids(db: Db, workspace_id: str) -> frozenset[str]:
    """The ids of all who belong to a workspace, suspended ones among them."""
    rows = await db.rows("SELECT user_id FROM membership WHERE workspace_id = ?", workspace_id)
    return frozenset(row[0] for row in rows)


async def strangers_among(db: Db, pairs: Collection[tuple[str, str]], now: int) -> list[tuple[str, str]]:
    """Of pairs of workspace and person, those who are neither active members there nor support that was let in."""
    rows = await db.rows(
        "SELECT pair.value ->> 0, pair.value ->> 1 FROM json_each(?1) AS pair WHERE NOT EXISTS (SELECT 1 "
        "FROM membership JOIN user ON user.id = membership.user_id WHERE membership.workspace_id = pair.value ->> 0 "
        "AND membership.user_id = pair.value ->> 1 AND membership.state = 'active' AND user.disabled_at IS NULL) "
        "AND NOT EXISTS (SELECT 1 FROM support_open WHERE support_open.workspace_id = pair.value ->> 0 "
        "AND support_open.operator_id = pair.value ->> 1 AND ends_at > ?2)",
        msgspec.json.encode(sorted(pairs)).decode(), now)
    return [(row[0], row[1]) for row in rows]


async def standings(db: Db, pairs: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """What each of these members may comes from, in one word: another word is another right."""
    rows = await db.rows(
        "SELECT membership.workspace_id, membership.user_id, json_array(membership.role, modules_off, channels_json, "
        "masked, custom_role.grants_json, workspace_policy.policy_json, (SELECT group_concat(team.id) FROM team_member "
        "JOIN team ON team.id = team_member.team_id WHERE team_member.user_id = membership.user_id "
        "AND team.workspace_id = membership.workspace_id)) FROM json_each(?) AS pair "
        "JOIN membership ON membership.workspace_id = pair.value ->> 0 AND membership.user_id = pair.value ->> 1 "
        "LEFT JOIN custom_role ON custom_role.id = membership.role "
        "LEFT JOIN workspace_policy ON workspace_policy.workspace_id = membership.workspace_id",
        msgspec.json.encode(sorted(pairs)).decode())
    return {(row[0], row[1]): row[2] for row in rows}


async def team_ids(db: Db, workspace_id: str) -> frozenset[str]:
    rows = await db.rows("SELECT id FROM team WHERE workspace_id = ?", workspace_id)
    return frozenset(row[0] for row in rows)


async def team_names(db: Db, workspace_id: str) -> dict[str, str]:
    """The teams of a workspace by id, in the order of their names."""
    rows = await db.rows("SELECT id, name FROM team WHERE workspace_id = ? ORDER BY name LIMIT 500", workspace_id)
    return {row[0]: row[1] for row in rows}


async def workspaces_of(db: Db, user_id: str) -> list[WorkspaceRecord]:
    """The workspaces a person may open."""
    return await db.all(
        WorkspaceRecord, "SELECT workspace.id, workspace.slug, workspace.name, workspace.state, workspace.time_zone, "
        "workspace.created_at FROM membership JOIN workspace ON workspace.id = membership.workspace_id "
        "WHERE membership.user_id = ? AND membership.state = 'active' AND workspace.state = 'active' "
        "ORDER BY workspace.name LIMIT 500", user_id)


async def workspace_of(db: Db, user_id: str, slug: str) -> WorkspaceRecord | None:
    """The workspace of this address, if the person is an active member of it."""
    return await db.one(
        WorkspaceRecord, "SELECT workspace.id, workspace.slug, workspace.name, workspace.state, workspace.time_zone, "
        "workspace.created_at FROM workspace JOIN membership ON membership.workspace_id = workspace.id "
        "WHERE workspace.slug = ? AND membership.user_id = ? AND membership.state = 'active' "
        "AND workspace.state = 'active'", slug, user_id)


async def suspension(db: Db, user_id: str, slug: str) -> str | None:
    """Why the workspace of this address is suspended, if it is and the person is a member of it; or that it goes back
    to an earlier moment, for as long as that takes."""
    found: str | None = await db.value(
        "SELECT iif(workspace.state = 'restoring', ?, workspace.suspension_reason) FROM workspace "
        "JOIN membership ON membership.workspace_id = workspace.id "
        "WHERE workspace.slug = ? AND workspace.state IN ('suspended', 'restoring') AND membership.user_id = ? "
        "AND membership.state = 'active'", RESTORING, slug, user_id)
    return found


async def suspended_slugs(db: Db, user_id: str) -> list[str]:
    """The addresses of the suspended workspaces somebody is a member of."""
    rows = await db.rows(
        "SELECT workspace.slug FROM workspace JOIN membership ON membership.workspace_id = workspace.id "
        "WHERE workspace.state = 'suspended' AND membership.user_id = ? AND membership.state = 'active' "
        "ORDER BY workspace.name", user_id)
    return [row[0] for row in rows]


async def copy_of(db: Db, user_id: str, slug: str) -> WorkspaceRecord | None:
    """The restored copy of this address, if the person owns the workspace that it is a copy of."""
    return await db.one(
        WorkspaceRecord, "SELECT workspace.id, workspace.slug, workspace.name, workspace.state, workspace.time_zone, "
        "workspace.created_at, workspace.copied_from, workspace.as_of FROM workspace "
        "JOIN membership ON membership.workspace_id = workspace.copied_from "
        "WHERE workspace.slug = ? AND membership.user_id = ? AND membership.state = 'active' "
        "AND membership.role = 'owner' AND workspace.state = 'muted'", slug, user_id)


async def membership(db: Db, workspace_id: str, user_id: str) -> Membership | None:
    """What the person may do there, read in this very request; None unless they are an active member."""
    return await db.one(
        Membership, "SELECT membership.role, membership.modules_off, membership.channels_json, membership.masked, "
        "(SELECT at FROM last_seen WHERE last_seen.workspace_id = membership.workspace_id "
        "AND last_seen.user_id = membership.user_id) AS seen_at, "
        "custom_role.grants_json AS custom_grants_json, workspace_policy.policy_json "
        "FROM membership LEFT JOIN custom_role ON custom_role.id = membership.role "
        "AND custom_role.workspace_id = membership.workspace_id "
        "LEFT JOIN workspace_policy ON workspace_policy.workspace_id = membership.workspace_id "
        "WHERE membership.workspace_id = ? AND membership.user_id = ? AND membership.state = 'active'",
        workspace_id, user_id)


async def policy(db: Db, workspace_id: str) -> Policy:
    """What was decided about a workspace's security; the defaults where nobody did."""
    found = await db.one(_Stored, "SELECT policy_json FROM workspace_policy WHERE workspace_id = ?", workspace_id)
    return found.policy if found else Policy()


class _Stored(msgspec.Struct, frozen=True):
    policy: Policy


async def allowed_addresses(db: Db, workspace_id: str) -> tuple[str, ...]:
    """The networks from which a workspace may be opened; none for any."""
    rows = await db.rows("SELECT value FROM workspace_policy, json_each(policy_json, '$.addresses') "
                         "WHERE workspace_id = ?", workspace_id)
    return tuple(row[0] for row in rows)


async def teams_of(db: Db, workspace_id: str, user_id: str) -> frozenset[str]:
    """The ids of the teams a person belongs to."""
    rows = await db.rows("SELECT team.id FROM team_member JOIN team ON team.id = team_member.team_id "
                         "WHERE team_member.user_id = ? AND team.workspace_id = ?", user_id, workspace_id)
    return frozenset(row[0] for row in rows)
