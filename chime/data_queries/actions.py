"""Saving questions, changing and deleting them. Who saved one changes it; a shared one everybody who may ask."""

from __future__ import annotations

from chime.data_queries import queries
from chime.data_queries.model import MOST_SAVED, fingerprint, name_from
from chime.errors import Conflict, Invalid, NotFound
from chime.workspaces import Transaction


async def save(tx: Transaction, *, name: str, sql: str, is_shared: bool, query_id: str = "") -> str:
    """A new one, or `query_id` as it shall be from now on; its id. Raises Invalid, NotFound, Conflict."""
    name = name_from(name)
    person = tx.actor.id or ""
    found = await queries.saved_one(tx, person, query_id) if query_id else None
    if query_id and found is None:
        raise NotFound("There is no such question.")
    owner = found.owner_id if found else person
    if await tx.value("SELECT 1 FROM data_query WHERE name = ? AND id <> ? AND iif(is_shared, '', owner_id) = ?", name,
                      query_id, "" if is_shared else owner):
        raise Invalid.field("name", "There is a question of this name already.")
    if found is not None:
        await tx.execute("UPDATE data_query SET name = ?, sql = ?, is_shared = ?, updated_at = ? WHERE id = ?", name,
                         sql, int(is_shared), tx.now, found.id)
        await tx.audit("data_query.edited", "data_query", found.id, is_shared=is_shared, sql_sha256=fingerprint(sql))
        return found.id
    if await tx.value("SELECT count(*) FROM data_query") >= MOST_SAVED:
        raise Conflict("There are 200 saved questions already; delete some.")
    made = tx.new_id()
    await tx.execute("INSERT INTO data_query (id, name, sql, is_shared, owner_id, owner_name, created_at, updated_at) "
                     "VALUES (?, ?, ?, ?, ?, ?, ?, ?)", made, name, sql, int(is_shared), person, tx.actor.name, tx.now,
                     tx.now)
    await tx.audit("data_query.saved", "data_query", made, is_shared=is_shared, sql_sha256=fingerprint(sql))
    return made


async def delete(tx: Transaction, query_id: str) -> None:
    """Raises NotFound."""
    if await queries.saved_one(tx, tx.actor.id or "", query_id) is None:
        raise NotFound("There is no such question.")
    await tx.execute("DELETE FROM data_query WHERE id = ?", query_id)
    await tx.audit("data_query.deleted", "data_query", query_id)
