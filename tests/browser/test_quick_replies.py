"""Quick replies where people write: found with a slash, chosen by keyboard, filled, and on the customer's phone."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Page, Route, expect

from chime.simulator import sample_media
from tests.browser.test_axe import examine, examine_themes
from tests.browser.test_sending import MESSAGES, PICTURE, attach, received
from tests.http.inbox_setup import rows
from tests.support.browser import DESKTOP, HAND, Pages, expect_tick, message, new_talk, open_talk, pick
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SOUND = ("hello.mp3", b"ID3\x04" + bytes(400), "audio/mpeg")


async def make(world: World, code: str, text: str, *, files: tuple[tuple[str, bytes, str], ...] = (), title: str = ""
               ) -> None:
    """A quick reply of everybody's."""
    client = await world.session("alice")
    answer = await client.post(f"/w/{world.acme.slug}/replies", data={
        "code": code, "title": title or code.capitalize(), "text": text, "scope": "everyone"},
        files=[("files", one) for one in files] or None)
    assert answer.status_code in (303, 422), answer.text
    assert answer.status_code == 303 or "already" in answer.text, "made by another test of the module"


async def type_slash(page: Page, letters: str) -> None:
    await page.locator("#text").focus()
    await page.keyboard.type(letters)
    await expect(page.locator("#offer-list")).to_be_visible()


async def test_a_slash_two_keys_and_it_is_at_the_customer(pages: Pages, world: World) -> None:
    await make(world, "hours", "Hello {{contact.first_name}}, we open at *nine*.")
    await make(world, "house", "We deliver to your house.")
    found = await new_talk(world, "Vito Greco")
    page = await open_talk(pages, found)
    await type_slash(page, "Good morning. /hou")
    await expect(page.locator(".offer")).to_have_count(2)
    field = page.locator("#text")
    first = await field.get_attribute("aria-activedescendant")
    await expect(page.locator(f"#{first}")).to_have_attribute("aria-selected", "true")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowUp")
    await expect(field).to_have_attribute("aria-activedescendant", str(first))
    wanted = page.locator(".offer").filter(has_text="/hours")
    while await field.get_attribute("aria-activedescendant") != await wanted.get_attribute("id"):
        await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(field).to_have_value("Good morning. Hello Vito, we open at *nine*.")
    await expect(page.locator("#offers")).to_be_hidden()
    await page.keyboard.type(" /house")
    await page.keyboard.press("Enter")
    await expect(field).to_have_value("Good morning. Hello Vito, we open at *nine*. We deliver to your house.")
    await page.keyboard.press("Enter")
    await expect_tick(message(page, "Hello Vito"), "read")
    assert (await received(found))[0].content["body"].endswith("*nine*. We deliver to your house.")
    used = await rows(world, world.acme, "SELECT code, used_count FROM quick_reply WHERE used_count > 0 ORDER BY code")
    assert used == [("hours", 1), ("house", 1)]


async def test_enter_waits_for_an_answer_that_is_on_its_way(pages: Pages, world: World) -> None:
    """On a slow line the letters of a shortcut must not go to the customer."""
    await make(world, "hours", "Hello {{contact.first_name}}, we open at *nine*.")
    found = await new_talk(world, "Ugo Neri")
    page = await open_talk(pages, found)

    async def hold(route: Route) -> None:
        await asyncio.sleep(0.5)
        await route.continue_()

    await page.route(re.compile(r"/replies\?q="), hold)
    await page.locator("#text").focus()
    await page.keyboard.type("/hours")
    await page.keyboard.press("Enter")
    await expect(page.locator("#text")).to_have_value("Hello Ugo, we open at *nine*.")
    await expect(page.locator("#messages .msg-out")).to_have_count(0)
    await page.keyboard.press("Enter")
    assert [sent.content["body"] for sent in await received(found)] == ["Hello Ugo, we open at *nine*."]


