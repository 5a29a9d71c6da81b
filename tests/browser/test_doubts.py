"""A doubt as a person meets it: waited for, asked about, listed, settled, in front of their eyes."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from chime.clock import MINUTE
from tests.browser.test_axe import examine_themes
from tests.http.inbox_setup import Talk
from tests.support.browser import DESKTOP, HAND, Pages, expect_tick, message, new_talk, open_talk, row
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
WORDS = "Your parcel has left"
QUARTER = 15 * MINUTE


async def doubt(found: Talk, words: str = WORDS) -> None:
    """A reply whose answer is lost."""
    found.world.simulator.set_switches({"answer_500": 1})
    sent = await found.reply(await found.world.session("alice"), words)
    assert sent.status == "unconfirmed"
    found.world.clock.pass_time(MINUTE)


async def wait_ends(world: World) -> None:
    world.clock.pass_time(QUARTER)
    await world.services.runner.sweep([world.acme.workspace_id])


async def settle_all(world: World) -> None:
    """Nothing is in doubt for the next test."""
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE message SET status = 'sent' WHERE status = 'unconfirmed'")


@pytest.mark.parametrize("size", [DESKTOP, HAND], ids=["desktop", "hand"])
async def test_waiting_asking_and_settled(pages: Pages, world: World, size: tuple[int, int]) -> None:
    await settle_all(world)
    found = await new_talk(world, f"Dora Ruiz {size[0]}")
    page = await open_talk(pages, found, size=size)
    await doubt(found)
    bubble = message(page, WORDS)
    await expect(bubble).to_contain_text("Waiting for WhatsApp’s word")
    await expect(page.locator("#doubt-notice")).to_have_count(0)
    await bubble.get_by_text("Decide now").click()
    await expect(bubble.get_by_role("button", name="It arrived")).to_be_visible()
    await examine_themes(page, f"doubt-waiting-{size[0]}")
    await wait_ends(world)
    await expect(bubble).to_contain_text("Did this message arrive?")
    await examine_themes(page, f"doubt-asking-{size[0]}")
    await bubble.get_by_role("button", name="It arrived").click()
    await expect_tick(bubble, "sent")
    await expect(bubble.locator(".settled")).to_have_text("Alice said that it arrived")
    await expect(page.locator(".line").last).to_contain_text("Alice said that a message arrived")
    await examine_themes(page, f"doubt-settled-{size[0]}")


@pytest.mark.parametrize("size", [DESKTOP, HAND], ids=["desktop", "hand"])
async def test_the_list_tells_and_leads_to_them(pages: Pages, world: World, size: tuple[int, int]) -> None:
    await settle_all(world)
    older, newer = await new_talk(world, f"Ann Old {size[0]}"), await new_talk(world, f"Ben New {size[0]}")
    page = await pages.agent(world, size=size)
    await doubt(older)
    await doubt(newer)
    await wait_ends(world)
    notice = page.locator("#doubt-notice")
    await expect(notice).to_contain_text("In 2 conversations")
    await expect(page.locator("#view-doubt")).to_contain_text("2")
    assert await page.locator(".views").evaluate("bar => bar.scrollWidth <= bar.clientWidth"), "every view in sight"
    await examine_themes(page, f"doubt-notice-{size[0]}")
    await notice.get_by_role("link").click()
    await expect(page).to_have_url(f"{world.base}/w/{world.acme.slug}/inbox?v=doubt")
    await expect(page.locator("#rows .row-name")).to_have_text([f"Ann Old {size[0]}", f"Ben New {size[0]}"])
    await expect(notice).to_have_count(0)
    await examine_themes(page, f"doubt-list-{size[0]}")
    await row(page, "Ann Old").click()
    bubble = message(page, WORDS)
    await expect(bubble).to_be_in_viewport()
    if size == DESKTOP:
        await expect(page.locator("#rows .row[aria-current]")).to_contain_text("Ann Old")
    await bubble.get_by_role("button", name="Don’t send again").click()
    await expect(bubble.locator(".trouble")).to_contain_text("Not confirmed; given up by Alice")
    if size == HAND:
        await page.locator("[data-back]").tap()
    await expect(page.locator("#rows .row-name")).to_have_text([f"Ben New {size[0]}"])
    await row(page, "Ben New").click()
    await bubble.get_by_role("button", name="Send again", exact=True).click()
    await expect(page.locator("#confirm")).to_contain_text("the customer gets it twice")
    await page.locator("#confirm-yes").click()
    await expect_tick(bubble, "read")
    if size == HAND:
        await page.locator("[data-back]").tap()
    await expect(page.locator("#list .empty")).to_contain_text("Nothing is in doubt")
    await examine_themes(page, f"doubt-none-{size[0]}")


async def test_who_comes_second_is_told_and_shown_how_it_stands(pages: Pages, world: World) -> None:
    await settle_all(world)
    pages.announce("409|ERR_FAILED")
    found = await new_talk(world, "Emil Zweit")
    await doubt(found)
    await wait_ends(world)
    page = await open_talk(pages, found)
    bubble = message(page, WORDS)
    await expect(bubble).to_contain_text("Did this message arrive?")
    await without_news(page)
    (sent,) = await found.sent()
    kim = await world.session("kim")
    answer = await kim.post(f"{found.base}/messages/{sent.id}/settlement", data={"as": "failed"})
    assert answer.status_code == 200
    await bubble.get_by_role("button", name="It arrived").click()
    await expect(page.locator(".toast")).to_contain_text("no longer in doubt: it was not sent")
    await expect(bubble.locator(".trouble")).to_contain_text("given up by Kim")


async def without_news(page: Page) -> None:
    """The page hears nothing any more: what a nudge would fetch is not answered for a while."""
    await page.route("**/messages?ids=*", lambda route: route.abort(), times=1)


async def test_without_scripts(pages: Pages, world: World) -> None:
    await settle_all(world)
    found = await new_talk(world, "Nora Plain")
    await doubt(found)
    world.clock.pass_time(QUARTER)
    page = await pages.agent(world, script=False)
    await page.locator("#doubt-notice a").click()
    await row(page, "Nora Plain").click()
    bubble = message(page, WORDS)
    await expect(bubble).to_contain_text("Did this message arrive?")
    await bubble.get_by_role("button", name="It arrived").click()
    await expect(bubble.locator(".settled")).to_have_text("Alice said that it arrived")
    await expect(page.locator("#doubt-notice")).to_have_count(0)
