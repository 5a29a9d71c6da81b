"""Asking Meta about our numbers: what they are called, how they are rated, how fast they may send."""

from __future__ import annotations

from chime import accounts
from chime.channels import queries
from chime.channels.actions import CHECK, mark_trouble, reconnect, record_quality
from chime.channels.credentials import forget_previous_token, restore_previous_token
from chime.clock import DAY
from chime.db import Db
from chime.jobs import JobKind, Work
from chime.security.permissions import Permission
from chime.whatsapp import Doubtful, GraphRefused, NotSent
from chime.workspaces import Transaction

# Its body is inbound's: what was parked for the number is delivered.
CONNECTED = "inbound.release"
# Room left for what comes in: Meta counts both directions (whatsapp-messaging.md 8).
_RATES = {"STANDARD": 60, "HIGH": 900}


async def check(work: Work, channel_id: str) -> None:
    """Refresh one number; a refused token marks it, a working one clears the mark."""
    channel = await queries.channel(work.workspace.db, channel_id)
    if channel is None:
        return
    token = await queries.access_token(work.workspace.db, work.workspace.vault, channel_id)
    app = await work.control.app_by_id(channel.meta_app_id)
    try:
        found = await work.graph.phone_number(channel.phone_number_id, token, app_secret=app.secret if app else None)
    except GraphRefused as refusal:
        async with work.workspace.ingest("channels") as tx:
            if refusal.failure.effect == "reconnect_channel":
                words = f"{refusal.failure.title} {refusal.failure.what_to_do}".strip()
                if not await restore_previous_token(tx, work.workspace.vault, channel_id):
                    await mark_trouble(tx, channel_id, words)
            await _checked(tx, channel_id)
        return
    except (NotSent, Doubtful):
        return
    level = str((found.get("throughput") or {}).get("level", "")).upper()
    in_charge = await _in_charge(work, channel_id)
    async with work.workspace.ingest("channels") as tx:
        await reconnect(tx, channel_id)
        await forget_previous_token(tx, channel_id)
        await record_quality(tx, channel_id, verified_name=found.get("verified_name"),
                             quality=found.get("quality_rating"), messages_per_second=_RATES.get(level),
                             in_charge=in_charge)
        await _checked(tx, channel_id)


async def _in_charge(work: Work, channel_id: str) -> list[str]:
    """Whose number it is: who may connect and disconnect it."""
    people = await accounts.member_actors(work.control.db, work.workspace.id)
    return [one.id for one in people if one.id and one.may(Permission.CHANNELS_CONNECT)
            and (one.channels is None or channel_id in one.channels)]


async def _checked(tx: Transaction, channel_id: str) -> None:
    await tx.execute("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET "
                     "value = excluded.value", f"channel_checked:{channel_id}", str(tx.now))


async def due(db: Db, now: int) -> list[str]:
    """Numbers never looked at, or not for a day; one in trouble every ten minutes."""
    rows = await db.rows(
        "SELECT channel.id FROM channel LEFT JOIN meta ON meta.key = 'channel_checked:' || channel.id "
        "WHERE channel.removed_at IS NULL AND coalesce(cast(meta.value AS INTEGER), 0) < "
        "CASE channel.state WHEN 'connected' THEN ? ELSE ? END", now - DAY, now - 600_000)
    return [row[0] for row in rows]


JOBS = [JobKind(CHECK, check, due)]
