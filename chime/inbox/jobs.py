"""What the inbox does outside a request: send, fetch files, tell the customer we read, clear up after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from chime import channels
from chime.clock import DAY, MINUTE, Clock
from chime.db import Db
from chime.inbox import queries, sending
from chime.inbox.actions import SEND_READ, SEND_TYPING
from chime.inbox.changes import FETCH_MEDIA, REVOKED
from chime.inbox.model import Message, Status
from chime.inbox.receive import MEDIA_LIFETIME
from chime.inbox.sending import DELIVER, Claim
from chime.jobs import JobKind, Work
from chime.whatsapp import Doubtful, GraphRefused, MediaTooLarge, NotSent, Verdict, read_body
from chime.workspaces import Transaction, Workspace

RECOVER = "inbox.recover"
# Ids of files we uploaded live 30 days at Meta; a day less keeps a send from racing the end.
UPLOAD_LIFETIME = 29 * DAY
LARGEST_FILE = 100 * 1024 * 1024
# Longer than the client's own deadlines: what is still `sending` after this lost its process.
LOST_AFTER = 3 * MINUTE


async def deliver(work: Work, message_id: str) -> None:
    """One message: wait for its turn, upload its file, claim, send, settle. One after the other in a conversation:
    what was written first must not arrive second because its file took longer."""
    row = await queries.message(work.workspace.db, message_id)
    if row is None or row.status is not Status.QUEUED or (row.next_attempt_at or 0) > work.clock.now():
        return
    if not await _within_pair_limit(work, row):
        return
    async with work.pace.turn(row.conversation_id):
        await _slot(work, row.channel_id)
        if not await _uploaded(work, row):
            return
        async with work.workspace.ingest("delivery") as tx:
            claim = await sending.claim(tx, message_id, work.workspace.callback_key)
        if claim is not None:
            await _send(work, claim)


async def _slot(work: Work, channel_id: str) -> None:
    channel = await channels.channel(work.workspace.db, channel_id)
    if channel is not None:
        await work.pace.slot(channel.id, channel.messages_per_second)


async def _within_pair_limit(work: Work, row: Message) -> bool:
    wait = work.pace.pair(row.channel_id, row.conversation_id)
    if wait > 0:
        async with work.workspace.ingest("delivery") as tx:
            await sending.put_back(tx, row.id, at=tx.now + int(wait * 1000) + 1)
    return wait <= 0


async def _send(work: Work, claim: Claim) -> None:
    """The network step. Whatever happens, the journal says how far it came."""
    workspace = work.workspace
    token = await channels.access_token(workspace.db, workspace.vault, claim.channel_id)
    secret = await _app_secret(work, claim.channel_id)
    await workspace.record_send(claim.message_id, claim.attempt, "begun", None, work.clock.now())
    try:
        answer = await work.graph.send(claim.phone_number_id, token, claim.body, attempt=claim.attempt,
                                       app_secret=secret)
    except GraphRefused as refusal:
        await workspace.record_send(claim.message_id, claim.attempt, "ended", "refused", work.clock.now())
        async with workspace.ingest("delivery") as tx:
            await sending.refused(tx, claim, refusal.failure)
        if refusal.failure.effect == "slow_number":
            work.pace.slow_down(claim.channel_id)
    except NotSent:
        await workspace.record_send(claim.message_id, claim.attempt, "ended", "not_sent", work.clock.now())
        async with workspace.ingest("delivery") as tx:
            await sending.not_sent(tx, claim)
    except Doubtful:
        await workspace.record_send(claim.message_id, claim.attempt, "ended", "doubtful", work.clock.now())
        async with workspace.ingest("delivery") as tx:
            await sending.doubtful(tx, claim)
    else:
        await workspace.record_send(claim.message_id, claim.attempt, "ended", "accepted", work.clock.now())
        async with workspace.ingest("delivery") as tx:
            await sending.accepted(tx, claim, answer.wamid)


async def _app_secret(work: Work, channel_id: str) -> bytes | None:
    channel = await channels.channel(work.workspace.db, channel_id)
    app = await work.control.app_by_id(channel.meta_app_id) if channel else None
    return app.secret if app else None


async def _uploaded(work: Work, row: Message) -> bool:
    """Have Meta hold the message's file. An upload may be repeated freely: it sends nothing to anybody."""
    if row.media is None:
        return True
    workspace = work.workspace
    stored = await queries.media(workspace.db, row.media.id)
    if stored is None or (stored.meta_media_id and work.clock.now() - stored.created_at < UPLOAD_LIFETIME):
        return True
    channel = await channels.channel(workspace.db, row.channel_id)
    if channel is None:
        return True
    try:
        token = await channels.access_token(workspace.db, workspace.vault, channel.id)
        meta_id = await work.graph.upload_media(
            channel.phone_number_id, token, workspace.files.read(stored.id), size=workspace.files.size(stored.id),
            mime_type=stored.mime_type, filename=stored.filename or "file",
            app_secret=await _app_secret(work, channel.id))
    except (NotSent, Doubtful) as error:
        work.log.warning("media.upload_failed", reason=type(error).__name__)
        async with workspace.ingest("delivery") as tx:
            await sending.put_back(tx, row.id, at=tx.now + 15_000)
        return False
    except GraphRefused as refusal:
        await _upload_refused(work, row, refusal)
        return False
    async with workspace.ingest("delivery") as tx:
        await tx.execute("UPDATE media SET meta_media_id = ? WHERE id = ?", meta_id, stored.id)
    return True


