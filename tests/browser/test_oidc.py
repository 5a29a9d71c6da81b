"""Signing in with a provider in a browser: there and back under our content policy, with and without a script, and the
pages about it in both themes and in the hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.test_axe import examine_themes
from tests.http.oidc_setup import Yard, oidc_world
from tests.support.browser import DESKTOP, HAND, Pages

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def _window(pages: Pages, yard: Yard, *, size: tuple[int, int], script: bool = True) -> Page:
    """A window that believes the provider's certificate."""
    context = await pages.context(yard.world.base, size=size, script=script)
    page = await context.new_page()
    session = await context.new_cdp_session(page)
    await session.send("Security.setIgnoreCertificateErrors", {"ignore": True})
    return page


@pytest.mark.parametrize(("size", "script"), [(DESKTOP, True), (HAND, False)], ids=["desktop", "hand-without-script"])
async def test_there_and_back(installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pages: Pages,
                              size: tuple[int, int], script: bool) -> None:
    async with oidc_world(installation, tmp_path, monkeypatch) as yard:
        await yard.rule("sales", "agent")
        yard.becomes("nora", groups=["sales"])
        page = await _window(pages, yard, size=size, script=script)
        await page.goto("/me/provider")
        await expect(page).to_have_url(f"{yard.world.base}/sign-in?next=%2Fme%2Fprovider")
        await page.get_by_role("button", name="Sign in with Test Login").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in with Test Login")
        assert page.url == f"{yard.world.base}/me/provider"
        await expect(page.get_by_text("nora@example.com").first).to_be_attached()


@pytest.mark.parametrize("size", [DESKTOP, HAND], ids=["desktop", "hand"])
async def test_the_pages_about_it(installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pages: Pages,
                                  size: tuple[int, int]) -> None:
    async with oidc_world(installation, tmp_path, monkeypatch, only=True) as yard:
        await yard.rule("sales", "agent")
        await yard.rule("A group with quite a long name, as directories have them, and a dot.", "admin", agreed=False)
        async with yard.world.services.control.ingest("test") as tx:
            await tx.execute("UPDATE user SET break_glass = 1, is_operator = 1 WHERE email = 'alice@example.com'")
        page = await _window(pages, yard, size=size)
        await page.goto("/sign-in")
        await examine_themes(page, f"oidc-sign-in-{size[0]}")
        pages.announce(r"answer 422: GET \S+/sign-in/provider/answer")
        pages.announce(r"console: Failed to load resource.*422")
        await page.goto("/sign-in/provider/answer")
        await examine_themes(page, f"oidc-refused-{size[0]}")
        yard.becomes("kim-there", email="kim@example.com")
        await page.goto("/sign-in")
        await page.get_by_role("button", name="Sign in with Test Login").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Is this your account?")
        await examine_themes(page, f"oidc-connect-{size[0]}")
        alice = dict((await yard.known("alice")).cookies)
        await page.context.add_cookies([{"name": name, "value": value, "url": yard.world.base}
                                        for name, value in alice.items()])
        for path, name in (("/installation/sign-in", "installation"), ("/w/acme/settings/sign-in", "workspace"),
                           ("/me/provider", "identity"), ("/me/confirm", "confirm")):
            await page.goto(path)
            await examine_themes(page, f"oidc-{name}-{size[0]}")
