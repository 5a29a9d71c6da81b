"""Private notes with mentions, snoozing and pinning, as two colleagues live them in a browser: by mouse, by keyboard
and in the hand."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Route, expect

from tests.browser.test_axe import examine_themes
from tests.support.browser import DESKTOP, HAND, Pages, new_talk, open_talk, row
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_note_by_keyboard_calls_a_colleague(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Nadia Frost")
    page, other = await open_talk(pages, found), await open_talk(pages, found, "mo")
    await page.locator("#scroller").focus()
    await page.keyboard.press("n")
    box = page.locator("#note-text")
    await expect(box).to_be_focused()
    await box.press_sequentially("Do we have size M, @M")
    await expect(page.locator("#note-names [role=option]:visible")).to_have_text(["Mo"])
    await page.keyboard.press("Enter")
    await expect(box).to_have_value("Do we have size M, @Mo ")
    await page.keyboard.press("Enter")
    for one in (page, other):
        await expect(one.locator("#messages .note")).to_have_count(1)
        await expect(one.locator("#messages .note")).to_contain_text("Do we have size M, @Mo")
    await expect(box).to_have_value("")
    await box.press_sequentially("second thought")
    await page.keyboard.press("Enter")
    await expect(other.locator("#messages .note")).to_have_count(2)
    await page.keyboard.press("Escape")
    await expect(page.locator("#note-box > summary")).to_be_focused()
    # Mo has the conversation on his screen: he has seen it. It stays under Mentions.
    await other.locator("#view-more").click()
    await other.locator("#view-mentions").click()
    await expect(row(other, "Nadia Frost")).to_be_visible()


async def test_a_note_written_before_its_script_came(pages: Pages, world: World) -> None:
    """On a slow line the box is open at once; the names are offered and Enter adds the note as soon as they can be."""
    found = await new_talk(world, "Nell Ode")
    page = await open_talk(pages, found)
    wait = asyncio.Event()

    async def late(route: Route) -> None:
        await wait.wait()
        await route.continue_()

    await page.route("**/js/notes.js*", late)
    await page.locator("#scroller").focus()
    await page.keyboard.press("n")
    await expect(page.locator("#note-text")).to_be_focused()
    await page.keyboard.type("Is it you, @M")
    await expect(page.locator("#note-text")).to_have_value("Is it you, @M")
    wait.set()
    await expect(page.locator("#note-names [role=option]:visible")).to_have_text(["Mo"])
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await expect(page.locator("#messages .note")).to_contain_text("Is it you, @Mo")
    other = await open_talk(pages, found)
    wait.clear()
    await other.route("**/js/notes.js*", late)
    await other.locator("#scroller").focus()
    await other.keyboard.press("n")
    await expect(other.locator("#note-text")).to_be_focused()
    await other.keyboard.type("Sent before the script")
    await other.keyboard.press("Enter")
    await expect(other.locator("#note-text")).to_have_value("Sent before the script")
    wait.set()
    await expect(other.locator("#messages .note")).to_have_count(2)
    await expect(other.locator("#note-text")).to_have_value("")


async def test_letters_typed_while_the_keys_are_fetched_are_no_shortcuts(pages: Pages, world: World) -> None:
    """`s` would snooze, `e` resolve: only what was pressed first is one."""
    found = await new_talk(world, "Nils Pay")
    page = await open_talk(pages, found)
    wait = asyncio.Event()

    async def late(route: Route) -> None:
        await wait.wait()
        await route.continue_()

    await page.route("**/js/keys.js*", late)
    await page.locator("#scroller").focus()
    for key in "nsea":
        await page.keyboard.press(key)
    wait.set()
    await expect(page.locator("#note-text")).to_be_focused()
    await expect(page.locator("#later-menu")).to_be_hidden()
    await expect(page.locator("#assign-menu")).to_be_hidden()
    await expect(page.locator("#thread-header")).not_to_contain_text("Resolved")


async def test_its_author_changes_and_deletes_it_before_everybodys_eyes(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Otto Graf")
    page, other = await open_talk(pages, found), await open_talk(pages, found, "mo")
    await page.locator("#note-box > summary").click()
    await page.locator("#note-text").fill("wrong words")
    await page.keyboard.press("Enter")
    note = page.locator("#messages .note")
    await note.locator("summary").click()
    await note.locator("textarea").fill("right words")
    await note.get_by_role("button", name="Save note").click()
    for one in (page, other):
        await expect(one.locator("#messages .note-text")).to_have_text("right words")
    await expect(other.locator("#messages .note summary")).to_have_count(0)
    await note.locator("summary").click()
    await note.get_by_role("button", name="Delete", exact=True).click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete note").click()
    for one in (page, other):
        await expect(one.locator("#messages .note")).to_contain_text("deleted a private note")


async def test_snoozed_undone_and_pinned(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Pia Holm")
    page = await open_talk(pages, found)
    await page.locator("#scroller").focus()
    await page.keyboard.press("s")
    await expect(page.locator("#later-menu")).to_be_visible()
    await page.get_by_role("button", name="Tomorrow at nine").click()
    await expect(page.locator("#thread-header")).to_contain_text("Snoozed")
    await expect(row(page, "Pia Holm")).to_have_count(0)
    await page.locator(".toast").get_by_role("button", name="Undo").click()
    await expect(row(page, "Pia Holm")).to_be_visible()
    await expect(page.locator("#thread-header")).to_have_attribute("data-state", "open")
    await expect(page.locator("#thread-header")).not_to_contain_text("Snoozed")
    await page.locator("[popovertarget='later-menu']").click()
    await page.get_by_role("button", name="Pin for me").click()
    await page.locator("#view-more").click()
    await page.locator("#view-pinned").click()
    await expect(row(page, "Pia Holm")).to_be_visible()
    await expect(page.locator("#view-more")).to_contain_text("Pinned")


@pytest.mark.parametrize("size", [DESKTOP, HAND], ids=["desktop", "hand"])
async def test_everybody_can_use_it(pages: Pages, world: World, size: tuple[int, int]) -> None:
    page = await open_talk(pages, await new_talk(world, f"Quentin Isle {size[0]}"), size=size)
    await page.locator("#note-box > summary").click()
    await page.locator("#note-text").fill("a note that everybody of the team can read, with @")
    await page.locator("#note-text").press_sequentially("m")
    await expect(page.locator("#note-names")).to_be_visible()
    await examine_themes(page, f"note-names-{size[0]}")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await expect(page.locator("#messages .note")).to_be_visible()
    await page.locator("[popovertarget='later-menu']").click()
    box = await page.locator("#later-menu").bounding_box()
    assert box and box["x"] >= 0 and box["x"] + box["width"] <= size[0]
    await expect(page.locator(".panel-toggle")).to_be_in_viewport(ratio=1)
    await examine_themes(page, f"note-and-later-{size[0]}")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.keyboard.press("Escape")
    if size == DESKTOP:
        await page.locator("#view-more").click()
        await expect(page.locator("#views-menu")).to_be_visible()
        await examine_themes(page, "views-menu")
