"""What there is in a copy, and what there is in the workspace now."""

from __future__ import annotations

from chime.db import LongReads
from chime.restores.model import Tally
from chime.workspaces import Workspace

SECONDS = 5.0
# In the order in which they are told.
_COUNTS = (
    ("contacts", "SELECT count(*) FROM contact WHERE deleted_at IS NULL"),
    ("conversations", "SELECT count(*) FROM conversation"),
    ("received", "SELECT count(*) FROM message WHERE direction = 'in'"),
    ("sent", "SELECT count(*) FROM message WHERE direction = 'out'"),
    ("newest", "SELECT coalesce(max(at), 0) FROM message WHERE at > 0"),
    ("notes", "SELECT count(*) FROM note"),
    ("files", "SELECT count(*) FROM media WHERE state = 'ready'"),
    ("scheduled", "SELECT count(*) FROM scheduled_message WHERE state <> 'cancelled'"),
    ("tags", "SELECT count(*) FROM tag"),
    ("templates", "SELECT count(*) FROM message_template"),
    ("quick_replies", "SELECT count(*) FROM quick_reply"),
    ("saved_views", "SELECT count(*) FROM saved_view"),
)
UNKNOWN = -1
"""Counting took too long."""


async def compare(copy: Workspace, current: Workspace) -> list[Tally]:
    """By kind; the newest message by its moment."""
    return [Tally(kind, await _count(copy.db.long_reads, sql), await _count(current.db.long_reads, sql))
            for kind, sql in _COUNTS]


async def _count(reads: LongReads, sql: str) -> int:
    rows, whole = await reads.rows(sql, seconds=SECONDS)
    return int(rows[0][0]) if rows and whole else UNKNOWN
