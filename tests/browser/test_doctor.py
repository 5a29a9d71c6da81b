"""The doctor's pages in a browser: looking with progress, what is red and what to do, both themes, in the hand, from
right to left, with every fault that axe finds."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from chime.clock import MINUTE
from tests.browser.test_axe import examine_themes
from tests.http.doctor_setup import look
from tests.support.browser import DESKTOP, HAND, Pages, keep_picture
from tests.support.world import ACME_NUMBER, World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
PAGE, INSTALLATION = "/w/acme/settings/connection", "/installation/doctor"


async def test_a_number_is_looked_at_and_what_is_red_says_what_to_do(pages: Pages, world: World) -> None:
    number = world.simulator.world.numbers[ACME_NUMBER.phone_number_id]
    number.quality_rating, number.name_status = "RED", "DECLINED"
    subscribed = dict(world.simulator.world.subscriptions[ACME_NUMBER.waba_id])
    world.simulator.world.subscriptions[ACME_NUMBER.waba_id].clear()
    try:
        page = await pages.agent(world, "alice", PAGE)
        world.simulator.set_switches({"answer_delay_ms": 400})
        await page.get_by_role("button", name="Look now").click()
        await expect(page.get_by_text("Asking WhatsApp")).to_be_visible()
        await examine_themes(page, "connection-looking-1280")
        await expect(page.get_by_text("quality of this number low")).to_be_visible(timeout=15_000)
        await expect(page.get_by_text("2 checks fail")).to_be_visible()
        await expect(page.locator(".settings-nav .settings-count")).to_have_count(0)  # the list alone came anew
        await page.reload()
        await expect(page.locator(".settings-nav .settings-count")).to_have_text("2 checks fail")
        world.simulator.set_switches({"answer_delay_ms": 0})
        await examine_themes(page, "connection-1280")
        await page.get_by_role("button", name=re.compile("remind me.*quality")).click()
        await expect(page.get_by_text("Alice knows")).to_be_visible()
        await page.get_by_role("button", name="Subscribe").click()
        await expect(page.get_by_text("Our app is subscribed; what WhatsApp says now stands below.")).to_be_visible()
        await expect(page.get_by_text("1 check fails")).to_be_visible()
        page = await pages.agent(world, "alice", PAGE, size=HAND)
        await examine_themes(page, "connection-390")
        await page.evaluate("document.documentElement.dir = 'rtl'")
        await keep_picture(page, "connection-rtl-390")
    finally:
        number.quality_rating, number.name_status = "GREEN", "APPROVED"
        world.simulator.world.subscriptions[ACME_NUMBER.waba_id].update(subscribed)
        world.simulator.set_switches({"answer_delay_ms": 0})
        await look(world)


async def test_the_installation_is_looked_at(pages: Pages, world: World) -> None:
    for size in (DESKTOP, HAND):
        page = await pages.agent(world, "alice", INSTALLATION, size=size)
        await page.get_by_role("button", name="Look now").click()
        await expect(page.get_by_text("Meta posts to https only")).to_be_visible(timeout=15_000)
        await examine_themes(page, f"doctor-{size[0]}")
        world.clock.pass_time(MINUTE)
