"""Who looks after a contact, and when people work, in a browser: chosen in place, undone, planned, explained."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.test_axe import examine_themes
from tests.http.people_setup import id_of
from tests.support.browser import DESKTOP, HAND, Pages, new_talk, open_talk
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_the_owner_is_chosen_beside_the_conversation_and_undone(pages: Pages, world: World) -> None:
    alice = await open_talk(pages, await new_talk(world, "Uma Owned"))
    owner = alice.locator("#contact-owner")
    await owner.select_option(label="Bob")
    await expect(alice.locator(".toast").filter(has_text="Owner saved")).to_be_visible()
    await expect(owner.locator("option:checked")).to_have_text("Bob")
    await alice.locator(".toast").filter(has_text="Owner saved").get_by_role("button", name="Undo").click()
    await expect(alice.locator("#contact-owner option:checked")).to_have_text("Nobody")


@pytest.mark.parametrize("size", [DESKTOP, HAND], ids=["desktop", "hand"])
async def test_a_week_and_an_absence_are_planned_and_shown(pages: Pages, world: World, size: tuple[int, int]) -> None:
    name = "kim" if size is HAND else "bob"
    member_id = await id_of(world, name)
    own = await pages.agent(world, name, size=size)
    await own.goto("/w/acme/availability")
    await own.get_by_role("main").get_by_role("link", name="Shifts and absences").click()
    for day in range(5):
        await own.locator(f"#day_{day}").fill("09:00-13:00, 14:00-18:00")
    await own.get_by_role("button", name="Save the week").click()
    await expect(own.get_by_role("status").filter(has_text="The week is saved")).to_be_visible()
    await own.locator("details.shift-new > summary").click()
    await own.locator("#first-new").fill("2099-12-01")
    await own.locator("#last-new").fill("2099-12-03")
    await own.locator("#stand-in-new").select_option(label="Mo")
    await examine_themes(own, f"member-shifts-{size[0]}")
    await own.locator("details.shift-new").get_by_role("button", name="Save").click()
    await expect(own.locator(".item").filter(has_text="Dec 3, 2099")).to_contain_text("Mo takes over what is new.")
    alice = await pages.agent(world, "alice", size=size)
    await alice.goto("/w/acme/settings/shifts?week=2099-12-02")
    row = alice.locator(".shift-table tr").filter(has_text=name.capitalize())
    await expect(row.locator("td .chip")).to_have_count(3)
    await examine_themes(alice, f"shifts-{size[0]}")
    await alice.goto(f"/w/acme/shifts/{member_id}")
    await alice.get_by_role("button", name="Remove").click()
    await alice.locator("dialog[open]").get_by_role("button", name="Remove").click()
    await expect(alice.get_by_text("None planned.")).to_be_visible()
