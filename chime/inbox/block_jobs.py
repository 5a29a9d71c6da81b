"""Telling Meta whom we block and whom we let in again. Saying it twice does no harm, so lost answers are asked for."""

from __future__ import annotations

from chime import channels, contacts
from chime.db import Db
from chime.inbox import blocking
from chime.inbox.blocking import TELL_META, BlockState
from chime.inbox.delivery import app_secret
from chime.jobs import JobKind, Work
from chime.whatsapp import Doubtful, GraphRefused, NotSent, Verdict

MOST_ATTEMPTS = 12
FIRST_PAUSE = 30_000


async def tell_meta(work: Work, block_id: str) -> None:
    """One person on one number."""
    db = work.workspace.db
    found = await blocking.block_state(db, block_id)
    if found is None or found.state != "pending":
        return
    channel = await channels.channel(db, found.channel_id)
    contact = await contacts.contact(db, found.contact_id)
    if channel is None or contact is None or (contact.phone is None and contact.user_id is None):
        await _settled(work, found, "refused", "gone")
        return
    token = await channels.access_token(db, work.workspace.vault, channel.id)
    try:
        await work.graph.block_user(channel.phone_number_id, token, blocked=found.wanted, user_id=contact.user_id,
                                    phone=contact.phone.digits if contact.phone else None,
                                    app_secret=await app_secret(work, channel.id))
    except GraphRefused as refusal:
        if refusal.failure.verdict is not Verdict.REFUSE:
            await _later(work, found)
            return
        await _settled(work, found, "refused", "not_recent" if refusal.failure.code == 139100 else "refused")
    except (NotSent, Doubtful):
        await _later(work, found)
    else:
        await _settled(work, found, "done", "")


async def _settled(work: Work, found: BlockState, state: str, trouble: str) -> None:
    async with work.workspace.ingest("block") as tx:
        # Somebody may have changed their mind while we asked.
        if await tx.value("SELECT wanted FROM contact_block WHERE id = ?", found.id) == int(found.wanted):
            await blocking.settle(tx, found.id, state=state, trouble=trouble)


async def _later(work: Work, found: BlockState) -> None:
    if found.attempts + 1 >= MOST_ATTEMPTS:
        await _settled(work, found, "refused", "network")
        return
    async with work.workspace.ingest("block") as tx:
        await blocking.put_off(tx, found.id, at=tx.now + FIRST_PAUSE * 2 ** min(found.attempts, 7))


async def due(db: Db, now: int) -> list[str]:
    rows = await db.rows("SELECT id FROM contact_block WHERE state = 'pending' AND next_attempt_at <= ? LIMIT 200", now)
    return [row[0] for row in rows]


JOBS = [JobKind(TELL_META, tell_meta, due)]
