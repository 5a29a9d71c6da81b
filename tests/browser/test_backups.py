"""Backups in a browser: an earlier moment opens as a copy, is looked at and compared; both themes, and in the hand."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from chime import contacts
from chime.security.permissions import OPERATOR
from tests.browser.test_axe import examine_themes
from tests.http.data_setup import contact
from tests.http.inbox_setup import rows
from tests.http.test_backup_pages import PAGE, back_up, open_copy
from tests.http.test_restore import queued
from tests.support.browser import DESKTOP, HAND, Pages, new_talk
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_moment_is_opened_looked_at_and_compared(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Ines Moor")
    await back_up(world)
    page = await pages.agent(world, "alice", PAGE)
    await expect(page.get_by_role("heading", name="Backups", level=1)).to_be_visible()
    slider = page.locator("#at-slider")
    await expect(slider).to_be_visible()
    await page.get_by_label("Name of the copy").fill("As it was")
    await page.get_by_role("button", name="Open as a copy").click()
    await expect(page.locator("#copies").get_by_role("link", name="Look into it")).to_be_visible(timeout=30_000)
    await examine_themes(page, "backups-1280")
    await page.locator("#copies").get_by_role("link", name="Compare").click()
    await expect(page.get_by_role("heading", name="Then and now")).to_be_visible()
    await examine_themes(page, "backups-compare-1280")
    await page.get_by_role("link", name="Look into it").click()
    await expect(page.get_by_text("This is a restored copy")).to_be_visible()
    await page.locator("#rows .row").first.click()
    await expect(page.locator("#messages .msg").first).to_be_visible()
    await examine_themes(page, "backups-inside-1280")
    hand = await pages.agent(world, "alice", PAGE, size=HAND)
    await examine_themes(hand, "backups-390")
    await hand.get_by_role("link", name="Compare").click()
    frame = hand.get_by_role("group", name="Then and now")
    assert await frame.evaluate("one => one.scrollWidth <= one.clientWidth"), "a column is cut"
    await examine_themes(hand, "backups-compare-390")
    assert found.id


async def test_people_of_a_copy_are_chosen_and_asked_for(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Nina Back")
    changed = await contact(world, "+14155550188", "Umar Changed")
    async with world.workspace(world.acme) as workspace, workspace.write(OPERATOR) as tx:
        await contacts.edit(tx, changed, fields={"city": "Rome"}, tag_names=["gold"])
    at = await back_up(world)
    copy_id = await open_copy(world, await world.session("alice"), at, "Before it")
    async with world.workspace(world.acme) as workspace, workspace.write(OPERATOR) as tx:
        await contacts.delete(tx, found.contact_id)
        await contacts.edit(tx, changed, name="Umar", fields={"city": None}, tag_names=[])
    hand = await pages.agent(world, "alice", f"{PAGE}/copies/{copy_id}/people", size=HAND)
    await examine_themes(hand, "backups-people-390")
    page = await pages.agent(world, "alice", f"{PAGE}/copies/{copy_id}")
    await page.get_by_role("link", name="Bring contacts back").click()
    await page.get_by_label("Nina Back").check()
    await page.get_by_label("Umar Changed").check()
    await examine_themes(page, "backups-people-1280")
    await page.get_by_role("button", name="Ask to bring them back").click()
    await expect(page.get_by_text("Bringing contacts back from a copy").first).to_be_visible()


async def test_what_is_on_hold(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Otto Lind")
    message_id = await queued(found, "Your parcel is on its way")
    async with world.workspace(world.acme) as workspace, workspace.write(OPERATOR) as tx:
        await tx.execute("UPDATE message SET next_attempt_at = NULL WHERE id = ?", message_id)
        await tx.execute("INSERT INTO held_message (message_id, restore_id, why, held_at) VALUES (?, 'x', 'waited', 1)",
                         message_id)
        await tx.audit("message.held_back", "message", message_id)
    for size in (DESKTOP, HAND):
        page = await pages.agent(world, "alice", "/w/acme/held", size=size)
        await examine_themes(page, f"held-{size[0]}")
    await page.get_by_role("button", name="Send Otto Lind").click()
    await expect(page.get_by_text("Nothing is on hold")).to_be_visible()
    await world.settle()
    assert await rows(world, world.acme, "SELECT count(*) FROM message WHERE id = ? AND wamid IS NOT NULL",
                      message_id) == [(1,)]
