"""The page of questions in a browser: Ctrl+Enter runs, a mistake is shown at its place, a heading sorts."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.test_axe import examine, examine_themes
from tests.http.inbox_setup import talk
from tests.support.browser import HAND, Pages
from tests.support.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")
PAGE = "/w/acme/settings/queries"
NUMBERS = "SELECT 'ten' AS word, 10 AS number UNION ALL SELECT 'two', 2 UNION ALL SELECT 'nine', 9"


async def ask(page: Page, sql: str) -> None:
    text = page.get_by_label("Question")
    await text.fill(sql)
    await text.press("Control+Enter")


async def test_a_question_is_asked_with_the_keyboard_and_sorted(world: World, pages: Pages) -> None:
    page = await pages.agent(world, "alice", PAGE)
    await ask(page, NUMBERS)
    answer = page.locator("#answer")
    await expect(answer.get_by_role("heading", name="Answer")).to_be_visible()
    await expect(page.get_by_label("Question")).to_have_value(NUMBERS)
    column = answer.locator("tbody td:nth-child(2)")
    await answer.get_by_role("button", name="number").focus()
    await page.keyboard.press("Enter")
    assert await column.all_inner_texts() == ["2", "9", "10"]
    await page.keyboard.press("Enter")
    assert await column.all_inner_texts() == ["10", "9", "2"]
    await expect(answer.locator("th[aria-sort=descending]")).to_have_text("number")


async def test_a_mistake_is_selected_where_it_is(world: World, pages: Pages) -> None:
    pages.announce("answer 422|status of 422")
    page = await pages.agent(world, "alice", PAGE)
    await ask(page, "SELECT name,\n       nmber\nFROM contacts")
    await expect(page.locator("#sql-error")).to_contain_text("Line 2, character 8")
    chosen = ("() => { const text = document.getElementById('sql');"
              " return text.value.slice(text.selectionStart, text.selectionEnd); }")
    assert await page.evaluate(chosen) == "nmber"
    await examine(page, "queries-mistake")


async def test_the_page_is_fit_for_everybody(world: World, pages: Pages) -> None:
    await talk(world, "where is my parcel?", name="Bea Okoye")
    for size, place in ((None, "desktop"), (HAND, "phone")):
        page = await pages.agent(world, "alice", PAGE, **({"size": size} if size else {}))
        await page.get_by_role("link", name="Messages a day").click()
        await page.get_by_role("button", name="Run").click()
        await expect(page.locator("#answer")).to_be_visible()
        await page.locator(".question-view summary").first.click()
        await page.get_by_text("Save or export").click()
        await examine_themes(page, f"queries-{place}")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await page.evaluate("document.documentElement.dir = 'rtl'")
        await examine(page, f"queries-{place}-rtl")


async def test_it_is_saved_and_works_without_a_script(world: World, pages: Pages) -> None:
    page = await pages.agent(world, "alice", PAGE, script=False)
    await page.get_by_label("Question").fill("SELECT 40 + 2 AS answer")
    await page.get_by_text("Save or export").click()
    await page.get_by_label("Name", exact=True).fill("The answer")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_text("Saved.")).to_be_visible()
    await page.get_by_role("link", name="The answer").click()
    await page.get_by_role("button", name="Run").click()
    await expect(page.locator("#answer td")).to_have_text("42")
    await page.get_by_role("button", name="Delete The answer").click()
    await expect(page.get_by_text("Deleted.")).to_be_visible()
