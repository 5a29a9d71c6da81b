"""A number was connected: what was parked for it, or for its account, goes into its workspace's journal."""

from __future__ import annotations

from chime import channels
from chime.clock import HOUR
from chime.db import Db
from chime.inbound.actions import release_into
from chime.inbound.jobs import APPLY
from chime.jobs import JobKind, Work

RELEASE = "inbound.release"


async def release(work: Work, channel_id: str) -> None:
    channel = await channels.channel(work.workspace.db, channel_id)
    if channel is None:
        return
    # Asked of the file: what `control.route` remembers may be some milliseconds old, and this job comes at once.
    owner = await work.control.db.value("SELECT workspace_id FROM channel_route WHERE phone_number_id = ?",
                                        channel.phone_number_id)
    if owner != work.workspace.id:
        return
    if await release_into(work.workspace, work.control, work.clock, phone_number_id=channel.phone_number_id,
                          waba_id=channel.waba_id):
        work.start(APPLY, "journal")


async def due(db: Db, now: int) -> list[str]:
    """Those connected lately; for who finds nothing parked it is one short query."""
    rows = await db.rows("SELECT id FROM channel WHERE removed_at IS NULL AND access_token_changed_at > ?", now - HOUR)
    return [row[0] for row in rows]


JOBS = [JobKind(RELEASE, release, due)]
