"""Being told: the bell of every tab, one sound and one notice for all of them, push from the button to the notice."""

from __future__ import annotations

import asyncio
import json

import pytest
from playwright.async_api import Page, expect

from tests.browser.test_axe import examine_themes
from tests.http.inbox_setup import Talk
from tests.http.test_notifications import assign
from tests.support.browser import DESKTOP, HAND, PLAIN_HOST, Pages, new_talk, open_talk
from tests.support.push_service import Browser, PushService
from tests.support.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")
ME = "/me/notifications"
# What the desktop would show, kept by the page.
COUNT_NOTICES = """
    window.notices = [];
    window.Notification = class { constructor(title, options) { notices.push([title, options]); }
        addEventListener() {} close() {}
        static permission = 'granted'; static requestPermission = async () => 'granted'; };
"""


def a_push_service(fields: dict[str, str]) -> str:
    """This Chromium has no push service; the browser's side of one, with keys of ours."""
    told = json.dumps({"endpoint": "https://fcm.googleapis.com/fcm/send/test",
                       "keys": {"p256dh": fields["key"], "auth": fields["auth"]}})
    return f"""
        const made = {{ toJSON: () => ({told}) }};
        PushManager.prototype.subscribe = async () => {{ sessionStorage.setItem('held', 'yes'); return made; }};
        PushManager.prototype.getSubscription = async () => (sessionStorage.getItem('held') ? made : null);
    """


async def bell(page: Page) -> str:
    badge = page.locator("[data-bell-badge]")
    return await badge.inner_text() if await badge.is_visible() else ""


async def given(world: World, name: str) -> Talk:
    said = await new_talk(world, name)
    await assign(world, said, await world.session("alice"), "bob")
    return said


async def test_one_event_is_one_notice_for_all_tabs(world: World, pages: Pages) -> None:
    said = await given(world, "Tara Tabs")
    first = await pages.agent(world, "bob", ME.replace("/me", "/w/acme"))
    await first.context.add_init_script(COUNT_NOTICES)
    await first.reload()
    second = await first.context.new_page()
    await second.goto("/w/acme/replies")
    before = int(await bell(first))
    await said.says("Are you there?")
    for page in (first, second):
        await expect(page.locator("[data-bell-badge]")).to_have_text(str(before + 1))
    await asyncio.sleep(0.5)
    shown = [notice for page in (first, second) for notice in await page.evaluate("window.notices")]
    assert [(title, options["tag"]) for title, options in shown] == [("Tara Tabs wrote to you", said.id)]
    assert shown[0][1]["body"] == "Are you there?"
    assert (await second.title()).startswith(f"({before + 1}) ")


async def test_what_is_on_the_screen_is_not_announced(world: World, pages: Pages) -> None:
    said = await given(world, "Olga Open")
    page = await open_talk(pages, said, "bob")
    await page.bring_to_front()
    await said.says("Hello again")
    await expect(page.locator("#messages .msg").last).to_contain_text("Hello again")
    await page.goto("/w/acme/notifications?only=unread")
    await expect(page.locator("h1")).to_be_visible()
    assert "Olga Open" not in await page.locator("main").inner_text()


async def test_push_is_turned_on_by_a_button_and_shown(world: World, pages: Pages) -> None:
    keys = Browser(PushService("https://fcm.googleapis.com"), "test").fields
    page = await pages.agent(world, "kim", "/me")
    await page.context.grant_permissions(["notifications"], origin=world.base)
    await page.context.add_init_script(a_push_service(keys))
    await page.goto(ME)
    await page.get_by_role("button", name="Turn push on here").click()
    await expect(page.get_by_text("This browser is rung from now on.")).to_be_visible()
    await expect(page.get_by_text("Push is on in this browser")).to_be_visible()
    await expect(page.locator("#push .item")).to_have_count(1)
    line = await page.context.new_cdp_session(page)
    found: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def registered(event: dict[str, list[dict[str, str]]]) -> None:
        for one in event["registrations"]:
            if not found.done():
                found.set_result(one["registrationId"])

    line.on("ServiceWorker.workerRegistrationUpdated", registered)
    await line.send("ServiceWorker.enable")
    message = {"title": "Maya wrote to you", "body": "Acme", "url": "/w/acme/notifications", "tag": "one", "count": 2}
    await line.send("ServiceWorker.deliverPushMessage", {
        "origin": world.base, "registrationId": await asyncio.wait_for(found, 5), "data": json.dumps(message)})
    shown = """async () => (await (await navigator.serviceWorker.ready).getNotifications())
        .map((one) => [one.title, one.tag])"""
    for _ in range(100):
        if await page.evaluate(shown):
            break
        await asyncio.sleep(0.05)
    assert await page.evaluate(shown) == [["Maya wrote to you", "one"]]
    worker = page.context.service_workers[0]
    await worker.evaluate("""async () => { const [notification] = await self.registration.getNotifications();
        self.dispatchEvent(new NotificationEvent('notificationclick', { notification })); }""")
    await page.wait_for_url("**/w/acme/notifications")


async def test_over_plain_http_the_page_says_why_not(world: World, pages: Pages) -> None:
    page = await pages.agent(world, "bob", ME, host=PLAIN_HOST)
    await expect(page.get_by_text("Push needs a safe connection")).to_be_visible()
    await expect(page.get_by_role("button", name="Turn push on here")).to_be_hidden()


async def test_a_sound_can_be_tried(world: World, pages: Pages) -> None:
    page = await pages.agent(world, "bob", ME)
    await page.locator("#sound").select_option("chime")
    await page.get_by_role("button", name="Listen").click()
    await asyncio.sleep(0.4)
    await expect(page.locator("#sound-blocked")).to_be_hidden()


async def test_everybody_can_use_the_pages(world: World, pages: Pages) -> None:
    await given(world, "Axel Axe")
    for size, place in ((DESKTOP, "desktop"), (HAND, "phone")):
        for path, name in (("/w/acme/notifications", "notifications"), (ME, "choices")):
            page = await pages.agent(world, "bob", path, size=size)
            await expect(page.locator("h1")).to_be_visible()
            await examine_themes(page, f"{name}-{place}")
