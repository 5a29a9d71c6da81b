"""A whole answer without a mouse, and a focus that is always to be seen and never lost."""

from __future__ import annotations

import pytest
from playwright.async_api import Locator, Page, expect

from tests.http.inbox_setup import Talk, indexed, stock_templates
from tests.support.browser import Pages, expect_tick, message, new_talk, open_talk, row, tab_to, type_and_send
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

_FOCUS_SHOWS = """() => {
    const at = document.activeElement;
    if (at === document.body) return '';
    const { outlineStyle, outlineWidth } = getComputedStyle(at);
    const { top, left, width, height } = at.getBoundingClientRect();
    const inside = top >= -1 && left >= -1 && top + height <= innerHeight + 1 && left + width <= innerWidth + 1;
    const seen = at.matches(':focus-visible') && outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2;
    return seen && inside && width * height > 0 ? '' : at.outerHTML.slice(0, 160);
}"""


async def press(page: Page, *keys: str) -> None:
    for key in keys:
        await page.keyboard.press(key)


async def focus_row(page: Page, wanted: Locator) -> None:
    """Walk down the list with j."""
    for _ in range(20):
        await page.keyboard.press("j")
        await expect(page.locator("#rows .row:focus")).to_have_count(1)  # the first key fetches what it does
        if await wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError("j never came to the row")


async def test_answer_a_chat(pages: Pages, world: World) -> None:
    await new_talk(world, "Ann Older")
    found = await new_talk(world, "Kit Newer", "How late are you open?")
    page = await pages.agent(world)
    await expect(row(page, "Kit Newer")).to_be_visible()
    await press(page, "j")
    await expect(row(page, "Kit Newer")).to_be_focused()
    await press(page, "j")
    await expect(row(page, "Ann Older")).to_be_focused()
    await press(page, "k", "Enter")
    await expect(page.locator("#thread-header h2")).to_have_text("Kit Newer")
    await expect(page.locator("#content")).to_be_focused()
    await press(page, "r")
    await expect(page.locator("#text")).to_be_focused()
    await page.keyboard.type("Until six,")
    await press(page, "Shift+Enter")
    await page.keyboard.type("je suis là")
    await press(page, "Enter")
    await expect_tick(message(page, "Until six,"), "read")
    assert found.on_the_phone()[-1].content["body"] == "Until six,\nje suis là", "letters typed are no shortcuts"
    await press(page, "Escape", "e")
    await expect(page.locator("#thread-header")).to_have_attribute("data-state", "closed")
    await press(page, "u")
    await expect(page.locator("#thread .empty")).to_be_visible()
    await expect(page).to_have_url(f"{world.base}/w/{world.acme.slug}/inbox?v=all")


async def test_other_keys(pages: Pages, world: World) -> None:
    await stock_templates(world)
    found = await new_talk(world, "Lea Brandt")
    page = await open_talk(pages, found)
    await press(page, "?")
    await expect(page.locator("#keys-sheet")).to_be_visible()
    await press(page, "j", "e", "Escape")
    await expect(page.locator("#keys-sheet")).to_be_hidden()
    await expect(page.locator("#thread-header")).to_have_attribute("data-state", "open")
    await press(page, "i")
    await expect(page.locator("#thread-header .assign-name")).to_have_text("Alice")
    await press(page, "a")
    await expect(page.locator("#assign-menu")).to_be_visible()
    await expect(page.locator("#assign-menu [aria-current]")).to_be_focused()
    await press(page, "ArrowDown")
    await expect(page.locator("#assign-menu [aria-current]")).not_to_be_focused()
    await press(page, "Escape")
    await expect(page.locator("#assign-menu")).to_be_hidden()
    await press(page, "[")
    await expect(page.locator("#panel")).to_be_hidden()
    await press(page, "[")
    await expect(page.locator("#panel")).to_be_visible()
    await press(page, "t")
    await expect(page.locator("#dialog")).to_be_visible()
    await press(page, "Escape", "/")
    await expect(page.locator("#search")).to_be_focused()
    await indexed(world)
    await page.keyboard.type("Lea")
    await expect(page.locator("#found .row")).to_have_count(1)
    await press(page, "Escape")
    await expect(page.locator("#search")).not_to_be_focused()


