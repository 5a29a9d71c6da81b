"""Giving a conversation to a team in a browser: from the assign menu, by keyboard, in the hand; colleagues see it at
once, and who may not see it any more is led back to their list."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.test_axe import examine_themes
from tests.http.people_setup import id_of
from tests.support.browser import DESKTOP, HAND, Pages, new_talk, open_talk, pick, row, tab_to
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
OPENER, TEAM = "[popovertarget='assign-menu']", "#assign-menu .menu-item[name='team_id']"


async def _teams(world: World) -> None:
    """North with Kim, and the Complaints of nobody; made once for the module."""
    async with world.services.control.ingest("test") as tx:
        for team_id, name in (("north", "North"), ("complaints", "Complaints and other long stories")):
            await tx.execute("INSERT OR IGNORE INTO team (id, workspace_id, name, created_at) VALUES (?, ?, ?, 0)",
                             team_id, world.acme.workspace_id, name)
        await tx.execute("INSERT OR IGNORE INTO team_member (team_id, user_id) VALUES ('north', ?)",
                         await id_of(world, "kim"))


async def test_colleagues_of_the_team_see_it_and_the_others_do_not(pages: Pages, world: World) -> None:
    pages.announce("404")  # what went out of sight is asked for once more
    await _teams(world)
    found = await new_talk(world, "Olive Park")
    alice, kim, mo = [await open_talk(pages, found, name) for name in ("alice", "kim", "mo")]
    await pick(alice, OPENER, f"{TEAM}:has-text('North')")
    for page in (alice, kim):
        await expect(page.locator("#thread-header .assign-name")).to_have_text("North")
        await expect(page.locator("#messages .line")).to_contain_text(["Alice gave this to the team North"])
    await mo.wait_for_url("**/w/acme/inbox")
    await expect(row(mo, "Olive Park")).to_have_count(0)
    await expect(row(kim, "Olive Park")).to_be_visible()
    await pick(alice, OPENER, f"{TEAM}:has-text('No team')")
    await expect(alice.locator("#thread-header .assign-name")).to_have_text("Assign")
    await expect(row(mo, "Olive Park")).to_be_visible()


async def test_by_keyboard(pages: Pages, world: World) -> None:
    await _teams(world)
    page = await open_talk(pages, await new_talk(world, "Paul Quist"))
    await page.locator("#scroller").focus()
    await page.keyboard.press("a")
    await expect(page.locator("#assign-menu")).to_be_visible()
    await tab_to(page, page.locator(TEAM).filter(has_text="North"))
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("Enter")
    await expect(page.locator("#thread-header .assign-name")).to_have_text("Complaints and other long stories")
    await expect(page.locator("#assign-menu")).to_be_hidden()


@pytest.mark.parametrize("size", [DESKTOP, HAND], ids=["desktop", "hand"])
async def test_everybody_can_use_it(pages: Pages, world: World, size: tuple[int, int]) -> None:
    await _teams(world)
    page = await open_talk(pages, await new_talk(world, f"Rita Stone {size[0]}"), size=size)
    for team in ("Complaints", "North"):
        await page.locator(OPENER).click()
        await expect(page.locator("#assign-menu")).to_be_visible()
        await examine_themes(page, f"assign-team-{team.lower()}-{size[0]}")
        box = await page.locator("#assign-menu").bounding_box()
        assert box and box["x"] >= 4 and box["x"] + box["width"] <= size[0] - 4, "nothing of it is cut off"
        await page.locator(TEAM).filter(has_text=team).click()
        await expect(page.locator(f"{TEAM}[aria-current]")).to_contain_text(team)
        await expect(page.locator(OPENER)).to_be_in_viewport()


async def test_without_script(pages: Pages, world: World) -> None:
    await _teams(world)
    found = await new_talk(world, "Tess Uhl")
    page = await pages.agent(world, "alice", found.base, script=False)
    await pick(page, OPENER, f"{TEAM}:has-text('North')")
    await expect(page.locator("#thread-header .assign-name")).to_have_text("North")
