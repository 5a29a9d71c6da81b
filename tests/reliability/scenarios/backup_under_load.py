"""Backup during 500 writes a second, with kills: every restore is clean and has all that was acknowledged in time.

One round is one kill: start, serve under load, note what was acknowledged ten seconds before, kill. Then what is on the
shelf is restored: its newest moment, and some that are drawn, each looked through from its first page to its last.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from chime.backups import BackupRefused, Shelf, lay_workspace, moments
from chime.clock import Clock
from chime.db import open_connection
from chime.ids import Ids
from chime.workspaces import Control, open_keys
from chime.workspaces.keys import WorkspaceKeys
from tests.reliability.appliance import Appliance
from tests.reliability.scenario import Options, Outcome, Watch, percentile
from tests.reliability.senders import Delivery, Sender
from tests.reliability.traffic import Traffic
from tests.support.world import MASTER_KEY

SHORT, NIGHTLY, RELEASE = 1, 50, 500
RATE = 500
# A commit is on the shelf so many seconds later; a step may have just begun, so the load goes on for longer.
WITHIN = 10.0
SERVED = 14.0
DRAWN = 3


async def run(options: Options) -> Outcome:
    watch, luck = Watch("backup-under-load", options), options.luck()
    restored = bodies = 0
    took: list[float] = []
    async with Appliance.install(options.folder) as appliance:
        traffic = Traffic(appliance.numbers, luck)
        sender = Sender(appliance.port, appliance.webhook_path, luck)
        shelf = Shelf(appliance.data_dir / "backups")
        workspace_id = appliance.numbers[0].workspace_id
        keys = await _keys(appliance.data_dir, workspace_id)
        posting = asyncio.create_task(asyncio.sleep(0))
        try:
            for _ in range(options.rounds):
                await appliance.start()
                posting = asyncio.create_task(sender.at_rate(_endless(traffic), RATE))
                await asyncio.sleep(SERVED - WITHIN + luck.random() * 4)
                promised = len(sender.acknowledged)  # each is a row of the journal
                await asyncio.sleep(WITHIN)
                posting.cancel()
                await appliance.kill()
                began = time.monotonic()
                found = await asyncio.to_thread(_restored, watch, shelf, workspace_id, keys, options.folder / "laid",
                                                None)
                took.append(time.monotonic() - began)
                watch.expect(found >= promised, f"{promised - found} bodies acknowledged 10 s before are not restored")
                bodies = found
                points = moments(shelf, workspace_id).points
                for at in luck.sample(points, min(DRAWN, len(points))):
                    await asyncio.to_thread(_restored, watch, shelf, workspace_id, keys, options.folder / "laid", at)
                restored += 1 + min(DRAWN, len(points))
                if watch.faults:
                    break
        finally:
            posting.cancel()
            await sender.close()
    watch.figures |= {"restores": restored, "bodies": bodies, "restore_p50_seconds": round(percentile(took, 0.5), 2),
                      "acknowledged_p50_ms": round(percentile(sender.milliseconds, 0.5), 1),
                      "acknowledged_p99_ms": round(percentile(sender.milliseconds, 0.99), 1),
                      "acknowledged_longest_ms": round(max(sender.milliseconds, default=0), 1)}
    return watch.outcome()


def _endless(traffic: Traffic) -> Iterator[Delivery]:
    while True:
        yield traffic.delivery()


async def _keys(data_dir: Path, workspace_id: str) -> WorkspaceKeys:
    control = await Control.open(data_dir, open_keys(data_dir, MASTER_KEY), Clock(), Ids())
    try:
        return await control.workspace_keys(workspace_id)
    finally:
        await control.close()


def _restored(watch: Watch, shelf: Shelf, workspace_id: str, keys: WorkspaceKeys, target: Path, at: int | None) -> int:
    """How many bodies the journal of that moment has."""
    try:
        laid = lay_workspace(shelf, workspace_id, keys, at=at, target=target)
    except BackupRefused as refused:
        watch.expect(at is not None and "no backup" in str(refused), f"a moment cannot be restored: {refused}")
        return 0
    try:
        journal = open_connection(laid.folder / "journal.db", laid.journal_key, writes=False)
        try:
            return int(journal.execute("SELECT count(*) FROM webhook_body").fetchone()[0])
        finally:
            journal.close()
    finally:
        shutil.rmtree(target)
