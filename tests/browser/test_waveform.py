"""A voice note shows how loud it is over its time, as it was measured; what cannot be decoded keeps the plain line."""

from __future__ import annotations

import pytest
from playwright.async_api import Locator, expect

from tests.browser.test_axe import examine_themes
from tests.browser.test_sending import received
from tests.http.test_media import sends
from tests.support.browser import Pages, new_talk, open_talk
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def heights(player: Locator) -> list[float]:
    found: list[float] = await player.locator(".wave rect").evaluate_all(
        "bars => bars.map((bar) => Number(bar.getAttribute('height')))")
    return found


async def test_bars_as_loud_as_the_note_and_the_slider_as_ever(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Liv Strand")
    page = await open_talk(pages, found)
    await page.locator("#record").click()
    await expect(page.locator("#rec-time")).to_have_text("0:02")
    await page.locator("[data-stop-recording]").click()
    await page.locator("[data-send-recording]").click()
    player = page.locator("#messages .msg-out [data-voice]")
    await expect(player.locator(".wave rect")).to_have_count(40)
    told = await heights(player)
    assert max(told) == 24 and min(told) < 12, "the microphone of the tests beeps once a second"
    await received(found)
    slider = player.get_by_label("Position")
    await slider.focus()
    await page.keyboard.press("End")
    await expect(player.locator(".wave .heard")).to_have_count(40)
    await page.keyboard.press("Home")
    await expect(player.locator(".wave .heard")).to_have_count(0)
    await examine_themes(page, "waveform")


async def test_silence_is_flat_and_what_is_no_sound_keeps_its_line(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Noor Haddad")
    await found.says({"type": "audio", "audio": {"voice": True}})
    await sends(found, "audio", b"no sound at all", "audio/mpeg")
    page = await open_talk(pages, found)
    silent, broken = page.locator("[data-voice]").nth(0), page.locator("[data-voice]").nth(1)
    await expect(silent.locator(".wave rect")).to_have_count(40)
    assert set(await heights(silent)) == {2.0}
    await expect(broken.get_by_label("Position")).to_be_visible()
    assert await broken.locator(".wave").count() == 0
