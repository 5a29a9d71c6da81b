"""Prices in a browser: in the composer, the picker and a new conversation, and the page where cards are entered."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.test_axe import examine_themes
from tests.http.inbox_setup import stock_templates
from tests.support.browser import DESKTOP, HAND, Pages, new_talk, open_talk
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
SETTINGS = "/w/acme/settings/prices"
CARD = ("Market,Currency,Marketing,Utility,Authentication,Service\nNorth America,$US,0.0250,0.0034,0.0034,n/a\n"
        "India,USD,0.0107,0.0014,0.0014,n/a\nRest of Central & Eastern Europe,USD,0.0860,0.0212,0.0212,n/a\n")


async def enter(page: Page, table: str, day: str) -> None:
    await page.get_by_label("CSV file").set_input_files(
        {"name": "rates.csv", "mimeType": "text/csv", "buffer": table.encode()})
    await page.locator("#file-day").fill(day)
    await page.get_by_role("button", name="Add rate card").click()


async def test_a_card_is_entered_and_the_composer_knows_its_prices(pages: Pages, world: World) -> None:
    pages.announce(r"answer 422: POST \S+/settings/prices/files$")
    pages.announce(r"console: Failed to load resource: .* 422")
    await stock_templates(world)
    found = await new_talk(world, "Yara Lind")
    page = await pages.agent(world, path=SETTINGS)
    await enter(page, CARD.replace("0.0107", "cheap"), "2026-10-01")
    await expect(page.get_by_role("alert").first).to_be_visible()
    await expect(page.get_by_text("Line 3, Marketing: This is no price")).to_be_visible()
    await examine_themes(page, "prices-refused")
    await enter(page, CARD, "2026-10-01")
    await expect(page.get_by_role("table", name="Today in USD")).to_contain_text("$0.0034")
    await enter(page, CARD.replace("0.0250", "0.0999"), "2099-01-01")
    await expect(page.get_by_text("The next change is on Jan 1, 2099")).to_be_visible()
    talk = await open_talk(pages, found)
    await expect(talk.locator(".composer-price")).to_have_text(
        "Up to $0.0034 (Service, North America), without tax")
    await talk.keyboard.press("t")
    form = talk.locator("dialog details[open] form").first
    await expect(form).to_contain_text("without tax")
    await examine_themes(talk, "prices-picker")
    asked = form.locator("[hx-post$='/price']")
    await form.locator("summary", has_text="Send later").click()
    async with talk.expect_response(lambda answer: answer.url.endswith("/price")) as answered:
        await form.locator("select[name=send_at]").select_option("tomorrow")
    assert (await answered.value).ok
    await expect(asked).to_contain_text("without tax")


async def test_a_new_conversation_is_priced_as_its_number_is_typed(pages: Pages, world: World) -> None:
    await stock_templates(world)
    async with world.client(await world.key(world.acme)) as script:
        await script.post("/api/v1/rate-cards", json={"valid_from": "2026-10-01", "table": CARD})
    page = await pages.agent(world, path="/w/acme/inbox")
    await page.locator("[hx-get$='/inbox/new']").first.click()
    await page.locator("#phone").fill("+36 20 123 4567")
    await page.locator("#template-choice").focus()
    await expect(page.locator("#price-new")).to_contain_text("Rest of Central and Eastern Europe")
    await examine_themes(page, "prices-new")


@pytest.mark.parametrize("size", [DESKTOP, HAND], ids=["desktop", "hand"])
async def test_the_page_of_prices_reads_well(pages: Pages, world: World, size: tuple[int, int]) -> None:
    async with world.client(await world.key(world.acme)) as script:
        card = (await script.post("/api/v1/rate-cards", json={"valid_from": "2026-11-01", "currency": "INR", "rates": [
            {"market": "IN", "category": "utility", "price_micros": 115_000, "tier_from": 0, "tier_to": 25_000_000},
            {"market": "IN", "category": "utility", "price_micros": 80_500, "tier_from": 25_000_001}]})).json()
        await script.post("/api/v1/rate-cards", json={"valid_from": "2026-10-01", "table": CARD})
    page = await pages.agent(world, path=SETTINGS, size=size)
    await expect(page.get_by_role("heading", name="Prices", level=1)).to_be_visible()
    await examine_themes(page, f"prices-{size[0]}")
    await page.goto(f"{SETTINGS}/{card['id']}")
    await expect(page.get_by_role("table")).to_contain_text("from 25,000,001")
    await examine_themes(page, f"prices-card-{size[0]}")
