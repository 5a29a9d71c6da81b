"""Bodies of 1,000 statuses, as Meta sends them when much goes out: how many are taken a second, how long one takes to
be acknowledged and to be in effect. The yardstick is the same number of statuses in bodies of one."""

from __future__ import annotations

import asyncio
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chime.clock import Clock
from chime.ids import Ids
from chime.setup import opened
from tests.bench.bodies import envelope, request, status, statuses
from tests.bench.installation import Installed, config_for, install, served
from tests.bench.load import run_load
from tests.bench.options import Options

IN_A_BODY = 1_000
BODIES = 300
SINGLES = 8_000
CONNECTIONS = 16


def measure(options: Options) -> dict[str, object]:
    bodies, singles = (10, 500) if options.quick else (BODIES, SINGLES)
    with tempfile.TemporaryDirectory() as folder:
        installed = install(Path(folder) / "data")
        asyncio.run(_seed(installed))
        with served(installed.data_dir, fsync_ms=options.fsync_ms) as process:
            acknowledged, in_effect = _one(process.port, installed)
            acknowledged_messages = _of_messages(process.port, installed.webhook_path)
            many = run_load("closed", process.port, CONNECTIONS,
                            [_body(installed.webhook_path, f"many{index}", "sent") for index in range(bodies)])
        with served(installed.data_dir, fsync_ms=options.fsync_ms) as process:
            one_each = run_load("closed", process.port, 64, [
                statuses(installed.webhook_path, [status(f"wamid.single.{index}", "sent", "15550000001")])
                for index in range(singles)])
    rate = many["rate"] * IN_A_BODY
    reached = rate >= 100_000 and acknowledged <= 0.2 and in_effect <= 1
    return {"statuses_per_second": round(rate), "baseline_one_in_a_body_per_second": round(one_each["rate"]),
            "ratio": round(rate / one_each["rate"], 1), "bodies_p99_ms": round(many["p99_ms"], 1),
            "acknowledged_ms": round(acknowledged * 1000, 1), "in_effect_seconds": round(in_effect, 3),
            "acknowledged_1000_messages_ms": round(acknowledged_messages, 1),
            "must": {"statuses_per_second": 100_000, "acknowledged_ms": 200, "in_effect_seconds": 1},
            "reached": reached}


async def _seed(installed: Installed) -> None:
    """1,000 messages that have been sent."""
    async with opened(config_for(installed.data_dir)) as (_, registry), \
            registry.use(installed.workspace_id) as workspace:
        channel_id = await workspace.db.value("SELECT id FROM channel")
        async with workspace.ingest("bench") as tx:
            ids, now = Ids(), tx.now
            for number in range(IN_A_BODY):
                contact, conversation = ids.new(now), ids.new(now)
                await tx.execute("INSERT INTO contact (id, phone, created_at, updated_at) VALUES (?, ?, ?, ?)",
                                 contact, f"1555{number:07d}", now, now)
                await tx.execute("INSERT INTO conversation (id, channel_id, contact_id, last_message_at, created_at) "
                                 "VALUES (?, ?, ?, ?, ?)", conversation, channel_id, contact, now, now)
                await tx.execute(
                    "INSERT INTO message (id, conversation_id, channel_id, direction, origin, type, status, wamid, "
                    "text, at, created_at, attempts) VALUES (?, ?, ?, 'out', 'api', 'text', 'sent', ?, 'Hello', ?, ?, "
                    "1)", ids.new(now), conversation, channel_id, f"wamid.known.{number}", now, now)


def _body(path: str, run: str, word: str) -> bytes:
    return statuses(path, [status(f"wamid.{run}.{index}", word, f"1555{index:07d}") for index in range(IN_A_BODY)])


def _one(port: int, installed: Installed) -> tuple[float, float]:
    """Seconds until one body is acknowledged, and from its arrival until the last of its statuses is in effect."""
    body = _body(installed.webhook_path, "known", "delivered")
    with ThreadPoolExecutor(1) as thread:
        posting = thread.submit(run_load, "closed", port, 1, [body])
        in_effect = asyncio.run(_until_in_effect(installed))
        return posting.result()["p50_ms"] / 1000, in_effect


async def _until_in_effect(installed: Installed) -> float:
    """As a second reader of the files sees it; the body's arrival is the product's own record."""
    async with opened(config_for(installed.data_dir)) as (_, registry), \
            registry.use(installed.workspace_id) as workspace:
        for _ in range(10_000):
            if await workspace.db.value("SELECT count(*) FROM message WHERE delivered_at IS NOT NULL") == IN_A_BODY:
                arrived = await workspace.journal_db.value("SELECT min(received_at) FROM webhook_body")
                return float(Clock().now() - arrived) / 1000
            await asyncio.sleep(0.002)
    raise RuntimeError("the statuses do not take effect")


def _of_messages(port: int, path: str) -> float:
    """A body of 1,000 customers' messages: milliseconds until it is acknowledged."""
    items = [{"from": f"1777{index:07d}", "id": f"wamid.batch.{index}", "timestamp": str(int(time.time())),
              "type": "text", "text": {"body": f"Number {index} of a large batch"}} for index in range(IN_A_BODY)]
    people = [{"profile": {"name": f"Customer {index}"}, "wa_id": f"1777{index:07d}"} for index in range(IN_A_BODY)]
    found = run_load("closed", port, 1, [request(path, envelope({"contacts": people, "messages": items}))])
    return float(found["p50_ms"])
