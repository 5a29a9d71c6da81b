"""Two colleagues at one conversation, each in their own browser: faces, "is writing", and the reply that was faster."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.test_axe import examine_themes
from tests.support.browser import DESKTOP, HAND, Pages, message, new_talk, open_talk, row
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_colleague_is_seen_looking_writing_and_leaving(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Rosa Keller")
    alice, mo = await open_talk(pages, found), await pages.agent(world, "mo")
    face = row(mo, "Rosa Keller").locator(".row-people .avatar")
    await expect(face).to_have_attribute("aria-label", "Alice is here")
    await row(mo, "Rosa Keller").click()
    await expect(mo.locator("#people-here .avatar")).to_have_attribute("aria-label", "Alice is here")
    await expect(alice.locator("#people-here .avatar")).to_have_attribute("aria-label", "Mo is here")
    await mo.wait_for_timeout(300)
    await mo.locator("#text").press_sequentially("Good morn")
    await expect(alice.locator("#writing-now")).to_have_text("Mo is writing an answer")
    await expect(alice.locator("#composer-slot")).to_have_class("composer-slot somebody-writes")
    await mo.close()
    await expect(alice.locator("#people-here .avatar")).to_have_count(0)
    await expect(alice.locator("#writing-now")).to_be_hidden()


async def test_the_second_of_two_replies_is_asked_and_nothing_is_lost(pages: Pages, world: World) -> None:
    pages.announce(r"answer 409: POST \S+/messages$")
    pages.announce(r"console: Failed to load resource: .* 409")
    found = await new_talk(world, "Sven Holt")
    alice, mo = await open_talk(pages, found), await open_talk(pages, found, "mo")
    await alice.locator("#text").fill("My answer")
    await mo.locator("#text").fill("I was faster")
    await mo.locator("#text").press("Enter")
    await expect(message(alice, "I was faster")).to_be_visible()
    await alice.locator("#text").press("Enter")
    asked = alice.locator("#send-error")
    await expect(asked).to_contain_text("Mo has answered meanwhile")
    await expect(asked).to_contain_text("I was faster")
    await expect(alice.locator("#text")).to_have_value("My answer")
    await asked.get_by_role("button", name="Edit").click()
    await expect(alice.locator("#text")).to_be_focused()
    await alice.locator("#text").fill("As Mo said")
    await alice.locator("#text").press("Enter")
    await expect(message(mo, "As Mo said")).to_be_visible()
    # What is written after the other's words were read is not asked about; Send anyway and Discard do what they say.
    for words, choice in (("once more", "Send anyway"), ("never mind", "Discard")):
        await alice.locator("#text").fill(words)
        await mo.locator("#text").fill(f"before {words}")
        await mo.locator("#text").press("Enter")
        await expect(message(alice, f"before {words}")).to_be_visible()
        await alice.locator("#text").press("Enter")
        await asked.get_by_role("button", name=choice).click()
        await expect(alice.locator("#text")).to_have_value("")
        await expect(asked).to_be_empty()
        # Mo has read what went out before he writes on, or he would be asked himself.
        await expect(message(mo, "once more")).to_have_count(2)
    await world.settle()
    assert [one.text for one in await found.sent()] == ["I was faster", "As Mo said", "before once more", "once more",
                                                        "before never mind"]


async def test_an_idle_inbox_asks_for_little(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Tara Voss")
    page = await pages.agent(world, path=found.base)
    await page.clock.install()
    await page.reload()
    await expect(page.locator("#messages .msg").first).to_be_visible()
    await page.clock.run_for(5_000)
    await page.wait_for_timeout(500)
    pages.requested.clear()
    for _ in range(4):
        await page.clock.run_for(60_000)
        await page.wait_for_timeout(200)
    # The page's clock runs ahead of the server's heartbeats: it opens the line anew, and asks what it missed meanwhile.
    reopened = [address for address in pages.requested if "/events" in address]
    news = [address for address in pages.requested if "/notifications/news" in address]
    assert len(news) <= len(reopened), news
    asked = [address for address in pages.requested
             if address not in (*reopened, *news) and "/static/" not in address]
    assert 1 <= len(asked) <= 8, asked
    await page.clock.run_for(120_000)
    pages.requested.clear()
    await page.clock.run_for(300_000)
    await page.wait_for_timeout(300)
    assert not [address for address in pages.requested if "/presence" in address], "nobody is there any more"


@pytest.mark.parametrize("size", [DESKTOP, HAND], ids=["desktop", "hand"])
async def test_everybody_can_use_it(pages: Pages, world: World, size: tuple[int, int]) -> None:
    pages.announce(r"answer 409: POST \S+/messages$")
    pages.announce(r"console: Failed to load resource: .* 409")
    found = await new_talk(world, f"Ulla Brandt {size[0]}")
    alice, mo = await open_talk(pages, found, size=size), await open_talk(pages, found, "mo")
    await expect(alice.locator("#people-here .avatar")).to_have_count(1)
    await alice.locator("#text").fill("mine")
    await mo.locator("#text").fill("Mo’s")
    await mo.locator("#text").press("Enter")
    await expect(message(alice, "Mo’s")).to_be_visible()
    await alice.locator("#text").press("Enter")
    await expect(alice.locator("#send-error")).to_contain_text("has answered meanwhile")
    await mo.locator("#text").press_sequentially("more")
    await expect(alice.locator("#writing-now")).to_be_visible()
    await examine_themes(alice, f"collision-{size[0]}")
