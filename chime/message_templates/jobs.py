"""Fetching templates from Meta, and what Meta says of each number."""

from __future__ import annotations

from typing import Any

from chime import channels
from chime.channels import Channel
from chime.clock import HOUR
from chime.db import Db
from chime.jobs import JobKind, Work
from chime.message_templates.actions import SYNC, replace_all
from chime.whatsapp import Doubtful, GraphRefused, NotSent


async def sync(work: Work, waba_id: str) -> None:
    """Take over the account's templates, asked with the token of one of its numbers: of those that work first, and of
    the next when Meta refuses one."""
    numbers = [row for row in await channels.channels(work.workspace.db) if row.waba_id == waba_id]
    for number in sorted(numbers, key=lambda row: row.state != "connected"):
        try:
            found = await _asked_by(work, number)
        except (GraphRefused, NotSent, Doubtful) as error:
            # The copy we have stays; the next sweep asks again.
            work.log.warning("templates.not_fetched", reason=type(error).__name__)
            if isinstance(error, GraphRefused):
                continue
            return
        async with work.workspace.ingest("message_templates") as tx:
            await replace_all(tx, waba_id, found)
            await tx.execute("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET "
                             "value = excluded.value", f"templates_synced:{waba_id}", str(tx.now))
        return


async def _asked_by(work: Work, number: Channel) -> list[dict[str, Any]]:
    """All templates of its account, as Meta tells this number. Raises GraphRefused, NotSent, Doubtful."""
    token = await channels.access_token(work.workspace.db, work.workspace.vault, number.id)
    app = await work.control.app_by_id(number.meta_app_id)
    return await work.graph.templates(number.waba_id, token, app_secret=app.secret if app else None)


async def due(db: Db, now: int) -> list[str]:
    """Accounts never fetched, or not for six hours."""
    rows = await db.rows(
        "SELECT DISTINCT channel.waba_id FROM channel LEFT JOIN meta ON meta.key = 'templates_synced:' || "
        "channel.waba_id WHERE channel.removed_at IS NULL AND channel.state = 'connected' "
        "AND coalesce(cast(meta.value AS INTEGER), 0) < ?", now - 6 * HOUR)
    return [row[0] for row in rows]


JOBS = [JobKind(SYNC, sync, due)]