async def test_it_can_be_left_and_the_text_goes_as_it_is(pages: Pages, world: World) -> None:
    await make(world, "hours", "Hello {{contact.first_name}}, we open at *nine*.")
    found = await new_talk(world, "Wanda Ek")
    page = await open_talk(pages, found)
    await type_slash(page, "/hou")
    await page.keyboard.press("Escape")
    await expect(page.locator("#offers")).to_be_hidden()
    await page.keyboard.type("rs")
    await expect(page.locator("#text")).to_be_focused()
    await expect(page.locator("#offers")).to_be_hidden()
    await page.keyboard.press("Enter")
    await page.keyboard.type("and/or 1/2 https://shop.example/hours")
    await page.wait_for_timeout(200)
    await expect(page.locator("#offers")).to_be_hidden()
    await page.keyboard.press("Enter")
    assert [sent.content["body"] for sent in await received(found, 2)] == [
        "/hours", "and/or 1/2 https://shop.example/hours"]


async def test_what_nothing_fills_is_told_before_it_leaves(pages: Pages, world: World) -> None:
    await make(world, "order", "Your order {{contact.fields.order}} is {{contact.fields.state|on its way}}.")
    found = await new_talk(world, "Xenia Roy")
    page = await open_talk(pages, found)
    await type_slash(page, "/order")
    await page.keyboard.press("Tab")
    await expect(page.locator("#text")).to_have_value("Your order {{contact.fields.order}} is on its way.")
    await expect(page.locator("#blanks")).to_contain_text("contact.fields.order")
    await expect(page.locator("#text")).to_have_class(re.compile("has-blanks"))
    await examine(page, "quick-replies-blank")
    await page.keyboard.press("Enter")
    await page.wait_for_timeout(200)
    await expect(page.locator("#messages .msg-out")).to_have_count(0)
    await page.keyboard.type("A-17")
    await expect(page.locator("#blanks")).to_be_hidden()
    await page.keyboard.press("Enter")
    assert (await received(found))[0].content["body"] == "Your order A-17 is on its way."


async def test_files_come_into_the_tray_and_leave_in_order(pages: Pages, world: World) -> None:
    await make(world, "menu", "Our menu, {{contact.first_name}}:", files=(
        (PICTURE["name"], PICTURE["buffer"], PICTURE["mimeType"]),
        ("menu.pdf", sample_media.pdf("Menu"), "application/pdf")))
    found = await new_talk(world, "Yara Novak")
    page = await open_talk(pages, found)
    await page.locator("#writing [data-pick-reply]").click()
    await expect(page.locator("#offer-list")).to_be_visible()
    await page.locator(".offer").filter(has_text="/menu").click()
    await expect(page.locator("#tray li")).to_have_count(2)
    await expect(page.locator("#text")).to_have_value("Our menu, Yara:")
    await examine(page, "quick-replies-tray")
    await page.keyboard.press("Enter")
    await expect_tick(page.locator("#messages .msg-out").last, "read", seconds=10)
    sent = await received(found, 2)
    assert [one.type for one in sent] == ["image", "document"]
    assert sent[0].content["caption"] == "Our menu, Yara:" and sent[1].content["filename"] == "menu.pdf"


async def test_words_for_a_sound_leave_before_it(pages: Pages, world: World) -> None:
    """WhatsApp shows no words under a sound, so they are a message of their own."""
    found = await new_talk(world, "Zoltan Kis")
    page = await open_talk(pages, found)
    await attach(page, {"name": SOUND[0], "mimeType": SOUND[2], "buffer": SOUND[1]})
    await expect(page.locator("#tray li")).to_have_count(1)
    await page.locator("#text").fill("Listen to this")
    await page.locator("#text").press("Enter")
    await expect_tick(page.locator("#messages .msg-out").last, "read", seconds=10)
    sent = await received(found, 2)
    assert [one.type for one in sent] == ["text", "audio"] and sent[0].content["body"] == "Listen to this"


