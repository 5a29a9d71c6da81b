"""From a webhook's POST to the fragment in an open inbox: the nudge over the stream and the fetch that follows. Then
the same nudges to a thousand inboxes, in 20 workspaces and all in one. The yardstick is a GET of /healthz."""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import uvloop

from chime.security.signatures import signature
from tests.bench.bodies import envelope
from tests.bench.browser import Browser
from tests.bench.fan_out import Audience
from tests.bench.installation import Installed, Process, install, percentile, resident_megabytes, served
from tests.bench.options import Options
from tests.support.world import APP_SECRET, PASSWORD

MESSAGES = 150
LISTENERS = 1_000
WORKSPACES = 20
IN_A_SECOND = 50
SECONDS = 30


def measure(options: Options) -> dict[str, object]:
    messages, workspaces = (20, 2) if options.quick else (MESSAGES, WORKSPACES)
    with tempfile.TemporaryDirectory() as folder:
        installed = install(Path(folder) / "data", workspaces=workspaces, connected=workspaces)
        with served(installed.data_dir, fsync_ms=options.fsync_ms) as process:
            times = asyncio.run(_watch(process.base, installed, messages))
            with Browser(process.port) as browser:
                empty = statistics.median(browser.timed("/healthz") for _ in range(200))
        spread_out = _fan_out(options, installed, workspaces)
        in_one = _fan_out(options, installed, 1)
    p95 = percentile(times, 0.95)
    found = {f"fan_out_{name}": value for name, value in spread_out.items()}
    found |= {f"fan_out_in_one_workspace_{name}": value for name, value in in_one.items()}
    reached = p95 <= 300 and spread_out["p99_ms"] <= 1_000 and spread_out["rss_growth_mb"] <= 150
    return {"messages": len(times), "p50_ms": round(percentile(times, 0.5), 1), "p95_ms": round(p95, 1),
            "max_ms": round(max(times), 1), "baseline_healthz_p50_ms": round(empty, 2),
            "ratio": round(percentile(times, 0.5) / empty, 1), **found,
            "must": {"p95_ms": 300, "fan_out_p99_ms": 1_000, "fan_out_rss_growth_mb": 150, "fan_out_missing": 0},
            "reached": reached and not spread_out["missing"] and not spread_out["resyncs"]}


async def _watch(base: str, installed: Installed, messages: int) -> list[float]:
    async with httpx.AsyncClient(base_url=base, timeout=30) as browser, httpx.AsyncClient(base_url=base) as meta:
        await browser.post("/sign-in", data={"email": "alice@example.com", "password": PASSWORD})
        times: list[float] = []
        async with browser.stream("GET", "/w/acme/events") as stream:
            lines = stream.aiter_lines()
            for index in range(messages):
                begun = time.perf_counter()
                await _post(meta, installed.webhook_path, index)
                nudge = await _message_nudge(lines)
                page = await browser.get(f"/w/acme/inbox/{nudge['conversation']}/messages", params={"ids": nudge["id"]})
                if f"number {index} " not in page.text:
                    raise RuntimeError("the fragment is another message")
                times.append((time.perf_counter() - begun) * 1000)
        return times


async def _message_nudge(lines: AsyncIterator[str]) -> dict[str, str]:
    async for line in lines:
        if line.startswith("data: ") and re.search(r'"topic":"message"', line):
            found: dict[str, str] = json.loads(line[6:])
            return found
    raise RuntimeError("the stream ended")


async def _post(meta: httpx.AsyncClient, path: str, index: int) -> None:
    body = envelope({
        "contacts": [{"profile": {"name": "Dana"}, "wa_id": "15550001111"}],
        "messages": [{"from": "15550001111", "id": f"wamid.live.{index}", "timestamp": str(int(time.time())),
                      "type": "text", "text": {"body": f"number {index} of the watch"}}]})
    answer = await meta.post(path, content=body, headers={"X-Hub-Signature-256": signature(APP_SECRET.encode(), body)})
    answer.raise_for_status()


def _fan_out(options: Options, installed: Installed, workspaces: int) -> dict[str, Any]:
    """In a process of its own, so that its memory is the streams'."""
    with served(installed.data_dir, fsync_ms=options.fsync_ms) as process:
        return uvloop.run(_listen(options, process, installed, workspaces))


async def _listen(options: Options, process: Process, installed: Installed, workspaces: int) -> dict[str, Any]:
    with Browser(process.port) as browser:
        for line in installed.lines[:workspaces]:
            browser.read(f"/w/{line.slug}/inbox")
        before = resident_megabytes(process.pid)
        audience = Audience(process.port, browser.cookie, installed.lines[:workspaces],
                            40 if options.quick else LISTENERS)
        await audience.open()
        with_streams = resident_megabytes(process.pid)
        heard = await audience.play(installed.webhook_path, rate=IN_A_SECOND,
                                    seconds=1 if options.quick else options.lasting(SECONDS))
        after = resident_megabytes(process.pid)
        audience.close()
    return {"p50_ms": round(percentile(heard.milliseconds, 0.5), 1),
            "p99_ms": round(percentile(heard.milliseconds, 0.99), 1), "max_ms": round(max(heard.milliseconds), 1),
            "nudges": len(heard.milliseconds), "missing": heard.missing, "resyncs": heard.resyncs,
            "rss_growth_mb": round(after - before, 1), "rss_of_idle_streams_mb": round(with_streams - before, 1)}