async def test_neighbours(pages: Pages, world: World) -> None:
    """Alt with the arrows goes on to the next conversation, also out of the text field."""
    older, newer = await new_talk(world, "Mia Down"), await new_talk(world, "Nic Up")
    page = await open_talk(pages, newer)
    await page.locator("#text").focus()
    await press(page, "Alt+ArrowDown")
    await expect(page.locator("#thread-header h2")).to_have_text("Mia Down")
    await press(page, "Alt+ArrowUp")
    await expect(page.locator("#thread-header h2")).to_have_text("Nic Up")
    assert older.id != newer.id


async def test_message_actions(pages: Pages, world: World) -> None:
    """One tab stop for all messages; the arrows move it; the menu answers and reacts."""
    found = await new_talk(world, "Ola Berg", "First of two")
    await found.says("Second of two")
    page = await open_talk(pages, found)
    second = message(page, "Second of two").locator("[data-message-menu]")
    await tab_to(page, second, 60)
    await press(page, "ArrowUp")
    await expect(message(page, "First of two").locator("[data-message-menu]")).to_be_focused()
    await press(page, "ArrowDown", "Enter")
    await expect(page.locator("[data-message-act='reply']")).to_be_focused()
    await press(page, "Enter")
    await expect(page.locator("#quoting")).to_contain_text("Second of two")
    await expect(page.locator("#text")).to_be_focused()
    await press(page, "Escape")
    await expect(page.locator("#quoting")).to_be_hidden()


async def test_the_focus_is_seen_at_every_stop(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Per Holm")
    page = await open_talk(pages, found)
    hidden, stops = [], set()
    for _ in range(45):
        await press(page, "Tab")
        fault = await page.evaluate(_FOCUS_SHOWS)
        if fault:
            hidden.append(fault)
        stops.add(await page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert not hidden, "\n".join(hidden)
    assert {"search", "text", "scroller"} <= stops


async def test_a_dialog_keeps_the_focus_and_gives_it_back(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Quinn Day")
    page = await open_talk(pages, found)
    opener = page.locator(".list-pane [hx-get$='/inbox/new']")
    await opener.focus()
    await press(page, "Enter")
    await expect(page.locator("#dialog")).to_be_visible()
    for _ in range(8):
        await press(page, "Tab")
        assert await page.evaluate("document.activeElement.matches('body, #dialog *')")
    await press(page, "Escape")
    await expect(page.locator("#dialog")).to_be_hidden()
    await expect(opener).to_be_focused()


async def test_live_updates_leave_the_focus_alone(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Rosa Diaz")
    page = await open_talk(pages, found)
    resolve = page.locator("[data-key='e']")
    await resolve.focus()
    await type_elsewhere(pages, found, "From Kim")
    await expect(message(page, "From Kim")).to_be_visible()
    await expect(page.locator("#thread-header .assign-name")).to_have_text("Kim")
    await expect(resolve).to_be_focused()

    await row(page, "Rosa Diaz").focus()
    await found.says("While the focus is in the list")
    await expect(row(page, "Rosa Diaz")).to_contain_text("While the focus is in the list")
    await expect(row(page, "Rosa Diaz")).to_be_focused()

    await page.locator("#text").focus()
    await page.keyboard.type("half a wo")
    await found.says("While somebody types")
    await expect(message(page, "While somebody types")).to_be_visible()
    await page.keyboard.type("rd")
    await expect(page.locator("#text")).to_have_value("half a word")


async def type_elsewhere(pages: Pages, found: Talk, words: str) -> None:
    """Kim answers and takes the conversation."""
    page = await open_talk(pages, found, "kim")
    await type_and_send(page, words)
    await page.locator("#scroller").focus()
    await press(page, "i")
