"""Reading templates."""

from __future__ import annotations

from chime.db import Db
from chime.message_templates.model import MessageTemplate

_TEMPLATE = ("SELECT id, meta_template_id, waba_id, name, language, category, status, quality, parameter_format, "
             "components_json FROM message_template")


async def approved(db: Db, waba_id: str, search: str = "") -> list[MessageTemplate]:
    """Templates of an account that Meta lets us send, by name."""
    pattern = f"%{search.strip()}%"
    return await db.all(
        MessageTemplate, f"{_TEMPLATE} WHERE waba_id = ? AND status = 'APPROVED' AND name LIKE ? "
        "ORDER BY name, language LIMIT 200", waba_id, pattern)


async def template(db: Db, waba_id: str, name: str, language: str) -> MessageTemplate | None:
    return await db.one(MessageTemplate, f"{_TEMPLATE} WHERE waba_id = ? AND name = ? AND language = ?",
                        waba_id, name, language)


async def synced_at(db: Db, waba_id: str) -> int | None:
    """When the account's templates were last fetched whole."""
    found: int | None = await db.value("SELECT max(synced_at) FROM message_template WHERE waba_id = ?", waba_id)
    return found
