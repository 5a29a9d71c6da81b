"""The page of the workspace's file in a browser: in both themes, in the hand; a file comes down."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.test_axe import examine_themes
from tests.http.data_setup import SETTINGS, decide, newest
from tests.http.moving_setup import PASSPHRASE
from tests.support.browser import DESKTOP, HAND, Pages
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize("size", [DESKTOP, HAND], ids=["desktop", "hand"])
async def test_the_page(pages: Pages, world: World, size: tuple[int, int]) -> None:
    page = await pages.agent(world, "alice", f"{SETTINGS}/workspace-file", size=size)
    await expect(page.get_by_role("heading", name="Workspace file", level=1)).to_be_visible()
    await examine_themes(page, f"workspace-file-{size[0]}")
    await page.context.close()


async def test_asked_for_by_the_keyboard_agreed_to_and_fetched(pages: Pages, world: World) -> None:
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE membership SET role = 'admin' WHERE user_id = (SELECT id FROM user WHERE email = ?)",
                         "kim@example.com")
    pages.announce("answer 422|status of 422")
    page = await pages.agent(world, "alice", f"{SETTINGS}/workspace-file")
    await page.get_by_label("Passphrase", exact=True).fill(PASSPHRASE)
    await page.keyboard.press("Tab")
    await page.keyboard.type("something else altogether")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("This is not the same passphrase.").first).to_be_visible()
    await expect(page.get_by_label("Passphrase", exact=True)).to_have_value("")
    await page.get_by_label("Passphrase", exact=True).fill(PASSPHRASE)
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSPHRASE)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Approvals", level=1)).to_be_visible()
    await decide(world, "kim", await newest(world))
    await page.goto(f"{world.base}{SETTINGS}/workspace-file")
    async with page.expect_download() as coming:
        await page.get_by_role("button", name="Fetch the file").first.click()
    path = await (await coming.value).path()
    assert (await asyncio.to_thread(Path(path).read_bytes)).startswith(b"CHIMEWS1")
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE membership SET role = 'member' WHERE user_id = (SELECT id FROM user WHERE email = ?)",
                         "kim@example.com")
