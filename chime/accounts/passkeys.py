"""A person's passkeys. `tx` is control's; the ceremonies themselves are in `chime.security.passkeys`."""

from __future__ import annotations

import msgspec

from chime.accounts.model import check_name
from chime.db import Db
from chime.errors import Conflict, NotFound, Refused
from chime.security.passkeys import NewPasskey
from chime.workspaces import Transaction

MOST_PASSKEYS = 10


class Passkey(msgspec.Struct, frozen=True, kw_only=True):
    """As its person sees it."""

    id: str
    name: str
    created_at: int
    used_at: int | None


class StoredPasskey(msgspec.Struct, frozen=True, kw_only=True):
    """With what an answer is checked against."""

    id: str
    user_id: str
    credential: bytes


async def passkeys_of(db: Db, user_id: str) -> list[Passkey]:
    return await db.all(Passkey, "SELECT id, name, created_at, used_at FROM passkey WHERE user_id = ? "
                        "ORDER BY created_at LIMIT ?", user_id, MOST_PASSKEYS)


async def credential_ids(db: Db, user_id: str) -> list[bytes]:
    """What a browser is told so that it offers the right ones."""
    rows = await db.rows("SELECT credential_id FROM passkey WHERE user_id = ?", user_id)
    return [row[0] for row in rows]


async def passkey_of_credential(db: Db, credential_id: bytes) -> StoredPasskey | None:
    """The passkey of an answer, if its person may sign in."""
    return await db.one(StoredPasskey, "SELECT passkey.id, user_id, credential FROM passkey "
                        "JOIN user ON user.id = user_id WHERE credential_id = ? AND disabled_at IS NULL", credential_id)


async def add(tx: Transaction, user_id: str, new: NewPasskey, name: str) -> str:
    """Raises Invalid, Conflict, Refused."""
    name = check_name(name)
    if await tx.value("SELECT count(*) FROM passkey WHERE user_id = ?", user_id) >= MOST_PASSKEYS:
        raise Refused("Ten passkeys are the most; remove one first.", code="too_many_passkeys")
    if await tx.value("SELECT 1 FROM passkey WHERE credential_id = ?", new.credential_id):
        raise Conflict("This passkey is known already.")
    passkey_id = tx.new_id()
    await tx.execute("INSERT INTO passkey (id, user_id, name, credential_id, credential, sign_count, created_at) "
                     "VALUES (?, ?, ?, ?, ?, ?, ?)", passkey_id, user_id, name, new.credential_id, new.credential,
                     new.sign_count, tx.now)
    await tx.audit("passkey.added", "user", user_id, passkey_id=passkey_id)
    return passkey_id


async def use(tx: Transaction, passkey_id: str, sign_count: int, now: int) -> bool:
    """Note a use. False when the device's counter did not go on: then there are two of it. Passkeys that travel between
    devices don't count; theirs stays at nought."""
    return bool(await tx.execute("UPDATE passkey SET sign_count = ?1, used_at = ?2 WHERE id = ?3 "
                                 "AND (sign_count < ?1 OR (sign_count = 0 AND ?1 = 0))", sign_count, now, passkey_id))


async def rename(tx: Transaction, user_id: str, passkey_id: str, name: str) -> None:
    """Raises Invalid, NotFound."""
    if not await tx.execute("UPDATE passkey SET name = ? WHERE id = ? AND user_id = ?", check_name(name), passkey_id,
                            user_id):
        raise NotFound("There is no such passkey.")
    await tx.audit("passkey.renamed", "user", user_id, passkey_id=passkey_id)


async def remove(tx: Transaction, user_id: str, passkey_id: str) -> None:
    """Raises NotFound."""
    if not await tx.execute("DELETE FROM passkey WHERE id = ? AND user_id = ?", passkey_id, user_id):
        raise NotFound("There is no such passkey.")
    await tx.audit("passkey.removed", "user", user_id, passkey_id=passkey_id)
