"""Measuring the workspaces: sizes of files, counts of messages, how far what came in is applied.

Those that are open are looked at every minute, all of them now and then, so that a list of a thousand costs one query
of control.db. Each look also brings the copy of the quota in the workspace's own file up to date. Files are only
asked for their size, never opened here (a live database must not be).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import msgspec

from chime.clock import DAY
from chime.errors import ChimeError
from chime.log import Log
from chime.security.permissions import SYSTEM
from chime.web.services import Services
from chime.workspaces import Workspace, applied_upto, quotas
from chime.workspaces.control import MUTED
from chime.workspaces.quotas import Copy, day_of, start_of

FIRST_AFTER = 20.0
LOOK_EVERY = 60.0
ALL_EVERY = 15
AT_A_TIME = 20
KEPT = 400 * DAY
_log = Log("console")


class Sizes(msgspec.Struct, frozen=True):
    """What lies in a workspace's folder, in bytes."""

    database: int
    journal: int
    media: int

    @property
    def all(self) -> int:
        return self.database + self.journal + self.media


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """One look. `days` are (day, received, sent) of those that may have changed since the one before."""

    workspace_id: str
    sizes: Sizes
    webhook_at: int | None = None
    waiting: int = 0
    waiting_since: int | None = None
    days: tuple[tuple[str, int, int], ...] = ()
    trouble: str = ""


Tallies = dict[str, quotas.Tally]
"""Of each workspace, today's: a day of 100,000 messages takes half a second to count, and is looked at every minute."""


async def watch(services: Services) -> None:
    """For as long as the process runs."""
    await asyncio.sleep(FIRST_AFTER)
    number, tallies = 0, Tallies()
    while True:
        # A disk that takes nothing must not end it.
        with suppress(ChimeError):
            await look(services, None if number % ALL_EVERY == 0 else set(services.registry.open_ids), tallies)
        number += 1
        await asyncio.sleep(LOOK_EVERY)


async def look(services: Services, only: Collection[str] | None = None, tallies: Tallies | None = None) -> None:
    """Measure these workspaces, or all, and write it down. `tallies` are those of the last look, and are brought up to
    this one."""
    tallies = Tallies() if tallies is None else tallies
    rows = await services.control.db.rows("SELECT id, state FROM workspace WHERE state <> 'erased' ORDER BY id")
    wanted = [row[0] for row in rows if only is None or row[0] in only]
    copies = {workspace_id for workspace_id, state in rows if state == MUTED}
    for start in range(0, len(wanted), AT_A_TIME):
        found = [await _measured(services, one, copies, tallies) for one in wanted[start:start + AT_A_TIME]]
        await _write_down(services, found)


async def _measured(services: Services, workspace_id: str, copies: Collection[str], tallies: Tallies) -> Usage:
    folder = services.control.keys.data_dir / "workspaces" / workspace_id
    sizes = await asyncio.to_thread(sizes_of, folder)
    try:
        async with services.registry.use(workspace_id) as workspace:
            found = await _opened(services, workspace, sizes, tallies)
            if workspace_id not in copies:
                await _copy_quota(services, workspace, sizes)
        return found
    except ChimeError as error:  # its files are away or can't be used: the others must be measured all the same
        _log.warning("console.not_measured", workspace_id=workspace_id, reason=type(error).__name__)
        return Usage(workspace_id=workspace_id, sizes=sizes, trouble=type(error).__name__)


async def _opened(services: Services, workspace: Workspace, sizes: Sizes, tallies: Tallies) -> Usage:
    last = await workspace.journal_db.rows("SELECT id, received_at FROM webhook_body ORDER BY id DESC LIMIT 1")
    applied, waiting_since = await applied_upto(workspace.db), await workspace.unapplied_since()
    now = services.clock.now()
    today = start_of(now)
    tally = tallies[workspace.id] = await quotas.counted_on(workspace.db, today, tallies.get(workspace.id),
                                                            aside=workspace.db.long_reads)
    days = [(day_of(now), tally.received, tally.sent)]
    seen_at = await services.control.db.value("SELECT at FROM workspace_usage WHERE workspace_id = ?", workspace.id)
    if seen_at is None or seen_at < today:  # the last look of a day comes before its end
        days.append((day_of(today - DAY), *await quotas.counted(workspace.db, today - DAY, today,
                                                                aside=workspace.db.long_reads)))
    return Usage(workspace_id=workspace.id, sizes=sizes, webhook_at=last[0][1] if last else None,
                 waiting=max(0, last[0][0] - applied) if last else 0, waiting_since=waiting_since, days=tuple(days))


async def _copy_quota(services: Services, workspace: Workspace, sizes: Sizes) -> None:
    quota = await quotas.quota_of(services.control.db, workspace.id)
    copy = Copy(messages=quota.messages, is_full=quota.bytes is not None and sizes.all >= quota.bytes)
    if await quotas.copy_of(workspace.db) != copy:
        async with workspace.write(SYSTEM) as tx:
            await quotas.put_copy(tx, copy)


async def _write_down(services: Services, found: list[Usage]) -> None:
    now = services.clock.now()
    async with services.control.ingest("usage") as tx:
        for one in found:
            await tx.execute(
                "INSERT INTO workspace_usage (workspace_id, at, database_bytes, journal_bytes, media_bytes, "
                "webhook_at, waiting, waiting_since, trouble) "
                "SELECT id, ?, ?, ?, ?, ?, ?, ?, ? FROM workspace WHERE id = ? AND state <> 'erased' "
                "ON CONFLICT (workspace_id) DO UPDATE SET at = excluded.at, "
                "database_bytes = excluded.database_bytes, journal_bytes = excluded.journal_bytes, "
                "media_bytes = excluded.media_bytes, webhook_at = excluded.webhook_at, waiting = excluded.waiting, "
                "waiting_since = excluded.waiting_since, trouble = excluded.trouble",
                now, one.sizes.database, one.sizes.journal, one.sizes.media, one.webhook_at, one.waiting,
                one.waiting_since, one.trouble, one.workspace_id)
            for day, received, sent in one.days:
                await tx.execute(
                    "INSERT INTO workspace_usage_day (workspace_id, day, bytes, received, sent) "
                    "SELECT id, ?, ?, ?, ? FROM workspace WHERE id = ? AND state <> 'erased' "
                    "ON CONFLICT (workspace_id, day) DO UPDATE SET received = excluded.received, sent = excluded.sent, "
                    "bytes = iif(excluded.day = ?, excluded.bytes, bytes)",
                    day, one.sizes.all, received, sent, one.workspace_id, day_of(now))
            await tx.execute("DELETE FROM workspace_usage_day WHERE workspace_id = ? AND day < ?", one.workspace_id,
                             day_of(now - KEPT))


def sizes_of(folder: Path) -> Sizes:
    """A folder that is away holds nothing."""
    found = {"workspace": 0, "journal": 0, "media": 0}
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        with suppress(OSError), os.scandir(here) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(here / entry.name)
                    continue
                kind = entry.name.partition(".")[0] if here == folder and ".db" in entry.name else "media"
                # A file may go while we look.
                with suppress(OSError):
                    found[kind if kind in found else "media"] += entry.stat(follow_symlinks=False).st_size
    return Sizes(found["workspace"], found["journal"], found["media"])
