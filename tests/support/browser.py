"""A real browser in front of a running Chime, and everything it complains about.

Promise: a page opened here fails its test, at the end, for any violation of the content policy, error in the console,
uncaught exception, failed request or answer of 400 and above that the test did not announce.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, Response, expect

from tests.http.inbox_setup import Talk, talk
from tests.support.world import World

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PLAIN_HOST = "chime.test"
"""Leads here too, and unlike 127.0.0.1 it is no secure context: plain http as on a shop's own network."""
FLAGS = (
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream", f"--host-resolver-rules=MAP {PLAIN_HOST} 127.0.0.1",
)
DESKTOP, NARROW, WITH_PHONE, HAND = (1280, 800), (1024, 768), (1800, 1000), (390, 844)
OUTPUT = Path(__file__).resolve().parents[1] / "output"

_TELL_VIOLATIONS = """addEventListener('securitypolicyviolation', (event) =>
    console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));"""

# Everything the newest tick of ours ever was, written down by the page itself: looking now and then would miss some.
_WATCH_TICKS = """() => {
    window.seenTicks = [];
    const look = () => {
        const tick = [...document.querySelectorAll('#messages .msg-out')].at(-1)?.querySelector('.tick');
        const name = tick?.className.replace('tick tick-', '');
        if (name && window.seenTicks.at(-1) !== name) window.seenTicks.push(name);
    };
    new MutationObserver(look).observe(document.getElementById('messages'),
        { childList: true, subtree: true, attributes: true });
}"""
_NUMBERS = count(1000)


class Pages:
    """The browser windows of one test."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self._announced: list[re.Pattern[str]] = []
        self.complaints: list[str] = []
        self.requested: list[str] = []
        """The address of every request, in order."""

    async def context(self, base: str, cookies: Mapping[str, str] | None = None, *,
                      size: tuple[int, int] = DESKTOP, dark: bool = False, script: bool = True) -> BrowserContext:
        """A browser profile of its own. As wide as a hand, it is a phone with a touch screen."""
        hand = size == HAND
        context = await self._browser.new_context(
            base_url=base, viewport={"width": size[0], "height": size[1]}, locale="en-GB", timezone_id="UTC",
            color_scheme="dark" if dark else "light", java_script_enabled=script, has_touch=hand, is_mobile=hand)
        if cookies:
            await context.add_cookies([{"name": name, "value": value, "url": base} for name, value in cookies.items()])
        await context.add_init_script(_TELL_VIOLATIONS)
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self.complaints.append(f"uncaught: {error.error}"))
        context.on("request", lambda request: self.requested.append(request.url))
        context.on("requestfailed", self._on_failed)
        context.on("response", self._on_response)
        if not script:
            self.announce(r"failed: GET \S+\.js csp")  # how Chromium names a preloaded script it will not run
        self._contexts.append(context)
        return context

    async def agent(self, world: World, name: str = "alice", path: str = "", *, host: str = "127.0.0.1",
                    **options: Any) -> Page:
        """A signed-in person in front of the inbox of Acme, or of `path`."""
        base = world.base.replace("127.0.0.1", host)
        context = await self.context(base, dict((await world.session(name)).cookies), **options)
        page = await context.new_page()
        await page.goto(path or f"/w/{world.acme.slug}/inbox")
        return page

    def announce(self, pattern: str) -> None:
        """A complaint like this is what the test is about."""
        self._announced.append(re.compile(pattern))

    async def close(self) -> None:
        """Close every window, then fail for what nobody announced."""
        for context in self._contexts:
            await context.close()
        left = [text for text in self.complaints if not any(known.search(text) for known in self._announced)]
        assert not left, "\n".join(left)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"console: {message.text} ({message.location.get('url')})")

    def _on_failed(self, request: Request) -> None:
        # Aborted: the page was left, or asked again before the answer came.
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"failed: {request.method} {urlsplit(request.url).path} {request.failure}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"answer {response.status}: {response.request.method} {response.url}")


async def keep_picture(page: Page, name: str) -> None:
    """With KEEP_PICTURES in the environment, a screenshot in tests/output for people to look at: nothing compares it,
    and hundreds of them are a minute or two of the run."""
    if "KEEP_PICTURES" not in os.environ:
        return
    OUTPUT.mkdir(exist_ok=True)
    await page.screenshot(path=OUTPUT / f"{name}.png", animations="disabled")


async def new_talk(world: World, name: str, body: str = "Do you open on Sunday?") -> Talk:
    """A customer nobody else in this world is, who has just written."""
    return await talk(world, body, name=name, phone=f"1415555{next(_NUMBERS)}")


async def open_talk(pages: Pages, talk: Talk, name: str = "alice", **options: Any) -> Page:
    """A person in front of one conversation, live."""
    page = await pages.agent(talk.world, name, talk.base, **options)
    await expect(page.locator("#messages .msg").first).to_be_visible()
    return page


def message(page: Page, text: str) -> Locator:
    """The message of a thread that says this."""
    return page.locator("#messages > .msg").filter(has_text=text)


def row(page: Page, name: str) -> Locator:
    """The row of the list with this customer."""
    return page.locator("#rows .row").filter(has_text=name)


async def expect_tick(bubble: Locator, status: str, *, seconds: float = 5) -> None:
    """Wait for the tick a person sees beside a message of ours."""
    await expect(bubble.locator(f".tick-{status}")).to_be_visible(timeout=seconds * 1000)


async def watch_ticks(page: Page) -> None:
    """Have the page write down what becomes of the next message; read it with `seen_ticks`."""
    await page.evaluate(_WATCH_TICKS)


async def seen_ticks(page: Page) -> list[str]:
    """What it wrote down, the states before WhatsApp's own left out."""
    seen: list[str] = await page.evaluate("window.seenTicks")
    assert seen and seen[0] in ("sending", "queued"), seen
    return [name for name in seen if name not in ("sending", "queued")]


async def type_and_send(page: Page, text: str) -> Locator:
    """Write a reply and press Enter; its bubble."""
    await page.locator("#text").fill(text)
    await page.locator("#text").press("Enter")
    return message(page, text)


async def tab_to(page: Page, target: Locator, most: int = 40) -> None:
    """Press Tab until `target` has the focus."""
    for _ in range(most):
        if await target.evaluate("element => element === document.activeElement"):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"the focus never came to {target} in {most} steps")


async def pick(page: Page, opener: str, choice: str) -> None:
    """Open a menu and choose from it."""
    await page.locator(opener).click()
    await page.locator(choice).click()
