"""What somebody feels who works in it all day: keys that come too early, where the focus goes, room to write."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page, Route, expect

from tests.http.inbox_setup import stock_templates
from tests.support.browser import HAND, Pages, message, new_talk, open_talk, row
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def width(page: Page, selector: str) -> float:
    box = await page.locator(selector).bounding_box()
    assert box is not None
    return box["width"]


async def test_letters_typed_while_a_conversation_opens_change_neither_it_nor_the_one_before(pages: Pages,
                                                                                             world: World) -> None:
    before = await new_talk(world, "Early Before")
    after = await new_talk(world, "Early After")
    page = await open_talk(pages, before)

    async def slowly(route: Route) -> None:
        await asyncio.sleep(0.6)
        await route.continue_()

    await page.route(f"**{after.base}?*", slowly)
    await page.keyboard.press("j")  # the keys are fetched with the first of them
    await expect(page.locator("#list .row:focus")).to_have_count(1)
    await row(page, "Early After").focus()
    await page.keyboard.press("Enter")
    await page.keyboard.type("reset")  # reply; then what would resolve, snooze and resolve
    await expect(page.locator("#thread-header h2")).to_have_text("Early After")
    await expect(page.locator("#text")).to_be_focused()
    assert {(await before.conversation()).state, (await after.conversation()).state} == {"open"}


async def test_the_focus_stays_where_the_work_is(pages: Pages, world: World) -> None:
    said = await new_talk(world, "Focus Keeper", "an unusual xylophone")
    page = await open_talk(pages, said)
    await page.locator("#thread-header [data-key='e']").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#thread-header")).to_have_attribute("data-state", "closed")
    await expect(page.locator("#content")).to_be_focused()
    await page.keyboard.press("/")
    await page.keyboard.type("Focus Keeper")
    await expect(page.locator("#rows .row, #list .row").first).to_contain_text("Focus Keeper")
    await page.keyboard.press("ArrowDown")
    await expect(page.locator("#list .row").first).to_be_focused()


async def test_what_is_written_on_a_phone_has_the_whole_width(pages: Pages, world: World) -> None:
    page = await open_talk(pages, await new_talk(world, "Wide Writer"), size=HAND)
    narrow = await width(page, "#text")
    await page.locator("#text").fill("Hello")
    assert await width(page, "#text") > narrow + 100
    for tool in ("[popovertarget='attach-menu']", "[popovertarget='send-menu']", ".tool-primary"):
        await expect(page.locator(f"#writing {tool}")).to_be_in_viewport()


async def test_the_closed_window_is_told_across_the_phone(pages: Pages, world: World) -> None:
    await stock_templates(world)
    said = await new_talk(world, "Shut Out")
    async with world.workspace(said.tenant) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE conversation SET window_expires_at = 1 WHERE id = ?", said.id)
    page = await open_talk(pages, said, size=HAND)
    assert await width(page, "#composer-slot .strip p") > HAND[0] / 2


async def test_whoever_only_looks_on_is_refused_nothing(pages: Pages, world: World) -> None:
    """Else the audit log fills with attempts nobody made: `pages` fails for any answer of 400 and above."""
    said = await new_talk(world, "Looked On")
    page = await open_talk(pages, said, "vera")
    await said.says("Hello?")
    await expect(message(page, "Hello?")).to_be_visible()
    await page.wait_for_timeout(300)
    assert (await said.conversation()).unread_count == 2


async def test_a_mistaken_password_is_typed_again_at_once(pages: Pages, world: World) -> None:
    pages.announce("422")
    page = await (await pages.context(world.base)).new_page()
    await page.goto("/sign-in")
    await expect(page.locator("#email")).to_be_focused()
    await page.locator("#email").fill("alice@example.com")
    await page.locator("#password").fill("not the password")
    await page.keyboard.press("Enter")
    await expect(page.locator("[role=alert]")).to_be_visible()
    await expect(page.locator("#password")).to_be_focused()
