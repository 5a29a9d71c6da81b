"""Writing to a customer: shown at once, never lost, never twice, and an honest word when it fails."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import FilePayload, Page, Route, expect

from chime.clock import HOUR, MINUTE
from chime.simulator import sample_media
from chime.simulator.model import Message
from tests.http.inbox_setup import Talk, stock_templates, until
from tests.support.browser import (
    Pages,
    expect_tick,
    message,
    new_talk,
    open_talk,
    pick,
    row,
    type_and_send,
)
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

COMPOSER = re.compile(r"/composer\b.*\.js")
MESSAGES = re.compile(r"/inbox/[a-z0-9]+/messages$")
PICTURE: FilePayload = {"name": "mug.png", "mimeType": "image/png", "buffer": sample_media.product_photo(70, 130, 170)}
PAPER: FilePayload = {"name": "receipt.pdf", "mimeType": "application/pdf", "buffer": sample_media.pdf("Receipt")}


async def received(talk: Talk, count: int = 1) -> list[Message]:
    """What is on the customer's phone, when so many are there and everything is quiet."""
    await until(lambda: len(talk.on_the_phone()) >= count)
    await talk.world.settle()
    found: list[Message] = talk.on_the_phone()
    assert len(found) == count, found
    return found


async def attach(page: Page, *files: FilePayload) -> None:
    """Choose files as a person does."""
    await page.locator("[popovertarget='attach-menu']").click()
    async with page.expect_file_chooser() as chooser:
        await page.locator("[data-pick-file]").click()
    await (await chooser.value).set_files(list(files))


async def compose(page: Page, kind: str) -> None:
    await pick(page, "[popovertarget='attach-menu']", f"#attach-menu [hx-get$='/compose/{kind}']")
    await expect(page.locator("#dialog")).to_be_visible()


