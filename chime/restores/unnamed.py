"""Stored files that no row names: the shelf keeps the files of five weeks, and lays all of them.

Promise: what is not of the restored state, or was forgotten in it, lies in no folder that anybody opens. Nothing else
would ever remove it, and the next backup would take it for something live.
"""

from __future__ import annotations

import asyncio

import msgspec

from chime.db import Db
from chime.workspaces import Workspace

AT_ONCE = 500
# All the tables that name files of `media/`; of some a row says itself that Chime took the file away.
NAMED = ("SELECT id FROM media WHERE id IN (SELECT value FROM json_each(?1)) "
         "AND NOT (state = 'failed' AND trouble IN ('kept_long_enough', 'revoked')) UNION ALL "
         "SELECT id FROM quick_reply_file WHERE id IN (SELECT value FROM json_each(?1))")


async def remove_unnamed(workspace: Workspace) -> int:
    """How many. Nobody may be storing files: those come before the rows that name them."""
    count, place = 0, ""
    while places := await asyncio.to_thread(workspace.files.after, place, AT_ONCE):
        unnamed = await _unnamed(workspace.db, [found.rpartition("/")[2] for found in places])
        for file_id in unnamed:
            await asyncio.to_thread(workspace.files.remove, file_id)
        count += len(unnamed)
        place = places[-1]
    return count


async def _unnamed(db: Db, file_ids: list[str]) -> list[str]:
    named = {row[0] for row in await db.rows(NAMED, msgspec.json.encode(file_ids).decode())}
    return [file_id for file_id in file_ids if file_id not in named]
