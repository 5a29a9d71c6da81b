"""Conversations that are given by themselves, as two agents and a customer see it; one's availability in the menu of
one's account, and how colleagues see it; the settings."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from chime.routing import actions
from chime.routing.model import Method, Rule, Settings
from chime.security.permissions import SYSTEM
from tests.browser.test_axe import examine_themes
from tests.support.browser import DESKTOP, HAND, Pages, new_talk, open_talk, row
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
PAGE = "/w/acme/settings/assignment"
ACCOUNT = "[popovertarget='account-menu']"


async def _rule(world: World, method: Method) -> None:
    async with world.workspace(world.acme) as workspace, workspace.write(SYSTEM) as tx:
        await actions.save_settings(tx, Settings(capacity=1), claims_replies=True)
        await actions.save_rule(tx, Rule(place_id=world.acme.channel_id, method=method), members=())
    await world.settle()


async def _says(page: Page, words: str) -> None:
    """Choose one's availability in the menu of the account."""
    await page.locator(ACCOUNT).click()
    choice = page.locator("#account-menu #availability .menu-item").filter(has_text=words)
    await choice.click()
    await expect(page.locator("#availability .menu-item[aria-pressed='true']")).to_have_text(words)


async def test_two_agents_and_who_has_a_hand_free(pages: Pages, world: World) -> None:
    kim, bob = await pages.agent(world, "kim"), await pages.agent(world, "bob")
    await _says(bob, "Busy")
    await _says(kim, "Available")
    await _rule(world, Method.LEAST_BUSY)
    first = await new_talk(world, "Olive Park")
    second = await new_talk(world, "Paul Quist")
    await kim.goto("/w/acme/inbox?v=mine")
    await expect(row(kim, "Olive Park")).to_be_visible()
    await expect(row(kim, "Paul Quist")).to_have_count(0)
    await row(kim, "Olive Park").click()
    line = kim.locator("#messages .line").filter(has_text="automatically")
    await expect(line).to_contain_text("Assigned to Kim automatically: fewest open conversations, 0 of 1")
    await kim.locator("#thread-header [data-key='e']").click()
    await expect(row(kim, "Paul Quist")).to_be_visible()
    assert (await first.conversation()).assignee_id == (await second.conversation()).assignee_id
    third = await new_talk(world, "Rita Stone")
    await _says(bob, "Available")
    await bob.goto("/w/acme/inbox?v=mine")
    await expect(row(bob, "Rita Stone")).to_be_visible()
    assert (await third.conversation()).assignee_id != (await second.conversation()).assignee_id
    await _rule(world, Method.OFF)


@pytest.mark.parametrize("size", [DESKTOP, HAND], ids=["desktop", "hand"])
async def test_dots_and_the_menu(pages: Pages, world: World, size: tuple[int, int]) -> None:
    kim = await pages.agent(world, "kim", size=size)
    await _says(kim, "Busy")
    await kim.locator(ACCOUNT).click()
    await examine_themes(kim, f"availability-menu-{size[0]}")
    await kim.keyboard.press("Escape")
    alice = await open_talk(pages, await new_talk(world, f"Tess Uhl {size[0]}"), size=size)
    await alice.locator("[popovertarget='assign-menu']").click()
    of_kim = alice.locator("#assign-menu .menu-item").filter(has_text="Kim")
    await expect(of_kim.locator(".status-dot")).to_have_attribute("data-status", "busy")
    await expect(of_kim).to_contain_text("Busy")
    await examine_themes(alice, f"assign-dots-{size[0]}")
    await alice.goto("/w/acme/settings/members")
    await expect(alice.locator(".person").filter(has_text="Kim").locator(".status-dot")).to_be_visible()
    await examine_themes(alice, f"members-dots-{size[0]}")
    await _says(kim, "Available")


@pytest.mark.parametrize("size", [DESKTOP, HAND], ids=["desktop", "hand"])
async def test_the_settings(pages: Pages, world: World, size: tuple[int, int]) -> None:
    await _rule(world, Method.OFF)
    page = await pages.agent(world, "alice", PAGE, size=size)
    place = page.locator("section.card").filter(has=page.get_by_role("heading", name="Acme"))
    await place.locator("summary").click()
    await place.get_by_text("Taking turns").click()
    await examine_themes(page, f"assignment-{size[0]}")
    await place.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
    await place.get_by_role("link", name="Who is next").click()
    await expect(page.get_by_role("heading", name="Who is next", level=1)).to_be_visible()
    await expect(page.locator("tr").filter(has_text="Vera")).to_contain_text("may not reply")
    await examine_themes(page, f"assignment-next-{size[0]}")


async def test_without_script(pages: Pages, world: World) -> None:
    page = await pages.agent(world, "kim", script=False)
    await page.locator(ACCOUNT).click()
    await page.get_by_role("link", name="Your availability").click()
    await page.get_by_role("button", name="Away").click()
    await expect(page.locator("main [aria-pressed='true']")).to_have_text("Away")
