"""Reading channels."""

from __future__ import annotations

from chime.channels.model import Channel
from chime.db import Db
from chime.errors import NotFound
from chime.security.vault import Secret, Vault

_CHANNEL = ("SELECT id, phone_number_id, waba_id, meta_app_id, display_phone, verified_name, quality, "
            "messages_per_second, state, trouble, paused_until, created_at FROM channel")


async def channels(db: Db) -> list[Channel]:
    """Every connected number, the oldest first."""
    return await db.all(Channel, f"{_CHANNEL} WHERE removed_at IS NULL ORDER BY created_at, id LIMIT 500")


async def channel(db: Db, channel_id: str) -> Channel | None:
    return await db.one(Channel, f"{_CHANNEL} WHERE id = ? AND removed_at IS NULL", channel_id)


async def channel_by_number(db: Db, phone_number_id: str) -> Channel | None:
    return await db.one(Channel, f"{_CHANNEL} WHERE phone_number_id = ? AND removed_at IS NULL", phone_number_id)


async def access_token(db: Db, vault: Vault, channel_id: str) -> Secret:
    """The token to call Meta with for this number. Raises NotFound."""
    sealed = await db.value("SELECT access_token_sealed FROM channel WHERE id = ? AND removed_at IS NULL", channel_id)
    if sealed is None:
        raise NotFound("There is no such channel.")
    return vault.open(sealed, table="channel", row=channel_id, column="access_token")
