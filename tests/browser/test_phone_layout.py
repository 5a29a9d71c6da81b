"""In the hand: one pane at a time, every verb in reach of a thumb, nothing cut off, nothing under the keyboard."""

from __future__ import annotations

import pytest
from playwright.async_api import Locator, Page, ViewportSize, expect

from tests.http.inbox_setup import stock_templates
from tests.support.browser import (
    HAND,
    Pages,
    expect_tick,
    keep_picture,
    message,
    new_talk,
    open_talk,
    row,
    type_and_send,
)
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

NARROWEST: ViewportSize = {"width": 320, "height": 640}
WITH_KEYBOARD: ViewportSize = {"width": 390, "height": 470}
FINGER = 40


async def expect_in_reach(page: Page, *controls: Locator) -> None:
    """Each is wholly on the screen, under nothing, and big enough for a finger."""
    size = page.viewport_size
    assert size is not None
    for control in controls:
        box = await control.bounding_box()
        assert box is not None, control
        assert box["x"] >= 0 and box["x"] + box["width"] <= size["width"], (control, box)
        assert box["y"] >= 0 and box["y"] + box["height"] <= size["height"], (control, box)
        assert min(box["width"], box["height"]) >= FINGER, (control, box)
        await control.click(trial=True)  # raises when something lies over it


def verbs(page: Page) -> list[Locator]:
    """What the head of a thread offers."""
    head = page.locator("#thread-header")
    return [head.locator(selector) for selector in ("[data-back]", "[data-key='a']", "[data-key='e']", ".panel-toggle")]


async def test_from_the_list_to_a_thread_and_back(pages: Pages, world: World) -> None:
    await new_talk(world, "Anouk de Vries-van den Heuvel", "A first word")
    page = await pages.agent(world, size=HAND)
    await expect(page.locator("#thread")).to_be_hidden()
    await expect_in_reach(page, page.locator(".rail-item[aria-current]"),
                          page.locator("[popovertarget='account-menu']"))
    await row(page, "Anouk").tap()
    await expect(message(page, "A first word")).to_be_visible()
    await expect(page.locator(".list-pane")).to_be_hidden()
    await expect(page.locator(".rail")).to_be_hidden()
    await expect_in_reach(page, *verbs(page))
    await page.locator("[data-back]").tap()
    await expect(row(page, "Anouk")).to_be_visible()
    await expect(page.locator("#thread")).to_be_hidden()
    await page.go_back()
    await expect(message(page, "A first word")).to_be_visible()
    await page.go_back()
    await expect(row(page, "Anouk")).to_be_visible()


@pytest.mark.parametrize("width", [320, 360, 390, 430])
async def test_verbs_are_in_reach_at_every_width(pages: Pages, world: World, width: int) -> None:
    found = await new_talk(world, f"Maximiliane Featherstonehaugh {width}")
    page = await open_talk(pages, found, size=HAND)
    await page.set_viewport_size({"width": width, "height": 740})
    await expect_in_reach(page, *verbs(page), page.locator("#writing .tool-primary"))
    name = page.locator("#thread-header h2")
    assert (await name.bounding_box() or {"width": 0})["width"] >= 48, "something of the name is left"
    await page.locator("[data-key='a']").tap()
    await page.locator("#assign-menu .menu-item").first.tap()
    await expect_in_reach(page, *verbs(page))
    await page.locator("[data-key='e']").tap()
    await expect(page.locator("#thread-header")).to_have_attribute("data-state", "closed")
    await expect_in_reach(page, *verbs(page))


async def test_the_contact_panel_is_a_drawer(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Birgit Olsen")
    page = await open_talk(pages, found, size=HAND)
    panel = page.locator("#panel")
    await expect(panel).to_be_hidden()
    await page.locator("#thread-header .panel-toggle").tap()
    await expect(panel).to_be_visible()
    await page.locator("#tag-name").fill("regular")
    await page.locator("#tag-name").press("Enter")
    await expect(panel.locator(".tags")).to_contain_text("regular")
    await expect(panel, "a change leaves it open").to_be_visible()
    await panel.locator(".panel-close").tap()
    await expect(panel).to_be_hidden()


async def test_the_composer_stays_above_the_keyboard(pages: Pages, world: World) -> None:
    """With `interactive-widget=resizes-content` an open keyboard is a lower window."""
    found = await new_talk(world, "Ciro Neri")
    for number in range(8):
        await found.says(f"Line {number}")
    page = await open_talk(pages, found, size=HAND)
    await page.locator("#text").tap()
    await page.set_viewport_size(WITH_KEYBOARD)
    await page.locator("#text").fill("A long answer\n" * 12)
    await expect_in_reach(page, page.locator("#writing .tool-primary"), *verbs(page))
    await expect(page.locator("#text")).to_be_in_viewport(ratio=1)
    await keep_picture(page, "hand-keyboard")
    await page.locator("#text").fill("")
    await expect(message(page, "Line 7")).to_be_in_viewport()
    await expect_tick(await type_and_send(page, "A short one"), "read")
    await expect(message(page, "A short one")).to_be_in_viewport()


async def test_dialogs_fit(pages: Pages, world: World) -> None:
    await stock_templates(world)
    found = await new_talk(world, "Dina Roth")
    page = await open_talk(pages, found, size=HAND)
    await page.set_viewport_size(NARROWEST)
    await page.locator("#writing [data-key='t']").tap()
    dialog = page.locator("#dialog")
    await expect(dialog).to_be_visible()
    await expect(dialog.locator("[data-close]")).to_be_in_viewport(ratio=1)
    send = dialog.locator("details[open] .btn-primary")
    await send.scroll_into_view_if_needed()
    await expect(send).to_be_in_viewport(ratio=1)
    assert await dialog.evaluate("element => element.scrollWidth <= element.clientWidth")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_pictures_of_it(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Eva Lang", "Do you still have the blue mug? ☕")
    alice = await world.session("alice")
    await found.reply(alice, "We do, two of them.")
    await found.says({"type": "image", "image": {"caption": "This one?"}})
    await found.says({"type": "location", "location": {"latitude": 52.5, "longitude": 13.4, "name": "Café Ost"}})
    for dark in (False, True):
        theme = "dark" if dark else "light"
        page = await open_talk(pages, found, size=HAND, dark=dark)
        await expect(page.locator(".picture img")).to_be_visible()
        await keep_picture(page, f"hand-thread-{theme}")
        await page.locator("[data-back]").tap()
        await expect(row(page, "Eva Lang")).to_be_visible()
        await keep_picture(page, f"hand-list-{theme}")
