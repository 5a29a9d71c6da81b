"""A whole shift without a mouse: every verb of the inbox by its key, each step looked at on the screen, and a focus
that is to be seen after every key.
"""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Locator, Page, expect

from chime.help.topics import TOPICS
from tests.browser.test_keyboard import focus_row
from tests.browser.test_quick_replies import make
from tests.http.inbox_setup import Talk, indexed, stock_templates
from tests.support.browser import Pages, expect_tick, message, new_talk, row
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

# Nothing has it, or it is on the screen and has a ring (or, in the palette, the line under its row). A field for a day
# hands its focus on to its calendar button.
_FOCUS_SHOWS = """() => {
    const at = document.activeElement;
    if (at === document.body) return '';
    const { outlineStyle, outlineWidth } = getComputedStyle(at);
    const { top, left, width, height } = at.getBoundingClientRect();
    const inside = top >= -1 && left >= -1 && top + height <= innerHeight + 1 && left + width <= innerWidth + 1;
    const isRinged = outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2;
    const seen = isRinged || getComputedStyle(at.parentElement).boxShadow !== 'none';
    return seen && inside && width * height > 0 ? '' : at.outerHTML.slice(0, 160);
}"""
_COUNT_POINTERS = """window.pointers = 0;
for (const kind of ['pointerdown', 'mousedown', 'touchstart']) {
    addEventListener(kind, () => { window.pointers += 1; }, true);
}"""
HEAD = "#thread-header"


