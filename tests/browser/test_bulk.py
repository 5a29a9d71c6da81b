"""Several conversations chosen and changed, by keyboard, by mouse and in the hand; the list narrowed and kept so while
it lives."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.test_axe import examine_themes
from tests.browser.test_keyboard import focus_row, press
from tests.http.inbox_setup import rows
from tests.support.browser import DESKTOP, HAND, Pages, new_talk, open_talk, row
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_chosen_by_keyboard_resolved_and_had_back(pages: Pages, world: World) -> None:
    for name in ("Uma Old", "Uma Mid", "Uma New"):
        await new_talk(world, name)
    page = await pages.agent(world)
    await focus_row(page, row(page, "Uma New"))
    await press(page, "x")
    await expect(page.locator("#bulk-count")).to_have_text("1 selected")
    await press(page, "j", "j", "X")
    await expect(page.locator("#bulk-count")).to_have_text("3 selected")
    await new_talk(world, "Vic Later")
    await expect(row(page, "Vic Later")).to_be_visible()
    await expect(page.locator("#rows .pick input:checked")).to_have_count(3)
    await page.locator("#bulk [data-act=resolve]").click()
    await expect(page.locator("#bulk")).to_have_count(0)
    for name in ("Uma Old", "Uma Mid", "Uma New"):
        await expect(row(page, name)).to_have_count(0)
    await expect(row(page, "Vic Later")).to_be_visible()
    await expect(page.locator(".toast")).to_contain_text("3 conversations changed")
    await press(page, "z")
    for name in ("Uma Old", "Uma Mid", "Uma New"):
        await expect(row(page, name)).to_be_visible()


async def test_tagged_by_mouse_and_the_list_narrowed_to_it(pages: Pages, world: World) -> None:
    for name in ("Wim One", "Wim Two", "Xia Other"):
        await new_talk(world, name)
    page = await pages.agent(world)
    await page.locator("[data-list=select]").click()
    await expect(page.locator("#bulk")).to_be_visible()
    for name in ("Wim One", "Wim Two"):
        await row(page, name).click()
    assert "/inbox/" not in page.url, "choosing opens nothing"
    await page.locator("#bulk-tag-open").click()
    await page.locator("#bulk-tag input").fill("Samples")
    await page.keyboard.press("Enter")
    await expect(row(page, "Wim One").locator(".row-more .chip")).to_have_text("Samples")
    await press(page, "f")
    dialog = page.locator("#dialog")
    await dialog.locator("summary", has_text="Conversation tag").click()
    await dialog.get_by_label("Samples").check()
    await dialog.get_by_role("button", name="Show").click()
    await expect(dialog).to_be_hidden()
    await expect(page.locator("#rows .row")).to_have_count(2)
    await expect(page).to_have_url(f"{world.base}/w/{world.acme.slug}/inbox?v=all&tag=" + (await rows(
        world, world.acme, "SELECT id FROM thread_tag WHERE name = 'Samples'"))[0][0])
    await new_talk(world, "Xia Second")
    await row(page, "Wim One").click()
    await expect(page.locator("#thread-header h2")).to_have_text("Wim One")
    await page.wait_for_timeout(2500)
    await expect(page.locator("#rows .row")).to_have_count(2)
    await page.get_by_role("link", name="Without Conversation tag: Samples").click()
    await expect(row(page, "Xia Second")).to_be_visible()


async def test_a_tag_by_keyboard_and_unread_again(pages: Pages, world: World) -> None:
    page = await open_talk(pages, await new_talk(world, "Yan Berg"))
    await page.locator("#scroller").focus()
    await press(page, "l")
    await expect(page.locator("#tag-new")).to_be_focused()
    await page.keyboard.type("Wholesale")
    await press(page, "Enter")
    await expect(page.locator("#dialog .tags .chip")).to_contain_text("Wholesale")
    await expect(page.locator("#tag-new")).to_be_focused()
    await press(page, "Escape")
    await expect(page.locator("#messages .line").last).to_contain_text("added the tag Wholesale")
    await expect(row(page, "Yan Berg").locator(".row-more .chip")).to_have_text("Wholesale")
    await page.locator("#scroller").focus()
    await press(page, "m")
    await expect(row(page, "Yan Berg").locator(".badge-accent")).to_be_visible()


@pytest.mark.parametrize("size", [DESKTOP, HAND], ids=["desktop", "hand"])
async def test_everybody_can_use_it(pages: Pages, world: World, size: tuple[int, int]) -> None:
    await new_talk(world, f"Zoe Lind {size[0]}")
    page = await pages.agent(world, size=size)
    await expect(row(page, f"Zoe Lind {size[0]}")).to_be_visible()
    assert await page.locator(".views").evaluate("bar => bar.scrollWidth <= bar.clientWidth"), "every view in sight"
    await page.locator("[data-list=select]").click()
    await expect(page.locator("#bulk")).to_be_visible()
    await row(page, f"Zoe Lind {size[0]}").click()
    await expect(page.locator("#bulk-count")).to_have_text("1 selected")
    await examine_themes(page, f"bulk-{size[0]}")
    await page.locator("[data-bulk-end]").click()
    await page.locator("#filter-open").click()
    await expect(page.locator("#dialog")).to_be_visible()
    await examine_themes(page, f"filters-{size[0]}")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.goto(f"/w/{world.acme.slug}/inbox/views/new?v=all&unread=1")
    await page.get_by_label("Name").fill(f"Unread {size[0]}")
    await page.get_by_role("button", name="Save").click()
    await page.locator("#view-more").click()
    await expect(page.locator("#saved-views .badge").first).to_be_visible()
    await examine_themes(page, f"saved-views-menu-{size[0]}")
    await page.goto(f"/w/{world.acme.slug}/inbox/views")
    await examine_themes(page, f"saved-views-{size[0]}")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
