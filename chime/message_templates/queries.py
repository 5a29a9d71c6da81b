"""Reading templates."""

from __future__ import annotations

from chime.db import Db
from chime.message_templates.model import MessageTemplate

_TEMPLATE = ("SELECT id, meta_template_id, waba_id, name, language, category, status, quality, parameter_format, "
             "components_json FROM message_template")


class SyncedTemplate(MessageTemplate, frozen=True, kw_only=True):
    """A template with the moment it was last seen at Meta."""

    synced_at: int


async def approved(db: Db, waba_id: str, search: str = "") -> list[MessageTemplate]:
    """Templates of an account that Meta lets us send, by name."""
    pattern = f"%{search.strip()}%"
    return await db.all(
        MessageTemplate, f"{_TEMPLATE} WHERE waba_id = ? AND status = 'APPROVED' AND name LIKE ? "
        "ORDER BY name, language LIMIT 200", waba_id, pattern)


async def categories(db: Db, waba_id: str) -> dict[tuple[str, str], str]:
    """The category of each of them, by name and language."""
    return {(name, language): category for name, language, category in await db.rows(
        "SELECT name, language, category FROM message_template WHERE waba_id = ? AND status = 'APPROVED'", waba_id)}


async def templates_page(db: Db, *, name: str, status: str, after: str, limit: int) -> list[SyncedTemplate]:
    """Every template, also those that can't be sent, after the one of this id; empty filters let all pass."""
    return await db.all(
        SyncedTemplate, "SELECT id, meta_template_id, waba_id, name, language, category, status, quality, "
        "parameter_format, components_json, synced_at FROM message_template WHERE id > ?1 AND ?2 IN ('', name) "
        "AND ?3 IN ('', status) ORDER BY id LIMIT ?4", after, name, status, limit)


async def template(db: Db, waba_id: str, name: str, language: str) -> MessageTemplate | None:
    return await db.one(MessageTemplate, f"{_TEMPLATE} WHERE waba_id = ? AND name = ? AND language = ?",
                        waba_id, name, language)


async def synced_at(db: Db, waba_id: str) -> int | None:
    """When the account's templates were last fetched whole."""
    found: int | None = await db.value("SELECT max(synced_at) FROM message_template WHERE waba_id = ?", waba_id)
    return found
