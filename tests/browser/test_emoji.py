"""The emoji picker: by name, by keys, in one's skin tone, what was used last; and what a colon offers."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Locator, Page, expect

from tests.support.browser import DESKTOP, HAND, Pages, expect_tick, message, new_talk, open_talk, type_and_send
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def opened(page: Page) -> Locator:
    await page.locator("[data-emoji-for]").click()
    picker = page.locator("#emoji")
    await expect(picker.locator("section[data-group='flags'] button").first).to_be_attached()
    await expect(picker).to_be_visible()
    return picker


async def test_nothing_of_it_is_fetched_before_it_is_wanted(pages: Pages, world: World) -> None:
    page = await open_talk(pages, await new_talk(world, "Uma Ray"))
    await page.locator("#text").fill("At 10:30, see https://example.com")
    await page.wait_for_load_state("networkidle")
    assert not [address for address in pages.requested if re.search(r"emoji/|/inbox/emoji|emoji\.css", address)
                and not address.endswith("emoji_typed.js")]
    await opened(page)
    assert len([address for address in pages.requested if "/emoji/" in address]) == 1


async def test_it_is_found_by_name_and_put_where_the_caret_was(pages: Pages, world: World) -> None:
    page = await open_talk(pages, await new_talk(world, "Una Roy"))
    await page.locator("#text").fill("Sent !")
    await page.locator("#text").press("ArrowLeft")
    picker = await opened(page)
    await expect(picker.locator("#emoji-search")).to_be_focused()
    await page.keyboard.type("parcel")
    await expect(picker.get_by_role("button", name="package", exact=True)).to_be_visible()
    await expect(picker.locator("[data-found]")).to_have_text(re.compile(r"Emoji found: \d+"))
    await page.keyboard.press("Enter")
    await expect(picker).to_be_hidden()
    await expect(page.locator("#text")).to_have_value("Sent 📦!")
    await expect(page.locator("#text")).to_be_focused()
    picker = await opened(page)
    await expect(picker.locator("section[data-group='recent'] button").first).to_have_text("📦")
    await page.keyboard.type("qqqq")
    await expect(picker.locator(".emoji-none")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")
    await expect(picker).to_be_hidden()
    await expect(page.locator("#text")).to_be_focused()


async def test_keys_walk_through_all_of_them(pages: Pages, world: World) -> None:
    page = await open_talk(pages, await new_talk(world, "Ute Rau"))
    picker = await opened(page)
    focused = picker.locator("button:focus")

    async def stands_on(*keys: str, name: str) -> None:
        for key in keys:
            await page.keyboard.press(key)
        await expect(focused).to_have_attribute("aria-label", name)

    await stands_on("ArrowDown", name="grinning face")
    await stands_on("ArrowRight", name="grinning face with big eyes")
    await stands_on("ArrowDown", "ArrowUp", "Home", name="grinning face")
    await stands_on("PageDown", name="waving hand")
    await stands_on("ArrowUp", "ArrowDown", name="waving hand")
    await stands_on("Control+End", name="flag: Wales")
    assert await picker.locator(".emoji-grid button[tabindex='0']").count() == 1
    await page.keyboard.press("Control+Home")
    await page.keyboard.press("Enter")
    await expect(page.locator("#text")).to_have_value("😀")


async def test_the_skin_tone_is_kept(pages: Pages, world: World) -> None:
    page = await open_talk(pages, await new_talk(world, "Val Orr"))
    picker = await opened(page)
    await picker.get_by_role("radio", name="Medium", exact=True).click()
    await picker.locator("#emoji-search").fill("waving hand")
    await page.keyboard.press("Shift+Enter")
    await expect(picker).to_be_visible()
    await picker.locator("#emoji-search").fill("people holding hands")
    await picker.get_by_role("button", name="people holding hands", exact=True).click()
    await expect(page.locator("#text")).to_have_value("👋🏽🧑🏽‍🤝‍🧑🏽")
    await page.locator("#text").fill("")
    await page.reload()
    await page.locator("#text").fill(":waving")
    await page.locator("#text").press("d")
    await page.locator("#text").press("Backspace")
    await expect(page.locator("#emoji-offers [aria-selected='true']")).to_contain_text("👋🏽")


async def test_a_colon_offers_and_enter_takes(pages: Pages, world: World) -> None:
    page = await open_talk(pages, await new_talk(world, "Vic Ode"))
    field, offers = page.locator("#text"), page.locator("#emoji-offers")
    await field.press_sequentially("Thanks :thumbs")
    await expect(offers.get_by_role("option").first).to_contain_text("👍")
    await expect(field).to_have_attribute("aria-activedescendant", "emoji-offer-0")
    await field.press("ArrowDown")
    await field.press("ArrowUp")
    await field.press("Enter")
    await expect(field).to_have_value("Thanks 👍 ")
    await field.press_sequentially(":heart")
    await expect(offers).to_be_visible()
    await field.press("Escape")
    await expect(offers).to_be_hidden()
    await field.fill("Open 10:30")
    await expect(offers).to_be_hidden()
    await expect_tick(await type_and_send(page, "Open 10:30"), "read")


async def test_a_reaction_from_a_phone(pages: Pages, world: World) -> None:
    page = await open_talk(pages, await new_talk(world, "Wim Ost"), size=HAND)
    said = message(page, "Do you open")
    await said.locator("[data-message-menu]").click()
    await page.locator("[data-message-act='react']").click()
    picker = page.locator("#emoji")
    await expect(picker).to_be_visible()
    box = await picker.bounding_box()
    assert box is not None
    assert (box["x"], box["width"], box["y"] + box["height"]) == (0, HAND[0], HAND[1])
    await picker.get_by_role("button", name="hundred points").click()
    await expect(said.locator(".reactions")).to_have_text("💯")
    await expect(picker).to_be_hidden()


async def test_without_the_list_the_few_are_there(pages: Pages, world: World) -> None:
    pages.announce(r"emoji/en\.json|Failed to load resource")
    page = await open_talk(pages, await new_talk(world, "Wyn Orr"), size=DESKTOP)
    gone = asyncio.Event()
    await page.route("**/emoji/en.json", lambda route: (gone.set(), route.abort())[1])
    await page.locator("[data-emoji-for]").click()
    await page.locator("#emoji [data-emoji='👍']").click()
    assert gone.is_set()
    await expect(page.locator("#text")).to_have_value("👍")
