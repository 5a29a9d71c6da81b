"""Files and the composer: a send undone in another tab than it was written in, and files that are slow to be taken."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Route, expect

from tests.browser.test_sending import PAPER, PICTURE, received
from tests.http.inbox_setup import rows
from tests.support.browser import Pages, new_talk, open_talk
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_the_file_comes_back_where_the_send_is_undone(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Yara Stein")
    session = await world.session("kim")
    await session.post("/w/acme/undo-time", data={"seconds": "30"}, headers={"HX-Request": "true"})
    page, other = await open_talk(pages, found, "kim"), await open_talk(pages, found, "kim")
    for number, file in enumerate((PICTURE, PAPER)):
        await page.locator("#file").set_input_files(file)
        await page.locator("#text").fill("Have a look")
        await page.locator("#text").press("Enter")
        await other.locator("#messages .msg-out").get_by_role("button", name="Undo send").click()
        await expect(other.locator("#tray li")).to_contain_text(file["name"])
        await expect(other.locator("#text")).to_have_value("Have a look")
        await expect(page.locator("#messages .msg-out")).to_have_count(0)
        if number == 0:
            await other.locator("#tray li button").click()
            await other.locator("#text").fill("")
    await session.post("/w/acme/undo-time", data={"seconds": "0"}, headers={"HX-Request": "true"})
    await other.locator("#text").press("Enter")
    sent, = await received(found)
    assert sent.type == "document" and world.simulator.world.media[sent.content["id"]].content == PAPER["buffer"]
    assert await rows(world, world.acme, "SELECT mime_type, filename FROM media JOIN message ON media_id = media.id "
                      "WHERE conversation_id = ?", found.id) == [("application/pdf", "receipt.pdf")]


async def test_a_file_that_is_still_being_taken_goes_with_what_is_sent(pages: Pages, world: World) -> None:
    """Somebody picks a file and presses Enter before the script for files is there."""
    found = await new_talk(world, "Ines Prado")
    page = await open_talk(pages, found, "kim")
    go = asyncio.Event()

    async def late(route: Route) -> None:
        await go.wait()
        await route.continue_()

    await page.route(re.compile(r"/media\.[\w.-]*js|/media\.js"), late)
    await page.locator("#file").set_input_files(PICTURE)
    await page.locator("#text").fill("The mug")
    await page.locator("#text").press("Enter")
    await page.wait_for_timeout(300)
    assert await found.sent() == []
    go.set()
    sent, = await received(found)
    assert sent.type == "image" and sent.content["caption"] == "The mug"
