"""Resolving for a reason and going on by keyboard; two contacts made one from the panel and parted again; the settings
around it."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.test_axe import examine_themes
from tests.browser.test_keyboard import press
from tests.support.browser import Pages, new_talk, open_talk, row
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def asks_for_reasons(world: World, asks: str) -> None:
    alice = await world.session("alice")
    there = "/w/acme/settings/conversations"
    for name in ("Solved", "Spam"):
        await alice.post(f"{there}/reasons", data={"name": name})
    await alice.post(there, data={"asks": asks})


async def test_resolved_for_a_reason_and_on_to_the_next(pages: Pages, world: World) -> None:
    await new_talk(world, "Yara Last")
    first = await new_talk(world, "Yara First")
    await asks_for_reasons(world, "optional")
    try:
        page = await open_talk(pages, first)
        await press(page, "E")
        await expect(page.locator("#resolve-menu")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.locator("#thread-header")).to_have_attribute("data-state", "open")
        await press(page, "E")
        await page.locator("#resolve-menu").get_by_text("Spam").click()
        await expect(page.locator("#thread-header h2")).to_have_text("Yara Last")
        await page.goto(page.url.split("/inbox")[0] + "/settings/conversations")
        await examine_themes(page, "settings-conversations")
    finally:
        await asks_for_reasons(world, "off")


async def test_two_contacts_made_one_and_parted(pages: Pages, world: World) -> None:
    await new_talk(world, "Zoe Two")
    page = await open_talk(pages, await new_talk(world, "Zoe One"))
    await page.locator("#panel").get_by_text("Same person as…").click()
    dialog = page.locator("#dialog")
    await dialog.locator("#merge-q").fill("Zoe")
    await page.keyboard.press("Enter")
    await dialog.get_by_text("Zoe Two").click()
    await expect(dialog.get_by_text("joins the one here")).to_be_visible()
    await examine_themes(page, "merge")
    await dialog.get_by_role("button", name="Make them one").click()
    await expect(row(page, "Zoe Two")).to_have_count(0)
    await expect(page.locator("#messages")).to_contain_text("made two contacts one")
    await page.locator("#panel").get_by_role("button", name="Part again").click()
    await expect(row(page, "Zoe Two")).to_be_visible()


async def test_tags_as_a_whole(pages: Pages, world: World) -> None:
    alice = await world.session("alice")
    for name in ("Old name", "Other name"):
        async with world.client(await world.key(world.acme)) as script:
            await script.post("/api/v1/conversation-tags", json={"name": name})
    assert (await alice.get("/w/acme/settings/tags")).status_code == 200
    page = await pages.agent(world)
    await page.goto(page.url.split("/inbox")[0] + "/settings/tags")
    tag = page.locator(".person", has_text="Old name").first
    await tag.locator("summary").click()
    await tag.get_by_role("button", name="Delete this tag").click()
    await expect(page.locator("main")).to_contain_text("The tag is deleted.")
    await page.get_by_role("button", name="Undo Old name").click()
    await expect(page.locator("main")).to_contain_text("The tag is back where it was.")
    await examine_themes(page, "settings-tags")
