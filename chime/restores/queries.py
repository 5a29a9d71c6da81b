"""Reading copies and restores from control.db."""

from __future__ import annotations

from chime.db import Db
from chime.restores.model import Copy, Restore

_COPY = ("SELECT id, slug, name, state, copied_from, copied_at, as_of, kept_until FROM workspace "
         "WHERE copied_from IS NOT NULL AND state <> 'erased'")
_RESTORE = ("SELECT id, kind, workspace_id, copy_id, name, as_of, step, asked_by, asked_name, asked_at, changed_at, "
            "finished_at, trouble, found_json FROM restore")
MOST_SHOWN = 50


async def copy(db: Db, copy_id: str) -> Copy | None:
    return await db.one(Copy, f"{_COPY} AND id = ?", copy_id)


async def copies(db: Db, workspace_id: str) -> list[Copy]:
    """Those of a workspace, the newest first."""
    return await db.all(Copy, f"{_COPY} AND copied_from = ? ORDER BY copied_at DESC, id DESC LIMIT ?", workspace_id,
                        MOST_SHOWN)


async def copy_named(db: Db, id_or_name: str) -> Copy | None:
    """By id, name or address."""
    return await db.one(Copy, f"{_COPY} AND (id = ?1 OR name = ?1 OR slug = ?1)", id_or_name)


async def over_time(db: Db, now: int) -> list[Copy]:
    """What was kept aside for long enough."""
    return await db.all(Copy, f"{_COPY} AND state = 'muted' AND kept_until <= ?", now)


async def forgotten_since(db: Db) -> list[tuple[str, str, int]]:
    """Every copy that may be looked at, of which workspace it is, and how many marks of forgotten people that has."""
    rows = await db.rows("SELECT id, copied_from, (SELECT count(*) FROM erased_subject "
                         "WHERE workspace_id = workspace.copied_from) FROM workspace "
                         "WHERE copied_from IS NOT NULL AND state = 'muted'")
    return [(row[0], row[1], row[2]) for row in rows]


async def restore(db: Db, restore_id: str) -> Restore | None:
    return await db.one(Restore, f"{_RESTORE} WHERE id = ?", restore_id)


async def restores(db: Db, workspace_id: str) -> list[Restore]:
    """Those of a workspace, the newest first."""
    return await db.all(Restore, f"{_RESTORE} WHERE workspace_id = ? ORDER BY asked_at DESC, id DESC LIMIT ?",
                        workspace_id, MOST_SHOWN)


async def under_way(db: Db, workspace_id: str) -> Restore | None:
    """The one that is not finished; there is one at most."""
    return await db.one(Restore, f"{_RESTORE} WHERE workspace_id = ? AND finished_at IS NULL", workspace_id)


async def unfinished(db: Db) -> list[Restore]:
    return await db.all(Restore, f"{_RESTORE} WHERE finished_at IS NULL ORDER BY asked_at")


async def waits_for_approval(db: Db, copy_id: str) -> bool:
    """Whether somebody asked that a copy takes over, and it was not decided or done yet. `db` is the workspace's."""
    return bool(await db.value("SELECT 1 FROM approval WHERE kind = 'restore' AND ended_at IS NULL "
                               "AND json_extract(parameters_json, '$.copy_id') = ? LIMIT 1", copy_id))
