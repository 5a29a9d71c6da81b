"""The first run as whoever installs meets it: from the address that was printed to the first chat, every step usable by
everybody, in light, in dark and on a phone.
"""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from chime.simulator import write
from tests.browser.test_axe import examine_themes
from tests.http.inbox_setup import text
from tests.support.browser import HAND, Pages
from tests.support.first_run import NUMBER, NUMBER_FORM, OWNER, deliver_to, meta, printed, waiting
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def at_step(page: Page, name: str) -> None:
    await expect(page.get_by_role("heading", level=1)).to_have_text(name)
    assert "#" not in page.url, "the code is in no address and no history"


async def answer_owner(page: Page) -> None:
    for label, name in (("Your name", "name"), ("Your email", "email"), ("Choose a password", "password"),
                        ("Name of the workspace", "workspace")):
        await page.get_by_label(label).fill(OWNER[name])
    await page.get_by_label("Time zone").select_option(OWNER["time_zone"])


async def confirm_key(page: Page) -> None:
    sheet = await page.locator(".setup-sheet").inner_text()
    third = [line for line in sheet.splitlines() if re.search(r"\[[0-9a-f]{2}\]$", line)][2]
    await page.get_by_label("The first four characters").fill(third.split()[0])
    await page.get_by_role("button", name="I have it").click()


async def fill_number(page: Page) -> None:
    for label, name in (("Number as people see it", "display_phone"), ("Phone number id", "phone_number_id"),
                        ("WhatsApp Business account id", "waba_id"), ("App id", "app_id"),
                        ("Access token", "access_token"), ("App secret", "app_secret"),
                        ("Verify token", "verify_token")):
        await page.get_by_label(label).fill(NUMBER_FORM[name])


async def test_from_the_printed_address_to_the_first_chat(pages: Pages, tmp_path: Path) -> None:
    begun = time.monotonic()
    async with meta() as (graph, simulator):
        with waiting(tmp_path, {"CHIME_GRAPH_URL": graph}) as chime:
            context = await pages.context(chime.address)
            page = await context.new_page()
            await page.goto(printed(chime))
            await at_step(page, "You and your workspace")
            await examine_themes(page, "first-run-owner-1280")
            await answer_owner(page)
            await page.get_by_role("button", name="Next").click()
            await at_step(page, "Recovery sheet")
            await examine_themes(page, "first-run-key-1280")
            await confirm_key(page)
            await at_step(page, "Address and mail")
            await examine_themes(page, "first-run-address-1280")
            await page.get_by_role("button", name="Do this later").click()
            await at_step(page, "Your number")
            await fill_number(page)
            await examine_themes(page, "first-run-whatsapp-1280")
            await page.get_by_role("button", name="Try and go on").click()
            await at_step(page, "Finish")
            await examine_themes(page, "first-run-finish-1280")
            await page.get_by_role("button", name="Set up Chime").click()
            await at_step(page, "Chime is ready")
            await examine_themes(page, "first-run-welcome-1280")
            await page.get_by_role("link", name="Have WhatsApp deliver here").click()
            await expect(page.locator("#delivery")).to_contain_text("no public address is set")
            await examine_themes(page, "first-run-delivery-1280")
            deliver_to(simulator, await page.locator("#webhook").input_value())
            customer = simulator.world.add_customer(name="Tunde Bello", phone="2348035550101")
            write(simulator, customer, text("Have you blue tiles?"), number=NUMBER)
            async with asyncio.timeout(20):
                await simulator.settled()
            await page.goto("/")
            await page.locator("#rows .row").filter(has_text="Tunde Bello").click()
            await expect(page.locator("#messages > .msg").filter(has_text="Have you blue tiles?")).to_be_visible()
            await context.close()
            assert chime.terminate() == 0
    assert time.monotonic() - begun < 300


async def test_the_simulator_is_tried_inside_a_real_installation(pages: Pages, tmp_path: Path) -> None:
    with waiting(tmp_path) as chime:
        context = await pages.context(chime.address)
        page = await context.new_page()
        await page.goto(printed(chime))
        await answer_owner(page)
        await page.get_by_role("button", name="Next").click()
        for _ in range(2):
            await page.get_by_role("button", name="Do this later").click()
        await at_step(page, "Your number")
        await page.get_by_role("button", name="Try with the simulator").click()
        await expect(page.get_by_text("simulated, in a practice workspace")).to_be_visible()
        await page.get_by_role("button", name="Set up Chime").click()
        await at_step(page, "Chime is ready")
        await expect(page.get_by_text("none is set yet")).to_be_visible()  # why no passkey is offered
        await examine_themes(page, "first-run-welcome-practice-1280")
        await page.get_by_role("link", name="Open the practice inbox").click()
        await expect(page.get_by_text("This WhatsApp is simulated.")).to_be_visible()
        row = page.locator("#rows .row").filter(has_text="Elena Rossi")
        await expect(row).to_be_visible(timeout=20_000)
        await row.click()
        await page.locator("#text").fill("An answer from the inbox")
        await page.keyboard.press("Enter")
        await expect(page.locator("#phone-pane").get_by_text("An answer from the inbox")).to_be_visible(timeout=20_000)
        await page.goto("/installation/practice")
        await examine_themes(page, "practice-1280")
        await page.get_by_role("button", name="Remove it with all").click()
        await expect(page.get_by_role("status")).to_contain_text("is gone")
        await context.close()
        assert chime.terminate() == 0


