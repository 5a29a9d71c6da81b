"""Making people, memberships, sessions and keys. `tx` is control's."""

from __future__ import annotations

import msgspec

from chime.accounts import queries
from chime.accounts.model import ABSOLUTE_LIMIT, NewKey, User, check_email, check_name
from chime.errors import Conflict, Invalid
from chime.ids import Ids
from chime.security.crypto import digest
from chime.security.permissions import GRANTS, OPERATES, Actor, Permission, Role, scopes
from chime.workspaces import Transaction


async def create_user(tx: Transaction, *, email: str, name: str, password_hash: str, is_operator: bool = False) -> str:
    """Raises Invalid, Conflict."""
    email, name = check_email(email), check_name(name)
    if await queries.user_by_email(tx, email) is not None:
        raise Conflict("There is a person with this e-mail address already.")
    user_id = tx.new_id()
    await tx.execute("INSERT INTO user (id, email, name, password_hash, is_operator, created_at) "
                     "VALUES (?, ?, ?, ?, ?, ?)", user_id, email, name, password_hash, int(is_operator), tx.now)
    await tx.audit("user.created", "user", user_id)
    return user_id


async def add_member(tx: Transaction, *, workspace_id: str, user_id: str, role: Role) -> None:
    await tx.execute("INSERT INTO membership (workspace_id, user_id, role, created_at) VALUES (?, ?, ?, ?)",
                     workspace_id, user_id, role.value, tx.now)
    await tx.audit("member.added", "workspace", workspace_id, user_id=user_id, role=role.value)


class NewSession(msgspec.Struct, frozen=True):
    """`secret` goes into the cookie and is known nowhere else."""

    id: str
    secret: str


async def sign_in(tx: Transaction, ids: Ids, *, user_id: str, address: str, agent: str, now: int) -> NewSession:
    """A new session for a person whose password was right. `now` is the machine's time, never a simulated one."""
    session = NewSession(tx.new_id(), ids.token())
    await tx.execute("INSERT INTO session (secret_hash, id, user_id, created_at, seen_at, expires_at, address, agent) "
                     "VALUES (?, ?, ?, ?, ?, ?, ?, ?)", digest(session.secret.encode()), session.id, user_id, now, now,
                     now + ABSOLUTE_LIMIT, address[:60], agent[:200])
    await tx.execute("DELETE FROM session WHERE expires_at < ?", now)
    await tx.audit("session.started", "user", user_id, session_id=session.id)
    return session


async def end_session(tx: Transaction, session_id: str) -> None:
    await tx.execute("DELETE FROM session WHERE id = ?", session_id)
    await tx.audit("session.ended", "session", session_id)


async def create_api_key(tx: Transaction, ids: Ids, *, workspace_id: str, name: str, scope_text: str) -> NewKey:
    """A key for a script; its text is told once. Raises Invalid."""
    name = check_name(name)
    try:
        granted = scopes(scope_text)
    except ValueError as error:
        raise Invalid.field("scopes", f"No such scope: {error}. Use `all`, or names with commas.") from error
    key = f"chime_{ids.token()}"
    key_id = tx.new_id()
    await tx.execute("INSERT INTO api_key (id, workspace_id, name, scopes, secret_hash, last_four, created_at) "
                     "VALUES (?, ?, ?, ?, ?, ?, ?)", key_id, workspace_id, name,
                     ",".join(sorted(scope.value for scope in granted)), digest(key.encode()), key[-4:], tx.now)
    await tx.audit("api_key.created", "api_key", key_id, workspace_id=workspace_id)
    return NewKey(key_id, key)


def actor_of_user(user: User, role: str | None) -> Actor:
    """A person with the rights of their role, and of an operator if they are one; without a role only what anybody
    signed in may."""
    granted = GRANTS[Role(role)] if role in set(Role) else frozenset({Permission.SESSION})
    if user.is_operator:
        granted |= OPERATES
    return Actor(kind="user", id=user.id, name=user.name, permissions=granted)
