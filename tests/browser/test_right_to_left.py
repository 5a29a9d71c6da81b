"""Arabic, from right to left: every part of the inbox, in light and in dark, at a desk and in the hand.

Everything reads from the right, nothing is cut off or scrolls sideways, signs that point do so the other way round, and
numbers stay as they are written.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from chime.simulator import seed
from tests.browser.test_axe import examine_themes
from tests.browser.test_thread_view import KINDS
from tests.http.inbox_setup import Talk, stock_templates, talk
from tests.http.people_setup import id_of
from tests.support.browser import DESKTOP, HAND, Pages, open_talk
from tests.support.world import ACME_NUMBER, World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

BOTH = pytest.mark.parametrize("size", [DESKTOP, HAND], ids=["desktop", "hand"])
# What points one way, by the name of its sign.
POINTING = ("arrow-left", "arrow-right", "chevron-left", "chevron-right", "external-link", "list", "list-checks",
            "log-out", "panel-right", "reply", "send")
_NOT_MIRRORED = """(names) => [...document.querySelectorAll('svg use')].filter((use) => {
    const svg = use.closest('svg');
    const name = use.getAttribute('href').split('#').at(-1);
    if (!names.includes(name) || !svg.checkVisibility()) return false;
    const { scale, transform } = getComputedStyle(svg);
    return !scale.startsWith('-1') && !transform.startsWith('matrix(-1');
}).map((use) => use.getAttribute('href').split('#').at(-1) + ' ' + use.closest('a, button, span')?.outerHTML)"""
# Phone numbers are text of their own, read from the left wherever they stand.
_NUMBERS_TURNED = """() => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const wrong = [];
    while (walker.nextNode()) {
        const { parentElement: at, data } = walker.currentNode;
        if (!/\\+\\d[\\d\\s()-]{6,}/.test(data) || !at.checkVisibility()) continue;
        if (at.closest('script, .bubble, textarea, .sr')) continue;
        const isLeft = getComputedStyle(at).direction === 'ltr' || at.closest('bdi, [dir=auto]');
        if (!isLeft) wrong.push(data.trim().slice(0, 60));
    }
    return wrong;
}"""
# English left over in what a person reads: three Latin words in a row that are no name and no content.
_CONTENT = "[hx-ignore], [dir=auto], [dir=ltr], .ltr, code, .bubble"
_ENGLISH = """(content) => [...document.querySelectorAll(
    'h1, h2, h3, button, label, .menu-item, .chip, th, summary, .trouble')]
    .filter((at) => at.checkVisibility() && !at.closest(content))
    .map((at) => {
        const words = at.cloneNode(true);
        words.querySelectorAll(content).forEach((part) => part.remove());
        return words.textContent.replace(/\\s+/g, ' ').trim();
    }).filter((text) => /[a-z]{3,} [a-z]{2,} [a-z]{2,}/i.test(text))"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def souk(world: World) -> AsyncIterator[Talk]:
    """Alice reads Arabic; there is something of every kind, in Arabic and in Latin letters."""
    await stock_templates(world)
    await seed(world.simulator, ACME_NUMBER.phone_number_id)
    await world.settle()
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE user SET locale = 'ar' WHERE id = ?", await id_of(world, "alice"))
    found = await talk(world, "مرحبا، هل وصل طلبي رقم 4711؟", name="ليلى حداد", phone="14155550188")
    for body, _ in KINDS:
        await found.says(body)
    await found.says({"type": "audio", "audio": {"voice": True}})
    alice = await world.session("alice")
    await found.reply(alice, "نعم، *غدًا* بين الساعة 9 و 12، انظري https://shop.example/track")
    await alice.post(f"{found.base}/notes", data={"text": "@Mo هل هذا صحيح؟"}, headers={"HX-Request": "true"})
    await alice.post(f"{found.base}/messages", data={"type": "text", "text": "نراك قريبًا", "send_at": "hour"})
    world.simulator.set_switches({"error_next": 1, "error_code": 131026})
    await found.reply(alice, "This one fails")
    await world.settle()
    yield found


