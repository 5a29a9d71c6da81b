"""Send later, undo send and reminders in a browser: by mouse, in the hand, with files and templates."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from chime.clock import HOUR, MINUTE
from tests.browser.test_axe import examine_themes
from tests.browser.test_sending import PICTURE
from tests.http.inbox_setup import stock_templates
from tests.http.test_queues import sweep
from tests.support.browser import DESKTOP, HAND, Pages, message, new_talk, open_talk, pick, row
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def schedule(page: Page, text: str, choice: str = "In an hour") -> None:
    await page.locator("#text").fill(text)
    await page.locator("[popovertarget='send-menu']").click()
    await page.locator("#send-menu").get_by_role("button", name=choice).click()


async def test_scheduled_changed_and_sent(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Vera Lund")
    page, other = await open_talk(pages, found), await open_talk(pages, found, "mo")
    await schedule(page, "Your parcell is ready")
    for one in (page, other):
        await expect(one.locator("#scheduled .msg-later")).to_contain_text("Your parcell is ready")
    await expect(page.locator("#text")).to_have_value("")
    await expect(page.locator("#thread-header a[href='#scheduled']")).to_contain_text("1")
    await page.locator("#scheduled").get_by_role("link", name="Edit").click()
    await page.locator("dialog textarea").fill("Your parcel is ready")
    await page.get_by_role("dialog").get_by_role("button", name="Save").click()
    await expect(other.locator("#scheduled .text")).to_have_text("Your parcel is ready")
    world.clock.advance(HOUR + MINUTE)
    await sweep(world)
    for one in (page, other):
        await expect(message(one, "Your parcel is ready")).to_have_count(1)
        await expect(one.locator("#scheduled .msg-later")).to_have_count(0)


async def test_the_closed_window_is_told_now_and_the_words_stay(pages: Pages, world: World) -> None:
    pages.announce(r"answer 422: POST \S+/messages$")
    pages.announce(r"console: Failed to load resource: .* 422")
    await stock_templates(world)
    page = await open_talk(pages, await new_talk(world, "Willem Dekker"))
    await page.locator("#text").fill("In three days")
    await page.locator("[popovertarget='send-menu']").click()
    day = await page.evaluate("new Date(Date.now() + 3 * 864e5).toISOString().slice(0, 16)")
    await page.locator("#send-menu input[type=datetime-local]").fill(day)
    await page.locator("#send-menu").get_by_role("button", name="Schedule").click()
    await expect(page.locator("#send-error")).to_contain_text("will be closed by then")
    await expect(page.locator("#text")).to_have_value("In three days")
    await page.locator("#send-error").get_by_role("link", name="Choose a template").click()
    form = page.locator("dialog details[open] form").first
    await form.locator("summary", has_text="Send later").click()
    await form.locator("input[type=datetime-local]").fill(day)
    for blank in await form.locator("input[required]").all():
        await blank.fill("https://example.com/x.png" if await blank.get_attribute("name") == "header.media" else "5")
    await form.get_by_role("button", name="Send template").click()
    await expect(page.locator("#scheduled .msg-later")).to_have_count(1)
    await expect(page.get_by_role("dialog")).to_be_hidden()


async def test_the_customer_wrote_first(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Xenia Orlov")
    page = await open_talk(pages, found)
    await schedule(page, "Any news?")
    await expect(page.locator("#scheduled .msg-later")).to_have_count(1)
    await found.says("Here is some news")
    await expect(page.locator("#scheduled")).to_contain_text("The customer wrote meanwhile")
    await page.locator("#scheduled").get_by_role("button", name="Discard").click()
    await expect(page.locator("#scheduled .msg-later")).to_have_count(0)
    await page.locator(".toast").get_by_role("button", name="Undo").click()
    await expect(page.locator("#scheduled .msg-later")).to_have_count(1)
    await page.locator("#scheduled").get_by_role("button", name="Send anyway").click()
    await expect(page.locator("#scheduled")).not_to_contain_text("The customer wrote meanwhile")


async def test_undo_brings_back_text_and_files(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Yara Stein")
    page = await open_talk(pages, found, "kim")
    await page.locator("[popovertarget='send-menu']").click()
    await page.locator("#undo-time").get_by_role("button", name="30 s").click()
    await expect(page.locator("#undo-time [aria-pressed='true']")).to_have_text("30 s")
    await page.locator("#text").fill("Dear Mr Stein")
    await page.locator("#text").press("Enter")
    await expect(message(page, "Dear Mr Stein")).to_be_visible()
    await page.locator(".toast").get_by_role("button", name="Undo").click()
    await expect(page.locator("#text")).to_have_value("Dear Mr Stein")
    await expect(message(page, "Dear Mr Stein")).to_have_count(0)
    await page.locator("#file").set_input_files(PICTURE)
    await page.locator("#text").press("Enter")
    await expect(page.locator("#messages .msg-out")).to_have_count(1)
    await page.locator("#messages .msg-out").get_by_role("button", name="Undo send").click()
    await expect(page.locator("#tray li")).to_have_count(1)
    await expect(page.locator("#text")).to_have_value("Dear Mr Stein")
    await world.settle()
    assert not found.on_the_phone() and await found.sent() == []
    await page.locator("[popovertarget='send-menu']").click()
    await page.locator("#undo-time").get_by_role("button", name="Off").click()
    await expect(page.locator("#undo-time [aria-pressed='true']")).to_have_text("Off")
    await page.keyboard.press("Escape")
    await page.locator("#text").press("Enter")
    await expect(page.locator("#messages .msg-out .tick-read")).to_be_visible()


async def test_a_scheduled_picture_leaves_no_bubble_behind(pages: Pages, world: World) -> None:
    page = await open_talk(pages, await new_talk(world, "Zeno Adler"))
    await page.locator("#file").set_input_files(PICTURE)
    await schedule(page, "The mug")
    await expect(page.locator("#scheduled .msg-later")).to_contain_text("mug.png")
    await expect(page.locator("#messages .msg-out")).to_have_count(0)


async def test_reminded(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Anton Bloch")
    page = await open_talk(pages, found)
    await pick(page, "[popovertarget='later-menu']", "#later-menu a:has-text('Remind me')")
    await page.locator("dialog #about").fill("ask for the invoice")
    await page.get_by_role("dialog").get_by_role("button", name="Remind me").click()
    await expect(page.get_by_role("dialog")).to_be_hidden()
    world.clock.advance(HOUR + MINUTE)
    await sweep(world)
    await expect(page.locator("#messages .note")).to_contain_text("ask for the invoice")
    await expect(row(page, "Anton Bloch")).to_be_visible()


@pytest.mark.parametrize("size", [DESKTOP, HAND], ids=["desktop", "hand"])
async def test_everybody_can_use_it(pages: Pages, world: World, size: tuple[int, int]) -> None:
    found = await new_talk(world, f"Bela Czerny {size[0]}")
    page = await open_talk(pages, found, size=size)
    await page.locator("[popovertarget='send-menu']").click()
    await expect(page.locator("#send-menu")).to_be_visible()
    await examine_themes(page, f"send-menu-{size[0]}")
    await page.keyboard.press("Escape")
    await schedule(page, "Something for later that is long enough to go over more than one line on a phone")
    await expect(page.locator("#scheduled .msg-later")).to_have_count(1)
    await found.says("But first")
    await expect(page.locator("#scheduled")).to_contain_text("The customer wrote meanwhile")
    await examine_themes(page, f"scheduled-{size[0]}")
    await page.locator("#scheduled").get_by_role("link", name="Edit").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    await examine_themes(page, f"scheduled-edit-{size[0]}")
    await page.keyboard.press("Escape")
    await pick(page, "[popovertarget='later-menu']", "#later-menu a:has-text('Remind me')")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await examine_themes(page, f"reminders-{size[0]}")
