"""Everybody of a workspace with the rights they have now: asked where one of them is to be chosen.

The same as `member_actor` for each of them, in one statement.
"""

from __future__ import annotations

import msgspec

from chime.accounts.model import Membership, User
from chime.accounts.rights import actor_of
from chime.db import Db
from chime.security.permissions import Actor

MOST = 1_000


class _Row(Membership, frozen=True, kw_only=True):
    id: str
    name: str
    teams: tuple[str, ...]


async def member_actors(db: Db, workspace_id: str) -> list[Actor]:
    """The active members, by name. `db` is control.db."""
    rows = await db.all(
        _Row, "SELECT user.id, user.name, membership.role, membership.modules_off, membership.channels_json, "
        "membership.masked, custom_role.grants_json AS custom_grants_json, workspace_policy.policy_json, "
        "(SELECT json_group_array(team.id) FROM team_member JOIN team ON team.id = team_member.team_id "
        "WHERE team_member.user_id = user.id AND team.workspace_id = membership.workspace_id) AS teams_json "
        "FROM membership JOIN user ON user.id = membership.user_id "
        "LEFT JOIN custom_role ON custom_role.id = membership.role "
        "AND custom_role.workspace_id = membership.workspace_id "
        "LEFT JOIN workspace_policy ON workspace_policy.workspace_id = membership.workspace_id "
        "WHERE membership.workspace_id = ? AND membership.state = 'active' AND user.disabled_at IS NULL "
        "ORDER BY user.name COLLATE NOCASE, user.id LIMIT ?", workspace_id, MOST)
    return [_actor(row) for row in rows]


def _actor(row: _Row) -> Actor:
    user = User(id=row.id, email="", name=row.name, password_hash="", locale="", time_zone="", disabled_at=None)
    return actor_of(user, msgspec.convert(msgspec.structs.asdict(row), Membership), teams=frozenset(row.teams))
