"""Ceremonies under way: a sign-in between its two steps, a question put to a passkey. `tx` is control's.

A question is random, good for minutes and for one answer. What a signed-out browser holds is a secret whose hash is the
row's key; for somebody signed in the row is named after their session, so no other session can answer it.
"""

from __future__ import annotations

import msgspec

from chime.clock import MINUTE
from chime.db import Db
from chime.ids import Ids
from chime.security.crypto import digest
from chime.workspaces import Transaction

LASTS = 10 * MINUTE
MOST_TRIES = 5
# Purposes: the second step of a sign-in; a sign-in by passkey alone; making a passkey; confirming with one; the second
# step after the provider.
SECOND_STEP, PASSKEY_SIGN_IN, NEW_PASSKEY, CONFIRM = "second_step", "passkey_sign_in", "new_passkey", "confirm"
PROVIDER_STEP = "provider_step"
# What was shown in the first step.
FIRST_FACTORS = {SECOND_STEP: "password", PROVIDER_STEP: "oidc"}


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    key: bytes
    purpose: str
    user_id: str | None
    question: bytes | None
    next: str
    tries: int


def of_cookie(secret: str) -> bytes:
    return digest(f"cookie/{secret}".encode())


def of_session(purpose: str, session_id: str) -> bytes:
    return digest(f"session/{purpose}/{session_id}".encode())


async def challenge(db: Db, key: bytes, now: int) -> Challenge | None:
    return await db.one(Challenge, "SELECT key, purpose, user_id, question, next, tries FROM challenge "
                        "WHERE key = ? AND expires_at > ?", key, now)


async def ask(tx: Transaction, ids: Ids, key: bytes, purpose: str, *, user_id: str | None, now: int,
              where: str = "/") -> bytes:
    """Begin a ceremony, instead of one of the same key; its question."""
    question = ids.random(32)
    await tx.execute("DELETE FROM challenge WHERE expires_at <= ?", now)
    await tx.execute("INSERT OR REPLACE INTO challenge (key, purpose, user_id, question, next, expires_at) "
                     "VALUES (?, ?, ?, ?, ?, ?)", key, purpose, user_id, question, where[:2000], now + LASTS)
    return question


async def ask_again(tx: Transaction, ids: Ids, key: bytes) -> bytes:
    """Another question in a ceremony that is under way; its tries go on counting."""
    question = ids.random(32)
    await tx.execute("UPDATE challenge SET question = ? WHERE key = ?", question, key)
    return question


async def try_once(tx: Transaction, key: bytes) -> int | None:
    """Count a try; how many are left after it, None when there was none left for this one."""
    counted = await tx.execute("UPDATE challenge SET tries = tries + 1 WHERE key = ? AND tries < ?", key, MOST_TRIES)
    if not counted:
        return None
    return MOST_TRIES - int(await tx.value("SELECT tries FROM challenge WHERE key = ?", key))


async def finish(tx: Transaction, key: bytes) -> bool:
    """The ceremony ends here; False when somebody else ended it a moment ago."""
    return bool(await tx.execute("DELETE FROM challenge WHERE key = ?", key))
