"""The supervisor's floor in a browser: live without asking often, given from a dialog, sorted, for everybody."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page, expect

from chime.clock import MINUTE
from tests.browser.test_axe import examine_themes
from tests.http.service_setup import targets
from tests.support.browser import DESKTOP, HAND, Pages, new_talk
from tests.support.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")
PAGE = "/w/acme/floor"


def figure(page: Page, words: str) -> object:
    return page.locator(".floor-figures > div").filter(has_text=words).locator("dd")


async def test_it_lives_and_gives(world: World, pages: Pages) -> None:
    page = await pages.agent(world, "alice", PAGE)
    await expect(page.get_by_role("heading", name="Nobody waits")).to_be_visible()
    said = await new_talk(world, "Lena Live")
    line = page.locator(f"#w-{said.id}")
    await expect(line).to_contain_text("Nobody has it", timeout=10_000)
    await line.get_by_role("link", name="Assign Lena Live").click()
    dialog = page.locator("#dialog")
    await expect(dialog.get_by_role("heading", name="Assign Lena Live")).to_be_visible()
    await dialog.get_by_role("button", name="Kim").click()
    await expect(dialog).to_be_hidden()
    await expect(line).to_contain_text("Kim", timeout=10_000)
    await said.reply(await world.session("alice"), "here I am")
    await expect(page.get_by_role("heading", name="Nobody waits")).to_be_visible(timeout=10_000)


async def test_the_people_are_sorted_by_a_click_or_a_key(world: World, pages: Pages) -> None:
    page = await pages.agent(world, "alice", PAGE)
    people = page.get_by_role("group", name="People")
    await people.get_by_role("link", name="Person").focus()
    await page.keyboard.press("Enter")
    await expect(people.locator("th[aria-sort]")).to_have_text("Person")
    assert page.url.endswith("?sort=name")
    names = await people.locator("tbody .floor-person a").all_inner_texts()
    assert names == sorted(names) and len(names) == 4
    await page.goto("/w/acme/inbox")
    await page.locator("body").press("g")
    await page.locator("body").press("f")
    await page.wait_for_url("**/w/acme/floor")


async def test_an_idle_page_asks_for_nothing(world: World, pages: Pages) -> None:
    page = await pages.agent(world, "mo", PAGE)
    await page.wait_for_load_state("networkidle")
    await world.settle()
    await asyncio.sleep(5)
    pages.requested.clear()
    await asyncio.sleep(6)
    assert not [address for address in pages.requested if "/floor" in address]


async def test_everybody_can_use_it(world: World, pages: Pages) -> None:
    await targets(await world.session("alice"), first_minutes="30")
    late = await new_talk(world, "Axel Late with a long name that has to be cut somewhere")
    world.clock.advance(40 * MINUTE)
    await new_talk(world, "نور الهدى")
    for size, place in ((DESKTOP, "desktop"), (HAND, "phone")):
        page = await pages.agent(world, "alice", PAGE, size=size)
        await expect(page.locator(f"#w-{late.id}")).to_contain_text("Overdue")
        await examine_themes(page, f"floor-{place}")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await page.locator(f"#w-{late.id} .btn").click()
        await expect(page.locator("#dialog")).to_be_visible()
        await examine_themes(page, f"floor-dialog-{place}")


async def test_without_a_script_it_can_be_read_and_leads_on(world: World, pages: Pages) -> None:
    said = await new_talk(world, "Nora Noscript")
    page = await pages.agent(world, "alice", PAGE, script=False)
    await page.locator(f"#w-{said.id}").get_by_role("link", name="Assign").click()
    await page.wait_for_url(f"**{said.base}")
