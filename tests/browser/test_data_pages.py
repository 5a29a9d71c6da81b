"""Approvals, exports, erasures and retention in a browser: in both themes, in the hand, with a file that comes down."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from chime.approvals.model import State
from tests.browser.test_axe import examine, examine_themes
from tests.http.data_setup import SETTINGS, ask, decide, newest, standing
from tests.support.browser import DESKTOP, HAND, Pages, new_talk, open_talk
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
SIZES = pytest.mark.parametrize("size", [DESKTOP, HAND], ids=["desktop", "hand"])


async def opened(pages: Pages, world: World, path: str, heading: str, *, who: str = "alice",
                 size: tuple[int, int] = DESKTOP) -> Page:
    page = await pages.agent(world, who, path, size=size)
    await expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible()
    return page


@SIZES
async def test_every_page(pages: Pages, world: World, size: tuple[int, int]) -> None:
    found = await new_talk(world, f"Nia Cole {size[0]}")
    await ask(world, "mo", reason="for the auditor")
    await ask(world, "mo", "conversations", first_day="2026-01-01", state="open")
    for path, heading, name in ((f"{SETTINGS}/approvals", "Approvals", "approvals"),
                                (f"{SETTINGS}/exports", "Exports", "exports"),
                                (f"{SETTINGS}/erasures", "Erasures", "erasures"),
                                (f"{SETTINGS}/retention", "Retention", "retention"),
                                (f"/w/acme/contacts/{found.contact_id}/erasure", "Forget this person", "erasure")):
        page = await opened(pages, world, path, heading, size=size)
        await examine_themes(page, f"data-{name}-{size[0]}")
        await page.context.close()
    page = await opened(pages, world, f"{SETTINGS}/approvals", "Approvals", who="mo", size=size)
    for details in await page.locator("#mine details > summary").all():
        await details.click()
    await examine(page, f"data-mine-{size[0]}")


async def test_asked_for_approved_and_fetched_once(pages: Pages, world: World) -> None:
    await new_talk(world, "Ola Berg")
    page = await opened(pages, world, f"{SETTINGS}/exports", "Exports", who="mo")
    await page.get_by_role("button", name="Export contacts").click()
    await expect(page.get_by_role("heading", name="Approvals", level=1)).to_be_visible()
    row = await newest(world)
    other = await opened(pages, world, f"{SETTINGS}/approvals", "Approvals")
    item = other.locator(".item").filter(has_text=row.fingerprint)
    await item.get_by_role("button", name="Approve").click()
    await expect(other.get_by_text("Approved; it begins now.")).to_be_visible()
    await world.settle()
    assert (await standing(world, row.id)).state is State.READY
    await page.reload()
    async with page.expect_download() as coming:
        await page.get_by_role("button", name="Fetch the file").first.click()
    path = await (await coming.value).path()
    assert b"Ola Berg" in await asyncio.to_thread(Path(path).read_bytes)
    await world.settle()
    assert (await standing(world, row.id)).state is State.DOWNLOADED


async def test_from_the_contact_to_the_certificate(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Pia Falk")
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE membership SET role = 'admin' WHERE user_id = (SELECT id FROM user WHERE email = ?)",
                         "kim@example.com")
    page = await open_talk(pages, found)
    await page.get_by_role("link", name="Forget this person…").click()
    await expect(page.get_by_role("heading", name="What will be removed, for good")).to_be_visible()
    await page.get_by_role("button", name="Ask to forget this person").click()
    await expect(page.get_by_role("heading", name="Approvals", level=1)).to_be_visible()
    row = await newest(world)
    await decide(world, "kim", row)
    await world.settle(60)
    await page.goto(f"{world.base}{SETTINGS}/erasures/{row.id}")
    await expect(page.get_by_role("heading", name="Certificate of erasure")).to_be_visible()
    await expect(page.locator("main")).not_to_contain_text("Pia Falk")
    await examine_themes(page, "data-certificate")


async def test_retention_asks_once_more(pages: Pages, world: World) -> None:
    page = await opened(pages, world, f"{SETTINGS}/retention", "Retention")
    await page.get_by_label("Messages", exact=True).fill("365")
    await page.get_by_role("button", name="Count what would be removed").click()
    await expect(page.get_by_role("button", name="Save and remove what is older")).to_be_visible()
    await examine(page, "data-retention-asks")
    await page.get_by_role("button", name="Save and remove what is older").click()
    await expect(page.get_by_text("Saved. What is older goes now.")).to_be_visible()
