"""The installed app without a connection: a page that says so, and nothing of anybody's data kept."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.support.browser import Pages
from tests.support.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_without_a_connection_the_app_says_so_and_keeps_no_data(world: World, pages: Pages) -> None:
    page = await pages.agent(world, "alice", "/w/acme/inbox")
    core = await page.locator('script[src$="/js/core.js"]').get_attribute("src")
    await page.evaluate("address => import(address).then(({ worker }) => worker())", core)
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await page.goto("/w/acme/notifications")
    pages.announce(r"failed: GET |ERR_INTERNET_DISCONNECTED")
    await page.context.set_offline(True)
    await page.goto("/w/acme/replies")
    await expect(page.get_by_role("heading", name="No connection")).to_be_visible()
    assert await page.evaluate("getComputedStyle(document.querySelector('main')).display") == "grid", "with its styles"
    kept = await page.evaluate("""async () => (await Promise.all((await caches.keys()).map(async (name) =>
        (await (await caches.open(name)).keys()).map(({ url }) => new URL(url).pathname)))).flat()""")
    assert "/offline" in kept and all(path == "/offline" or path.startswith("/static/") for path in kept)
    await page.context.set_offline(False)
    await page.get_by_role("link", name="Try again").click()
    await expect(page.get_by_role("heading", name="Quick replies", level=1)).to_be_visible()
