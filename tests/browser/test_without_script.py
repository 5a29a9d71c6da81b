"""With scripts switched off Chime is a plain website: sign in, read, answer, assign, resolve; nothing typed is lost."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from chime.clock import HOUR
from tests.http.inbox_setup import Talk, indexed
from tests.support.browser import HAND, Pages, keep_picture, message, new_talk, row
from tests.support.world import PASSWORD, World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def open_plain(pages: Pages, talk: Talk) -> Page:
    page = await pages.agent(talk.world, path=talk.base, script=False)
    await expect(page.locator("#messages .msg").first).to_be_visible()
    return page


async def test_sign_in_read_answer_and_resolve(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Nora Plain", "Does it work without scripts?")
    page = await (await pages.context(world.base, script=False)).new_page()
    await page.goto("/")
    await page.locator("#email").fill("kim@example.com")
    await page.locator("#password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await row(page, "Nora Plain").click()
    await expect(message(page, "Does it work without scripts?")).to_be_visible()
    await expect(page.locator(".needs-script:visible")).to_have_count(0)
    await keep_picture(page, "without-script")

    await page.locator("#text").fill("It does.")
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(message(page, "It does.")).to_be_visible()
    await world.settle()
    assert [sent.content["body"] for sent in found.on_the_phone()] == ["It does."]
    await page.reload()
    await expect(message(page, "It does.").locator(".tick-read")).to_be_visible()

    await page.locator("[popovertarget='assign-menu']").click()
    await page.locator("#assign-menu .menu-item").filter(has_text="Kim").click()
    await expect(page.locator("#thread-header .assign-name")).to_have_text("Kim")
    await page.get_by_role("button", name="Resolve").click()
    await expect(page.locator("#thread-header")).to_have_attribute("data-state", "closed")
    await page.get_by_role("button", name="Reopen").click()
    await expect(page.locator("#thread-header")).to_have_attribute("data-state", "open")


async def test_a_refused_answer_keeps_the_words(pages: Pages, world: World) -> None:
    pages.announce("422")
    found = await new_talk(world, "Otto Late")
    page = await open_plain(pages, found)
    await page.locator("#text").fill("A whole paragraph\nthat took a while")
    world.clock.advance(25 * HOUR)
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.locator("[role=alert]")).to_contain_text("24")
    await expect(page.locator("#text")).to_have_value("A whole paragraph\nthat took a while")
    await keep_picture(page, "without-script-refused")
    await found.says("I am still here")
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(message(page, "that took a while")).to_be_visible()


async def test_search_views_and_rows(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Pavel Found", "Is the marmalade back?")
    await new_talk(world, "Queenie Other")
    await indexed(world)
    page = await pages.agent(world, "mo", script=False)  # who has answered nobody, so nothing is his
    await page.locator("#search").fill("Pavel")
    await page.locator("#search").press("Enter")
    await expect(page.locator("#list .row")).to_have_count(1)
    await page.locator("#search").fill("marmalade")
    await page.locator("#search").press("Enter")
    await page.locator("#list .row").click()
    await expect(message(page, "marmalade")).to_be_in_viewport()
    assert page.url.endswith(f"#m-{(await found.messages())[0].id}"), "the style sheet marks what the address names"
    await page.locator("[data-clear-search]").click()
    await expect(row(page, "Queenie Other")).to_be_visible()
    await page.locator("#view-mine").click()
    await expect(page.locator("#list .empty")).to_contain_text("Nothing waits for you")


async def test_in_the_hand(pages: Pages, world: World) -> None:
    await new_talk(world, "Rasmus Small", "On a small screen")
    page = await pages.agent(world, script=False, size=HAND)
    await row(page, "Rasmus Small").tap()
    await expect(message(page, "On a small screen")).to_be_visible()
    await page.locator("[data-back]").tap()
    await expect(row(page, "Rasmus Small")).to_be_visible()
