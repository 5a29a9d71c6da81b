"""A person's password: changing it, and the way back in for who forgot it. `tx` is control's.

A reset link is random, stored as its hash, good for half an hour and once. It sets a password and nothing else: who has
a second factor is asked for it at the next sign-in all the same.
"""

from __future__ import annotations

from chime.accounts import queries
from chime.accounts.model import User
from chime.accounts.sessions import end_sessions_of
from chime.clock import MINUTE
from chime.db import Db
from chime.errors import NotFound
from chime.ids import Ids
from chime.security.crypto import digest
from chime.workspaces import Transaction

RESET_LASTS = 30 * MINUTE
RESET_PAUSE = 5 * MINUTE


async def context_of(db: Db, user: User, host: str) -> tuple[str, ...]:
    """What somebody who guesses would know of the person; a password may not be made of it."""
    return (user.name, user.email, host, *(workspace.name for workspace in await queries.workspaces_of(db, user.id)))


async def change_password(tx: Transaction, user_id: str, hashed: str, *, stands_alone: bool, now: int,
                          but: str = "") -> list[str]:
    """Store a new one and end the other sessions; their ids. Reset links that lie in some mailbox are void.
    `stands_alone`: it is long enough to be the only factor."""
    await tx.execute("UPDATE user SET password_hash = ?, password_changed_at = ?, password_stands_alone = ? "
                     "WHERE id = ?", hashed, now, int(stands_alone), user_id)
    await tx.execute("DELETE FROM password_reset WHERE user_id = ?", user_id)
    await tx.audit("password.changed", "user", user_id)
    return await end_sessions_of(tx, user_id, but=but)


async def rehash(tx: Transaction, user_id: str, before: str, hashed: str) -> None:
    """The same password with today's parameters, unless it was changed meanwhile."""
    await tx.execute("UPDATE user SET password_hash = ? WHERE id = ? AND password_hash = ?", hashed, user_id, before)
    await tx.audit("password.rehashed", "user", user_id)


async def begin_reset(tx: Transaction, ids: Ids, user_id: str, now: int) -> str:
    """The token of a new reset link. Earlier ones stay good, or a stranger could void each before it is read; using
    one voids all."""
    token = ids.token()
    await tx.execute("DELETE FROM password_reset WHERE expires_at <= ?", now)
    await tx.execute("INSERT INTO password_reset (token_hash, user_id, created_at, expires_at) VALUES (?, ?, ?, ?)",
                     digest(token.encode()), user_id, now, now + RESET_LASTS)
    await tx.audit("password.reset_begun", "user", user_id)
    return token


async def is_reset_fresh(tx: Transaction, user_id: str, now: int) -> bool:
    """Whether a link was mailed a moment ago, so that a second one would only fill the mailbox."""
    return bool(await tx.value("SELECT 1 FROM password_reset WHERE user_id = ? AND created_at > ?", user_id,
                               now - RESET_PAUSE))


async def stands_alone(db: Db, user_id: str) -> bool:
    return bool(await db.value("SELECT password_stands_alone FROM user WHERE id = ?", user_id))


async def user_of_reset(db: Db, token: str, now: int) -> User | None:
    """Whose link it is, while it is good."""
    user_id = await db.value("SELECT user_id FROM password_reset WHERE token_hash = ? AND expires_at > ?",
                             digest(token.encode()), now)
    found = await queries.user(db, user_id) if user_id else None
    return found if found is not None and found.disabled_at is None else None


async def use_reset(tx: Transaction, token: str, hashed: str, *, stands_alone: bool,
                    now: int) -> tuple[str, list[str]]:
    """The person and the sessions that ended. Raises NotFound when the link was used a moment ago."""
    user_id = await tx.value("SELECT user_id FROM password_reset WHERE token_hash = ? AND expires_at > ?",
                             digest(token.encode()), now)
    if user_id is None:
        raise NotFound("This link was used already, or it is too old. Ask for another.")
    return user_id, await change_password(tx, user_id, hashed, stands_alone=stands_alone, now=now)