async def look(page: Page, name: str) -> None:
    """In both themes: from the right, nothing turned that must not be, everybody can use it."""
    await expect(page.locator("html")).to_have_attribute("dir", "rtl")
    await expect(page.locator("html")).to_have_attribute("lang", "ar")
    await examine_themes(page, f"rtl-{name}")
    faults = [*(f"not mirrored: {one}" for one in await page.evaluate(_NOT_MIRRORED, list(POINTING))),
              *(f"turned: {one}" for one in await page.evaluate(_NUMBERS_TURNED)),
              *(f"English: {one}" for one in await page.evaluate(_ENGLISH, _CONTENT))]
    assert not faults, f"{name}:\n" + "\n".join(faults)


async def at(pages: Pages, souk: Talk, path: str, size: tuple[int, int]) -> Page:
    return await pages.agent(souk.world, path=path if path.startswith("/me") else f"/w/acme{path}", size=size)


@BOTH
async def test_the_list_stands_on_the_right(pages: Pages, souk: Talk, size: tuple[int, int]) -> None:
    page = await at(pages, souk, "/inbox", size)
    await expect(page.locator("#rows .row").first).to_be_visible()
    await look(page, f"inbox-{size[0]}")
    if size == DESKTOP:
        rail, pane = await box(page, ".rail"), await box(page, ".list-pane")
        assert rail["x"] + rail["width"] == size[0] and pane["x"] + pane["width"] <= rail["x"] + 1
    await page.locator("#view-more").click()
    await expect(page.locator("#views-menu")).to_be_visible()
    await look(page, f"views-{size[0]}")
    await page.keyboard.press("Escape")
    await page.locator("#filter-open").click()
    await expect(page.locator("#dialog")).to_be_visible()
    await look(page, f"filters-{size[0]}")


@BOTH
async def test_a_thread_with_every_kind(pages: Pages, souk: Talk, size: tuple[int, int]) -> None:
    page = await open_talk(pages, souk, size=size)
    await expect(page.locator("#messages .trouble").first).to_be_visible()
    await look(page, f"thread-{size[0]}")
    theirs, ours = await box(page, "#messages .msg-in .bubble"), await box(page, "#messages .msg-out .bubble")
    assert theirs["x"] + theirs["width"] > ours["x"] + ours["width"], "they on the right, we on the left"
    await page.locator("#scroller").evaluate("element => element.scrollTo(0, -element.scrollHeight)")
    await look(page, f"thread-top-{size[0]}")
    for menu in ("assign-menu", "later-menu", "attach-menu", "send-menu"):
        await page.locator(f"[popovertarget='{menu}']").click()
        await expect(page.locator(f"#{menu}")).to_be_visible()
        await look(page, f"{menu}-{size[0]}")
        shown = await box(page, f"#{menu}")
        assert shown["x"] >= 0 and shown["x"] + shown["width"] <= size[0], menu
        await page.keyboard.press("Escape")
    await page.locator("[data-key='t']").first.click()
    await expect(page.locator("#templates")).to_be_visible()
    await look(page, f"templates-{size[0]}")


@BOTH
async def test_the_panel(pages: Pages, souk: Talk, size: tuple[int, int]) -> None:
    page = await open_talk(pages, souk, size=size)
    if not await page.locator("#panel").is_visible():
        await page.locator("#thread-header .panel-toggle").click()
    await look(page, f"panel-{size[0]}")
    shown = await box(page, "#panel")
    assert shown["x"] <= 1, "at the far end, which is the left"


@BOTH
@pytest.mark.parametrize("path", [
    "/settings", "/settings/members", "/settings/fields", "/settings/service", "/settings/assignment",
    "/settings/channels",
    "/replies", "/help", "/help/window", "/help/errors", "/notifications", "/inbox/views", "/delivery", "/me",
    "/me/notifications", "/reports/service"], ids=lambda path: path.strip("/").replace("/", "-"))
async def test_the_pages_around_it(pages: Pages, souk: Talk, path: str, size: tuple[int, int]) -> None:
    page = await at(pages, souk, path, size)
    await expect(page.locator("h1").first).to_be_visible()
    await look(page, f"{path.strip('/').replace('/', '-')}-{size[0]}")


async def box(page: Page, selector: str) -> dict[str, Any]:
    found = await page.locator(selector).first.bounding_box()
    assert found is not None, selector
    return dict(found)
