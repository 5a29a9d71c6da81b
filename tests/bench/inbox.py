"""The list and the threads with a million messages of 100,000 contacts: time of the pages, near and deep, and beside a
stream of webhooks; and the weight of a page on the wire, cold. The yardstick is the list's query, without its page."""

from __future__ import annotations

import asyncio
import re
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from chime.inbox import View, conversation_queries
from chime.inbox.conversation_queries import PAGE
from chime.security.scope import EVERYTHING
from chime.setup import opened
from tests.bench.bodies import messages
from tests.bench.browser import Browser, spread
from tests.bench.installation import Installed, backed_up, config_for, install, served
from tests.bench.load import run_load
from tests.bench.options import Options
from tests.bench.seeding import fill, learn

CONVERSATIONS = 100_000
MESSAGES = 1_000_000
ROUNDS = 200
PAGES_DOWN = 100
PAGES_PER_SECOND = 50
WEBHOOKS_PER_SECOND = 1_000
SECONDS = 20
LIST = "/w/acme/inbox?v=all"


def measure(options: Options) -> dict[str, object]:
    conversations, count = (400, 20_000) if options.quick else (CONVERSATIONS, MESSAGES)
    rounds = 20 if options.quick else ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        installed = install(Path(folder) / "data")
        asyncio.run(fill(installed, conversations, count))
        asyncio.run(learn(installed))
        query = asyncio.run(_query(installed, rounds))
        with served(installed.data_dir, fsync_ms=options.fsync_ms) as process, Browser(process.port) as browser:
            backed_up(process)
            times = _walk(browser, rounds)
            weight = _weight(process.base, browser)
            beside = _beside_webhooks(options, process.port, browser, installed)
    figures = {name: value for kind, found in times.items() for name, value in spread(kind, found).items()}
    worst = max(value for name, value in figures.items() if name.endswith("_p95_ms"))
    return {"messages": count, "contacts": conversations, **figures, "baseline_list_query_p50_ms": round(query, 2),
            "ratio": round(statistics.median(times["list"]) / query, 1), **beside, "page_kb_cold": round(weight, 1),
            "must": {"list_and_thread_p95_ms": 10, "page_p99_ms": 15, "page_kb_cold": 60},
            "reached": worst <= 10 and beside["page_p99_ms"] <= 15 and weight <= 60}


async def _query(installed: Installed, rounds: int) -> float:
    """Milliseconds of what the list asks the file, in the middle."""
    times = []
    async with opened(config_for(installed.data_dir)) as (_, registry), \
            registry.use(installed.workspace_id) as workspace:
        for _ in range(rounds):
            begun = time.perf_counter()
            await conversation_queries.conversations(workspace.db, EVERYTHING, View.ALL, user_id="", limit=PAGE + 1)
            times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times)


def _walk(browser: Browser, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each kind of page."""
    rows, further = _down_the_list(browser)
    threads = [f"/w/acme/inbox/{rows[index * len(rows) // rounds]}" for index in range(rounds)]
    older = [address for thread in threads[:50] if (address := _address(r'id="older" hx-get="([^"]+)"',
                                                                         browser.read(thread, fragment=True)))]
    if not older or not further:
        raise RuntimeError("this inbox has no second page")
    return {
        "list": [browser.timed(LIST) for _ in range(rounds)],
        "deep_list": [browser.timed(further[index % len(further)], fragment=True) for index in range(rounds)],
        "thread": [browser.timed(thread, fragment=True) for thread in threads],
        "older_messages": [browser.timed(older[index % len(older)], fragment=True) for index in range(rounds)]}


def _down_the_list(browser: Browser) -> tuple[list[str], list[str]]:
    """The conversations of many pages, and the addresses of the lower half of these."""
    rows: list[str] = []
    further: list[str] = []
    page = browser.read(LIST)
    for _ in range(PAGES_DOWN):
        rows += re.findall(r'id="c-([0-9a-z]{26})"', page)
        address = _address(r'hx-get="(/w/acme/inbox[^"]*cursor=[^"]+)"', page)
        if not address:
            break
        further.append(address)
        page = browser.read(address, fragment=True)
    return rows, further[len(further) // 2:]


def _address(pattern: str, page: str) -> str:
    found = re.search(pattern, page)
    return found[1].replace("&amp;", "&") if found else ""


def _beside_webhooks(options: Options, port: int, browser: Browser, installed: Installed) -> dict[str, float]:
    """The whole page at 50 a second, from the moment each was due, beside 1,000 webhooks a second."""
    seconds = options.lasting(SECONDS)
    webhooks = 200 if options.quick else WEBHOOKS_PER_SECOND
    posts = messages(installed.webhook_path, webhooks * (seconds + 2), "beside")
    with ThreadPoolExecutor(1) as thread:
        stream = thread.submit(run_load, "open", port, 64, posts, webhooks)
        time.sleep(1)
        pages = run_load("open", port, 16, [browser.request(LIST)] * (PAGES_PER_SECOND * seconds), PAGES_PER_SECOND)
        posted = stream.result()
    if pages["statuses"].keys() != {"200"} or posted["statuses"].keys() != {"200"}:
        raise RuntimeError(f"refused: pages {pages['statuses']}, webhooks {posted['statuses']}")
    return {"pages_per_second": PAGES_PER_SECOND, "webhooks_per_second": webhooks,
            "page_p50_ms": round(pages["p50_ms"], 1), "page_p99_ms": round(pages["p99_ms"], 1),
            "webhook_p99_beside_pages_ms": round(posted["p99_ms"], 1)}


def _weight(base: str, signed_in: Browser) -> float:
    """Kilobytes of a thread's page and everything it names or imports, compressed as sent, with headers."""
    headers = {"cookie": signed_in.cookie, "accept-encoding": "gzip, deflate, br"}
    with httpx.Client(base_url=base, timeout=30, headers=headers) as browser:
        row = re.findall(r'id="c-([0-9a-z]{26})"', browser.get(LIST).text)[0]
        page = browser.get(f"/w/acme/inbox/{row}")
        seen: dict[str, int] = {}
        # A home screen's icon is fetched when somebody puts it there.
        text = re.sub(r'<link rel="(?:apple-touch-icon|manifest)"[^>]*>', "", page.text)
        queue = re.findall(r'(?:href|src)="(/static/[^"#]+)', text)
        while queue:
            address = queue.pop()
            if address in seen:
                continue
            answer = browser.get(address)
            seen[address] = _wire(answer)
            if address.endswith(".js"):
                # What a module loads only when it is needed (`import(…)`) is not part of a cold page.
                queue += [httpx.URL(f"{base}{address}").join(name).path
                          for name in re.findall(r'(?:from|import)\s*["\'](\.[^"\']+)', answer.text)]
    return (_wire(page) + sum(seen.values())) / 1000


def _wire(answer: httpx.Response) -> int:
    return int(answer.headers["content-length"]) + sum(len(key) + len(value) + 4 for key, value in answer.headers.raw)
