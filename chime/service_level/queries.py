"""Reading what was set up, and what waits to be done."""

from __future__ import annotations

from chime import message_templates
from chime.clock import DAY
from chime.db import Db
from chime.inbox import AFTERWARDS
from chime.service_level.model import Setting

_SETTING = ("SELECT channel_id, is_on, question, thanks, every_days, template_name, template_language "
            "FROM satisfaction_setting")


async def settings(db: Db) -> dict[str, Setting]:
    """Of each number that was ever set up."""
    return {setting.channel_id: setting for setting in await db.all(Setting, _SETTING + " LIMIT 500")}


async def setting(db: Db, channel_id: str) -> Setting:
    return await db.one(Setting, _SETTING + " WHERE channel_id = ?", channel_id) or Setting(channel_id=channel_id)


async def template_choices(db: Db, waba_id: str) -> dict[str, str]:
    """The templates that can ask: approved, utility, nothing to fill in. Their text by `name/language`."""
    return {f"{one.name}/{one.language}": one.body for one in await message_templates.approved(db, waba_id)
            if one.category == "UTILITY" and not message_templates.parameters(one)}


async def overdue(db: Db, now: int) -> list[str]:
    """Conversations with a target that was missed and of which nobody was told."""
    return [row[0] for row in await db.rows(
        "SELECT conversation_id FROM service_clock WHERE due_at IS NOT NULL AND missed_at IS NULL AND due_at <= ? "
        "ORDER BY due_at LIMIT 200", now)]


async def to_ask(db: Db, now: int) -> list[str]:
    """Conversations that were resolved a moment ago on a number that asks, and were not asked about. What is older
    than a day (Chime was off) is not asked about any more."""
    return [row[0] for row in await db.rows(
        # Left to itself SQLite looks through all that was ever resolved, once a minute.
        "SELECT conversation.id FROM conversation INDEXED BY conversation_closed JOIN satisfaction_setting "
        "ON satisfaction_setting.channel_id = conversation.channel_id AND satisfaction_setting.is_on "
        "WHERE conversation.state = 'closed' AND conversation.closed_at BETWEEN ? AND ? AND NOT EXISTS (SELECT 1 "
        "FROM satisfaction WHERE satisfaction.conversation_id = conversation.id "
        "AND satisfaction.closed_at = conversation.closed_at) LIMIT 200", now - DAY, now - AFTERWARDS)]
