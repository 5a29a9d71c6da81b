"""From a webhook's POST to the fragment in an open inbox: the nudge over the stream and the fetch that follows."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
import time
from pathlib import Path

import httpx

from chime.security.signatures import signature
from tests.bench.installation import Installed, install, percentile, served
from tests.support.world import ACME_NUMBER, APP_SECRET, PASSWORD

MESSAGES = 150


def measure() -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        installed = install(Path(folder) / "data")
        with served(installed.data_dir) as process:
            times = asyncio.run(_watch(process.base, installed))
    p95 = percentile(times, 0.95)
    return {"messages": len(times), "p50_ms": round(percentile(times, 0.5), 1), "p95_ms": round(p95, 1),
            "max_ms": round(max(times), 1), "must": {"p95_ms": 300}, "reached": p95 <= 300}


async def _watch(base: str, installed: Installed) -> list[float]:
    async with httpx.AsyncClient(base_url=base, timeout=30) as browser, httpx.AsyncClient(base_url=base) as meta:
        await browser.post("/sign-in", data={"email": "alice@example.com", "password": PASSWORD})
        times: list[float] = []
        async with browser.stream("GET", "/w/acme/events") as stream:
            lines = stream.aiter_lines()
            for index in range(MESSAGES):
                begun = time.perf_counter()
                await _post(meta, installed.webhook_path, index)
                nudge = await _message_nudge(lines)
                page = await browser.get(f"/w/acme/inbox/{nudge['conversation']}/messages", params={"ids": nudge["id"]})
                if f"number {index} " not in page.text:
                    raise RuntimeError("the fragment is another message")
                times.append((time.perf_counter() - begun) * 1000)
        return times


async def _message_nudge(lines: object) -> dict[str, str]:
    async for line in lines:  # type: ignore[attr-defined]
        if line.startswith("data: ") and re.search(r'"topic":"message"', line):
            found: dict[str, str] = json.loads(line[6:])
            return found
    raise RuntimeError("the stream ended")


async def _post(meta: httpx.AsyncClient, path: str, index: int) -> None:
    value = {"messaging_product": "whatsapp",
             "metadata": {"display_phone_number": "15550100200", "phone_number_id": ACME_NUMBER.phone_number_id},
             "contacts": [{"profile": {"name": "Dana"}, "wa_id": "15550001111"}],
             "messages": [{"from": "15550001111", "id": f"wamid.live.{index}", "timestamp": str(int(time.time())),
                           "type": "text", "text": {"body": f"number {index} of the watch"}}]}
    body = json.dumps({"object": "whatsapp_business_account", "entry": [
        {"id": ACME_NUMBER.waba_id, "changes": [{"field": "messages", "value": value}]}]}).encode()
    answer = await meta.post(path, content=body, headers={"X-Hub-Signature-256": signature(APP_SECRET.encode(), body)})
    answer.raise_for_status()
