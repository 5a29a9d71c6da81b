"""Who somebody is at the sign-in provider, and whose account that is here. `tx` is control's.

Promises: issuer and subject name a person, an email address never does; an account that exists is connected only by
who proved it with its own factors, never because an address is the same; nobody has two accounts at one provider, and
no identity there opens two accounts here.
"""

from __future__ import annotations

import msgspec

from chime.accounts import queries
from chime.accounts.actions import create_user
from chime.accounts.model import User
from chime.clock import MINUTE
from chime.db import Db
from chime.errors import Conflict, NotFound
from chime.ids import Ids
from chime.security.crypto import digest
from chime.workspaces import Transaction

OFFER_LASTS = 10 * MINUTE
MOST_GROUPS = 1_000
# Entra says in a claim of its own that an address is of a domain its tenant proved to hold.
_ENTRA = "https://login.microsoftonline.com/"


class Stranger(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody as the provider describes them. `email` is empty unless the provider says that it is theirs."""

    issuer: str
    subject: str
    email: str
    name: str
    groups: tuple[str, ...]


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """A connection, as its person sees it."""

    issuer: str
    subject: str
    user_id: str
    email: str
    created_at: int
    used_at: int


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """An identity that waits for the proof of an account's own factors."""

    user_id: str
    issuer: str
    subject: str
    email: str
    groups: tuple[str, ...]


def proven_email(issuer: str, email: str, verified: object, owner_verified: object) -> str:
    """The address if the provider vouches for it, else nothing. Some write true as a text or number."""
    true = (True, "true", "True", 1, "1")
    vouched = verified in true or (issuer.startswith(_ENTRA) and owner_verified in true)
    return email.strip() if vouched else ""


_IDENTITY = "SELECT issuer, subject, user_id, email, created_at, used_at FROM user_identity"


async def user_of(db: Db, issuer: str, subject: str) -> User | None:
    """Whose account it is here."""
    user_id = await db.value("SELECT user_id FROM user_identity WHERE issuer = ? AND subject = ?", issuer, subject)
    return await queries.user(db, user_id) if user_id else None


async def identity_at(db: Db, user_id: str, issuer: str) -> Identity | None:
    return await db.one(Identity, f"{_IDENTITY} WHERE user_id = ? AND issuer = ?", user_id, issuer)


async def connect(tx: Transaction, user_id: str, *, issuer: str, subject: str, email: str, now: int) -> None:
    """From here on the identity opens the account. Whoever calls made sure of who is there. Raises Conflict."""
    if await tx.value("SELECT 1 FROM user_identity WHERE issuer = ? AND subject = ?", issuer, subject):
        raise Conflict("This sign-in belongs to an account already.")
    if await tx.value("SELECT 1 FROM user_identity WHERE user_id = ? AND issuer = ?", user_id, issuer):
        raise Conflict("Your account is connected with another sign-in. Disconnect that one first.")
    await tx.execute("INSERT INTO user_identity (issuer, subject, user_id, email, created_at, used_at) "
                     "VALUES (?, ?, ?, ?, ?, ?)", issuer, subject, user_id, email[:254], now, now)
    await tx.audit("identity.connected", "user", user_id, issuer=issuer)


async def disconnect(tx: Transaction, user_id: str, issuer: str) -> None:
    """Raises NotFound; Conflict when it is the only way in."""
    if not await has_password(tx, user_id):
        raise Conflict("Your account has no password yet, so this is your only way in. Set one with “Forgot your "
                       "password?” on the sign-in page first.")
    if not await tx.execute("DELETE FROM user_identity WHERE user_id = ? AND issuer = ?", user_id, issuer):
        raise NotFound("Your account is not connected.")
    await tx.audit("identity.disconnected", "user", user_id, issuer=issuer)


async def has_password(db: Db, user_id: str) -> bool:
    """Whether its person can know one: an account made by the provider's word begins without."""
    return bool(await db.value("SELECT NOT by_provider OR password_changed_at > 0 FROM user WHERE id = ?", user_id))


async def used(tx: Transaction, issuer: str, subject: str, now: int) -> None:
    await tx.execute("UPDATE user_identity SET used_at = ? WHERE issuer = ? AND subject = ?", now, issuer, subject)


async def sign_up(tx: Transaction, stranger: Stranger, *, unknown_password: str, now: int) -> str:
    """An account for somebody who has none, opened by the provider alone. Raises Invalid, Conflict.

    `unknown_password`: a hash of something nobody knows."""
    name = " ".join(stranger.name.split())[:80] or stranger.email.partition("@")[0]
    user_id = await create_user(tx, email=stranger.email, name=name, password_hash=unknown_password)
    await tx.execute("UPDATE user SET by_provider = 1 WHERE id = ?", user_id)
    await connect(tx, user_id, issuer=stranger.issuer, subject=stranger.subject, email=stranger.email, now=now)
    return user_id


async def offer(tx: Transaction, ids: Ids, user_id: str, stranger: Stranger, now: int) -> str:
    """Keep an identity until the account's own factors were shown; the secret of the browser that may go on."""
    secret = ids.token()
    await tx.execute("DELETE FROM identity_offer WHERE expires_at <= ?", now)
    await tx.execute("INSERT INTO identity_offer (key, user_id, issuer, subject, email, groups_json, expires_at) "
                     "VALUES (?, ?, ?, ?, ?, ?, ?)", _key(secret), user_id, stranger.issuer, stranger.subject,
                     stranger.email, msgspec.json.encode(stranger.groups).decode(), now + OFFER_LASTS)
    await tx.audit("identity.offered", "user", user_id, issuer=stranger.issuer)
    return secret


async def offered(db: Db, secret: str, user_id: str, now: int) -> Offer | None:
    """What this browser may connect with this account."""
    return await db.one(Offer, "SELECT user_id, issuer, subject, email, groups_json FROM identity_offer "
                        "WHERE key = ? AND user_id = ? AND expires_at > ?", _key(secret), user_id, now)


async def accept(tx: Transaction, secret: str, user_id: str, now: int) -> Offer:
    """The account's own factors were shown: connect the two. Raises NotFound, Conflict."""
    found = await offered(tx, secret, user_id, now)
    if found is None:
        raise NotFound("This took too long, or it was done already. Sign in with the provider again.")
    await tx.execute("DELETE FROM identity_offer WHERE key = ?", _key(secret))
    await connect(tx, user_id, issuer=found.issuer, subject=found.subject, email=found.email, now=now)
    return found


async def may_use_password(db: Db, user_id: str, offer_secret: str, now: int) -> bool:
    """Where everybody uses the provider: who may do without it. Break-glass users; and who was at the provider a
    moment ago and now proves the account that was there before."""
    return bool(await db.value("SELECT break_glass FROM user WHERE id = ?", user_id)
                or (offer_secret and await offered(db, offer_secret, user_id, now)))


async def set_break_glass(tx: Transaction, user_id: str, *, on: bool) -> None:
    await tx.execute("UPDATE user SET break_glass = ? WHERE id = ?", int(on), user_id)
    if on:
        await tx.audit("break_glass.given", "user", user_id)
    else:
        await tx.audit("break_glass.taken", "user", user_id)


def _key(secret: str) -> bytes:
    return digest(f"offer/{secret}".encode())
