"""Saved questions: one's own, and those that are shared."""

from __future__ import annotations

from chime.data_queries.model import Saved
from chime.db import Db

_SAVED = "SELECT id, name, sql, is_shared, owner_id, owner_name, created_at, updated_at FROM data_query"


async def saved(db: Db, person_id: str) -> list[Saved]:
    return await db.all(Saved, f"{_SAVED} WHERE owner_id = ? OR is_shared ORDER BY name LIMIT 500", person_id)


async def saved_one(db: Db, person_id: str, query_id: str) -> Saved | None:
    return await db.one(Saved, f"{_SAVED} WHERE id = ? AND (owner_id = ? OR is_shared)", query_id, person_id)
