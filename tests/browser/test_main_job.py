"""The reason Chime exists, as a newcomer meets it: `chime demo` as a process, the customer's phone beside it."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, expect

from tests.support.browser import WITH_PHONE, Pages, keep_picture, message, row, seen_ticks, type_and_send, watch_ticks
from tests.support.processes import Program

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def peers(pid: int) -> set[str]:
    """The addresses a process has IPv4 connections to, by the kernel's own tables; of IPv6 any at all."""
    sockets = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            sockets.add(str(descriptor.readlink()).removeprefix("socket:[").removesuffix("]"))
    found = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text("ascii").splitlines()[1:]:
            parts = line.split()
            if parts[9] in sockets:
                found.add(parts[2].partition(":")[0])
    # The kernel writes each group of four bytes in the machine's order.
    return {str(ipaddress.ip_address(bytes.fromhex(text)[::-1])) if len(text) == 8 else text for text in found}


async def sign_in(pages: Pages, demo: Program) -> Page:
    """As the printed words say: open the address, press the button."""
    context = await pages.context(demo.address, size=WITH_PHONE)
    page = await context.new_page()
    await page.goto("/")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.locator("#rows .row")).not_to_have_count(0)
    return page


async def test_a_message_goes_there_and_back(pages: Pages, demo: Program) -> None:
    page = await sign_in(pages, demo)
    assert await page.locator("#rows .row").count() >= 15, "the sample conversations"
    phone = page.locator("#phone-pane")
    await expect(phone.locator("[data-messages] li").first).to_be_visible()
    await keep_picture(page, "demo-inbox-1800")
    await phone.locator("[data-pick]").select_option("maya")
    await row(page, "Maya Chen").click()
    await expect(message(page, "beautiful")).to_be_visible()
    loads: list[str] = []
    page.on("load", lambda _: loads.append(page.url))

    await phone.locator("#phone-text").fill("Are the saucers blue as well?")
    await phone.locator("#phone-text").press("Enter")
    await expect(message(page, "Are the saucers blue as well?")).to_be_visible()
    await expect(row(page, "Maya Chen")).to_contain_text("Are the saucers blue", timeout=3000)

    await watch_ticks(page)
    answer = await type_and_send(page, "They are, and so are the bowls.")
    await expect(phone.locator("[data-messages]")).to_contain_text("so are the bowls")
    await expect(answer.locator(".tick-read")).to_be_visible()
    await keep_picture(page, "demo-thread-1800")
    assert await seen_ticks(page) == ["sent", "delivered", "read"]
    assert loads == [], "nothing was loaded again"


async def test_nothing_leaves_the_machine(pages: Pages, demo: Program) -> None:
    page = await sign_in(pages, demo)
    connected = set(peers(demo.pid))
    for name in ("Tom Hughes", "Aisha Rahman", "Lucas Moreau", "Elena Rossi", "Ivy Brooks"):
        await row(page, name).click()
        await expect(page.locator("#thread-header h2")).to_have_text(name)
        connected |= peers(demo.pid)
    await expect((await type_and_send(page, "A last word")).locator(".tick-read")).to_be_visible()
    await asyncio.sleep(0.1)
    connected |= peers(demo.pid)
    origin = urlsplit(demo.address).netloc
    elsewhere = {url for url in pages.requested if urlsplit(url).netloc not in (origin, "")}
    assert pages.requested and not elsewhere
    assert connected <= {"127.0.0.1", "0.0.0.0"}, connected


async def test_every_self_check_holds_in_it(pages: Pages, demo: Program) -> None:
    """What a newcomer reads on the trust page, and in the terminal behind it."""
    page = await (await pages.context(demo.address, size=WITH_PHONE)).new_page()
    deadline = time.monotonic() + 30
    while True:
        await page.goto("/security")
        if await page.locator(".claim-unknown").count() == 0:
            break
        assert time.monotonic() < deadline, await page.locator(".claim-unknown").all_inner_texts()
        await asyncio.sleep(0.5)
    assert await page.locator(".claim-broken").all_inner_texts() == []
    assert await page.locator(".claim-holds").count() > 20
    assert [line for line in demo.output().splitlines() if " error " in line] == []