async def test_files_wait_when_their_words_are_refused(pages: Pages, world: World) -> None:
    pages.announce("422")
    found = await new_talk(world, "Zita Bahl")
    page = await open_talk(pages, found)
    await attach(page, PICTURE)
    await expect(page.locator("#tray li")).to_have_count(1)
    words = "far too long for a caption " * 50
    await page.locator("#text").fill(words)
    await page.route(MESSAGES, lambda route: route.fulfill(status=422, body="<p data-error>No.</p>"))
    await page.locator("#text").press("Enter")
    await expect(page.locator("#text")).to_have_value(words.strip())
    await expect(page.locator("#tray li")).to_have_count(1)
    await expect(page.locator("#messages .msg-out")).to_have_count(0)
    await page.unroute(MESSAGES)
    await page.locator("#text").press("Enter")
    assert [one.type for one in await received(found, 2)] == ["text", "image"]


@pytest.mark.parametrize("size", [DESKTOP, HAND], ids=["desktop", "hand"])
async def test_everybody_can_use_it(pages: Pages, world: World, size: tuple[int, int]) -> None:
    await make(world, "hours", "Hello {{contact.first_name}}, we open at *nine*.")
    page = await open_talk(pages, await new_talk(world, "Ada Lund"), size=size)
    if size == HAND:
        await pick(page, "[popovertarget='attach-menu']", "#attach-menu [data-pick-reply]")
    else:
        await page.locator("#writing [data-pick-reply]").click()
    await expect(page.locator("#offer-list")).to_be_visible()
    await examine_themes(page, f"quick-replies-open-{size[0]}")
    await page.evaluate("document.documentElement.dir = 'rtl'")
    await examine(page, f"quick-replies-open-{size[0]}-rtl")
    await page.locator(".offer").first.click()
    await expect(page.locator("#text")).not_to_have_value("/")
    for name, path in (("list", "/replies"), ("new", "/replies/new")):
        page = await pages.agent(world, path=f"/w/{world.acme.slug}{path}", size=size)
        await examine_themes(page, f"quick-replies-{name}-{size[0]}")


async def test_the_form_shows_it_as_the_customer_sees_it(pages: Pages, world: World) -> None:
    page = await pages.agent(world, path=f"/w/{world.acme.slug}/replies/new")
    await page.locator("#title").fill("Thanks")
    await page.locator("#code").fill("thanks")
    await page.locator("#files").set_input_files([PICTURE])
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.headers.get("content-type", "")))
    await page.locator("#text").fill("Thank you,  *so* much")
    await page.locator("#text").evaluate("area => area.setSelectionRange(11, 11)")
    await page.locator(".reply-names summary").click()
    await page.get_by_role("button", name="Put in contact.first_name").click()
    await expect(page.locator("#text")).to_have_value("Thank you, {{contact.first_name}} *so* much")
    await examine(page, "quick-replies-names")
    await expect(page.locator("#preview")).to_contain_text("Thank you, Maya so much")
    await expect(page.locator("#preview strong")).to_have_text("so")
    assert sent and not [kind for kind in sent if "multipart" in kind], "a preview takes no files along"
    await page.get_by_role("button", name="Save").click()
    card = page.locator(".reply-card").filter(has_text="/thanks")
    await expect(card).to_contain_text("Only you")
    await card.get_by_role("button", name="Delete").click()
    await expect(card).to_have_count(0)
    await page.get_by_role("button", name="Undo").click()
    await expect(card).to_be_visible()


async def test_who_pastes_more_than_fits_is_told(pages: Pages, world: World) -> None:
    """A browser cuts a paste at a field's length without a word."""
    page = await pages.agent(world, path=f"/w/{world.acme.slug}/replies/new")
    text, title = page.locator("#text"), page.locator("#title")

    async def pasted(words: str) -> None:
        await text.fill(words)
        await text.press("Control+a")
        await text.press("Control+c")
        await title.focus()
        await page.keyboard.press("Control+v")

    await pasted("x" * 70)
    await expect(title).to_have_value("x" * 70)
    await expect(page.locator(".toast")).to_have_count(0)
    await pasted("y" * 12)
    await expect(page.locator(".toast")).to_contain_text("2 characters of what you pasted do not fit")
    await expect(title).to_have_value("x" * 70 + "y" * 10)
    await page.locator(".toast [data-dismiss]").click()
    await title.press("Control+a")
    await page.keyboard.press("Control+v")
    await expect(title).to_have_value("y" * 12)
    await expect(page.locator(".toast")).to_have_count(0)
