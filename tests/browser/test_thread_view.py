"""A conversation as it is shown: every kind of message, long histories, search, pictures, voice notes, pins, fields."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.test_axe import examine
from tests.http.inbox_setup import Talk, text
from tests.http.test_thread_search import fill
from tests.support.browser import HAND, Pages, message, new_talk, open_talk
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

KINDS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"type": "image", "image": {"caption": "the *cake*"}}, "the cake"),
    ({"type": "document", "document": {"filename": "menu.pdf"}}, "menu.pdf"),
    ({"type": "location", "location": {"latitude": 19.07, "longitude": 72.87, "name": "The shop"}}, "The shop"),
    ({"type": "contacts", "contacts": [{"name": {"formatted_name": "Ravi Kumar"},
                                        "phones": [{"phone": "+91 98200 11111", "wa_id": "919820011111"}]}]},
     "Ravi Kumar"),
    ({"type": "order", "order": {"catalog_id": "1", "product_items": [
        {"product_retailer_id": "mug", "quantity": 2, "item_price": 4.5, "currency": "EUR"}]}}, "2 × mug"),
    ({"type": "button", "button": {"text": "Yes please", "payload": "yes"}}, "Yes please"),
    ({"type": "interactive", "interactive": {"type": "list_reply", "list_reply": {
        "id": "m", "title": "Medium", "description": "fits most"}}}, "Medium"),
    ({"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": {
        "name": "flow", "body": "Sent", "response_json": '{"day": "Friday", "flow_token": "t"}'}}}, "Friday"),
)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_every_kind_is_shown_and_can_be_read_by_everybody(pages: Pages, world: World, dark: bool) -> None:
    said = await new_talk(world, f"Kinds {dark}")
    for body, _ in KINDS:
        await said.says(body)
    await said.says({"type": "audio", "audio": {"voice": True}})
    page = await open_talk(pages, said, dark=dark)
    for _, words in KINDS:
        await expect(page.locator("#messages").get_by_text(words).first).to_be_visible()
    await expect(page.get_by_role("button", name="Play the voice note")).to_be_visible()
    await expect(page.get_by_role("button", name="Save as contact")).to_be_visible()
    await examine(page, f"thread-kinds-{'dark' if dark else 'light'}")


async def test_a_long_history_keeps_to_three_hundred_lines_and_comes_back(pages: Pages, world: World) -> None:
    said = await new_talk(world, "Long history")
    await fill(said, 420)
    page = await open_talk(pages, said)
    for _ in range(12):
        await page.locator("#scroller").evaluate("element => element.scrollTo(0, -element.scrollHeight)")
        await page.wait_for_timeout(250)
        await page.wait_for_function("document.querySelectorAll('#messages > li').length <= 305")
    await expect(message(page, "line 0").first).to_be_attached()
    await expect(page.locator("#newer")).to_be_attached()
    before = await message(page, "line 3").first.bounding_box()
    assert before is not None
    await page.locator("#jump").click()
    await expect(message(page, "Do you open on Sunday?")).to_be_in_viewport()
    await expect(page.locator("#newer")).not_to_be_attached()


async def test_words_are_found_and_walked_through(pages: Pages, world: World) -> None:
    said = await new_talk(world, "Searcher", "the first umbrella")
    await fill(said, 200)
    await said.says("the last umbrella")
    page = await open_talk(pages, said)
    await page.locator("#scroller").focus()
    await page.keyboard.press("Control+f")
    await page.locator("#finder-q").fill("umbr")
    await expect(page.locator("#finder-count")).to_have_text("1 of 2")
    await page.locator("#finder-q").press("Enter")
    await expect(page.locator("#finder-count")).to_have_text("2 of 2")
    await expect(message(page, "the first umbrella")).to_be_in_viewport()
    assert await page.evaluate("CSS.highlights.get('found').size") >= 1
    await page.keyboard.press("Escape")
    await expect(page.locator("#finder")).not_to_be_attached()


async def test_pictures_open_one_by_one(pages: Pages, world: World) -> None:
    said = await new_talk(world, "Pictures")
    for name in ("one", "two", "three"):
        await said.says({"type": "image", "image": {"caption": name}})
    page = await open_talk(pages, said)
    await page.locator("#messages .picture").nth(1).click()
    viewer = page.locator("dialog.viewer")
    await expect(viewer.locator("[data-viewer-caption]")).to_have_text("two")
    await expect(viewer.locator("[data-viewer-count]")).to_have_text("2 of 3")
    await page.keyboard.press("ArrowRight")
    await expect(viewer.locator("[data-viewer-caption]")).to_have_text("three")
    await page.keyboard.press("+")
    assert "scale(1.5)" in str(await viewer.locator("[data-viewer-stage] img").get_attribute("style"))
    await examine(page, "viewer")
    await page.keyboard.press("Escape")
    await expect(viewer).not_to_be_visible()


async def test_a_voice_note_plays_faster_and_tells_its_length(pages: Pages, world: World) -> None:
    said = await new_talk(world, "Voice")
    await said.says({"type": "audio", "audio": {"voice": True}})
    page = await open_talk(pages, said)
    player = page.locator("[data-voice]")
    await player.get_by_title("Speed").click()
    await expect(player.locator("[data-voice-rate]")).to_have_text("1.5×")
    assert await player.locator("audio").evaluate("element => element.playbackRate") == 1.5


async def test_a_message_is_pinned_from_its_menu(pages: Pages, world: World) -> None:
    said = await new_talk(world, "Pinner", "5 Hill Road")
    page = await open_talk(pages, said)
    bubble = message(page, "5 Hill Road")
    await bubble.hover()
    await bubble.locator("[data-message-menu]").click()
    await page.get_by_role("button", name="Pin or unpin").click()
    await expect(page.locator("#pinned .pinned-link")).to_contain_text("5 Hill Road")
    await page.locator("#pinned").get_by_role("button", name="Unpin").click()
    await expect(page.locator("#pinned .pinned-link")).not_to_be_attached()


async def test_a_field_is_kept_as_it_is_left_and_taken_back(pages: Pages, world: World) -> None:
    said = await new_talk(world, "Fields")
    async with world.client(await world.key(world.acme)) as script:
        await script.post("/api/v1/fields", json={"subject": "contact", "label": "City", "kind": "text"})
    page = await open_talk(pages, said)
    await page.get_by_label("City").fill("Pune")
    await page.get_by_label("City").press("Enter")
    await expect(page.locator(".toast")).to_contain_text("Saved")
    await expect(page.get_by_label("City")).to_have_value("Pune")
    await page.locator(".toast [data-undo]").click()
    await expect(page.get_by_label("City")).to_have_value("")


async def test_marks_are_put_in_by_keys_and_shown(pages: Pages, world: World) -> None:
    said = await new_talk(world, "Marks")
    page = await open_talk(pages, said)
    field = page.locator("#text")
    await field.fill("very good")
    await field.press("Control+a")
    await field.press("Control+b")
    await expect(field).to_have_value("*very good*")
    await expect(page.locator("#format-preview strong")).to_have_text("very good")


async def test_on_a_phone_nothing_hangs_over(pages: Pages, world: World) -> None:
    said = await _with_everything(world)
    page = await open_talk(pages, said, size=HAND)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.locator("[popovertarget='later-menu']").click()
    await page.locator("#later-menu [data-find='']").click()
    await expect(page.locator("#finder-q")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await examine(page, "thread-finder-phone")


async def _with_everything(world: World) -> Talk:
    said = await new_talk(world, "On a phone")
    for body, _ in KINDS:
        await said.says(body)
    await said.says(text("https://example.com/" + "long" * 30))
    return said


async def test_who_is_blocked_cannot_be_written_to_until_unblocked(pages: Pages, world: World) -> None:
    said = await new_talk(world, "Blocked one")
    page = await open_talk(pages, said)
    await page.get_by_role("button", name="Block this person").click()
    await expect(page.locator("#composer-slot")).to_contain_text("This person is blocked")
    await examine(page, "blocked")
    await page.locator(".toast").get_by_role("button", name="Undo").click()
    await expect(page.locator("#text")).to_be_visible()
