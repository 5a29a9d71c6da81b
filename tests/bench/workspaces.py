"""A thousand workspaces in one installation: start, memory, opening one, one more migration for all. The yardstick is
an installation with a single workspace. They are made (`python -m tests.bench.workspaces DATA COUNT`) and migrated
(`chime migrate`) by processes of their own, whose disk is as slow as it was asked for."""

from __future__ import annotations

import asyncio
import base64
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

from chime import accounts
from chime.db import Kind, migrate
from chime.ids import Ids
from chime.security.permissions import OPERATOR, Role
from chime.setup import opened
from chime.workspaces import create_workspace
from tests.bench.browser import Browser
from tests.bench.installation import Installed, config_for, install, percentile, resident_megabytes, served
from tests.bench.machine import cpu_seconds
from tests.bench.options import Options
from tests.bench.slow_disk import apart
from tests.support.world import MASTER_KEY

WORKSPACES = 1_000
OPENED = 64
STARTS = 3
IN_A_TRANSACTION = 50
# Of a core, over LOOK seconds: below this the process has nothing left to do.
IDLE = 0.05
LOOK = 3.0
PATIENCE = 300.0


def measure(options: Options) -> dict[str, object]:
    count, starts, visited = (10, 1, 5) if options.quick else (WORKSPACES, STARTS, OPENED)
    with tempfile.TemporaryDirectory() as folder:
        alone = install(Path(folder) / "alone")
        baseline = _start(options, alone, starts)
        installed = install(Path(folder) / "data")
        made: float = apart("tests.bench.workspaces", str(installed.data_dir), str(count), folder=installed.data_dir,
                            fsync_ms=options.fsync_ms)
        migrated = _migrate(installed, options, count)
        ready = _start(options, installed, starts)
        with served(installed.data_dir, fsync_ms=options.fsync_ms) as process:
            busy = _until_idle(process.pid, 1.0 if options.quick else LOOK)
            idle = resident_megabytes(process.pid)
            with Browser(process.port) as browser:
                pages = [f"/w/workspace-{number}/inbox" for number in range(visited)]
                first, second = [browser.timed(page) for page in pages], [browser.timed(page) for page in pages]
            visited_megabytes = resident_megabytes(process.pid)
    opening = [before - after for before, after in zip(first, second, strict=True)]
    return {"workspaces": count, "ready_seconds": round(ready, 2),
            "baseline_ready_with_one_seconds": round(baseline, 2), "ratio": round(ready / baseline, 2),
            "first_look_through_all_seconds": round(busy, 1), "idle_rss_mb": idle,
            f"rss_mb_after_{visited}_were_visited": visited_megabytes, "migrate_all_seconds": round(migrated, 1),
            "make_one_ms": round(made / count * 1000), "open_one_p50_ms": round(statistics.median(opening), 1),
            "open_one_p95_ms": round(percentile(opening, 0.95), 1),
            "must": {"ready_seconds": 3, "idle_rss_mb": 160, "migrate_all_seconds": 30},
            "reached": ready <= 3 and idle <= 160 and migrated <= 30}


def _start(options: Options, installed: Installed, times: int) -> float:
    found = []
    for _ in range(times):
        with served(installed.data_dir, fsync_ms=options.fsync_ms) as process:
            found.append(process.seconds_to_ready)
    return statistics.median(found)


async def _make(data_dir: Path, count: int) -> float:
    """So many as the version before the last migration left them; the seconds it took."""
    names = {kind: migrate.names(kind) for kind in Kind}
    before = names | {Kind.WORKSPACE: names[Kind.WORKSPACE][:-1]}
    config, ids = config_for(data_dir), Ids()
    begun = time.monotonic()
    with patch.object(migrate, "names", before.__getitem__):
        async with opened(config) as (control, _):
            alice = await control.db.value("SELECT id FROM user")
            for start in range(0, count, IN_A_TRANSACTION):
                async with control.write(OPERATOR) as tx:
                    for number in range(start, min(start + IN_A_TRANSACTION, count)):
                        record = await create_workspace(tx, config.data_dir, control.keys, ids,
                                                        name=f"Workspace {number}")
                        await accounts.add_member(tx, workspace_id=record.id, user_id=alice, role=Role.OWNER)
    return time.monotonic() - begun


def _migrate(installed: Installed, options: Options, count: int) -> float:
    """`chime migrate`; the seconds it took, its start among them."""
    begun = time.monotonic()
    applied = apart("chime", "migrate", "--json", folder=installed.data_dir, fsync_ms=options.fsync_ms, environment={
        "CHIME_MASTER_KEY": base64.b64encode(MASTER_KEY).decode(), "CHIME_DATA_DIR": str(installed.data_dir)})
    seconds = time.monotonic() - begun
    if applied["failed"] or sum(applied["files"].values()) != count:
        raise RuntimeError("the workspaces were not migrated")
    return seconds


def _until_idle(pid: int, look: float) -> float:
    """Seconds until the process has looked through all its workspaces and rests."""
    begun = time.monotonic()
    while time.monotonic() - begun < PATIENCE:
        before = cpu_seconds(pid)
        time.sleep(look)
        if cpu_seconds(pid) - before < IDLE * look:
            return time.monotonic() - begun - look
    raise RuntimeError("the process does not come to rest")


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_make(Path(sys.argv[1]), int(sys.argv[2])))))
