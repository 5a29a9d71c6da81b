"""Fifty agents at work on one workspace with a million messages, and what one more sees in a real browser: how long a
view of the list and a conversation take from the click until they are on the screen. Then everybody stops, and what an
idle inbox asks of the server is counted. The yardstick is the same two clicks with nobody else at work."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.async_api import Page, async_playwright

from chime import accounts
from chime.ids import Ids
from chime.security.passwords import Passwords
from chime.security.permissions import OPERATOR, Role
from chime.setup import opened
from chime.workspaces.keys import open_keys
from tests.bench.crew import OPENS_EVERY, Crew
from tests.bench.installation import Installed, config_for, install, percentile, served
from tests.bench.options import Options
from tests.bench.seeding import fill, learn
from tests.bench.send import graph
from tests.support.world import MASTER_KEY, PASSWORD, free_port

AGENTS = 50
CONVERSATIONS = 100_000
MESSAGES = 1_000_000
CLICKS = 60
WEBHOOKS_PER_SECOND = 10
IDLE_SECONDS = 180
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

# From the click until the frame after the change was painted.
_CLICK = """([selector, done]) => new Promise((resolve, reject) => {
  const begun = performance.now();
  const shown = () => done.startsWith('#view') ? document.querySelector(done).getAttribute('aria-current') === 'true'
    : document.querySelector('[data-conversation]')?.dataset.conversation === done;
  const end = () => requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - begun)));
  const watch = new MutationObserver(() => { if (shown()) { watch.disconnect(); end(); } });
  watch.observe(document.body, { childList: true, subtree: true, attributes: true });
  setTimeout(() => { watch.disconnect(); reject(new Error(`not shown within 20 s: ${done}`)); }, 20000);
  document.querySelector(selector).click();
})"""


def measure(options: Options) -> dict[str, object]:
    conversations, messages, agents = (400, 20_000, 4) if options.quick else (CONVERSATIONS, MESSAGES, AGENTS)
    with tempfile.TemporaryDirectory() as folder:
        installed = install(Path(folder) / "data")
        asyncio.run(_people(installed, agents))
        asyncio.run(fill(installed, conversations, messages))
        asyncio.run(learn(installed))
        port = free_port()
        with graph(Path(folder), installed, port) as (url, certificate, _), \
                served(installed.data_dir, graph_url=url, port=port, fsync_ms=options.fsync_ms,
                       environment={"SSL_CERT_FILE": str(certificate)}) as process:
            found = asyncio.run(_shift(options, process.base, installed, agents))
    alone, busy = found["alone"], found["busy"]
    list_p95, open_p95 = percentile(busy["list"], 0.95), percentile(busy["open"], 0.95)
    return {"agents": agents, "messages": messages, "contacts": conversations,
            "list_p50_ms": round(percentile(busy["list"], 0.5), 1), "list_p95_ms": round(list_p95, 1),
            "open_p50_ms": round(percentile(busy["open"], 0.5), 1), "open_p95_ms": round(open_p95, 1),
            "baseline_list_p95_ms": round(percentile(alone["list"], 0.95), 1),
            "baseline_open_p95_ms": round(percentile(alone["open"], 0.95), 1),
            "ratio": round(open_p95 / percentile(alone["open"], 0.95), 1), **found["crew"],
            "idle_requests_per_minute": found["idle"],
            "must": {"list_p95_ms": 200, "open_p95_ms": 300, "idle_requests_per_minute": 2},
            "reached": list_p95 <= 200 and open_p95 <= 300 and found["idle"] <= 2}


async def _people(installed: Installed, agents: int) -> None:
    """Members who see everything, `agent0@example.com` and so on."""
    keys = open_keys(installed.data_dir, MASTER_KEY)
    passwords = Passwords(keys.pepper, Ids())
    hashed = await passwords.hash(PASSWORD)
    passwords.close()
    async with opened(config_for(installed.data_dir)) as (control, _), control.write(OPERATOR) as tx:
        for number in range(agents):
            user_id = await accounts.create_user(tx, email=f"agent{number}@example.com", name=f"Agent {number}",
                                                 password_hash=hashed)
            await accounts.add_member(tx, workspace_id=installed.workspace_id, user_id=user_id, role=Role.MANAGER)


async def _shift(options: Options, base: str, installed: Installed, agents: int) -> dict[str, Any]:
    clicks = 6 if options.quick else CLICKS
    crew = Crew(base, installed.webhook_path, agents, opens_every=(0.2, 0.8) if options.quick else OPENS_EVERY)
    async with async_playwright() as playwright, crew:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
        context = await browser.new_context(base_url=base, viewport={"width": 1440, "height": 900})
        page = await context.new_page()
        await page.goto("/sign-in")
        await page.fill("[name=email]", "alice@example.com")
        await page.fill("[name=password]", PASSWORD)
        await page.press("[name=password]", "Enter")
        await page.wait_for_selector("#list .row")
        await page.wait_for_load_state("load")  # a click before the scripts are there loads the page anew
        alone = await _clicks(page, clicks)
        work = asyncio.create_task(crew.work(webhooks_per_second=WEBHOOKS_PER_SECOND))
        await asyncio.sleep(1 if options.quick else 10)
        busy = await _clicks(page, clicks)
        crew.stop()
        await work
        idle = await _idle(page, 5 if options.quick else options.seconds or IDLE_SECONDS)
        await browser.close()
        return {"alone": alone, "busy": busy, "crew": crew.figures(), "idle": idle}


async def _clicks(page: Page, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of so many clicks on views and on rows, one a second."""
    found: dict[str, list[float]] = {"list": [], "open": []}
    for number in range(rounds):
        view = ("unassigned", "all")[number % 2]
        found["list"].append(await page.evaluate(_CLICK, [f"#view-{view}", f"#view-{view}"]))
        await asyncio.sleep(0.4)
        rows = await page.locator("#list .row").count()
        which = page.locator("#list .row").nth(number % min(rows, 25))
        conversation = (await which.locator("xpath=..").get_attribute("id") or "").removeprefix("c-")
        found["open"].append(await page.evaluate(_CLICK, [f"[id='c-{conversation}'] .row", conversation]))
        await asyncio.sleep(0.4)
    return found


async def _idle(page: Page, seconds: int) -> float:
    """Requests a minute of an open conversation nobody touches; its stream is one that lasts."""
    await asyncio.sleep(5)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    begun = time.monotonic()
    await asyncio.sleep(seconds)
    return round(len(asked) / ((time.monotonic() - begun) / 60), 2)
