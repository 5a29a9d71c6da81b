"""The delivery proof in a browser: readable in both themes and in the hand, usable from the keyboard, live while a
replay runs."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from chime.simulator import Number
from tests.browser.test_axe import examine, examine_themes
from tests.http.proof_setup import behind_its_back, busy_day, unreadable
from tests.support.browser import DESKTOP, HAND, Pages, tab_to
from tests.support.webhook_bodies import DANA, body, change, inbound, seconds, take, text
from tests.support.world import ACME_NUMBER, World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

NOBODYS = Number(phone_number_id="811222333444555", waba_id="877001122334455",
                 display_phone_number="+1 555-010-0800", verified_name="Nobody's yet")
SIZES = pytest.mark.parametrize("size", [DESKTOP, HAND], ids=["desktop", "hand"])


async def open_proof(pages: Pages, world: World, who: str = "alice", size: tuple[int, int] = DESKTOP) -> Page:
    page = await pages.agent(world, who, f"/w/{world.acme.slug}/delivery", size=size)
    await expect(page.get_by_role("heading", name="Delivery proof")).to_be_visible()
    return page


async def test_before_anything_came(pages: Pages, world: World) -> None:
    page = await open_proof(pages, world)
    await expect(page.get_by_text("Nothing is missing: the difference is 0.")).to_be_visible()
    await examine_themes(page, "delivery-nothing-1280")


async def test_a_day_with_things_set_aside(pages: Pages, world: World) -> None:
    await busy_day(world)
    await take(world, body(ACME_NUMBER, change(ACME_NUMBER, messages=[unreadable(seconds(world))])))
    await world.webhook(body(NOBODYS, inbound(NOBODYS, DANA, text(DANA, "wamid.nobodys", seconds(world), "hi"))))
    for size in (DESKTOP, HAND):
        page = await open_proof(pages, world, size=size)
        await page.get_by_role("button", name="Run now").click()
        await expect(page.get_by_text("Equal:")).to_be_visible()
        await page.get_by_text("Dismiss…").first.click()
        await examine_themes(page, f"delivery-{size[0]}")
        await page.evaluate("document.getElementById('main').scrollTo(0, 1e6)")
        await examine_themes(page, f"delivery-below-{size[0]}")


@SIZES
async def test_a_dismissal_without_a_reason(pages: Pages, world: World, size: tuple[int, int]) -> None:
    pages.announce("422")
    page = await open_proof(pages, world, "mo", size)
    await page.get_by_text("Dismiss…").first.click()
    field = page.get_by_label("Why it is not needed").first
    await field.fill(" ")
    await page.get_by_role("button", name="Dismiss", exact=True).first.click()
    await expect(page.locator("[aria-invalid]")).to_be_visible()
    await examine(page, f"delivery-refused-{size[0]}")
    await page.locator("[aria-invalid]").fill("A test of our own")
    await page.get_by_role("button", name="Dismiss", exact=True).first.click()
    await expect(page.get_by_text("It stays in the account")).to_be_visible()
    await examine(page, f"delivery-dismissed-{size[0]}")


@SIZES
async def test_when_it_is_not_proved(pages: Pages, world: World, size: tuple[int, int]) -> None:
    wamid = f"wamid.gone{size[0]}"
    await take(world, body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, text(DANA, wamid, seconds(world), "hi"))))
    await behind_its_back(world, "DELETE FROM message WHERE wamid = ?", wamid)
    await behind_its_back(world, "UPDATE applied_body SET applied = applied + 1 "
                          "WHERE journal_id = (SELECT max(journal_id) FROM applied_body)")
    page = await open_proof(pages, world, size=size)
    await page.get_by_role("button", name="Run now").click()
    await expect(page.get_by_text("Not equal:")).to_be_visible()
    await examine_themes(page, f"delivery-missing-{size[0]}")


async def test_by_keyboard_from_the_menu(pages: Pages, world: World) -> None:
    page = await pages.agent(world)
    await page.locator("[popovertarget='account-menu']").focus()
    await page.keyboard.press("Enter")
    link = page.get_by_role("link", name="Delivery proof")
    await tab_to(page, link)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="The account")).to_be_visible()
    again = page.get_by_role("button", name="Count again")
    await tab_to(page, again)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="The account")).to_be_visible()
