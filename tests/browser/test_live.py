"""What happens elsewhere shows here at once: colleagues, ticks, gaps in the connection, several tabs, plain http."""

from __future__ import annotations

import base64
import shutil
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
from playwright.async_api import Page, expect

from chime.config import load
from chime.security.signatures import signature
from chime.setup import opened
from tests.support import webhook_bodies as meta
from tests.support.browser import (
    PLAIN_HOST,
    Pages,
    expect_tick,
    message,
    new_talk,
    open_talk,
    pick,
    row,
    seen_ticks,
    type_and_send,
    watch_ticks,
)
from tests.support.processes import CHIME, free_port, started
from tests.support.world import ACME_NUMBER, APP_SECRET, MASTER_KEY, PASSWORD, World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def unread(page: Page) -> int:
    """The number on the rail; none is 0."""
    badge = page.locator("[data-unread-badge]")
    return int(await badge.inner_text()) if await badge.is_visible() else 0


async def test_colleagues_see_the_same(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Clara Vogt")
    alice, kim = await open_talk(pages, found), await open_talk(pages, found, "kim")
    await found.says("Is anybody there?")
    for page in (alice, kim):
        await expect(message(page, "Is anybody there?")).to_have_count(1)
        await expect(row(page, "Clara Vogt")).to_contain_text("Is anybody there?")

    await pick(alice, "[popovertarget='assign-menu']", "#assign-menu .menu-item:has-text('Kim')")
    for page in (alice, kim):
        await expect(page.locator("#thread-header .assign-name")).to_have_text("Kim")
        await expect(page.locator("#messages .line")).to_contain_text(["Alice assigned this to Kim"])

    await type_and_send(kim, "I am, one moment")
    await expect_tick(message(alice, "I am, one moment"), "read")
    await expect(message(alice, "I am, one moment")).to_contain_text("Kim")
    await kim.locator("[data-key='e']").click()
    await expect(alice.locator("#thread-header")).to_have_attribute("data-state", "closed")
    await expect(row(alice, "Clara Vogt")).to_have_count(0)
    await expect(alice.locator("#messages .line")).to_contain_text(["assigned", "Kim resolved this conversation"])

    await found.says("Thank you!")
    for page in (alice, kim):
        await expect(page.locator("#thread-header")).to_have_attribute("data-state", "open")
        await expect(message(page, "Thank you!")).to_have_count(1)


async def test_ticks_go_forward_only(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Dario Conti")
    page = await open_talk(pages, found)
    world.simulator.set_switches({"out_of_order": True, "deliver_twice": True})
    await watch_ticks(page)
    bubble = await type_and_send(page, "Once, whatever order the receipts take")
    await expect_tick(bubble, "read")
    await world.settle()
    world.simulator.set_switches({"out_of_order": False, "deliver_twice": False})
    seen = await seen_ticks(page)
    assert seen == sorted(seen, key=["sent", "delivered", "read"].index) and seen[-1] == "read"
    await expect(bubble).to_have_count(1)


async def test_held_ticks_show_each_state(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Edith Lund")
    page = await open_talk(pages, found)
    world.simulator.set_switches({"hold_statuses": True})
    bubble = await type_and_send(page, "Nothing is known yet")
    await expect_tick(bubble, "sent")
    world.simulator.set_switches({"hold_statuses": False})
    await expect_tick(bubble, "read")


async def test_a_reader_further_up_stays_there(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Fatou Ba")
    for number in range(25):
        await found.says(f"Line {number} of a long story")
    page = await open_talk(pages, found)
    scroller = page.locator("#scroller")
    await scroller.hover()
    await page.mouse.wheel(0, -600)
    await expect(message(page, "Line 24 of")).not_to_be_in_viewport()
    place = await message(page, "Line 12 of").bounding_box()
    await found.says("And then it ended")
    await expect(page.locator("#jump")).to_be_visible()
    now = await message(page, "Line 12 of").bounding_box()
    assert place and now and abs(place["y"] - now["y"]) < 1, (place, now)
    await page.locator("#jump").click()
    await expect(message(page, "And then it ended")).to_be_in_viewport()
    await expect(page.locator("#jump")).to_be_hidden()


async def test_unread_counts(pages: Pages, world: World) -> None:
    other = await new_talk(world, "Gil Amir")
    page = await open_talk(pages, other)
    await expect(row(page, "Gil Amir").locator(".badge")).to_have_count(0)
    before = await unread(page)
    found = await new_talk(world, "Hedda Moe", "Two things:")
    await found.says("the second one")
    await expect(row(page, "Hedda Moe").locator(".badge")).to_contain_text("2")
    await expect(page.locator("[data-unread-badge]")).to_have_text(str(before + 1))
    await expect(page).to_have_title(f"({before + 1}) Gil Amir · Inbox · Acme")
    await row(page, "Hedda Moe").click()
    await expect(row(page, "Hedda Moe").locator(".badge")).to_have_count(0)
    await expect(page).to_have_title((f"({before}) " if before else "") + "Hedda Moe · Inbox · Acme")


async def test_tabs_share_one_stream(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Ines Prado")
    first = await open_talk(pages, found)
    second = await first.context.new_page()
    await second.goto(found.base)
    await found.says("Seen in every tab")
    for page in (first, second):
        await expect(message(page, "Seen in every tab")).to_be_visible()
    streams = [url for url in pages.requested if urlsplit(url).path.endswith("/events")]
    assert len(streams) == 1, streams
    await first.close()
    await found.says("Seen by the heir")
    await expect(message(second, "Seen by the heir")).to_be_visible()


async def test_a_plain_http_address_works(pages: Pages, world: World) -> None:
    """No locks, no clipboard, no microphone, no randomUUID there."""
    found = await new_talk(world, "Jan Kowal")
    page = await open_talk(pages, found, host=PLAIN_HOST)
    assert not await page.evaluate("isSecureContext")
    await found.says("Live without a lock")
    await expect(message(page, "Live without a lock")).to_be_visible()
    await expect_tick(await type_and_send(page, "Sent without a lock"), "read")
    await message(page, "Live without a lock").hover()
    await message(page, "Live without a lock").locator("[data-message-menu]").click()
    await page.locator("[data-message-act='copy']").click()
    await expect(page.locator(".toast")).to_contain_text("Copied")
    await page.locator("[popovertarget='attach-menu']").click()
    await expect(page.locator("#no-voice")).to_be_visible()
    await expect(page.locator("#record")).to_be_hidden()


async def webhook_address(data: Path, base: str) -> str:
    config = msgspec.structs.replace(load(data=str(data), environment={}), master_key=MASTER_KEY)
    async with opened(config) as (control, _):
        key = await control.db.value("SELECT app_key FROM meta_app JOIN channel_route ON meta_app.id = meta_app_id "
                                     "WHERE phone_number_id = ?", ACME_NUMBER.phone_number_id)
    return f"{base}/webhooks/whatsapp/{key}"


async def deliver(address: str, wamid: str, words: str) -> None:
    """A signed message of Dana's."""
    said = meta.text(meta.DANA, wamid, int(time.time()), words)
    raw = msgspec.json.encode(meta.body(ACME_NUMBER, meta.inbound(ACME_NUMBER, meta.DANA, said)))
    async with httpx.AsyncClient() as client:
        answer = await client.post(address, content=raw, headers={
            "Content-Type": "application/json", "X-Hub-Signature-256": signature(APP_SECRET.encode(), raw)})
    assert answer.status_code == 200, answer.text


async def test_a_restart_is_survived(pages: Pages, installation: Path, tmp_path: Path) -> None:
    """The page says that it is alone, comes back by itself, and shows what came in before it was back."""
    pages.announce("Failed to fetch|ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET")
    data = Path(shutil.copytree(installation, tmp_path / "data"))
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    address = await webhook_address(data, base)
    settings = {"CHIME_MASTER_KEY": base64.b64encode(MASTER_KEY).decode(), "CHIME_PUBLIC_URL": base,
                "CHIME_GRAPH_URL": "http://127.0.0.1:9"}
    command = [*CHIME, "serve", "--data", str(data), "--bind", f"127.0.0.1:{port}"]
    with started(command, tmp_path / "serve.log", port=port, ready="/readyz", extra=settings) as program:
        await deliver(address, "wamid.before", "Before the restart")
        page = await (await pages.context(base)).new_page()
        await page.goto("/sign-in")
        await page.locator("#email").fill("alice@example.com")
        await page.locator("#password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await row(page, "Dana R").click()
        await expect(message(page, "Before the restart")).to_be_visible()
        await page.locator("#text").fill("Half an answer")
        began = time.monotonic()
        assert program.terminate() == 0 and time.monotonic() - began < 4.5, "an open stream does not hold it back"
    await expect(page.locator("#offline")).to_be_visible()
    with started(command, tmp_path / "serve.log", port=port, ready="/readyz", extra=settings):
        await deliver(address, "wamid.after", "After the restart")
        await expect(message(page, "After the restart")).to_be_visible(timeout=20_000)
        await expect(message(page, "Before the restart")).to_have_count(1)
        await expect(page.locator("#offline")).to_be_hidden()
        await expect(page.locator("#text")).to_have_value("Half an answer")
        await deliver(address, "wamid.later", "And live again")
        await expect(message(page, "And live again")).to_be_visible()
        await page.context.close()
