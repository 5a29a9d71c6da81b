"""Who holds open conversations, and which teams have some: asked to find people and teams that are gone.

The names are found by steps through an index, each to the next one, and not by reading every conversation.
"""

from __future__ import annotations

from chime.db import Db


async def is_anything_held(db: Db) -> bool:
    return bool(await db.value("SELECT EXISTS (SELECT 1 FROM conversation WHERE assignee_id > '') "
                               "OR EXISTS (SELECT 1 FROM conversation WHERE team_id > '') "
                               "OR EXISTS (SELECT 1 FROM contact WHERE owner_id > '')"))


async def assignees(db: Db) -> set[str]:
    """Everybody to whom a conversation is assigned, whatever its state."""
    rows = await db.rows(
        "WITH RECURSIVE held(id) AS (SELECT min(assignee_id) FROM conversation WHERE assignee_id > '' UNION ALL "
        "SELECT (SELECT min(assignee_id) FROM conversation WHERE assignee_id > held.id) FROM held "
        "WHERE held.id IS NOT NULL) SELECT id FROM held WHERE id IS NOT NULL")
    return {row[0] for row in rows}


async def teams_named(db: Db) -> set[str]:
    """Every team that has a conversation."""
    rows = await db.rows(
        "WITH RECURSIVE named(id) AS (SELECT min(team_id) FROM conversation WHERE team_id > '' UNION ALL "
        "SELECT (SELECT min(team_id) FROM conversation WHERE team_id > named.id) FROM named "
        "WHERE named.id IS NOT NULL) SELECT id FROM named WHERE id IS NOT NULL")
    return {row[0] for row in rows}


async def open_of(db: Db, user_id: str, limit: int) -> list[str]:
    """Some of the conversations that somebody has in hand and that are not resolved."""
    rows = await db.rows("SELECT id FROM conversation WHERE assignee_id = ? AND state IN ('open', 'snoozed') LIMIT ?",
                         user_id, limit)
    return [row[0] for row in rows]


async def of_team(db: Db, team_id: str, limit: int) -> list[str]:
    """Some of a team's conversations."""
    rows = await db.rows("SELECT id FROM conversation WHERE team_id = ? LIMIT ?", team_id, limit)
    return [row[0] for row in rows]
