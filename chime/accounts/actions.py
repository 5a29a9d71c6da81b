"""Making people, memberships, sessions and keys. `tx` is control's."""

from __future__ import annotations

from chime.accounts import queries
from chime.accounts.model import check_email, check_name
from chime.errors import Conflict
from chime.security.permissions import Role
from chime.workspaces import Transaction


async def create_user(tx: Transaction, *, email: str, name: str, password_hash: str, is_operator: bool = False,
                      locale: str = "en") -> str:
    """Raises Invalid, Conflict."""
    email, name = check_email(email), check_name(name)
    if await queries.user_by_email(tx, email) is not None:
        raise Conflict("There is a person with this email address already.")
    user_id = tx.new_id()
    await tx.execute("INSERT INTO user (id, email, name, password_hash, is_operator, locale, created_at) "
                     "VALUES (?, ?, ?, ?, ?, ?, ?)", user_id, email, name, password_hash, int(is_operator), locale,
                     tx.now)
    await tx.audit("user.created", "user", user_id)
    return user_id


async def add_member(tx: Transaction, *, workspace_id: str, user_id: str, role: Role) -> None:
    await tx.execute("INSERT INTO membership (workspace_id, user_id, role, created_at) VALUES (?, ?, ?, ?)",
                     workspace_id, user_id, role.value, tx.now)
    await tx.audit("member.added", "workspace", workspace_id, user_id=user_id, role=role.value)
