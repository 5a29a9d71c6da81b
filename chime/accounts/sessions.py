"""Sessions of people: how long one lives, what it proved, and every way it ends.

A session is a row; the browser holds a secret of which the row keeps the hash. The secret is another one after signing
in, after a fresh proof and after a change of the password, so one that was planted or copied before is worth nothing
after. The row's id stays: it is no secret, and forms in other tabs go on working. `now` is the machine's time
throughout, never the product's, which a demo may move.
"""

from __future__ import annotations

import msgspec

from chime.accounts.identities import OFFER_LASTS
from chime.clock import HOUR, MINUTE
from chime.db import Db
from chime.ids import Ids
from chime.security.crypto import digest
from chime.workspaces import Transaction

# Without a click, and in any case. Owners, admins and operators can do most, so theirs are the shorter ones.
IDLE, ABSOLUTE = 8 * HOUR, 24 * HOUR
PRIVILEGED_IDLE, PRIVILEGED_ABSOLUTE = 30 * MINUTE, 12 * HOUR
MOST_SESSIONS = 10
SECOND_FACTORS = frozenset({"totp", "passkey", "recovery", "oidc_mfa"})


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A session with what decides whether it still lives.

    `privileged`: its person owns or administers a workspace, or operates the installation. `idle_minutes`: the
    strictest policy of their workspaces. `second_factor_needed`: one of those, or the operator's, asks for one.
    """

    id: str
    user_id: str
    created_at: int
    seen_at: int
    expires_at: int
    proved_at: int
    factors: str
    privileged: bool
    idle_minutes: int | None
    second_factor_needed: bool
    app_held: bool
    passkey_held: bool

    @property
    def ends_at(self) -> int:
        """When it ends unless there is a click before."""
        idle = PRIVILEGED_IDLE if self.privileged else IDLE
        if self.idle_minutes:
            idle = min(idle, self.idle_minutes * MINUTE)
        absolute = PRIVILEGED_ABSOLUTE if self.privileged else ABSOLUTE
        return min(self.expires_at, self.created_at + absolute, self.seen_at + idle)

    @property
    def second_factors(self) -> tuple[str, ...]:
        """What its person could show besides a password."""
        return ("totp",) * self.app_held + ("passkey",) * self.passkey_held

    @property
    def has_second_factor(self) -> bool:
        """Whether this session was begun, or later confirmed, with more than a password."""
        return bool(SECOND_FACTORS & set(self.factors.split(",")))


# Whether the policy of a workspace, or the operator's (?1), asks this person for a second factor.
_NEEDED = """
(?1 AND user.is_operator) OR EXISTS (SELECT 1 FROM membership JOIN workspace_policy USING (workspace_id),
    json_each(policy_json, '$.second_factor_roles') AS named WHERE membership.user_id = user.id
    AND membership.state = 'active' AND named.value = membership.role)
"""
# A session counts while its epoch is its person's.
_SELECT = f"""
SELECT session.id, session.user_id, session.created_at, session.seen_at, session.expires_at, session.proved_at,
    session.factors,
    user.is_operator OR EXISTS (SELECT 1 FROM membership WHERE user_id = user.id AND state = 'active'
        AND role IN ('owner', 'admin')) AS privileged,
    (SELECT min(json_extract(policy_json, '$.idle_minutes')) FROM membership
        JOIN workspace_policy USING (workspace_id) WHERE membership.user_id = user.id AND membership.state = 'active')
        AS idle_minutes,
    {_NEEDED} AS second_factor_needed,
    EXISTS (SELECT 1 FROM totp WHERE user_id = user.id AND confirmed_at IS NOT NULL) AS app_held,
    EXISTS (SELECT 1 FROM passkey WHERE user_id = user.id) AS passkey_held
FROM session JOIN user ON user.id = session.user_id
WHERE session.epoch = user.session_epoch AND user.disabled_at IS NULL
"""


async def living(db: Db, secret: str, now: int, *, operators_need_second_factor: bool) -> Session | None:
    """The session of a browser's secret; None when there is none, or it is over."""
    found = await db.one(Session, f"{_SELECT} AND session.secret_hash = ?2", operators_need_second_factor,
                         digest(secret.encode()))
    return found if found is not None and now < found.ends_at else None


async def living_among(db: Db, session_ids: list[str], now: int) -> set[str]:
    """Which of these sessions still live: for the streams they hold open."""
    found = await db.all(Session, f"{_SELECT} AND session.id IN (SELECT value FROM json_each(?2))", False,
                         msgspec.json.encode(session_ids).decode())
    return {session.id for session in found if now < session.ends_at}


async def is_second_factor_needed(db: Db, user_id: str, *, operators: bool) -> bool:
    return bool(await db.value(f"SELECT {_NEEDED} FROM user WHERE id = ?2", operators, user_id))


class ListedSession(msgspec.Struct, frozen=True, kw_only=True):
    """As its person sees it."""

    id: str
    created_at: int
    seen_at: int
    address: str
    agent: str
    factors: str


