"""Messages a second from the one process, over TLS to a Graph API that answers after 100 ms; then the same while the
three statuses of each message are taken in. The yardsticks are what a bare loop posts to the same Graph in the same
run, through the same transport (httpx's own is told beside it), and the rate Meta allows one number: 1,000 a second."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from chime.ids import Ids
from chime.inbox import Draft, Origin, queue_message
from chime.setup import opened
from chime.whatsapp import parse_message
from chime.workspaces import Transaction
from tests.bench.graph import Settings, make_certificate
from tests.bench.installation import ROOT, Installed, config_for, install, served
from tests.bench.machine import cpu_seconds
from tests.bench.options import Options
from tests.support.world import free_port

METAS_CEILING = 1_000
MESSAGES = 15_000
# A little more than must be reached: the sender holds itself to the number's own rate.
RATE = 1_500
RATE_WITH_STATUSES = 650
PAUSE = 0.1
BARE_SECONDS = 6


def measure(options: Options) -> dict[str, object]:
    bare, stock = (_bare(options, kind) for kind in ("ours", "stock"))
    alone = _run(options, RATE, with_statuses=False)
    both = _run(options, RATE_WITH_STATUSES, with_statuses=True)
    return {"sends_per_second": alone["rate"], "baseline_bare_posts_per_second": bare,
            "ratio_to_baseline": round(alone["rate"] / bare, 2), "stock_httpx_posts_per_second": stock,
            "metas_ceiling_per_second": METAS_CEILING,
            "ratio_to_metas_ceiling": round(alone["rate"] / METAS_CEILING, 2),
            "held_to_per_second": RATE, "cpu_microseconds_per_send": alone["cpu"],
            "sends_per_second_with_statuses": both["rate"], "statuses_taken": both["statuses"],
            "webhook_p50_ms": both["p50_ms"], "webhook_p99_ms": both["p99_ms"],
            "cpu_microseconds_per_send_with_statuses": both["cpu"], "sent_twice": alone["twice"] + both["twice"],
            "must": {"sends_per_second": 1_000, "sends_per_second_with_statuses": 500, "webhook_p99_ms": 250},
            "reached": alone["rate"] >= 1_000 and both["rate"] >= 500 and both["p99_ms"] <= 250
            and not alone["twice"] and not both["twice"]}


def _bare(options: Options, kind: str) -> int:
    """Messages a second that the Graph accepts from a loop that does nothing else."""
    nobody = Installed(data_dir=Path(), webhook_path="", workspace_id="", lines=())
    with tempfile.TemporaryDirectory() as folder, graph(Path(folder), nobody, 0) as (url, certificate, told):
        subprocess.run([sys.executable, "-m", "tests.bench.bare_sender", kind, url, str(options.lasting(BARE_SECONDS))],
                       cwd=ROOT, env={**os.environ, "SSL_CERT_FILE": str(certificate)}, check=True)
        return _by_second(told())


def _run(options: Options, rate: int, *, with_statuses: bool) -> dict[str, Any]:
    messages = 400 if options.quick else MESSAGES if not with_statuses else MESSAGES // 2
    with tempfile.TemporaryDirectory() as folder:
        installed = install(Path(folder) / "data")
        asyncio.run(fill(installed, messages, rate))
        port = free_port()
        with graph(Path(folder), installed, port if with_statuses else 0) as (url, certificate, told):
            with served(installed.data_dir, graph_url=url, port=port, fsync_ms=options.fsync_ms,
                        environment={"SSL_CERT_FILE": str(certificate)}) as process:
                before = cpu_seconds(process.pid)
                asyncio.run(_until_sent(installed, messages, statuses=with_statuses))
                cpu = cpu_seconds(process.pid) - before
            found = told()
    return {**found, "rate": _by_second(found), "cpu": round(cpu / messages * 1e6),
            "p50_ms": round(found["p50_ms"] or 0, 1), "p99_ms": round(found["p99_ms"] or 0, 1)}


def _by_second(found: dict[str, Any]) -> int:
    """Of whole seconds in the middle: the first and the last are not whole."""
    seconds = found["by_second"]
    return round(statistics.median(seconds[1:-1] or seconds))


async def fill(installed: Installed, messages: int, rate: int) -> None:
    """So many customers with an open window, and a message queued for each, through the product's own door."""
    async with opened(config_for(installed.data_dir)) as (_, registry), \
            registry.use(installed.workspace_id) as workspace, workspace.ingest("bench") as tx:
        channel_id = await tx.value("SELECT id FROM channel")
        await tx.execute("UPDATE channel SET messages_per_second = ?", rate)
        for number in range(messages):
            await _queue(tx, channel_id, number)


async def _queue(tx: Transaction, channel_id: str, number: int) -> None:
    ids = Ids()
    contact, conversation = ids.new(tx.now), ids.new(tx.now)
    await tx.execute("INSERT INTO contact (id, name, phone, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
                     contact, f"Customer {number}", f"1555{number:07d}", tx.now, tx.now)
    await tx.execute("INSERT INTO conversation (id, channel_id, contact_id, last_message_at, window_expires_at, "
                     "created_at) VALUES (?, ?, ?, ?, ?, ?)", conversation, channel_id, contact, tx.now,
                     tx.now + 80_000_000, tx.now)
    words = {"type": "text", "text": {"body": f"Hello number {number}, your order has left our shop this morning."}}
    await queue_message(tx, conversation, Draft(message=parse_message(words), origin=Origin.API))


@contextmanager
def graph(folder: Path, installed: Installed, webhook_port: int) -> Iterator[tuple[str, Path, Any]]:
    """Address, certificate, and how to end it and hear its summary."""
    certificate, private_key = make_certificate(folder)
    settings = Settings(port=free_port(), pause_seconds=PAUSE, certificate=str(certificate),
                        private_key=str(private_key), webhook_port=webhook_port, webhook_path=installed.webhook_path)
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.graph", msgspec.json.encode(settings).decode()],
                               cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()

    def told() -> dict[str, Any]:
        process.terminate()
        summary: dict[str, Any] = json.loads(process.communicate()[0])
        return summary

    try:
        yield f"https://127.0.0.1:{settings.port}", certificate, told
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


async def _until_sent(installed: Installed, messages: int, *, statuses: bool) -> None:
    """Until every message left, or with `statuses` was read."""
    left = ("SELECT count(*) FROM message WHERE status <> 'read'" if statuses
            else "SELECT count(*) FROM message WHERE status IN ('queued', 'sending')")
    async with opened(config_for(installed.data_dir)) as (_, registry), \
            registry.use(installed.workspace_id) as workspace:
        until = time.monotonic() + 60 + messages / 100
        while await workspace.db.value(left):
            if time.monotonic() > until:
                raise RuntimeError("the messages do not all leave")
            await asyncio.sleep(0.2)
