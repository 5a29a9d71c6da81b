"""The browsers that are rung by push, and the key with which this installation rings them. `db` and `tx` are control's.

Promises: a subscription's address lies sealed and is told to nobody, not to its own person either; a browser belongs to
whoever signed in there last; signing out there, being signed out, or belonging to no workspace any more ends it in the
same transaction (triggers of control.db see to that, whichever way it happens).
"""

from __future__ import annotations

import msgspec

from chime.clock import DAY
from chime.db import Db
from chime.errors import NotFound
from chime.security.crypto import digest
from chime.security.web_push import OwnKey, PushAddress, new_key
from chime.workspaces import Control, Transaction

MOST_DEVICES = 10
# A browser that has not shown itself for so long is somebody's old phone.
FORGOTTEN_AFTER = 30 * DAY


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """As its person sees it. `service` is the host of its push service."""

    id: str
    session_id: str
    service: str
    agent: str
    created_at: int
    seen_at: int


async def devices(db: Db, user_id: str, now: int) -> list[Device]:
    """The one seen last first."""
    return await db.all(Device, "SELECT id, session_id, service, agent, created_at, seen_at FROM push_subscription "
                        "WHERE user_id = ? AND seen_at > ? ORDER BY seen_at DESC LIMIT ?", user_id,
                        now - FORGOTTEN_AFTER, MOST_DEVICES)


async def address(control: Control, subscription_id: str, user_id: str) -> PushAddress | None:
    """Where a device of this person is rung; None when it is gone, or somebody else's by now. Raises CannotOpen."""
    sealed = await control.db.value("SELECT address_sealed FROM push_subscription WHERE id = ? AND user_id = ?",
                                    subscription_id, user_id)
    if sealed is None:
        return None
    opened = control.vault.open(sealed, table="push_subscription", row=subscription_id, column="address")
    return msgspec.json.decode(opened.reveal(), type=PushAddress)


async def subscribe(tx: Transaction, control: Control, user_id: str, where: PushAddress, *, session_id: str,
                    service: str, agent: str, now: int) -> str:
    """This browser is rung for this person from now on; its id. The oldest makes room. The caller has looked at the
    address."""
    marked = digest(where.endpoint.encode())
    rows = await tx.rows("SELECT id, user_id FROM push_subscription WHERE address_hash = ?", marked)
    new_id: str = rows[0][0] if rows and rows[0][1] == user_id else tx.new_id()
    sealed = control.vault.seal(msgspec.json.encode(where).decode(), table="push_subscription", row=new_id,
                                column="address")
    if rows and rows[0][1] == user_id:
        await tx.execute("UPDATE push_subscription SET session_id = ?, address_sealed = ?, agent = ?, seen_at = ? "
                         "WHERE id = ?", session_id, sealed, agent[:200], now, new_id)
        await tx.audit("push.device_seen", "push_subscription", new_id)
        return new_id
    await tx.execute("DELETE FROM push_subscription WHERE address_hash = ?", marked)
    await tx.execute("INSERT INTO push_subscription (id, user_id, session_id, address_hash, address_sealed, service, "
                     "agent, created_at, seen_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", new_id, user_id, session_id,
                     marked, sealed, service, agent[:200], now, now)
    await tx.execute("DELETE FROM push_subscription WHERE id IN (SELECT id FROM push_subscription WHERE user_id = ? "
                     "ORDER BY seen_at DESC, id DESC LIMIT -1 OFFSET ?)", user_id, MOST_DEVICES)
    await tx.audit("push.device_added", "push_subscription", new_id, service=service)
    return new_id


async def remove(tx: Transaction, user_id: str, subscription_id: str) -> None:
    """Raises NotFound."""
    if not await tx.execute("DELETE FROM push_subscription WHERE id = ? AND user_id = ?", subscription_id, user_id):
        raise NotFound("This device gets no messages any more.")
    await tx.audit("push.device_removed", "push_subscription", subscription_id)


async def forget(tx: Transaction, subscription_id: str) -> None:
    """Its push service says that it is gone."""
    if await tx.execute("DELETE FROM push_subscription WHERE id = ?", subscription_id):
        await tx.audit("push.device_lost", "push_subscription", subscription_id)


async def own_key(control: Control, *, tx: Transaction | None = None) -> OwnKey | None:
    """The installation's key, once there is one. Raises CannotOpen."""
    rows = await (tx or control.db).rows("SELECT id, private_sealed, public FROM push_key ORDER BY id LIMIT 1")
    if not rows:
        return None
    key_id, sealed, public = rows[0]
    private = control.vault.open(sealed, table="push_key", row=key_id, column="private").reveal()
    return OwnKey(private, public)


async def make_key(tx: Transaction, control: Control) -> OwnKey:
    """The installation's key, made when nobody needed one before. Browsers are bound to it, so it never changes."""
    known = await own_key(control, tx=tx)
    if known is not None:
        return known
    made, key_id = new_key(), tx.new_id()
    sealed = control.vault.seal(made.private, table="push_key", row=key_id, column="private")
    await tx.execute("INSERT INTO push_key (id, private_sealed, public, created_at) VALUES (?, ?, ?, ?)", key_id,
                     sealed, made.public, tx.now)
    await tx.audit("push.key_made", "push_key", key_id)
    return made
