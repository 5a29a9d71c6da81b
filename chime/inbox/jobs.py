"""What the inbox does outside a request besides sending: fetch files, tell the customer that we read or write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from chime import channels
from chime.db import Db
from chime.inbox import queries
from chime.inbox.actions import SEND_READ, SEND_TYPING
from chime.inbox.block_jobs import JOBS as BLOCK_JOBS
from chime.inbox.bulk_jobs import JOBS as BULK_JOBS
from chime.inbox.changes import FETCH_MEDIA, REVOKED, tell_message_of
from chime.inbox.delivery import JOBS as DELIVERY_JOBS
from chime.inbox.delivery import app_secret, forget_claims, nothing_due
from chime.inbox.departure_jobs import JOBS as DEPARTURE_JOBS
from chime.inbox.doubt_jobs import JOBS as DOUBT_JOBS
from chime.inbox.model import CLOCK_SLACK
from chime.inbox.page_jobs import COUNT_PAGES, PDF
from chime.inbox.page_jobs import JOBS as PAGE_JOBS
from chime.inbox.receive import MEDIA_LIFETIME
from chime.inbox.reminder_jobs import JOBS as REMINDER_JOBS
from chime.inbox.scheduled_jobs import JOBS as SCHEDULED_JOBS
from chime.inbox.search_jobs import JOBS as SEARCH_JOBS
from chime.inbox.snooze_jobs import JOBS as SNOOZE_JOBS
from chime.inbox.unsent_file_jobs import JOBS as UNSENT_JOBS
from chime.inbox.unsettled_jobs import JOBS as UNSETTLED_JOBS
from chime.jobs import JobKind, Work
from chime.whatsapp import Doubtful, GraphRefused, MediaTooLarge, NotSent, read_body

__all__ = ["JOBS", "forget_claims"]

LARGEST_FILE = 100 * 1024 * 1024


async def fetch_media(work: Work, media_id: str) -> None:
    """Bring a customer's file home before Meta forgets it. A failure leaves the message readable, with the reason."""
    workspace = work.workspace
    stored = await queries.media(workspace.db, media_id)
    if stored is None or stored.state.value != "pending":
        return
    if stored.trouble == REVOKED:
        await asyncio.to_thread(workspace.files.remove, media_id)
        await _fetched(work, media_id, "failed", REVOKED)
        return
    if stored.meta_media_id is None:
        return
    channel = await channels.channel(workspace.db, stored.channel_id)
    if channel is None:
        await _fetched(work, media_id, "failed", "channel_removed")
        return
    token = await channels.access_token(workspace.db, workspace.vault, channel.id)
    secret = await app_secret(work, channel.id)
    try:
        # A new address each time: Meta's live five minutes.
        place = await work.graph.media_url(stored.meta_media_id, channel.phone_number_id, token, app_secret=secret)
        written = await workspace.files.write(media_id, _download(work, place.url, token))
    except GraphRefused as refusal:
        # A fresh address that is not found twice means that Meta let the file go.
        gone = refusal.failure.code in (33, 100, 131052, 131009) or (refusal.http_status == 404 and stored.attempts > 0)
        await _fetch_failed(work, media_id, stored.attempts, "expired" if gone else "refused", again=not gone)
    except MediaTooLarge:
        await _fetched(work, media_id, "failed", "too_large")
    except (NotSent, Doubtful):
        await _fetch_failed(work, media_id, stored.attempts, "network", again=True)
    else:
        expected = place.sha256 or stored.sha256
        damaged = bool(expected) and expected != written.sha256
        # Nobody comes for the file of a message that was forgotten, or taken back, while it was on its way.
        if damaged or not await _fetched(work, media_id, "ready", "", size=written.size):
            await asyncio.to_thread(workspace.files.remove, media_id)
        if damaged:
            await _fetch_failed(work, media_id, stored.attempts, "damaged", again=True)


def _download(work: Work, url: str, token: object) -> AsyncIterator[bytes]:
    return work.graph.download(url, token, limit_bytes=LARGEST_FILE)  # type: ignore[arg-type]


