"""A person's second factors: authenticator app, recovery codes, and what happens when all of them are lost.

Promises: a code of the app is accepted once, however many requests carry it at the same moment; so is a recovery code;
an app counts only after it gave a right code; factors that are taken away end the other sessions. `tx` is control's.
"""

from __future__ import annotations

import msgspec

from chime.accounts import member_queries
from chime.accounts.authority import effective, may_touch, member_actor
from chime.accounts.sessions import end_sessions_of
from chime.clock import DAY
from chime.db import Db
from chime.errors import Conflict, Invalid
from chime.ids import Ids
from chime.security.permissions import Permission
from chime.security.second_factor import accepted_step, new_secret, secret_bytes
from chime.security.vault import Vault
from chime.workspaces import Transaction

RESET_DELAY = DAY


class Factors(msgspec.Struct, frozen=True, kw_only=True):
    """What a person could show besides a password."""

    app_since: int | None
    passkeys: int
    recovery_left: int

    @property
    def any(self) -> bool:
        return self.app_since is not None or self.passkeys > 0


class _App(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    secret_sealed: bytes
    last_step: int


async def factors_of(db: Db, user_id: str) -> Factors:
    found = await db.one(
        Factors, "SELECT (SELECT confirmed_at FROM totp WHERE user_id = ?1 AND confirmed_at IS NOT NULL) AS app_since, "
        "(SELECT count(*) FROM passkey WHERE user_id = ?1) AS passkeys, "
        "(SELECT count(*) FROM recovery_code WHERE user_id = ?1 AND used_at IS NULL) AS recovery_left", user_id)
    return found or Factors(app_since=None, passkeys=0, recovery_left=0)


async def begin_app(tx: Transaction, ids: Ids, vault: Vault, user_id: str) -> None:
    """A secret for a new app, unconfirmed; an earlier unconfirmed one is forgotten."""
    app_id = tx.new_id()
    await tx.execute("DELETE FROM totp WHERE user_id = ? AND confirmed_at IS NULL", user_id)
    sealed = vault.seal(new_secret(ids), table="totp", row=app_id, column="secret")
    await tx.execute("INSERT INTO totp (id, user_id, secret_sealed, created_at) VALUES (?, ?, ?, ?)",
                     app_id, user_id, sealed, tx.now)
    await tx.audit("authenticator.begun", "user", user_id)


async def waiting_secret(db: Db, vault: Vault, user_id: str) -> str | None:
    """The secret of the app that waits for its first code."""
    app = await _app(db, user_id, confirmed=False)
    return _secret(vault, app) if app else None


async def confirm_app(tx: Transaction, vault: Vault, user_id: str, code: str, now: int) -> None:
    """The first code of a new app: from here on it counts, and an earlier app does not. Raises Invalid, Conflict."""
    app = await _app(tx, user_id, confirmed=False)
    if app is None:
        raise Conflict("This was finished or given up in another window. Begin again.")
    step = accepted_step(secret_bytes(_secret(vault, app)), code, now, 0)
    if step is None:
        raise Invalid.field("code", "This is not the code the app shows now. Is the phone's clock right?")
    await tx.execute("DELETE FROM totp WHERE user_id = ? AND id <> ?", user_id, app.id)
    await tx.execute("UPDATE totp SET confirmed_at = ?, last_step = ? WHERE id = ?", now, step, app.id)
    await tx.audit("authenticator.added", "user", user_id)


async def use_code(tx: Transaction, vault: Vault, user_id: str, code: str, now: int) -> bool:
    """Whether it is a right code of the person's app, not used before. The comparison of the step is in the statement,
    so of many requests with one code one wins."""
    app = await _app(tx, user_id, confirmed=True)
    step = accepted_step(secret_bytes(_secret(vault, app)), code, now, app.last_step) if app else None
    if app is None or step is None:
        return False
    return bool(await tx.execute("UPDATE totp SET last_step = ? WHERE id = ? AND last_step < ?", step, app.id, step))


async def remove_app(tx: Transaction, user_id: str) -> None:
    await tx.execute("DELETE FROM totp WHERE user_id = ?", user_id)
    await tx.audit("authenticator.removed", "user", user_id)


async def recovery_salt(db: Db, user_id: str) -> bytes | None:
    """What the codes of the person's set are hashed with; None without a set."""
    found: bytes | None = await db.value("SELECT salt FROM recovery_code WHERE user_id = ? LIMIT 1", user_id)
    return found


async def store_recovery_codes(tx: Transaction, user_id: str, hashes: list[bytes], salt: bytes) -> None:
    """A new set; the one before is void."""
    await tx.execute("DELETE FROM recovery_code WHERE user_id = ?", user_id)
    for hashed in hashes:
        await tx.execute("INSERT INTO recovery_code (user_id, hash, salt, created_at) VALUES (?, ?, ?, ?)",
                         user_id, hashed, salt, tx.now)
    await tx.audit("recovery_codes.made", "user", user_id, count=len(hashes))


async def use_recovery_code(tx: Transaction, user_id: str, hashed: bytes, now: int) -> bool:
    """Whether it is one of the person's codes, not used before."""
    return bool(await tx.execute("UPDATE recovery_code SET used_at = ? WHERE user_id = ? AND hash = ? "
                                 "AND used_at IS NULL", now, user_id, hashed))


async def forget_recovery_codes(tx: Transaction, user_id: str) -> None:
    """Nothing is left that they could stand in for."""
    await tx.execute("DELETE FROM recovery_code WHERE user_id = ?", user_id)


async def take_all_away(tx: Transaction, user_id: str) -> list[str]:
    """Every factor of somebody who lost them; the sessions that ended with it."""
    for statement in ("DELETE FROM totp WHERE user_id = ?", "DELETE FROM passkey WHERE user_id = ?",
                      "DELETE FROM recovery_code WHERE user_id = ?", "DELETE FROM factor_reset WHERE user_id = ?"):
        await tx.execute(statement, user_id)
    await tx.audit("second_factor.taken", "user", user_id)
    return await end_sessions_of(tx, user_id)


class FactorReset(msgspec.Struct, frozen=True, kw_only=True):
    user_id: str
    started_by: str
    started_at: int
    due_at: int


async def reset_of(db: Db, user_id: str) -> FactorReset | None:
    return await db.one(FactorReset, "SELECT user_id, started_by, started_at, due_at FROM factor_reset "
                        "WHERE user_id = ?", user_id)


async def due_resets(db: Db, now: int) -> list[FactorReset]:
    return await db.all(FactorReset, "SELECT user_id, started_by, started_at, due_at FROM factor_reset "
                        "WHERE due_at <= ?", now)


async def is_of_one_workspace(db: Db, user_id: str) -> bool:
    """Whether the account reaches no further than one workspace: then it is that workspace's to help with."""
    return bool(await db.value("SELECT NOT is_operator AND (SELECT count(*) FROM membership "
                               "WHERE membership.user_id = user.id) = 1 FROM user WHERE id = ?", user_id))


async def still_stands(tx: Transaction, reset: FactorReset) -> bool:
    """Whether it could be begun today: the account reaches no further than it did, and who began it may still change
    its member there."""
    if not await is_of_one_workspace(tx, reset.user_id):
        return False
    workspace_id = await tx.value("SELECT workspace_id FROM membership WHERE user_id = ?", reset.user_id)
    starter = await member_actor(tx, workspace_id, reset.started_by)
    target = await member_queries.member(tx, workspace_id, reset.user_id)
    if starter is None or target is None or not starter.may(Permission.MEMBERS_EDIT):
        return False
    grants = effective(target.role, target.role_grants, modules_off=target.modules_off, masked=target.masked)
    return may_touch(starter, Permission.MEMBERS_EDIT, target.role, grants)


async def begin_reset(tx: Transaction, user_id: str, *, started_by: str, now: int) -> int:
    """When the factors of somebody who lost them all will go. Raises Conflict when that is under way."""
    if await reset_of(tx, user_id) is not None:
        raise Conflict("This is under way already.")
    await tx.execute("INSERT INTO factor_reset (user_id, started_by, started_at, due_at) VALUES (?, ?, ?, ?)",
                     user_id, started_by, now, now + RESET_DELAY)
    await tx.audit("second_factor.reset_begun", "user", user_id, due_at=now + RESET_DELAY)
    return now + RESET_DELAY


async def cancel_reset(tx: Transaction, user_id: str) -> None:
    await tx.execute("DELETE FROM factor_reset WHERE user_id = ?", user_id)
    await tx.audit("second_factor.reset_cancelled", "user", user_id)


async def _app(db: Db, user_id: str, *, confirmed: bool) -> _App | None:
    return await db.one(_App, "SELECT id, secret_sealed, last_step FROM totp WHERE user_id = ? "
                        "AND (confirmed_at IS NOT NULL) = ?", user_id, confirmed)


def _secret(vault: Vault, app: _App) -> str:
    return vault.open(app.secret_sealed, table="totp", row=app.id, column="secret").reveal()