async def test_the_bubble_does_not_wait_for_the_server(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Abel Roy")
    page = await open_talk(pages, found)
    go = asyncio.Event()

    async def hold(route: Route) -> None:
        await go.wait()
        await route.continue_()

    await page.route(MESSAGES, hold)
    bubble = await type_and_send(page, "Shown before anybody answered")
    await expect_tick(bubble, "sending", seconds=1)
    await expect(page.locator("#text")).to_have_value("")
    second = await type_and_send(page, "And one more behind it")
    await expect(second).to_be_visible()
    go.set()
    for shown in (bubble, second):
        await expect_tick(shown, "read")
        await expect(shown).to_have_count(1)
    assert [sent.content["body"] for sent in await received(found, 2)] == [
        "Shown before anybody answered", "And one more behind it"], "in the order they were written"


async def test_what_is_too_long_for_one_message_stays_until_it_fits(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Ada Long")
    page = await open_talk(pages, found)
    text, room = page.locator("#text"), page.locator("#room")
    await text.focus()
    await page.keyboard.insert_text("a" * 3_600)
    await expect(room).to_have_count(0)
    await page.keyboard.insert_text("b" * 1_400)
    await expect(room).to_have_text("5,000 / 4,096")
    pages.announce(r"answer 422|status of 422")
    await page.keyboard.press("Enter")
    await expect(page.locator("#send-error")).to_contain_text("at most 4,096 characters")
    await expect(text).to_have_value("a" * 3_600 + "b" * 1_400)
    await expect(page.locator("#messages > .msg-out")).to_have_count(0)
    await text.fill("\N{SLIGHTLY SMILING FACE}" * 4_096)
    await expect(room).to_have_text("4,096 / 4,096")
    await page.keyboard.press("Enter")
    assert [sent.content["body"] for sent in await received(found)] == ["\N{SLIGHTLY SMILING FACE}" * 4_096]
    await expect(room).to_have_count(0)


async def test_a_failure_says_why_and_can_be_tried_again(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Bea Lind")
    page = await open_talk(pages, found)
    world.simulator.set_switches({"error_next": 1, "error_code": 131026})
    bubble = await type_and_send(page, "Will fail once")
    await expect(bubble.locator(".trouble")).to_contain_text("cannot receive")
    await expect(row(page, "Bea Lind")).to_contain_text("Not sent")
    await bubble.get_by_role("button", name="Retry").click()
    await expect_tick(bubble, "read")
    await expect(bubble.locator(".trouble")).to_have_count(0)
    await received(found)


async def test_a_failed_message_can_be_discarded(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Carl Ek")
    page = await open_talk(pages, found)
    world.simulator.set_switches({"error_next": 1, "error_code": 131026})
    bubble = await type_and_send(page, "Not worth repeating")
    await bubble.get_by_role("button", name="Discard").click()
    await expect(bubble).to_have_count(0)
    await page.reload()
    await expect(message(page, "Do you open")).to_be_visible()
    await expect(bubble).to_have_count(0)


async def test_doubt_is_shown_and_asked_about(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Dora Ruiz")
    page = await open_talk(pages, found)
    world.simulator.set_switches({"answer_500": 1})
    bubble = await type_and_send(page, "Did it arrive?")
    await expect(bubble.locator(".trouble-doubt")).to_contain_text("May have been sent")
    await bubble.get_by_text("Decide now").click()
    await bubble.get_by_role("button", name="Send again", exact=True).click()
    await expect(page.locator("#confirm")).to_contain_text("twice")
    await page.keyboard.press("Enter")
    await expect(page.locator("#confirm")).to_be_hidden()
    await expect(bubble.locator(".trouble-doubt")).to_be_visible()
    await bubble.get_by_role("button", name="Send again", exact=True).click()
    await page.locator("#confirm-yes").click()
    await expect_tick(bubble, "read")
    await received(found)


async def test_offline_messages_wait_and_leave_in_order(pages: Pages, world: World) -> None:
    pages.announce("ERR_INTERNET_DISCONNECTED|Failed to fetch")
    found = await new_talk(world, "Emil Hahn")
    page = await open_talk(pages, found)
    await page.locator("#text").focus()
    await page.wait_for_load_state("networkidle")
    await page.context.set_offline(True)
    first = await type_and_send(page, "Written in the tunnel")
    await expect(first).to_contain_text("Waiting for connection")
    await type_and_send(page, "Also in the tunnel")
    await found.says("Nobody hears this yet")
    await expect(page.locator(".toast")).to_have_count(0)
    await page.context.set_offline(False)
    await expect_tick(first, "read", seconds=10)
    await expect(message(page, "Nobody hears this yet")).to_have_count(1)
    assert [sent.content["body"] for sent in await received(found, 2)] == [
        "Written in the tunnel", "Also in the tunnel"]


async def test_a_server_error_keeps_the_bubble(pages: Pages, world: World) -> None:
    pages.announce("503")
    found = await new_talk(world, "Finn Vos")
    page = await open_talk(pages, found)
    await page.route(MESSAGES, lambda route: route.fulfill(status=503, body="no"), times=1)
    bubble = await type_and_send(page, "The server was away")
    await expect(bubble.locator(".trouble")).to_contain_text("Not sent")
    await bubble.get_by_role("button", name="Retry").click()
    await expect_tick(bubble, "read")
    await received(found)


async def test_the_window_counts_down_and_closes(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Gro Dahl")
    page = await open_talk(pages, found)
    await expect(page.locator("#window-chip")).to_contain_text("left")
    world.clock.advance(20 * HOUR + 30 * MINUTE)
    await page.reload()
    await expect(page.locator("#window-banner")).to_contain_text(re.compile(r"closes in 3 h \d+ min"))
    await expect(page.locator("#window-chip")).to_be_hidden()
    await page.locator("#text").fill("Too late")
    world.clock.advance(4 * HOUR)
    pages.announce("422")
    await page.keyboard.press("Enter")
    await expect(page.locator("#send-error")).to_contain_text("24")
    await expect(page.locator("#text")).to_have_value("Too late")
    await expect(message(page, "Too late")).to_have_count(0)
    await page.reload()
    await expect(page.locator(".strip")).to_contain_text("only templates")
    await expect(page.locator("#text")).to_have_count(0)
    await found.says("I am back")
    await expect(page.locator("#text")).to_have_value("Too late")
    await expect(page.locator("#window-chip")).to_be_visible()


async def test_drafts_are_kept(pages: Pages, world: World) -> None:
    other, found = await new_talk(world, "Hal Moss"), await new_talk(world, "Ida Wolf")
    page = await open_talk(pages, found)
    await page.locator("#text").fill("Half a thought")
    await row(page, "Hal Moss").click()
    await expect(page.locator("#thread-header h2")).to_have_text("Hal Moss")
    await expect(page.locator("#text")).to_have_value("")
    await row(page, "Ida Wolf").click()
    await expect(page.locator("#text")).to_have_value("Half a thought")
    await page.reload()
    await expect(page.locator("#text")).to_have_value("Half a thought")
    assert other.on_the_phone() == []


async def test_what_was_typed_before_the_composer_came_is_kept(pages: Pages, world: World) -> None:
    await new_talk(world, "Una Prill")
    found = await new_talk(world, "Vico Rau")
    page = await open_talk(pages, found)
    let_it_come = asyncio.Event()

    async def slow(route: Route) -> None:
        await let_it_come.wait()
        await route.continue_()

    await page.route(COMPOSER, slow)
    await page.locator("#text").fill("Half a thought")
    await row(page, "Una Prill").click()
    await expect(page.locator("#thread-header h2")).to_have_text("Una Prill")
    await row(page, "Vico Rau").click()
    await expect(page.locator("#thread-header h2")).to_have_text("Vico Rau")
    await expect(page.locator("#text")).to_have_value("")
    let_it_come.set()
    await expect(page.locator("#text")).to_have_value("Half a thought")


async def test_files(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Jo Frank")
    page = await open_talk(pages, found)
    await attach(page, PICTURE, PAPER)
    await expect(page.locator(".tray-item")).to_have_count(2)
    await expect(page.locator(".tray-thumb img")).to_have_count(1)
    await page.locator("#text").fill("Both as promised")
    await page.locator("#text").press("Enter")
    await expect_tick(message(page, "Both as promised"), "read", seconds=10)
    await expect_tick(message(page, "receipt.pdf"), "read", seconds=10)
    shown = message(page, "Both as promised").locator("img")
    await expect(shown).to_be_visible()
    await until(lambda: shown.evaluate("image => image.naturalWidth > 0"))
    picture, paper = await received(found, 2)
    assert (picture.type, picture.content["caption"]) == ("image", "Both as promised")
    assert (paper.type, paper.content["filename"]) == ("document", "receipt.pdf")


async def test_what_whatsapp_would_not_take_is_said_before_the_upload(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Kim Larsen")
    page = await open_talk(pages, found)
    await attach(page, {**PICTURE, "name": "huge.png", "buffer": b"\0" * (6 * 1024 * 1024)},
                 {**PAPER, "name": "empty.pdf", "buffer": b""}, PAPER)
    await expect(page.locator(".toast")).to_contain_text(["huge.png is 6 MB; WhatsApp takes at most 5 MB", "empty.pdf"])
    await expect(page.locator(".tray-item")).to_have_count(1)
    await page.locator(".tray-item button").click()
    await expect(page.locator("#tray")).to_be_hidden()


async def test_voice(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Liv Strand")
    page = await open_talk(pages, found)
    await page.locator("#record").click()
    await expect(page.locator("#rec-time")).to_have_text("0:01")
    await page.locator("[data-stop-recording]").click()
    await expect(page.locator("#rec-listen")).to_be_visible()
    await page.locator("[data-send-recording]").click()
    await expect(page.locator("#text")).to_be_visible()
    bubble = page.locator("#messages .msg-out")
    await expect_tick(bubble, "read", seconds=10)
    await expect(bubble.get_by_role("button", name="Play the voice note")).to_be_visible()
    await expect(bubble.locator("audio")).to_have_attribute("src", re.compile("/media/"))
    (voice,) = await received(found)
    assert voice.type == "audio" and voice.content["voice"] is True
    await page.locator("#record").click()
    await page.locator("[data-discard-recording]").click()
    await expect(page.locator("#text")).to_be_visible()


async def test_a_template_with_blanks(pages: Pages, world: World) -> None:
    await stock_templates(world)
    found = await new_talk(world, "Max Orth")
    page = await open_talk(pages, found)
    await page.locator("#writing [data-key='t']").click()
    await page.locator("#templates [type=search]").fill("delivery")
    await expect(page.locator("#template-list details.template")).to_have_count(1)
    form = page.locator("#template-delivery_update-en")
    for label, value in (("First name", "Max"), ("Order number", "2042"), ("Day", "Monday")):
        await form.get_by_label(label).first.fill(value)
    await expect(form.locator(".bubble")).to_contain_text("Your order 2042 arrives on Monday")
    await form.get_by_role("button", name="Send template").dblclick()
    await expect(page.locator("#dialog")).to_be_hidden()
    await expect_tick(message(page, "Your order 2042 arrives on Monday"), "read")
    await received(found)


DIALOGS: dict[str, tuple[dict[str, str], dict[str, str], str, str]] = {
    # kind: what is missing something, what completes it, the words of the complaint, what the thread shows then
    "buttons": ({"body": "Blue or green?"}, {"button_1": "Blue", "button_2": "Green"}, "", "Green"),
    "list": ({"body": "When shall we come?", "row_1": "Morning"}, {"button": "Times"}, "", "Times"),
    "location": ({"latitude": "north", "longitude": "13.4"}, {"latitude": "52,5"}, "A number", "52.5"),
    "contact": ({"name": "Rosa Marin"}, {"phone": "+1 415 555 0177"}, "Fill this in", "Rosa Marin"),
    "link": ({"body": "Have a look", "display_text": "Open"}, {"url": "https://shop.example/new"}, "", "Have a look"),
}


@pytest.mark.parametrize("kind", DIALOGS)
async def test_composed_messages(pages: Pages, world: World, kind: str) -> None:
    """Refused: the dialog stays, names the field and keeps what was typed. Then it goes out, once."""
    pages.announce("422")
    first, then, complaint, shown = DIALOGS[kind]
    found = await new_talk(world, f"Ned {kind.capitalize()}")
    page = await open_talk(pages, found)
    await compose(page, kind)
    dialog = page.locator("#dialog")
    for name, value in first.items():
        await dialog.locator(f"[name={name}]").fill(value)
    await dialog.locator(".btn-primary").click()
    await expect(dialog.locator("[aria-invalid=true]").first).to_be_visible()
    await expect(dialog.locator("[role=alert][data-focus], [role=alert]:focus").first).to_be_focused()
    await expect(dialog.locator(".error").first).to_contain_text(complaint)
    for name, value in first.items():
        await expect(dialog.locator(f"[name={name}]")).to_have_value(value)
    for name, value in then.items():
        await dialog.locator(f"[name={name}]").fill(value)
    await dialog.locator(".btn-primary").dblclick()
    await expect(dialog).to_be_hidden()
    await expect_tick(message(page, shown), "read")
    await received(found)


async def test_a_reaction_and_taking_it_back(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Ole Lie")
    page = await open_talk(pages, found)
    said = message(page, "Do you open")
    await said.hover()
    await said.locator("[data-message-menu]").click()
    await page.locator("[data-message-act='react']").click()
    await page.locator("#emoji [data-emoji='👍']").click()
    await expect(said.locator(".reactions")).to_have_text("👍")
    await said.hover()
    await said.locator("[data-message-menu]").click()
    await page.locator("[data-message-act='react']").click()
    await page.get_by_role("button", name="Take my reaction back").click()
    await expect(said.locator(".reactions")).to_have_count(0)


async def test_a_quote(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Pia Sund", "Which one is cheaper?")
    page = await open_talk(pages, found)
    said = message(page, "Which one is cheaper?").first
    await said.hover()
    await said.locator("[data-message-menu]").click()
    await page.locator("[data-message-act='reply']").click()
    bubble = await type_and_send(page, "The small one")
    await expect_tick(bubble, "read")
    await expect(bubble.locator(".quote")).to_contain_text("Which one is cheaper?")
    await expect(page.locator("#quoting")).to_be_hidden()
    (sent,) = await received(found)
    assert sent.quoted == (await found.messages())[0].wamid


async def test_clicking_twice_sends_once(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Rut Berg")
    page = await open_talk(pages, found)
    await page.locator("#text").fill("Only once, please")
    await page.locator("#writing .tool-primary").dblclick()
    await expect_tick(message(page, "Only once, please"), "read")
    await expect(message(page, "Only once, please")).to_have_count(1)
    await received(found)


async def test_emoji_go_where_the_caret_is(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Siv Moe")
    page = await open_talk(pages, found)
    await page.locator("#text").fill("Hello !")
    await page.locator("#text").press("ArrowLeft")
    await pick(page, "[data-emoji-for]", "#emoji [data-emoji='👋']")
    await expect(page.locator("#text")).to_have_value("Hello 👋!")
    await expect(page.locator("#text")).to_be_focused()
