"""Hours, targets and the report in a browser: the count-down of an answer that is due, and every page for everybody."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from chime.clock import MINUTE
from tests.browser.test_axe import examine_themes
from tests.http.service_setup import OPEN_ALWAYS, PAGE, asks, sweep, targets
from tests.support.browser import DESKTOP, HAND, Pages, new_talk, open_talk, row
from tests.support.world import World

# The page's own clock goes on without the server; at once, because what the server draws anew begins anew.
_LATER = """async (minutes) => {
    const source = document.querySelector('script[src*="js/thread"]').src;
    const { tick } = await import(source.replace(/thread(\\.[^/]*)?\\.js.*/, 'due.js'));
    const now = performance.now.bind(performance);
    tick();
    performance.now = () => now() + minutes * 60000;
    tick();
    delete performance.now;
    const look = (chip) => ({ text: chip.textContent.trim(), looks: chip.className, hidden: chip.hidden });
    return [...document.querySelectorAll('#thread-header .due, #rows .row .due')].reverse().map(look);
}"""

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_what_is_due_is_told_in_words_and_counted_down(pages: Pages, world: World) -> None:
    await targets(await world.session("alice"), first_minutes="20")
    found = await new_talk(world, "Nadia Frost")
    page = await open_talk(pages, found)
    chip = page.locator("#thread-header .due")
    await expect(chip).to_have_text(re.compile("^(19|20) min left$"))  # WhatsApp's second may not be over yet
    await expect(row(page, "Nadia Frost").locator(".due")).to_be_hidden()
    told = [await page.evaluate(_LATER, minutes) for minutes in (0, 10, 25)]
    assert [header["looks"] for header, _ in told] == ["chip due", "chip due chip-warn", "chip due chip-danger"]
    assert [line["hidden"] for _, line in told] == [True, False, False]
    for (header, line), words in zip(told, ("(19|20) min left", "(9|10) min left", "Overdue [45] min"), strict=True):
        assert re.fullmatch(words, header["text"]) and line["text"] == header["text"]
    await found.reply(await world.session("alice"), "here I am")
    await expect(chip).to_have_count(0)


@pytest.mark.parametrize("size", [DESKTOP, HAND])
async def test_the_pages_for_everybody(pages: Pages, world: World, size: tuple[int, int]) -> None:
    alice = await world.session("alice")
    await alice.post(f"{PAGE}/calendars", data=OPEN_ALWAYS | {
        "name": "Office hours", "time_zone": "Europe/Berlin", "day_0": "09:00-13:00, 14:00-18:00", "day_6": "",
        "day_4": "22:00-06:00", "date_0_day": "2026-12-24", "date_0_name": "Christmas Eve", "date_0_hours": "9-12"})
    await targets(alice, first_minutes="30", next_minutes="1h", resolution_minutes="8h")
    await asks(world, alice)
    found = await new_talk(world, f"Customer {size[0]}")
    world.clock.advance(31 * MINUTE)
    await found.reply(alice, "hello")
    await alice.post(f"{found.base}/closure")
    world.clock.advance(MINUTE)
    await sweep(world)
    await found.says("4")
    await found.says("Quick and kind.")
    world.clock.advance(31 * MINUTE)
    await sweep(world)
    page = await pages.agent(world, "alice", PAGE, size=size)
    await page.locator("details.place").last.locator("summary").click()
    await examine_themes(page, f"service-{size[0]}")
    await page.get_by_role("link", name="Office hours").first.click()
    await expect(page.get_by_role("heading", name="Office hours")).to_be_visible()
    await examine_themes(page, f"service-calendar-{size[0]}")
    await page.goto(f"{world.base}/w/acme/reports/service")
    await expect(page.get_by_text("Quick and kind.").first).to_be_visible()
    await examine_themes(page, f"service-report-{size[0]}")
    await page.goto(f"{world.base}{found.base}")
    await expect(page.locator("#thread-header .due")).to_have_class("chip due chip-danger")
    await examine_themes(page, f"service-thread-{size[0]}")
