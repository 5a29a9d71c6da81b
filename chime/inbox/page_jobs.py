"""Counting the pages of a PDF once it is stored, beside the loop: whoever gets a document sees how long it is."""

from __future__ import annotations

import asyncio

from chime.db import Db
from chime.errors import NotFound
from chime.inbox import queries
from chime.inbox.changes import tell_message_of
from chime.inbox.model import MediaState
from chime.inbox.pdf_pages import page_count
from chime.jobs import JobKind, Work

COUNT_PAGES = "inbox.count_pages"
PDF = "application/pdf"
LARGEST = 32 * 1024 * 1024
CANNOT_BE_TOLD = 0


async def count_pages(work: Work, media_id: str) -> None:
    """Of a file that is larger, encrypted or broken nothing is told, and nothing is tried again."""
    stored = await queries.media(work.workspace.db, media_id)
    if stored is None or stored.state is not MediaState.READY or stored.mime_type != PDF or stored.pages is not None:
        return
    try:
        content = (b"".join([part async for part in work.workspace.files.read(media_id)])
                   if work.workspace.files.size(media_id) <= LARGEST else b"")
    except NotFound:
        content = b""  # it was removed meanwhile
    pages = await asyncio.to_thread(page_count, content)
    async with work.workspace.ingest("media") as tx:
        await tx.execute("UPDATE media SET pages = ? WHERE id = ?", pages or CANNOT_BE_TOLD, media_id)
        if pages:
            await tell_message_of(tx, media_id)


async def uncounted(db: Db, _now: int) -> list[str]:
    """What a lost nudge left, or came before pages were counted."""
    rows = await db.rows("SELECT id FROM media WHERE pages IS NULL AND state = 'ready' "
                         "AND mime_type = 'application/pdf' LIMIT 50")
    return [row[0] for row in rows]


JOBS = [JobKind(COUNT_PAGES, count_pages, uncounted, at_once=1)]