async def _fetch_failed(work: Work, media_id: str, attempts: int, trouble: str, *, again: bool) -> None:
    """Try again with growing pauses for as long as Meta holds the file."""
    async with work.workspace.ingest("media") as tx:
        created = await tx.value("SELECT created_at FROM media WHERE id = ?", media_id)
        at = tx.now + min(5_000 * 2 ** min(attempts, 12), 3_600_000)
        if again and created is not None and at < created + MEDIA_LIFETIME:
            # What was made later than now was made before the clock went back: its time is counted from here.
            await tx.execute("UPDATE media SET attempts = attempts + 1, next_attempt_at = ?1, trouble = ?2, "
                             "created_at = min(created_at, ?3) WHERE id = ?4 AND trouble <> 'revoked'",
                             at, trouble, tx.now, media_id)
            tx.enqueue(FETCH_MEDIA, media_id, at=at)
            if attempts == 0:
                await tell_message_of(tx, media_id)
            return
    await _fetched(work, media_id, "failed", trouble)


async def _fetched(work: Work, media_id: str, state: str, trouble: str, *, size: int | None = None) -> bool:
    """Note what came of it; False when the row is gone, or its message was taken back."""
    async with work.workspace.ingest("media") as tx:
        # What was taken back while we fetched it stays taken back; its own nudge is waiting for us to end.
        noted = await tx.execute(
            "UPDATE media SET state = ?1, trouble = ?2, size = coalesce(?3, size), next_attempt_at = NULL "
            "WHERE id = ?4 AND (trouble <> 'revoked' OR ?2 = 'revoked')", state, trouble, size, media_id)
        if state == "ready" and await tx.value("SELECT 1 FROM media WHERE id = ? AND mime_type = ?", media_id, PDF):
            tx.enqueue(COUNT_PAGES, media_id)
        await tell_message_of(tx, media_id)
    return bool(noted)


async def due_media(db: Db, now: int) -> list[str]:
    # What was made later than now was made before the clock went back; its next attempt may be a year away.
    rows = await db.rows("SELECT id FROM media WHERE state = 'pending' AND (next_attempt_at <= ?1 "
                         "OR created_at > ?2) LIMIT 200", now, now + CLOCK_SLACK)
    return [row[0] for row in rows]


async def send_read(work: Work, message_id: str) -> None:
    """Blue ticks on the customer's side. Lost with a crash: the next message read tells it again."""
    await _tell_whatsapp(work, message_id, typing=False)


async def send_typing(work: Work, message_id: str) -> None:
    """Show the customer that somebody writes; Meta takes it together with the read receipt."""
    await _tell_whatsapp(work, message_id, typing=True)


async def _tell_whatsapp(work: Work, message_id: str, *, typing: bool) -> None:
    row = await queries.message(work.workspace.db, message_id)
    channel = await channels.channel(work.workspace.db, row.channel_id) if row else None
    if row is None or row.wamid is None or channel is None or channel.state != "connected":
        return
    token = await channels.access_token(work.workspace.db, work.workspace.vault, channel.id)
    try:
        await work.graph.mark_read(channel.phone_number_id, token, read_body(row.wamid, typing),
                                   app_secret=await app_secret(work, channel.id))
    except (GraphRefused, NotSent, Doubtful) as error:
        work.log.info("read_receipt.not_sent", reason=type(error).__name__)


JOBS = [
    *BLOCK_JOBS,
    *DELIVERY_JOBS,
    *DEPARTURE_JOBS,
    *DOUBT_JOBS,
    *PAGE_JOBS,
    *REMINDER_JOBS,
    *SCHEDULED_JOBS,
    *SEARCH_JOBS,
    *SNOOZE_JOBS,
    *BULK_JOBS,
    *UNSENT_JOBS,
    *UNSETTLED_JOBS,
    JobKind(FETCH_MEDIA, fetch_media, due_media, at_once=16),
    JobKind(SEND_READ, send_read, nothing_due),
    JobKind(SEND_TYPING, send_typing, nothing_due),
]
