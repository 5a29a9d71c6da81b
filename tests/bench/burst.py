"""2,000 single posts at once over 256 connections, as after an hour in which Meta could not reach us. The yardstick is
the bare handler with the same posts."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from chime.setup import opened
from tests.bench.bodies import messages
from tests.bench.ingest import bare_server
from tests.bench.installation import Installed, config_for, install, served
from tests.bench.load import run_load
from tests.bench.options import Options

POSTS = 2_000
CONNECTIONS = 256


def measure(options: Options) -> dict[str, object]:
    posts = 300 if options.quick else POSTS
    with tempfile.TemporaryDirectory() as folder:
        installed = install(Path(folder) / "data")
        with bare_server() as (port, _):
            bare = run_load("closed", port, CONNECTIONS, messages("/", posts, "bare"))
        with served(installed.data_dir, fsync_ms=options.fsync_ms) as process:
            begun = time.monotonic()
            found = run_load("closed", process.port, CONNECTIONS, messages(installed.webhook_path, posts, "burst"))
            applied = asyncio.run(_until_applied(installed, posts)) - begun
    if found["statuses"] != {"200": posts}:
        raise RuntimeError(f"not every post was taken: {found['statuses']}")
    return {"posts": posts, "acknowledged_seconds": round(found["seconds"], 2),
            "baseline_bare_seconds": round(bare["seconds"], 2), "ratio": round(found["seconds"] / bare["seconds"], 1),
            "p99_ms": round(found["p99_ms"], 1), "applied_within_seconds_of_the_start": round(applied, 1),
            "must": {"acknowledged_seconds": 5}, "reached": found["seconds"] <= 5}


async def _until_applied(installed: Installed, posts: int) -> float:
    """The moment at which every message is in effect, as a second reader of the file sees it."""
    async with opened(config_for(installed.data_dir)) as (_, registry), \
            registry.use(installed.workspace_id) as workspace:
        for _ in range(1200):
            if await workspace.db.value("SELECT count(*) FROM message") == posts:
                return time.monotonic()
            await asyncio.sleep(0.05)
    raise RuntimeError("the posts do not take effect")
