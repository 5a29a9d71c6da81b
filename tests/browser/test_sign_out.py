"""What a browser keeps of somebody: what they typed goes when they sign out, and over https its cookies are for https
alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Page, Route, expect

import chime
from tests.http.people_setup import invited
from tests.support.browser import Pages, new_talk
from tests.support.world import PASSWORD, World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
_DRAFTS = """() => Object.entries({...sessionStorage}).filter(([name]) => name.startsWith('draft:'))
    .map(([, text]) => text)"""


async def _signed_in(pages: Pages, world: World, name: str) -> tuple[BrowserContext, Page]:
    """A session of the test's own: it ends here."""
    context = await pages.context(world.base)
    page = await context.new_page()
    await page.goto("/sign-in")
    await page.locator("#email").fill(f"{name}@example.com")
    await page.locator("#password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.locator("#rows")).to_be_visible()
    return context, page


async def _typed(page: Page, path: str, text: str) -> None:
    await page.goto(path)
    await page.locator("#text").fill(text)
    await page.wait_for_function(f"text => ({_DRAFTS})().includes(text)", arg=text)  # once the composer is here


async def test_drafts_leave_with_their_person_in_every_tab(pages: Pages, world: World) -> None:
    pages.announce("401|EventSource")  # the other tab asks once more, and is told that nobody is there
    one, two = await new_talk(world, "Una Vale"), await new_talk(world, "Will Xu")
    context, page = await _signed_in(pages, world, "kim")
    other = await context.new_page()
    await _typed(page, one.base, "Half a thought")
    await _typed(other, two.base, "Another half")
    await page.locator("[popovertarget='account-menu']").click()
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url("**/sign-in*")
    assert await page.evaluate(_DRAFTS) == []
    await other.wait_for_function("() => !Object.keys(sessionStorage).some((name) => name.startsWith('draft:'))")
    assert not await other.locator("#text").count() or await other.locator("#text").input_value() == ""


async def test_drafts_leave_also_from_an_invitation_for_somebody_else(pages: Pages, world: World) -> None:
    found, token = await new_talk(world, "Abel Brook"), await invited(world, "dana")
    _, page = await _signed_in(pages, world, "mo")
    await _typed(page, found.base, "Half a thought")
    await page.goto(f"/invitations/{token}")
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url("**/sign-in*")
    assert await page.evaluate(_DRAFTS) == []


async def test_a_draft_of_somebody_else_is_not_shown(pages: Pages, world: World) -> None:
    found = await new_talk(world, "Yara Zorn")
    _, page = await _signed_in(pages, world, "kim")
    await _typed(page, found.base, "Only mine")
    for whose, shown in (("somebody-else", ""), (await page.locator("body").get_attribute("data-user"), "Only mine")):
        await page.evaluate("""([whose, found]) => {
            const [name, text] = Object.entries({...sessionStorage}).find(([key]) => key.startsWith('draft:'));
            sessionStorage.removeItem(name);
            sessionStorage.setItem(`draft:${whose}:/w/acme:${found}`, text);
        }""", [whose, found.id])
        await page.reload()
        await expect(page.locator("#text")).to_have_value(shown)


@pytest.mark.parametrize(("base", "secure"), [("https://chime.test", True), ("http://chime.test", False)])
async def test_the_cookie_of_the_time_zone(pages: Pages, world: World, base: str, secure: bool) -> None:
    script = (Path(chime.__file__).parent / "web/static/js/zone.js").read_text()
    context = await pages.context(base)

    async def answered(route: Route) -> None:
        if route.request.url.endswith("/zone.js"):
            await route.fulfill(body=script, content_type="text/javascript")
        else:
            await route.fulfill(body="<!doctype html><script type=module src=/zone.js></script>",
                                content_type="text/html")

    await context.route(f"{base}/**", answered)
    page = await context.new_page()
    await page.goto("/")
    await page.wait_for_function("() => document.cookie.includes('zone=')")
    [kept] = await context.cookies()
    assert (kept["name"], kept["value"], kept["secure"], kept["sameSite"]) == ("zone", "UTC", secure, "Lax")