class Desk:
    """Somebody at a keyboard, and nothing else."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def press(self, *keys: str) -> None:
        """Each key, and the focus shows after it."""
        for key in keys:
            await self.page.keyboard.press(key)
            await self.sees_focus(key)

    async def type(self, text: str) -> None:
        await self.page.keyboard.type(text)

    async def sees_focus(self, after: str = "") -> None:
        fault = ""
        for _ in range(20):
            fault = await self.page.evaluate(_FOCUS_SHOWS)
            if not fault:
                return
            await self.page.wait_for_timeout(50)
        raise AssertionError(f"after {after}: {fault}")

    async def tab(self, wanted: Locator, most: int = 40, key: str = "Tab") -> None:
        """Go on to a control, the focus in sight on the way."""
        for _ in range(most):
            if await wanted.evaluate("element => element === document.activeElement"):
                return
            await self.press(key)
        raise AssertionError(f"the focus never came to {wanted} in {most} steps")

    async def down_to(self, words: str) -> None:
        """Down an open menu to the entry with these words."""
        for _ in range(30):
            await expect(self.page.locator(".menu:popover-open :focus")).to_have_count(1)
            if words in await self.page.evaluate("document.activeElement.textContent"):
                return
            await self.press("ArrowDown")
        raise AssertionError(f"the menu has no {words}")

    async def open(self, talk: Talk, name: str) -> None:
        """Down the list to it, and into it."""
        await focus_row(self.page, row(self.page, name))
        await self.sees_focus("j")
        await self.press("Enter")
        await expect(self.page.locator(f"{HEAD} h2")).to_have_text(name)
        await expect(self.page).to_have_url(re.compile(talk.id))
        await expect(self.page.locator("#content")).to_be_focused()


async def at_desk(pages: Pages, world: World) -> Desk:
    page = await pages.agent(world)
    await page.context.add_init_script(_COUNT_POINTERS)
    await page.reload()
    await expect(page.locator("#rows .row").first).to_be_visible()
    return Desk(page)


async def leaves_without_a_mouse(desk: Desk) -> None:
    assert await desk.page.evaluate("window.pointers") == 0


async def test_the_list_is_ordered_narrowed_and_looked_through(pages: Pages, world: World) -> None:
    for name in ("Ada First", "Ben Second", "Cem Third"):
        await new_talk(world, name, f"{name} asks")
    desk = await at_desk(pages, world)
    page = desk.page
    # Views: those in the row, then one behind More.
    await desk.tab(page.locator("#view-unassigned"))
    await desk.press("Enter")
    await expect(page.locator("#view-unassigned")).to_have_attribute("aria-current", "true")
    await expect(page.locator("#view-unassigned")).to_be_focused()
    await desk.tab(page.locator("#view-more"))
    await desk.press("Enter")
    await expect(page.locator("#views-menu")).to_be_visible()
    await desk.down_to("Waiting")
    await desk.press("Enter")
    await expect(page.locator("#view-more")).to_contain_text("Waiting")
    await expect(page.locator("#rows .row")).to_have_count(3)
    # Order.
    await desk.press("Escape")
    await desk.tab(page.locator(".list-sort"))
    await desk.press("Enter")
    await expect(page.locator("#sort-menu")).to_be_visible()
    await desk.down_to("Oldest")
    await desk.press("Enter")
    await expect(page.locator("#rows .row-name").first).to_contain_text("Ada First")
    await desk.sees_focus("the order")
    # Filter.
    await desk.press("Escape", "f")
    await expect(page.locator("#dialog")).to_be_visible()
    await desk.tab(page.get_by_label("Only unread ones"))
    await desk.press("Space")
    await expect(page.get_by_label("Only unread ones")).to_be_checked()
    await desk.tab(page.locator("#dialog").get_by_role("button", name="Show"))
    await desk.press("Enter")
    await expect(page.locator("#dialog")).to_be_hidden()
    await expect(page.locator(".list-chips")).to_contain_text("Unread")
    await expect(page.locator("#rows .row")).to_have_count(3)
    await desk.press("Escape")
    await focus_row(page, row(page, "Cem Third"))
    await desk.press("k")
    await expect(row(page, "Ben Second")).to_be_focused()
    # Search: over everything, and back.
    await indexed(world)
    await desk.press("/")
    await expect(page.locator("#search")).to_be_focused()
    await desk.type("second asks")
    await expect(page.locator("#found")).to_contain_text("Ben Second")
    hit = page.locator("#found [id^='f-'] .row").first
    await desk.tab(hit)
    await desk.press("Enter")
    await expect(page.locator(f"{HEAD} h2")).to_have_text("Ben Second")
    await expect(message(page, "Ben Second asks")).to_be_in_viewport()
    await desk.press("/")
    await desk.press("Escape")
    await expect(page.locator("#search")).not_to_be_focused()
    await expect(page.locator("#rows .row").first).to_be_visible()
    await leaves_without_a_mouse(desk)


async def test_a_customer_is_answered_in_every_way(pages: Pages, world: World) -> None:
    await stock_templates(world)
    await make(world, "hours", "Hello {{contact.first_name}}, we open at *nine*.")
    found = await new_talk(world, "Dia Moreau", "When do you open?")
    desk = await at_desk(pages, world)
    page = desk.page
    await desk.open(found, "Dia Moreau")
    # A reply; a letter typed is no shortcut.
    await desk.press("r")
    await expect(page.locator("#text")).to_be_focused()
    await desk.type("az e sure")
    await desk.press("Enter")
    await expect_tick(message(page, "az e sure"), "read")
    await expect(page.locator("#text")).to_be_focused()
    # A quick reply.
    await desk.type("/hou")
    await expect(page.locator("#offer-list")).to_be_visible()
    await desk.press("Enter")
    await expect(page.locator("#text")).to_have_value("Hello Dia, we open at *nine*.")
    await desk.press("Enter")
    await expect_tick(message(page, "Hello Dia"), "read")
    # Send later.
    await desk.type("See you tomorrow")
    await desk.tab(page.locator("[popovertarget='send-menu']"))
    await desk.press("Enter")
    await expect(page.locator("#send-menu")).to_be_visible()
    await desk.down_to("In an hour")
    await desk.press("Enter")
    await expect(page.locator("#scheduled .msg-later")).to_contain_text("See you tomorrow")
    await expect(page.locator("#text")).to_have_value("")
    await desk.sees_focus("send later")
    await desk.press("Escape")
    await a_note(desk)
    await a_template(desk)
    await a_reaction(desk)
    await leaves_without_a_mouse(desk)


async def a_note(desk: Desk) -> None:
    """Private, and it calls a colleague."""
    page = desk.page
    await desk.press("n")
    await expect(page.locator("#note-text")).to_be_focused()
    await desk.type("Is this right, @M")
    await expect(page.locator("#note-names [role=option]:visible")).to_have_text(["Mo"])
    await desk.press("Enter", "Enter")
    await expect(page.locator("#messages .note")).to_contain_text("Is this right, @Mo")
    await desk.press("Escape", "Escape")


async def a_template(desk: Desk) -> None:
    """Found by its name, filled and sent."""
    page = desk.page
    await desk.press("t")
    await expect(page.locator("#templates input[type=search]")).to_be_focused()
    await desk.type("receipt")
    await expect(page.locator("#template-list details.template")).to_have_count(1)
    form = page.locator("#template-list details[open] form").first
    for blank in await form.locator("input[required]:visible").all():
        await desk.tab(blank)
        is_file = "media" in (await blank.get_attribute("name") or "")
        await desk.type("https://shop.example/1.pdf" if is_file else "1042")
    await desk.tab(form.locator(".btn-primary"))
    await desk.press("Enter")
    await expect(page.locator("#dialog")).to_be_hidden()
    await expect(message(page, "order 1042")).to_be_visible()
    await desk.sees_focus("the template")
    await desk.press("Escape")


async def a_reaction(desk: Desk) -> None:
    """To a message, from its menu."""
    page = desk.page
    opener = message(page, "When do you open?").locator("[data-message-menu]")
    await desk.tab(page.locator("#scroller"), 80)
    await desk.tab(page.locator("#messages [data-message-menu][tabindex='0']"))
    for _ in range(20):
        if await opener.evaluate("element => element === document.activeElement"):
            break
        await desk.press("ArrowUp")
    await desk.press("Enter")
    await desk.down_to("React")
    await desk.press("Enter")
    await expect(page.locator("#emoji button:focus")).to_have_count(1)
    await desk.press("Enter")
    await expect(message(page, "When do you open?").locator(".reactions")).to_be_visible()


async def test_a_conversation_is_worked_off(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Eli Haas", "A walnut table, please")
    await found.says("And chairs")
    desk = await at_desk(pages, world)
    page = desk.page
    await desk.open(found, "Eli Haas")
    await desk.press("a")
    await expect(page.locator("#assign-menu")).to_be_visible()
    await desk.down_to("Mo")
    await desk.press("Enter")
    await expect(page.locator(f"{HEAD} .assign-name")).to_have_text("Mo")
    await desk.press("Escape", "i")
    await expect(page.locator(f"{HEAD} .assign-name")).to_have_text("Alice")
    await desk.press("l")
    await expect(page.locator("#tag-new")).to_be_focused()
    await desk.type("Furniture")
    await desk.press("Enter")
    await expect(page.locator("#dialog .tags .chip")).to_contain_text("Furniture")
    await desk.press("Escape")
    await expect(page.locator("#dialog")).to_be_hidden()
    await expect(page.locator(f"{HEAD} .head-tags")).to_contain_text("Furniture")
    # Snoozed, and had back.
    await desk.press("Escape", "s")
    await expect(page.locator("#later-menu")).to_be_visible()
    await desk.down_to("Tomorrow at nine")
    await desk.press("Enter")
    await expect(page.locator(HEAD)).to_have_attribute("data-state", "snoozed")
    await desk.press("Escape", "z")
    await expect(page.locator(HEAD)).to_have_attribute("data-state", "open")
    await looks_around(desk)
    await done_with(desk)
    await leaves_without_a_mouse(desk)


async def looks_around(desk: Desk) -> None:
    """Words and a day of the conversation, its panel, the palette, the sheet of keys."""
    page = desk.page
    await desk.tab(page.locator("#scroller"), 80)
    await desk.press("Control+f")
    await expect(page.locator("#finder-q")).to_be_focused()
    await desk.type("walnut")
    await expect(page.locator("#finder-count")).to_have_text("1 of 1")
    await desk.press("Escape")
    await expect(page.locator("#finder")).to_have_count(0)
    await expect(page.locator("#scroller")).to_be_focused()
    await page.keyboard.press("g")
    await page.keyboard.press("d")
    await expect(page.locator("#finder-day")).to_be_focused()
    await desk.press("Escape", "Escape")
    await expect(page.locator("#finder")).to_have_count(0)
    # The panel, away and back.
    await desk.press("[")
    await expect(page.locator("#panel")).to_be_hidden()
    await desk.press("[")
    await expect(page.locator("#panel")).to_be_visible()
    # By name: the palette.
    await desk.press("Control+k")
    await expect(page.locator("#palette-typed")).to_be_focused()
    await desk.type("assign bob")
    await desk.press("Enter")
    await expect(page.locator(f"{HEAD} .assign-name")).to_have_text("Bob")
    await desk.press("Escape")
    # What all the keys are.
    await desk.press("?")
    await expect(page.locator("#keys-sheet")).to_be_visible()
    await desk.press("Escape")
    await expect(page.locator("#keys-sheet")).to_be_hidden()


async def done_with(desk: Desk) -> None:
    """Unread for later, then resolved, had back, and resolved for good."""
    page = desk.page
    await desk.press("m")
    await expect(row(page, "Eli Haas")).to_contain_text("1 unread")
    await desk.press("e")
    await expect(page.locator(HEAD)).to_have_attribute("data-state", "closed")
    await expect(row(page, "Eli Haas")).to_have_count(0)
    await desk.press("z")
    await expect(page.locator(HEAD)).to_have_attribute("data-state", "open")
    await desk.press("e")
    await expect(page.locator(HEAD)).to_have_attribute("data-state", "closed")
    await desk.press("u")
    await expect(page.locator("#thread .empty")).to_be_visible()


async def test_many_at_once_and_help(pages: Pages, world: World) -> None:
    names = [f"Fay {number}" for number in range(4)]
    for name in names:
        await new_talk(world, name)
    desk = await at_desk(pages, world)
    page = desk.page
    await focus_row(page, row(page, "Fay 3"))
    await desk.press("x")
    await expect(page.locator("#bulk-count")).to_have_text("1 selected")
    await desk.press("j", "j", "Shift+X")
    await expect(page.locator("#bulk-count")).to_have_text("3 selected")
    await desk.press("*")
    rows = await page.locator("#rows .row").count()
    await expect(page.locator("#bulk-count")).to_have_text(f"{rows} selected")
    await desk.press("*", "k", "k")
    await focus_row(page, row(page, "Fay 2"))
    await desk.press("x", "j", "x")
    await expect(page.locator("#bulk-count")).to_have_text("2 selected")
    await desk.press("l")
    await expect(page.locator("#bulk-tag input")).to_be_focused()
    await desk.type("Batch")
    await desk.press("Enter")
    await expect(row(page, "Fay 2").locator(".row-more")).to_contain_text("Batch")
    await expect(page.locator("#bulk")).to_have_count(0)
    await desk.sees_focus("the tag")
    await desk.press("Escape", "k", "k", "k", "k")
    await expect(row(page, "Fay 3")).to_be_focused()
    await desk.press("x", "j", "Shift+X")
    await desk.tab(page.locator("#bulk [data-act=resolve]"), 60, "Shift+Tab")
    await desk.press("Enter")
    for name in ("Fay 3", "Fay 2"):
        await expect(row(page, name)).to_have_count(0)
    await desk.press("Escape", "z")
    for name in names:
        await expect(row(page, name)).to_be_visible()
    # Help: found by the palette, read, and back by the keys of the browser.
    await desk.press("Control+k")
    await expect(page.locator("#palette-typed")).to_be_focused()
    topic = TOPICS[0].words
    await desk.type(topic)
    await expect(page.locator("#palette-found")).to_contain_text(topic)
    for _ in range(10):
        if (await page.locator("#palette [aria-selected=true]").inner_text()).startswith(topic):
            break
        await desk.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_have_text(topic)
    await desk.sees_focus("the palette")
    async with asyncio.timeout(60):
        while not await page.locator("#rows .row").first.is_visible():  # shortcuts come with the new page's script
            await page.keyboard.press("g")
            await page.keyboard.press("i")
            await page.wait_for_timeout(500)
    await leaves_without_a_mouse(desk)
