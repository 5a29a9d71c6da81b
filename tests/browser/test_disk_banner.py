"""The banner of a disk that is nearly full: on every page, readable by everybody, and nothing is pushed out by it."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.test_axe import examine_themes
from tests.support.browser import DESKTOP, HAND, Pages, new_talk, open_talk
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize("size", [DESKTOP, HAND])
async def test_the_banner_is_there_and_in_nobodys_way(
    world: World, pages: Pages, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int],
) -> None:
    space = world.services.registry.space
    monkeypatch.setattr(space, "look", lambda: None)
    talk = await new_talk(world, f"Nearly full {size[0]}")
    monkeypatch.setattr(space, "enough", False)
    page = await open_talk(pages, talk, size=size)
    banner = page.locator("#disk")
    await expect(banner).to_contain_text("disk is nearly full")
    await expect(page.get_by_role("textbox").last).to_be_in_viewport(ratio=1)
    assert await page.evaluate("document.documentElement.scrollHeight <= window.innerHeight")
    await examine_themes(page, f"disk-{size[0]}")
    monkeypatch.setattr(space, "enough", True)
    await page.reload()
    await expect(banner).to_have_count(0)
