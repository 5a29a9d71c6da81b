"""The command palette and the help as somebody without a mouse uses them."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.test_axe import examine, examine_themes
from tests.support.browser import HAND, Pages, new_talk, open_talk
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

_OPTION = "#palette [role=option]:visible"
# Whatever carries a key, and every entry of a menu of the open conversation, has to have its entry.
_CONTROLS = """() => [...document.querySelectorAll('[data-key]')].filter((one) => !one.disabled).map((one) =>
    (one.dataset.command || one.title || one.textContent).replace(/\\s+/g, ' ').trim().replace(/ \\(\\S+\\)$/, ''))"""


async def test_an_action_a_place_and_a_person_by_name(pages: Pages, world: World) -> None:
    await new_talk(world, "Zoe Palette")
    found = await new_talk(world, "Ann Palette", "Do you have it in blue?")
    page = await open_talk(pages, found)
    await page.locator("#scroller").focus()
    await page.keyboard.press("Control+k")
    typed = page.locator("#palette-typed")
    await expect(typed).to_be_focused()
    await examine_themes(page, "palette")
    offered = [text.strip() for text in await page.locator("#palette-actions [role=option]").all_inner_texts()]
    for name in await page.evaluate(_CONTROLS):
        assert any(name in one.replace("\n", " ") for one in offered), (name, offered)
    assert "Assign: Bob" in offered, "initials are not read out"
    # An action of the open conversation.
    await typed.press_sequentially("resolve")
    await expect(page.locator(_OPTION).first).to_have_attribute("aria-selected", "true")
    await page.keyboard.press("Enter")
    await expect(page.locator("#thread-header")).to_have_attribute("data-state", "closed")
    # A person, found on the server.
    await page.keyboard.press("Control+k")
    await typed.press_sequentially("zoe pal")
    await expect(page.locator("#palette-found [role=option]").first).to_have_text("ZPZoe Palette")
    await page.keyboard.press("Enter")
    await expect(page.locator("#thread-header h2")).to_have_text("Zoe Palette")
    # A place, two steps down and one up.
    await page.locator("#scroller").focus()
    await page.keyboard.press("Control+k")
    await typed.press_sequentially("help")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("Escape")
    await expect(page.locator("#palette")).to_have_count(0)
    await page.keyboard.press("Control+k")
    await typed.press_sequentially("errors of whatsapp")
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_have_text("Errors of WhatsApp")


async def test_nobody_is_offered_what_they_may_not_open(pages: Pages, world: World) -> None:
    page = await pages.agent(world, "bob")
    await page.keyboard.press("Control+k")
    typed = page.locator("#palette-typed")
    await expect(typed).to_be_focused()
    await typed.press_sequentially("api keys")
    await expect(page.locator("#palette-none")).to_be_visible()
    await typed.fill("")
    await typed.press_sequentially("profile")
    await expect(page.locator(_OPTION).first).to_contain_text("Profile")


async def test_help_is_found_while_typing(pages: Pages, world: World) -> None:
    page = await pages.agent(world, "bob", f"/w/{world.acme.slug}/help")
    await examine_themes(page, "help")
    await page.locator("#search").press_sequentially("131047")
    await expect(page.locator("#help-found .error-list code")).to_have_text(["131047"])
    await page.locator("#search").fill("pin")
    await page.get_by_role("link", name="Now, later, again").click()
    await expect(page.locator("h1")).to_have_text("Now, later, again")
    await examine(page, "help-topic")


async def test_help_in_the_hand(pages: Pages, world: World) -> None:
    page = await pages.agent(world, "bob", f"/w/{world.acme.slug}/help/window", size=HAND)
    await examine_themes(page, "help-topic-hand")
    await page.goto(f"/w/{world.acme.slug}/help/errors")
    await examine(page, "help-errors-hand")