async def _upload_refused(work: Work, row: Message, refusal: GraphRefused) -> None:
    async with work.workspace.ingest("delivery") as tx:
        claimed = await tx.execute("UPDATE message SET status = 'sending', attempts = attempts + 1, claimed_at = ? "
                                   "WHERE id = ? AND status = 'queued'", tx.now, row.id)
        if claimed == 1:
            attempt = int(await tx.value("SELECT attempts FROM message WHERE id = ?", row.id))
            claim = Claim(message_id=row.id, conversation_id=row.conversation_id, channel_id=row.channel_id,
                          phone_number_id="", attempt=attempt, body={})
            failure = refusal.failure
            if failure.verdict is Verdict.DOUBT:
                # Of an upload there is no doubt that matters: no message left.
                await sending.not_sent(tx, claim)
            else:
                await sending.refused(tx, claim, failure)


async def forget_claims(workspace: Workspace, clock: Clock) -> None:
    """At the start of the process nothing can be in flight: whatever is still `sending` was left by the last one."""
    async with workspace.ingest("delivery") as tx:
        await tx.execute("UPDATE message SET claimed_at = min(claimed_at, ?) WHERE status = 'sending'",
                         clock.now() - LOST_AFTER - 1)


async def due_messages(db: Db, now: int) -> list[str]:
    """Queued messages whose time has come."""
    rows = await db.rows("SELECT id FROM message WHERE status = 'queued' AND next_attempt_at <= ? "
                         "ORDER BY next_attempt_at LIMIT 500", now)
    return [row[0] for row in rows]


async def recover(work: Work, message_id: str) -> None:
    """A message left in `sending` by a process that ended. The journal knows whether its send ever began."""
    workspace = work.workspace
    attempt = await workspace.db.value("SELECT attempts FROM message WHERE id = ? AND status = 'sending'", message_id)
    if attempt is None:
        return
    rows = await workspace.journal_db.rows("SELECT phase, outcome FROM send_event WHERE message_id = ? "
                                           "AND attempt = ? ORDER BY id", message_id, attempt)
    async with workspace.ingest("delivery") as tx:
        outcome = rows[-1][1] if rows and rows[-1][0] == "ended" else None
        if not rows or outcome in ("not_sent", "refused"):
            await sending.put_back(tx, message_id, at=tx.now)
        else:
            await tx.execute("UPDATE message SET status = 'unconfirmed' WHERE id = ? AND status = 'sending'",
                             message_id)
        conversation_id = await tx.value("SELECT conversation_id FROM message WHERE id = ?", message_id)
        tx.publish("message", message_id, conversation_id=conversation_id)


async def lost_sends(db: Db, now: int) -> list[str]:
    rows = await db.rows("SELECT id FROM message WHERE status = 'sending' AND claimed_at < ? LIMIT 500",
                         now - LOST_AFTER)
    return [row[0] for row in rows]


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
    secret = await _app_secret(work, channel.id)
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
        if expected and expected != written.sha256:
            await _fetch_failed(work, media_id, stored.attempts, "damaged", again=True)
        else:
            await _fetched(work, media_id, "ready", "", size=written.size)


def _download(work: Work, url: str, token: object) -> AsyncIterator[bytes]:
    return work.graph.download(url, token, limit_bytes=LARGEST_FILE)  # type: ignore[arg-type]


async def _fetch_failed(work: Work, media_id: str, attempts: int, trouble: str, *, again: bool) -> None:
    """Try again with growing pauses for as long as Meta holds the file."""
    async with work.workspace.ingest("media") as tx:
        created = await tx.value("SELECT created_at FROM media WHERE id = ?", media_id)
        at = tx.now + min(5_000 * 2 ** min(attempts, 12), 3_600_000)
        if again and at < created + MEDIA_LIFETIME and attempts < 40:
            await tx.execute("UPDATE media SET attempts = attempts + 1, next_attempt_at = ?, trouble = ? WHERE id = ? "
                             "AND trouble <> 'revoked'", at, trouble, media_id)
            tx.enqueue(FETCH_MEDIA, media_id, at=at)
            if attempts == 0:
                await _tell_message(tx, media_id)
            return
    await _fetched(work, media_id, "failed", trouble)


async def _fetched(work: Work, media_id: str, state: str, trouble: str, *, size: int | None = None) -> None:
    async with work.workspace.ingest("media") as tx:
        # What was taken back while we fetched it stays taken back; its own nudge is waiting for us to end.
        await tx.execute("UPDATE media SET state = ?1, trouble = ?2, size = coalesce(?3, size), next_attempt_at = NULL "
                         "WHERE id = ?4 AND (trouble <> 'revoked' OR ?2 = 'revoked')", state, trouble, size, media_id)
        await _tell_message(tx, media_id)


async def _tell_message(tx: Transaction, media_id: str) -> None:
    for message_id, conversation_id in await tx.rows("SELECT id, conversation_id FROM message WHERE media_id = ?",
                                                     media_id):
        tx.publish("message", message_id, conversation_id=conversation_id)


async def due_media(db: Db, now: int) -> list[str]:
    rows = await db.rows("SELECT id FROM media WHERE state = 'pending' AND next_attempt_at <= ? LIMIT 200", now)
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
                                   app_secret=await _app_secret(work, channel.id))
    except (GraphRefused, NotSent, Doubtful) as error:
        work.log.info("read_receipt.not_sent", reason=type(error).__name__)


async def nothing_due(db: Db, now: int) -> list[str]:
    return []


JOBS = [
    JobKind(DELIVER, deliver, due_messages),
    JobKind(RECOVER, recover, lost_sends),
    JobKind(FETCH_MEDIA, fetch_media, due_media),
    JobKind(SEND_READ, send_read, nothing_due),
    JobKind(SEND_TYPING, send_typing, nothing_due),
]