async def test_enter_goes_on_and_never_away(pages: Pages, tmp_path: Path) -> None:
    """In a form whose first button in sight is another one."""
    pages.announce(r"422")
    with waiting(tmp_path) as chime:
        page = await (await pages.context(chime.address)).new_page()
        await page.goto(printed(chime))
        await answer_owner(page)
        await page.keyboard.press("Enter")
        await at_step(page, "Recovery sheet")
        await page.get_by_label("The first four characters").fill("none")
        await page.keyboard.press("Enter")
        await expect(page.locator("#check-error")).to_be_visible()
        await page.get_by_role("button", name="Do this later").click()
        await page.locator("#public_url").fill("https://ada:secret@chime.shop.example")
        await page.keyboard.press("Enter")
        await expect(page.locator("#public_url-error")).to_be_visible()
        await page.locator("#public_url").fill("https://chime.shop.example")
        await page.keyboard.press("Enter")
        await at_step(page, "Your number")
        await fill_number(page)
        await page.get_by_label("Phone number id").fill("0411222333444555")
        await page.keyboard.press("Enter")
        await expect(page.locator("#phone_number_id-error")).to_be_visible()


async def test_on_a_phone_every_step_fits_and_keeps_what_was_typed(pages: Pages, tmp_path: Path) -> None:
    pages.announce(r"422")
    with waiting(tmp_path) as chime:
        page = await (await pages.context(chime.address, size=HAND)).new_page()
        await page.goto("/setup")
        await examine_themes(page, "first-run-door-390")
        await page.goto(printed(chime))
        await at_step(page, "You and your workspace")
        await answer_owner(page)
        await page.get_by_label("Choose a password").fill("short")
        await page.get_by_role("button", name="Next").click()
        await expect(page.locator("#password-error")).to_be_visible()
        await expect(page.get_by_label("Name of the workspace")).to_have_value(OWNER["workspace"])
        await examine_themes(page, "first-run-owner-390")
        await page.get_by_label("Choose a password").fill(OWNER["password"])
        await page.get_by_role("button", name="Next").click()
        await examine_themes(page, "first-run-key-390")
        await page.get_by_label("The first four characters").fill("none")
        await page.get_by_role("button", name="I have it").click()
        await expect(page.locator("#check-error")).to_be_visible()
        await page.get_by_role("button", name="Do this later").click()
        await page.locator("#public_url").fill("http://chime.shop.example")
        await page.get_by_role("button", name="Check the address").click()
        await expect(page.get_by_role("status")).to_contain_text("not https")
        await examine_themes(page, "first-run-address-390")
        await page.get_by_role("button", name="Do this later").click()
        await examine_themes(page, "first-run-whatsapp-390")
        await fill_number(page)
        await page.get_by_label("Phone number id").fill("it is on the card")
        await page.get_by_role("button", name="Try and go on").click()
        await expect(page.locator("#phone_number_id-error")).to_be_visible()
        await expect(page.get_by_label("App id")).to_have_value(NUMBER_FORM["app_id"])
        await page.get_by_role("button", name="Do this later").click()
        await examine_themes(page, "first-run-finish-390")
        await page.get_by_role("link", name="You and your workspace").click()
        await expect(page.get_by_label("Your name")).to_have_value(OWNER["name"])


async def test_in_a_language_that_is_written_from_the_right(pages: Pages, tmp_path: Path) -> None:
    with waiting(tmp_path) as chime:
        page = await (await pages.context(chime.address)).new_page()
        await page.goto(printed(chime))
        await answer_owner(page)
        await page.get_by_label("Language").select_option("ar")
        await page.locator(".setup-foot .btn-primary").click()
        await expect(page.locator("html")).to_have_attribute("dir", "rtl")
        await examine_themes(page, "first-run-key-rtl")


async def test_address_and_mail_have_a_page_of_their_own(pages: Pages, world: World) -> None:
    page = await pages.agent(world, path="/installation/address")
    await examine_themes(page, "first-run-settings-1280")
    page = await pages.agent(world, path="/installation/address", size=HAND)
    await examine_themes(page, "first-run-settings-390")
