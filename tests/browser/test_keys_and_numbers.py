"""Keys, numbers and the end of a workspace in a browser: both themes, in the hand, with every fault that axe finds."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.browser.test_axe import examine_themes
from tests.support.browser import DESKTOP, HAND, Pages
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_key_is_made_copied_and_revoked(pages: Pages, world: World) -> None:
    pages.announce("422")
    page = await pages.agent(world, "alice", "/w/acme/settings/api-keys")
    await page.get_by_role("textbox", name="Name").fill("reports")
    await page.get_by_role("button", name="Make key").click()
    await expect(page.get_by_text("Choose at least one scope.")).to_be_visible()
    await expect(page.get_by_role("textbox", name="Name")).to_have_value("reports")
    await page.get_by_label("Read conversations").check()
    await page.get_by_role("button", name="Make key").click()
    await expect(page.get_by_label("The key", exact=True)).to_have_value(re.compile(r"chime_[0-9a-z]{8}_.{49}"))
    await examine_themes(page, "api-key-made-1280")
    await page.get_by_role("button", name="Copy").click()
    await expect(page.locator("#toasts").get_by_text("Copied")).to_be_visible()
    page = await pages.agent(world, "alice", "/w/acme/settings/api-keys", size=HAND)
    await examine_themes(page, "api-keys-390")
    await page.get_by_role("button", name="Revoke reports").click()
    await expect(page.get_by_text("stops working at once")).to_be_visible()
    await page.locator("#confirm-yes").click()
    await expect(page.get_by_text("The key is revoked")).to_be_visible()


async def test_numbers_and_their_credentials(pages: Pages, world: World) -> None:
    pages.announce("422")
    for size in (DESKTOP, HAND):
        page = await pages.agent(world, "alice", "/w/acme/settings/channels", size=size)
        await page.get_by_role("button", name="Check now").click()
        await expect(page.get_by_text("1 apps subscribed")).to_be_visible()
        await examine_themes(page, f"channels-{size[0]}")
        await page.get_by_role("link", name="Credentials").click()
        await page.get_by_label("New value").first.fill("EAAnotatokenthatworks012345678")
        await page.get_by_role("button", name="Try and replace Access token").click()
        await expect(page.get_by_text("WhatsApp does not take it").first).to_be_visible()
        await examine_themes(page, f"channel-{size[0]}")
        await page.goto(f"{world.base}/w/acme/settings/channels/new")
        await examine_themes(page, f"channel-new-{size[0]}")


async def test_the_end_of_a_workspace(pages: Pages, world: World) -> None:
    page = await pages.agent(world, "alice", "/w/acme/settings/erasure")
    await page.get_by_label("Name of the workspace").fill("Acme")
    await examine_themes(page, "erasure-1280")
    await page.get_by_role("button", name="Erase in seven days").click()
    await expect(page.get_by_text("is erased on")).to_be_visible()
    await page.set_viewport_size({"width": HAND[0], "height": HAND[1]})
    await examine_themes(page, "erasure-asked-390")
    await page.get_by_role("button", name="Cancel: erase nothing").click()
    await expect(page.get_by_text("Nothing is erased.")).to_be_visible()


async def test_the_operators_keys(pages: Pages, world: World) -> None:
    for size in (DESKTOP, HAND):
        page = await pages.agent(world, "alice", "/installation/keys", size=size)
        await page.locator("summary").click()
        await examine_themes(page, f"keys-{size[0]}")
        await page.get_by_role("button", name="Show the recovery sheet").click()
        await expect(page.get_by_text("CHIME RECOVERY SHEET")).to_be_visible()
        await examine_themes(page, f"recovery-sheet-{size[0]}")
