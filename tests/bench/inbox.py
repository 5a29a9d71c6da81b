"""The list and the thread with 100,000 messages: server time of the pages, and the page's weight on the wire, cold."""

from __future__ import annotations

import asyncio
import gzip
import re
import statistics
import tempfile
import time
from pathlib import Path

import httpx

from chime.clock import Clock
from chime.ids import Ids
from chime.setup import opened
from tests.bench.installation import Installed, config_for, install, percentile, served
from tests.support.world import PASSWORD

CONVERSATIONS = 2_000
MESSAGES_EACH = 50
ROUNDS = 120


def measure() -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        installed = install(Path(folder) / "data")
        asyncio.run(_fill(installed))
        with served(installed.data_dir) as process:
            lists, threads, empty, weight, html = _walk(process.base)
    worst = max(percentile(lists, 0.95), percentile(threads, 0.95))
    return {"messages": CONVERSATIONS * MESSAGES_EACH, "list_p50_ms": round(percentile(lists, 0.5), 1),
            "list_p95_ms": round(percentile(lists, 0.95), 1), "thread_p50_ms": round(percentile(threads, 0.5), 1),
            "thread_p95_ms": round(percentile(threads, 0.95), 1), "healthz_p50_ms": round(empty, 2),
            "ratio_of_list_to_healthz": round(percentile(lists, 0.5) / empty, 1), "page_kb_cold": round(weight, 1),
            "html_kb": round(html, 1), "must": {"p95_ms": 20, "page_kb_cold": 60},
            "reached": worst <= 20 and weight <= 60}


async def _fill(installed: Installed) -> None:
    """Rows as the inbox writes them, in one transaction."""
    ids, now = Ids(), Clock().now()
    config = config_for(installed.data_dir)
    async with opened(config) as (_, registry), registry.use(installed.workspace_id) as open_one:
        channel_id = await open_one.db.value("SELECT id FROM channel")
        async with open_one.ingest("bench") as tx:
            for number in range(CONVERSATIONS):
                contact_id, conversation_id = ids.new(now), ids.new(now)
                await tx.execute("INSERT INTO contact (id, profile_name, phone, created_at, updated_at) "
                                 "VALUES (?, ?, ?, ?, ?)", contact_id, f"Customer {number}", f"1555{number:07d}",
                                 now, now)
                first = now - (CONVERSATIONS - number) * 60_000
                await tx.execute("INSERT INTO conversation (id, channel_id, contact_id, last_message_at, created_at, "
                                 "unread_count, window_expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)", conversation_id,
                                 channel_id, contact_id, first + MESSAGES_EACH * 1000, now, number % 3,
                                 now + 80_000_000)
                message_id = ""
                for index in range(MESSAGES_EACH):
                    message_id = ids.new(now)
                    inbound = index % 2 == 0
                    await tx.execute(
                        "INSERT INTO message (id, conversation_id, channel_id, direction, origin, type, status, wamid, "
                        "text, author_name, at, created_at) VALUES (?, ?, ?, ?, ?, 'text', ?, ?, ?, ?, ?, ?)",
                        message_id, conversation_id, channel_id, "in" if inbound else "out",
                        "customer" if inbound else "agent", "received" if inbound else "read",
                        f"wamid.bench.{number}.{index}", f"Message {index} of {number}: is it still in stock?",
                        "Alice", first + index * 1000, now)
                await tx.execute("UPDATE conversation SET last_message_id = ? WHERE id = ?", message_id,
                                 conversation_id)


def _walk(base: str) -> tuple[list[float], list[float], float, float, float]:
    with httpx.Client(base_url=base, timeout=30) as browser:
        browser.post("/sign-in", data={"email": "alice@example.com", "password": PASSWORD})
        page = browser.get("/w/acme/inbox?v=all")
        rows = re.findall(r'id="c-([0-9a-z]{26})"', page.text)
        lists = [_timed(browser, "/w/acme/inbox?v=all") for _ in range(ROUNDS)]
        threads = [_timed(browser, f"/w/acme/inbox/{rows[index % len(rows)]}", fragment=True)
                   for index in range(ROUNDS)]
        empty = statistics.median(_timed(browser, "/healthz") for _ in range(ROUNDS))
        weight, html = _weight(browser, f"/w/acme/inbox/{rows[0]}")
    return lists, threads, empty, weight, html


def _timed(browser: httpx.Client, path: str, *, fragment: bool = False) -> float:
    begun = time.perf_counter()
    answer = browser.get(path, headers={"HX-Request": "true"} if fragment else {})
    answer.raise_for_status()
    return (time.perf_counter() - begun) * 1000


def _weight(browser: httpx.Client, path: str) -> tuple[float, float]:
    """Kilobytes of the page and everything it names or imports, compressed as sent, with headers."""
    seen: dict[str, int] = {}
    page = browser.get(path)
    html = _wire(page)
    queue = re.findall(r'(?:href|src)="(/static/[^"#]+)', page.text)
    while queue:
        address = queue.pop()
        if address in seen:
            continue
        answer = browser.get(address)
        seen[address] = _wire(answer)
        if address.endswith(".js"):
            folder = address.rsplit("/", 1)[0]
            # What a module loads only when it is needed (`import(…)`) is not part of a cold page.
            for name in re.findall(r'(?:from|import)\s*["\'](\.[^"\']+)', answer.text):
                queue.append(str(httpx.URL(f"{base_of(browser)}{folder}/").join(name).path))
    return (html + sum(seen.values())) / 1000, html / 1000


def base_of(browser: httpx.Client) -> str:
    return str(browser.base_url).rstrip("/")


def _wire(answer: httpx.Response) -> int:
    body = answer.content
    if answer.headers.get("content-encoding") == "gzip":
        body = gzip.compress(body, 9 if "/static/" in str(answer.url) else 6)
    return len(body) + sum(len(key) + len(value) + 4 for key, value in answer.headers.raw)
