"""A search narrowed as a person does it: a click in a menu, an operator typed, the form; and taken away again."""

from __future__ import annotations

import re

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.test_axe import examine_themes
from tests.http.inbox_setup import Talk, indexed
from tests.support.browser import DESKTOP, HAND, Pages, new_talk
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def walnut(world: World) -> Talk:
    """A talk about walnut in words, with a picture and with an answer."""
    found = await new_talk(world, "Wanda Walnut", "The walnut table, please")
    picture = world.simulator.world.add_media(found.tenant.number.phone_number_id, b"\x89PNG", "image/png")
    await found.says({"type": "image", "image": {"id": picture.media_id, "caption": "this walnut"}})
    await found.reply(await world.session("alice"), "The walnut one is yours")
    await indexed(world)
    return found


@pytest.mark.parametrize("size", [DESKTOP, HAND], ids=["desktop", "hand"])
async def test_a_search_is_narrowed_and_widened(pages: Pages, world: World, walnut: Talk, size: tuple[int, int]
                                                ) -> None:
    page = await pages.agent(world, size=size)
    rows, box = page.locator("#found .row[data-shown]"), page.locator("#search")
    chips = page.locator(".list-chips .chip")
    await box.fill("walnut")
    await expect(rows).to_have_count(3)
    await page.locator("#search-tools").get_by_role("button", name="Kind").click()
    await expect(page.locator("#search-type")).to_be_visible()
    await examine_themes(page, f"search-menu-{size[0]}")
    await page.locator("#search-type").get_by_role("link", name="Photo").click()
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("this walnut")
    await expect(page).to_have_url(re.compile(r"\?v=all&q=walnut&type=image$"))
    await expect(box).to_have_value("walnut")
    await box.fill("walnut from:customer on:today")
    await expect(chips).to_have_count(3)
    await expect(rows).to_have_count(1)
    await examine_themes(page, f"search-chips-{size[0]}")
    await chips.filter(has_text="Photo").get_by_role("link").click()
    await expect(rows).to_have_count(2)
    await expect(box).to_have_value("walnut from:customer on:today")
    await chips.filter(has_text="Customer").get_by_role("link").click()
    await expect(rows).to_have_count(3)
    await expect(box).to_have_value("walnut on:today")
    await page.go_back()
    await expect(chips.filter(has_text="Customer")).to_be_visible()
    await page.locator("[data-clear-search]").click()
    await expect(page.locator("#found")).to_have_count(0)
    await expect(box).to_have_value("")
    await expect(page).to_have_url(f"{world.base}/w/{world.acme.slug}/inbox?v=all")


@pytest.mark.parametrize("size", [DESKTOP, HAND], ids=["desktop", "hand"])
async def test_a_search_without_a_word(pages: Pages, world: World, walnut: Talk, size: tuple[int, int]) -> None:
    page = await pages.agent(world, size=size)
    dialog = page.locator("dialog[open]")
    await page.locator("#search-filters").click()
    await expect(dialog).to_be_visible()
    await dialog.get_by_text("What can be typed").click()
    await dialog.locator("summary").filter(has_text="Kind").click()
    await examine_themes(page, f"search-filters-{size[0]}")
    await dialog.get_by_label("Photo").check()
    await dialog.get_by_role("button", name="Search").click()
    await expect(dialog).to_have_count(0)
    await expect(page.locator("#found .row[data-shown]")).to_have_count(1)
    await expect(page.locator(".list-chips .chip")).to_have_text(["Photo"])
    await page.reload()
    await expect(page.locator("#found .row[data-shown]")).to_have_count(1)
    await page.locator("#found .row[data-shown]").click()
    await expect(page.locator("#messages").get_by_text("this walnut")).to_be_in_viewport()


async def test_typed_operators_become_chips_in_the_form(pages: Pages, world: World, walnut: Talk) -> None:
    page = await pages.agent(world)
    await page.locator("#search").fill("walnut type:image")
    await expect(page.locator(".list-chips .chip")).to_have_text(["Photo"])
    await page.locator("#search-filters").click()
    await expect(page.locator("dialog[open]").get_by_label("Photo")).to_be_checked()
    await page.locator("dialog[open]").get_by_role("button", name="Search").click()
    await expect(page.locator("#search")).to_have_value("walnut")
    await expect(page).to_have_url(re.compile(r"q=walnut&type=image$"))
    await expect(page.locator(".list-chips .chip")).to_have_text(["Photo"])
