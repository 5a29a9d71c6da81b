"""Search as a person does it: type, open a hit where it was said, read on in both directions, answer, go back."""

from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from chime.clock import MINUTE
from chime.inbox.queries import THREAD_PAGE
from chime.simulator import write
from tests.browser.test_axe import examine_themes
from tests.http.inbox_setup import Talk, indexed, text
from tests.support.browser import DESKTOP, HAND, Pages, message, new_talk, row, type_and_send
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
WALNUT = 60


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def long_talk(world: World) -> Talk:
    """A talk of 200 messages with one about walnut far up, and a few others that mention it."""
    found = await new_talk(world, "Wanda Longtalk", "The newest of all")
    now = world.clock.now()
    for number in range(200):
        body = f"line {number}" if number != WALNUT else "Is the walnut table still there? It must seat eight."
        write(world.simulator, found.customer, text(body), number=found.tenant.number,
              at=now - (300 - number) * MINUTE)
    for name in ("Walnut Wholesale", "Ben Carter"):
        await new_talk(world, name, "A walnut shelf, please: 120 cm")
    await indexed(world)
    return found


async def search(page: Page, words: str) -> None:
    await page.locator("#search").press_sequentially(words, delay=10)
    await expect(page.locator("#found")).to_be_visible()


async def open_walnut(page: Page) -> None:
    await search(page, "walnut")
    await page.locator("#found .row[data-shown]").filter(has_text="Wanda").click()
    await expect(message(page, "the walnut table")).to_be_in_viewport()


async def is_marked(page: Page) -> bool:
    marked: bool = await message(page, "the walnut table").evaluate("item => item.classList.contains('msg-flash')")
    return marked


async def test_a_hit_opens_where_it_was_said(pages: Pages, world: World, long_talk: Talk) -> None:
    page = await pages.agent(world)
    await page.keyboard.press("/")
    await search(page, "walnut tab")
    await expect(page.locator("#found mark").first).to_have_text("walnut")
    await expect(page).to_have_url(f"{world.base}/w/{world.acme.slug}/inbox?v=all&q=walnut+tab")
    await expect(page.locator("#search")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator("#search")).to_have_value("")
    await expect(row(page, "Wanda Longtalk")).to_be_visible()
    await open_walnut(page)
    assert await is_marked(page)
    await expect(page.locator("#found [aria-current]")).to_have_count(1)
    await expect(message(page, f"line {WALNUT + 5}").last).to_be_attached()
    await expect(page.locator(".msg-flash")).to_have_count(0)


async def test_reading_on_in_both_directions_keeps_the_place(pages: Pages, world: World, long_talk: Talk) -> None:
    page = await pages.agent(world)
    await open_walnut(page)
    before = await message(page, "the walnut table").bounding_box()
    await page.wait_for_timeout(400)
    after = await message(page, "the walnut table").bounding_box()
    assert before and after and abs(before["y"] - after["y"]) < 2, "nothing moves by itself"
    await page.locator("#newer").scroll_into_view_if_needed()
    last = message(page, f"line {WALNUT + THREAD_PAGE // 2}").last
    await expect(message(page, "line 110")).to_be_attached()
    await expect(last).to_be_in_viewport()
    for _ in range(12):
        await page.locator("#scroller").evaluate("scroller => { scroller.scrollTop = 0; }")
        await page.wait_for_timeout(60)
    await expect(message(page, "The newest of all")).to_be_in_viewport()
    await expect(page.locator("#newer")).to_have_count(0)
    told = await page.locator("#messages .msg .text").all_inner_texts()
    lines = [line for line in told if line.startswith("line ")]
    assert lines == [f"line {n}" for n in range(int(lines[0][5:]), 200) if n != WALNUT], "once each, in order"


async def test_what_comes_in_meanwhile_waits_at_the_end(pages: Pages, world: World, long_talk: Talk) -> None:
    page = await pages.agent(world)
    await open_walnut(page)
    await long_talk.says("And one more thing")
    await expect(page.locator("#jump")).to_be_visible()
    await expect(message(page, "And one more thing")).to_have_count(0)
    await expect(message(page, "the walnut table")).to_be_in_viewport()
    await page.locator("#jump").click()
    await expect(message(page, "And one more thing")).to_be_in_viewport()
    await expect(page.locator("#newer")).to_have_count(0)
    assert "at=" not in page.url, "a reload stays at the end"


async def test_an_answer_goes_to_the_end(pages: Pages, world: World, long_talk: Talk) -> None:
    page = await pages.agent(world)
    await open_walnut(page)
    bubble = await type_and_send(page, "It is, shall I keep it for you?")
    await expect(bubble).to_have_count(1)
    await expect(bubble).to_be_in_viewport()
    await expect(message(page, "line 199")).to_be_attached()
    await expect(bubble.locator(".tick-read, .tick-sent, .tick-delivered")).to_be_visible()
    await expect(page.locator("#messages .msg").last).to_contain_text("It is, shall I keep it for you?")


async def test_clearing_brings_the_list_back(pages: Pages, world: World, long_talk: Talk) -> None:
    page = await pages.agent(world)
    await search(page, "walnut")
    await page.locator("[data-clear-search]").click()
    await expect(page.locator("#found")).to_have_count(0)
    await expect(page.locator("#search")).to_have_value("")
    await expect(row(page, "Wanda Longtalk")).to_be_visible()
    await expect(page).to_have_url(f"{world.base}/w/{world.acme.slug}/inbox?v=all")


async def test_in_the_hand(pages: Pages, world: World, long_talk: Talk) -> None:
    page = await pages.agent(world, size=HAND)
    await open_walnut(page)
    await page.locator("[data-back]").tap()
    await expect(page.locator("#found")).to_be_visible()
    await expect(page.locator("#search")).to_have_value("walnut")


@pytest.mark.parametrize("size", [DESKTOP, HAND], ids=["desktop", "hand"])
async def test_everybody_can_use_it(pages: Pages, world: World, long_talk: Talk, size: tuple[int, int]) -> None:
    page = await pages.agent(world, size=size)
    await search(page, "walnut")
    await examine_themes(page, f"search-{size[0]}")
    await page.locator("#found .row[data-shown]").filter(has_text="Wanda").click()
    await expect(message(page, "the walnut table")).to_be_in_viewport()
    await examine_themes(page, f"search-open-{size[0]}")
    page = await pages.agent(world, size=size)
    await page.locator("#search").fill("zebra crossing")
    await expect(page.locator("#list .empty")).to_contain_text("zebra crossing")
    await examine_themes(page, f"search-nothing-{size[0]}")
