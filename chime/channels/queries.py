"""Reading channels."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from chime.channels.model import Channel
from chime.db import Db
from chime.errors import NotFound
from chime.security.vault import Secret, Vault
from chime.workspaces import Control

_CHANNEL = ("SELECT id, phone_number_id, waba_id, meta_app_id, display_phone, verified_name, quality, "
            "messages_per_second, state, trouble, paused_until, created_at, access_token_last_four FROM channel")


async def channels(db: Db) -> list[Channel]:
    """Every connected number, the oldest first."""
    return await db.all(Channel, f"{_CHANNEL} WHERE removed_at IS NULL ORDER BY created_at, id LIMIT 500")


async def within_reach(db: Db, only: Collection[str] | None) -> list[Channel]:
    """Those a membership is not limited away from; None is no limit."""
    return [row for row in await channels(db) if only is None or row.id in only]


async def one_within_reach(db: Db, only: Collection[str] | None, channel_id: str) -> Channel:
    """Raises NotFound, for one that is out of reach as for none."""
    found = next((row for row in await within_reach(db, only) if row.id == channel_id), None)
    if found is None:
        raise NotFound("There is no such number.")
    return found


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


class AppShown(msgspec.Struct, frozen=True, kw_only=True):
    """What may be shown of a Meta app: never a secret, only which it is. `shared` when numbers of other workspaces hang
    on it."""

    id: str
    app_id: str
    app_key: str
    app_secret_last_four: str
    app_secret_changed_at: int | None
    verify_token_last_four: str
    has_previous: bool
    shared: bool


async def app_shown(control: Db, meta_app_id: str, workspace_id: str) -> AppShown | None:
    """`control` is control.db."""
    return await control.one(
        AppShown, "SELECT id, app_id, app_key, app_secret_last_four, app_secret_changed_at, verify_token_last_four, "
        "previous_app_secret_sealed IS NOT NULL AS has_previous, EXISTS (SELECT 1 FROM channel_route "
        "WHERE meta_app_id = meta_app.id AND workspace_id <> ?2) AS shared FROM meta_app WHERE id = ?1",
        meta_app_id, workspace_id)


class OurApp(msgspec.Struct, frozen=True, kw_only=True):
    """The Meta app of a number, as we know it; `callback_url` is where Meta should post, empty when nobody said under
    which address we are reached."""

    app_id: str
    secret: bytes
    callback_url: str

    def __repr__(self) -> str:
        return f"OurApp({self.app_id})"


async def our_app(control: Control, meta_app_id: str, public_url: str) -> OurApp | None:
    rows = await control.db.rows("SELECT app_id, app_key FROM meta_app WHERE id = ?", meta_app_id)
    opened = await control.app(rows[0][1]) if rows else None
    if opened is None:
        return None
    return OurApp(app_id=rows[0][0], secret=opened.secret,
                  callback_url=f"{public_url}/webhooks/whatsapp/{rows[0][1]}" if public_url else "")


async def app_by_metas_id(control: Db, app_id: str) -> str | None:
    """Our id of an app that Meta calls so."""
    found: str | None = await control.value("SELECT id FROM meta_app WHERE app_id = ?", app_id)
    return found
