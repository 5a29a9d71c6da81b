"""Everybody can use it: axe-core finds nothing, on every screen, in light, in dark and on a phone.

Each screen is looked at the way it is reached by a person, so a dialog that would not open fails here as well.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from chime.simulator import seed, write
from tests.http.inbox_setup import Talk, stock_templates, talk
from tests.support.browser import DESKTOP, HAND, WITH_PHONE, Pages, keep_picture, open_talk, pick, row, type_and_send
from tests.support.processes import Program
from tests.support.world import ACME_NUMBER, World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text("utf-8")
_ALL = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]}
_COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
"""The rules whose answer a theme can change: a theme of ours is other colours, and no other page."""
_RUN = """async ([selector, runOnly]) => {
    const options = { runOnly, resultTypes: ['violations'], preload: false };
    const { violations } = await window.axe.run(document.querySelector(selector), options);
    const tell = (id, { html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`;
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => tell(id, node)));
}"""
_FAULTS_OF_LAYOUT = """() => {
    const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
    const twice = ids.filter((id, index) => ids.indexOf(id) !== index).map((id) => `id twice: ${id}`);
    const { scrollWidth, clientWidth, scrollHeight, clientHeight } = document.documentElement;
    const wide = scrollWidth > clientWidth ? [`${scrollWidth} px wide in ${clientWidth}`] : [];
    // The app's parts scroll, and the page behind them does not: there is nothing to see below.
    const high = document.querySelector('body > .app') && scrollHeight > clientHeight
        ? [`${scrollHeight} px high in ${clientHeight}`] : [];
    return [...twice, ...wide, ...high];
}"""


async def examine(page: Page, name: str, *, rules: Mapping[str, object] = _ALL) -> None:
    """Fail for anything axe, the ids or the size have against what is shown now."""
    await keep_picture(page, name)
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE)
    modal = "dialog[open]" if await page.locator("dialog[open]").count() else "html"
    faults = await page.evaluate(_RUN, [modal, rules]) + await page.evaluate(_FAULTS_OF_LAYOUT)
    assert not faults, f"{name}:\n" + "\n".join(faults)


async def examine_themes(page: Page, name: str) -> None:
    """The same in light, and in dark what is another matter there."""
    await page.emulate_media(color_scheme="light")
    await examine(page, f"{name}-light")
    await page.emulate_media(color_scheme="dark")
    await examine(page, f"{name}-dark", rules=_COLOURS)


@dataclass
class Shop:
    """A world with something of every kind in it."""

    world: World
    talk: Talk


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop(world: World) -> AsyncIterator[Shop]:
    """The sample customers, templates, and a conversation in which things went wrong."""
    await stock_templates(world)
    await seed(world.simulator, ACME_NUMBER.phone_number_id)
    await world.settle()
    found = await talk(world, "Where is my parcel?", name="Bea Okoye", phone="14155550190")
    alice = await world.session("alice")
    answer = await found.reply(alice, "It left *yesterday*, see https://shop.example/track")
    reaction = {"message_id": answer.wamid, "emoji": "🙏"}
    write(world.simulator, found.customer, {"type": "reaction", "reaction": reaction}, number=ACME_NUMBER)
    world.simulator.set_switches({"error_next": 1, "error_code": 131026})
    await found.reply(alice, "This one fails")
    world.simulator.set_switches({"answer_500": 1})
    await found.reply(alice, "This one is in doubt")
    await found.reply(alice, "An answer to that", quoted_id=(await found.messages())[0].id)
    yield Shop(world, found)


async def new_conversation(page: Page) -> None:
    if await page.locator("[data-back]").is_visible():
        await page.locator("[data-back]").click()
    await page.get_by_role("button", name="New conversation").or_(
        page.get_by_role("link", name="New conversation")).click()
    await expect(page.locator("#dialog")).to_be_visible()


async def templates(page: Page) -> None:
    await page.locator("#writing [data-key='t']").click()
    await expect(page.locator("#dialog")).to_be_visible()


async def compose(page: Page, kind: str) -> None:
    """The dialog for this kind of message."""
    await pick(page, "[popovertarget='attach-menu']", f"#attach-menu [hx-get$='/compose/{kind}']")
    await expect(page.locator("#dialog")).to_be_visible()


async def thread(page: Page) -> None:
    await expect(page.locator(".trouble").first).to_be_visible()


async def panel(page: Page) -> None:
    if not await page.locator("#panel").is_visible():
        await page.locator("#thread-header .panel-toggle").click()
    await page.locator("#panel summary").first.click()
    await page.locator("#panel summary").last.click()


async def confirmation(page: Page) -> None:
    await page.locator(".trouble-doubt summary").click()
    await page.locator(".trouble-doubt").get_by_role("button", name="Send again", exact=True).click()
    await expect(page.locator("#confirm")).to_be_visible()


async def quoting(page: Page) -> None:
    said = page.locator("#messages .msg-in").first
    await said.hover()
    await said.locator("[data-message-menu]").click()
    await page.locator("[data-message-act='reply']").click()
    await expect(page.locator("#quoting")).to_be_visible()


async def toasted(page: Page) -> None:
    """Resolved in the first window, opened again in the second."""
    await page.locator("[data-key='e']").click()
    await expect(page.locator(".toast")).to_be_visible()


async def keys(page: Page) -> None:
    await page.locator("#thread-header h2").click()
    await page.keyboard.press("?")
    await expect(page.locator("#keys-sheet")).to_be_visible()


SCREENS: dict[str, Callable[[Page], Awaitable[None]]] = {
    "thread": thread, "panel": panel, "quoting": quoting, "toast": toasted, "new": new_conversation,
    "templates": templates, "confirm": confirmation, "keys": keys,
}


async def test_a_fault_would_be_found(pages: Pages, shop: Shop) -> None:
    page = await pages.agent(shop.world)
    await page.evaluate("""() => {
        const picture = Object.assign(new Image(200, 10), { id: 'list' });
        picture.style.inlineSize = '3000px';
        picture.style.maxInlineSize = 'none';
        document.querySelector('.app').parentElement.append(picture);
    }""")
    with pytest.raises(AssertionError) as found:
        await examine(page, "faulty")
    for fault in ("image-alt", "id twice: list", "px wide"):
        assert fault in str(found.value)


async def test_a_fault_in_the_dark_alone_would_be_found(pages: Pages, shop: Shop) -> None:
    page = await pages.agent(shop.world)
    await page.evaluate("""() => {
        const words = Object.assign(document.createElement('p'), { textContent: 'Faint in the dark' });
        words.style.color = 'light-dark(#000, #222)';
        document.getElementById('list').append(words);
    }""")
    with pytest.raises(AssertionError, match=r"^faint-dark:\s+color-contrast: <p"):
        await examine_themes(page, "faint")


@pytest.mark.parametrize("name", SCREENS)
async def test_screens_of_a_conversation(pages: Pages, shop: Shop, name: str) -> None:
    page = await open_talk(pages, shop.talk)
    await SCREENS[name](page)
    await examine_themes(page, name)
    page = await open_talk(pages, shop.talk, size=HAND)
    await SCREENS[name](page)
    await examine(page, f"{name}-hand")


@pytest.mark.parametrize("customer", ["Sam Taylor", "Elena Rossi", "Tom Hughes", "Jonas Weber", "Ivy Brooks"])
async def test_every_kind_of_message(pages: Pages, shop: Shop, customer: str) -> None:
    page = await pages.agent(shop.world)
    await row(page, customer).click()
    await expect(page.locator("#thread-header h2")).to_have_text(customer)
    await examine_themes(page, f"thread-{customer.split()[0].lower()}")


@pytest.mark.parametrize("size", [DESKTOP, HAND], ids=["desktop", "hand"])
async def test_forms(pages: Pages, shop: Shop, size: tuple[int, int]) -> None:
    """Each dialog that composes, as it opens and with its complaints."""
    pages.announce("422")
    page = await open_talk(pages, shop.talk, size=size)
    for kind in ("buttons", "list", "location", "contact", "link"):
        await compose(page, kind)
        await examine_themes(page, f"{kind}-{size[0]}")
        await page.locator("#dialog .btn-primary").click()
        await expect(page.locator("#dialog [aria-invalid]").first).to_be_visible()
        await examine(page, f"{kind}-refused-{size[0]}")
        await page.locator("#dialog .dialog-head [data-close]").click()


@pytest.mark.parametrize("size", [DESKTOP, HAND], ids=["desktop", "hand"])
async def test_menus(pages: Pages, shop: Shop, size: tuple[int, int]) -> None:
    page = await open_talk(pages, shop.talk, size=size)
    await page.locator("#messages .msg").last.hover()
    openers = {"message-menu": "#messages [data-message-menu]", "emoji": "[data-emoji-for]",
               **{name: f"[popovertarget='{name}']" for name in ("assign-menu", "attach-menu", "theme-menu",
                                                                 "account-menu")}}
    for name, opener in openers.items():
        if not await page.locator(opener).last.is_visible():
            assert size == HAND, name  # an open thread has no rail there, and a phone's keyboard has its own emoji
            continue
        await page.locator(opener).last.click()
        await expect(page.locator(f"#{name}")).to_be_visible()
        await examine_themes(page, f"{name}-{size[0]}")
        await page.keyboard.press("Escape")


@pytest.mark.parametrize("size", [DESKTOP, HAND], ids=["desktop", "hand"])
async def test_list(pages: Pages, shop: Shop, size: tuple[int, int]) -> None:
    page = await pages.agent(shop.world, size=size)
    await examine_themes(page, f"inbox-{size[0]}")
    await page.locator("#search").fill("nobody has this name")
    await expect(page.locator("#list .empty")).to_be_visible()
    await examine(page, f"inbox-nothing-{size[0]}")


@pytest.mark.parametrize("size", [DESKTOP, HAND], ids=["desktop", "hand"])
async def test_pages_around_it(pages: Pages, shop: Shop, size: tuple[int, int]) -> None:
    pages.announce("404|422")
    context = await pages.context(shop.world.base, size=size)
    page = await context.new_page()
    await page.goto("/sign-in")
    await examine_themes(page, f"sign-in-{size[0]}")
    await page.locator("#email").fill("alice@example.com")
    await page.locator("#password").fill("not the password")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.locator("[role=alert]")).to_be_visible()
    await examine(page, f"sign-in-refused-{size[0]}")
    for name, path in (("docs", "/docs"), ("not-found", f"/w/{shop.world.acme.slug}/inbox/nowhere")):
        page = await pages.agent(shop.world, path=path, size=size)
        await examine_themes(page, f"{name}-{size[0]}")
    context = await pages.context(shop.world.services.config.graph_url.partition("/simulator")[0], size=size)
    page = await context.new_page()
    await page.goto("/simulator/phone")
    await expect(page.locator("[data-messages] li").first).to_be_visible()
    await examine_themes(page, f"phone-{size[0]}")
    await page.locator("[data-toggle='switches']").click()
    await examine(page, f"phone-switches-{size[0]}")


@pytest.mark.parametrize("size", [WITH_PHONE, (1440, 900), HAND], ids=["wide", "laptop", "hand"])
async def test_the_demo_with_its_phone(pages: Pages, demo: Program, size: tuple[int, int]) -> None:
    page = await (await pages.context(demo.address, size=size)).new_page()
    await page.goto("/")
    await examine(page, f"demo-sign-in-{size[0]}")
    await page.get_by_role("button", name="Sign in").click()
    await row(page, "Hana Sato").click()
    if size != HAND:  # where there is room it lies there by itself
        await expect(page.locator("#phone-pane [data-messages] li").first).to_be_visible()
        await type_and_send(page, "With pleasure")
        assert await page.locator(".views").evaluate("bar => bar.scrollWidth <= bar.clientWidth"), "every view in sight"
    await examine_themes(page, f"demo-{size[0]}")
