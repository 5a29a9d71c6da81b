"""Reading people and keys from control.db."""

from __future__ import annotations

from chime.accounts.model import Member, User
from chime.db import Db
from chime.workspaces import WorkspaceRecord

_USER = "SELECT id, email, name, password_hash, locale, time_zone, disabled_at, is_operator FROM user"


async def user_by_email(db: Db, email: str) -> User | None:
    return await db.one(User, f"{_USER} WHERE email = ?", email.strip())


async def user(db: Db, user_id: str) -> User | None:
    return await db.one(User, f"{_USER} WHERE id = ?", user_id)


async def members(db: Db, workspace_id: str) -> list[Member]:
    """The people of a workspace, by name."""
    return await db.all(Member, "SELECT user.id, user.name, membership.role FROM membership JOIN user "
                        "ON user.id = membership.user_id WHERE membership.workspace_id = ? "
                        "AND user.disabled_at IS NULL ORDER BY user.name LIMIT 1000", workspace_id)


async def workspaces_of(db: Db, user_id: str) -> list[WorkspaceRecord]:
    """The workspaces a person may open."""
    return await db.all(
        WorkspaceRecord, "SELECT workspace.id, workspace.slug, workspace.name, workspace.state, workspace.time_zone, "
        "workspace.created_at FROM membership JOIN workspace ON workspace.id = membership.workspace_id "
        "WHERE membership.user_id = ? AND workspace.state = 'active' ORDER BY workspace.name LIMIT 500", user_id)


async def role(db: Db, workspace_id: str, user_id: str) -> str | None:
    found: str | None = await db.value("SELECT role FROM membership WHERE workspace_id = ? AND user_id = ?",
                                       workspace_id, user_id)
    return found
