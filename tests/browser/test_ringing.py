"""What rings until somebody looks, and what a page says when its browser lets no sound pass."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page, expect

from chime import notifications
from tests.browser.test_push import given
from tests.http.inbox_setup import Talk, until
from tests.support.browser import Pages
from tests.support.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")
# An ear in place of the loudspeaker, that hears the first tone of each sound; and a ring comes again at once.
HEARD = """
    window.rung = 0;
    window.isOpen = %s;
    const node = { connect: (next) => next, gain: { setValueAtTime() {}, linearRampToValueAtTime() {},
                   exponentialRampToValueAtTime() {} } };
    window.AudioContext = class { currentTime = 0; destination = node;
        get state() { return window.isOpen ? 'running' : 'suspended'; } resume() { return Promise.resolve(); } };
    window.GainNode = class { constructor() { return node; } };
    window.OscillatorNode = class { connect(next) { return next; } stop() {} start(at) { if (at === 0) rung += 1; } };
    const real = window.setInterval;
    window.setInterval = (act, pause) => real(act, pause === 6000 ? 300 : pause);
    addEventListener('pointerdown', () => { window.isOpen = true; }, { capture: true });
"""
HOME = "/w/acme/notifications"


async def rung(page: Page) -> int:
    found: int = await page.evaluate("window.rung")
    return found


async def rings_on(world: World, name: str, *, sounds: bool = True) -> None:
    """This person wants to be rung until they look."""
    fields = {"sound": "bell", "volume": "60", "rings_on": "yes", "quiet_from": "20:00", "quiet_until": "08:00",
              "zone": "", "digest": "off", "digest_at": "09:00", "way": ["waiting_too_long:in_app"]}
    if sounds:
        fields["way"] = [*fields["way"], "waiting_too_long:sound"]
    answer = await (await world.session(name)).post("/me/notifications", data=fields)
    assert answer.status_code in (200, 303), answer.text


async def waits_too_long(said: Talk, name: str) -> None:
    world = said.world
    user_id = (await world.services.control.db.rows("SELECT id FROM user WHERE email = ?", f"{name}@example.com"))[0][0]
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await notifications.notify(tx, [user_id], notifications.Kind.WAITING_TOO_LONG, conversation_id=said.id)
    await world.settle()


async def listening(pages: Pages, world: World, *, is_open: bool = True) -> Page:
    page = await pages.agent(world, "bob", HOME)
    await page.context.add_init_script(HEARD % str(is_open).lower())
    await page.reload()
    await expect(page.locator("h1")).to_be_visible()
    return page


async def is_quiet(page: Page) -> None:
    """A ring that was on its way may still come."""
    await asyncio.sleep(0.7)
    before = await rung(page)
    await asyncio.sleep(0.9)
    assert await rung(page) == before


async def test_it_rings_until_somebody_looks_and_in_one_tab_only(world: World, pages: Pages) -> None:
    await rings_on(world, "bob")
    said = await given(world, "Rita Rings")
    first = await listening(pages, world)
    second = await first.context.new_page()
    await second.goto("/w/acme/replies")
    await expect(second.locator("h1")).to_be_visible()
    await waits_too_long(said, "bob")
    await until(lambda: _rang(first, 3))
    assert await rung(second) == 0
    await first.close()
    await until(lambda: _rang(second, 2))
    await second.goto(said.base)
    await expect(second.locator("#messages .msg").first).to_be_visible()
    third = await second.context.new_page()
    await third.goto("/w/acme/replies")
    await is_quiet(second)
    assert await rung(third) == 0, "what was seen rings nowhere"


async def _rang(page: Page, times: int) -> bool:
    return await rung(page) >= times


async def test_what_is_read_elsewhere_rings_no_more(world: World, pages: Pages) -> None:
    await rings_on(world, "bob")
    said = await given(world, "Elsa Elsewhere")
    page = await listening(pages, world)
    await waits_too_long(said, "bob")
    await until(lambda: _rang(page, 3))
    bob = await world.session("bob")
    assert (await bob.post(f"{HOME}/seen", data={"conversation_id": said.id})).status_code == 204
    await is_quiet(page)


async def test_who_wants_no_sound_for_it_is_not_rung(world: World, pages: Pages) -> None:
    await rings_on(world, "bob", sounds=False)
    said = await given(world, "Sina Silent")
    page = await listening(pages, world)
    await waits_too_long(said, "bob")
    await expect(page.locator("[data-bell-badge]")).to_be_visible()
    await is_quiet(page)
    assert await rung(page) == 0


async def test_a_browser_that_blocks_sounds_is_told_of_once_and_rings_after_a_click(world: World, pages: Pages) -> None:
    await rings_on(world, "bob")
    said = await given(world, "Bella Blocked")
    page = await listening(pages, world, is_open=False)
    await waits_too_long(said, "bob")
    notice = page.locator("#toasts .toast").filter(has_text="Your browser blocks sounds")
    await expect(notice).to_have_count(1)
    await asyncio.sleep(1)
    await expect(notice).to_have_count(1)
    assert await rung(page) == 0
    await page.locator("h1").click()
    await until(lambda: _rang(page, 2))
