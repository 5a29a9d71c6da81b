"""The operators' pages in a browser: everybody can use them, in light and dark, on a phone, right to left."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from chime.console import look
from tests.browser.test_axe import examine, examine_themes
from tests.http.inbox_setup import talk
from tests.support.browser import HAND, Pages
from tests.support.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")
PAGE = "/installation/workspaces"


async def history(world: World) -> None:
    """Some days of figures, so that there is something to draw."""
    async with world.services.control.ingest("test") as tx:
        for number in range(20):
            await tx.execute("INSERT OR IGNORE INTO workspace_usage_day (workspace_id, day, bytes, received, sent) "
                             "VALUES (?, date('now', ?), ?, ?, ?)", world.acme.workspace_id, f"-{number} days",
                             9_000_000 - number * 200_000, 140 + number * 7 % 90, 60 + number * 13 % 80)


async def test_the_pages_are_fit_for_everybody(world: World, pages: Pages) -> None:
    await talk(world, "hello")
    await look(world.services)
    await history(world)
    page = await pages.agent(world, "alice", PAGE)
    await expect(page.get_by_role("heading", name="Workspaces", exact=True)).to_be_visible()
    await examine_themes(page, "console")
    await page.get_by_role("link", name="Acme").click()
    await examine_themes(page, "console-workspace")
    await page.goto("/installation/appliance")
    await examine_themes(page, "console-machine")
    await page.goto(f"{PAGE}/new")
    await examine(page, "console-new")
    hand = await pages.agent(world, "alice", PAGE, size=HAND)
    await examine(hand, "console-phone")
    await hand.get_by_role("link", name="Acme").click()
    await examine(hand, "console-workspace-phone")
    await hand.evaluate("document.documentElement.dir = 'rtl'")
    await examine(hand, "console-workspace-rtl")


async def test_suspending_and_resuming_by_keyboard(world: World, pages: Pages) -> None:
    page = await pages.agent(world, "alice", f"{PAGE}/{world.globex.workspace_id}")
    await page.get_by_label("Why").focus()
    await page.keyboard.type("The shop is closed for good")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Nobody gets in and nothing is sent; what comes in is kept.")).to_be_visible()
    await expect(page.get_by_text("The shop is closed for good")).to_be_visible()
    try:
        await examine(page, "console-suspended")
    finally:
        await page.get_by_role("button", name="Resume this workspace").click()
        await expect(page.get_by_text("It works again.")).to_be_visible()
    assert await world.services.control.db.value("SELECT state FROM workspace WHERE id = ?",
                                                 world.globex.workspace_id) == "active"


async def test_a_limit_that_is_none_is_told_under_its_field(world: World, pages: Pages) -> None:
    page = await pages.agent(world, "alice", f"{PAGE}/{world.globex.workspace_id}")
    pages.announce("answer 422|status of 422")
    await page.get_by_label("Messages sent a day").fill("many")
    await page.get_by_role("button", name="Save limits").click()
    field = page.get_by_label("Messages sent a day")
    await expect(field).to_have_value("many")
    await expect(field).to_have_attribute("aria-invalid", "true")