async def sessions_of(db: Db, user_id: str, now: int) -> list[ListedSession]:
    """The living sessions of a person, the one used last first."""
    found = await db.all(ListedSession, "SELECT id, created_at, seen_at, address, agent, factors FROM session "
                         "WHERE user_id = ? ORDER BY seen_at DESC LIMIT 50", user_id)
    alive = await living_among(db, [session.id for session in found], now)
    return [session for session in found if session.id in alive]


class NewSession(msgspec.Struct, frozen=True, kw_only=True):
    """`secret` goes into the cookie and is known nowhere else. `ended`: older ones that had to make room."""

    id: str
    secret: str
    ended: tuple[str, ...] = ()


async def sign_in(tx: Transaction, ids: Ids, *, user_id: str, address: str, agent: str, now: int,
                  factors: str = "password") -> NewSession:
    """A new session for a person who proved who they are, by these factors."""
    session = NewSession(id=tx.new_id(), secret=ids.token())
    await tx.execute(
        "INSERT INTO session (secret_hash, id, user_id, created_at, seen_at, expires_at, address, agent, proved_at, "
        "factors, epoch) SELECT ?, ?, id, ?, ?, ?, ?, ?, ?, ?, session_epoch FROM user WHERE id = ?",
        digest(session.secret.encode()), session.id, now, now, now + ABSOLUTE, address[:60], agent[:200], now, factors,
        user_id)
    await tx.execute("UPDATE user SET signed_in_at = ? WHERE id = ?", now, user_id)
    await forget_ended(tx, now)
    surplus = [row[0] for row in await tx.rows("SELECT id FROM session WHERE user_id = ? ORDER BY id = ? DESC, "
                                               "seen_at DESC LIMIT -1 OFFSET ?", user_id, session.id, MOST_SESSIONS)]
    for session_id in surplus:
        await tx.execute("DELETE FROM session WHERE id = ?", session_id)
    await tx.audit("session.started", "user", user_id, session_id=session.id, factors=factors, ended=len(surplus))
    return msgspec.structs.replace(session, ended=tuple(surplus))


async def prove(tx: Transaction, ids: Ids, session_id: str, *, now: int, factor: str = "") -> str:
    """A fresh proof in a running session; the new secret of its cookie. `factor`: what it was proved by, if the
    session did not know it yet."""
    secret = ids.token()
    held = str(await tx.value("SELECT factors FROM session WHERE id = ?", session_id) or "").split(",")
    if factor and factor not in held:
        held.append(factor)
    await tx.execute("UPDATE session SET secret_hash = ?, proved_at = ?, factors = ? WHERE id = ?",
                     digest(secret.encode()), now, ",".join(name for name in held if name), session_id)
    await tx.audit("session.proved", "session", session_id, factor=factor)
    return secret


async def end_session(tx: Transaction, session_id: str) -> None:
    await tx.execute("DELETE FROM session WHERE id = ?", session_id)
    await tx.audit("session.ended", "session", session_id)


# Begun without the provider, and not confirmed there since, by somebody who is to use it. Whoever was there a moment
# ago may still have to accept that it is their account here (?1 now, ?2 how long they have).
_PASSED_BY = """
SELECT session.id FROM session JOIN user ON user.id = session.user_id
WHERE NOT user.break_glass AND instr(',' || session.factors, ',oidc') = 0 AND NOT EXISTS (SELECT 1 FROM identity_offer
    WHERE identity_offer.user_id = session.user_id AND identity_offer.expires_at > ?1
    AND session.created_at >= identity_offer.expires_at - ?2)
"""


async def passed_by_provider(db: Db, now: int) -> list[str]:
    """The sessions that may not be where the provider is the only way in."""
    return [row[0] for row in await db.rows(_PASSED_BY, now, OFFER_LASTS)]


async def forget_ended(tx: Transaction, now: int) -> int:
    """Ended ones are gone at once; those that time ended go here, addresses and all. How many."""
    return await tx.execute("DELETE FROM session WHERE expires_at < ?", now)


async def end_sessions_of(tx: Transaction, user_id: str, *, but: str = "") -> list[str]:
    """End every session of a person, all but one if that is named, sign-ins between their two steps and the browsers
    that are rung; the ids of those ended. A copy of the table taken before does not bring them back: the person's epoch
    is another one."""
    ended = [row[0] for row in await tx.rows("SELECT id FROM session WHERE user_id = ? AND id <> ?", user_id, but)]
    await tx.execute("UPDATE user SET session_epoch = session_epoch + 1 WHERE id = ?", user_id)
    await tx.execute("DELETE FROM session WHERE user_id = ? AND id <> ?", user_id, but)
    # What time ended leaves a phone ringing, and no row that could be deleted here; who ends everything means that too.
    await tx.execute("DELETE FROM push_subscription WHERE user_id = ? AND session_id <> ?", user_id, but)
    # Nor does a sign-in go on that began with what does not count any more.
    await tx.execute("DELETE FROM challenge WHERE user_id = ? AND purpose IN ('second_step', 'provider_step')", user_id)
    await tx.execute("UPDATE session SET epoch = (SELECT session_epoch FROM user WHERE id = user_id) WHERE id = ?", but)
    await tx.audit("sessions.ended", "user", user_id, count=len(ended))
    return ended
