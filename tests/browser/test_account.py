"""A person's own pages in a browser: passkeys from beginning to end, and every screen readable by everybody."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from chime.clock import MINUTE
from chime.security.second_factor import code_of, secret_bytes, step_of
from tests.browser.test_axe import examine_themes
from tests.http.account_setup import id_of
from tests.support.browser import DESKTOP, HAND, Pages
from tests.support.world import PASSWORD, World, running_world

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
SIZES = pytest.mark.parametrize("size", [DESKTOP, HAND], ids=["desktop", "hand"])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def local(installation: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A world whose public address is http://localhost, where browsers have passkeys."""
    async with running_world(installation, tmp_path_factory.mktemp("local") / "data") as found:
        msgspec.structs.force_setattr(found.services.config, "public_url", found.base.replace("127.0.0.1", "localhost"))
        yield found


async def authenticator(page: Page) -> None:
    """A device with a finger on it, inside the browser."""
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    await session.send("WebAuthn.addVirtualAuthenticator", {"options": {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True}})


async def enter_password(page: Page, base: str, name: str = "kim") -> None:
    await page.goto(f"{base}/sign-in")
    await page.get_by_label("Email").fill(f"{name}@example.com")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()


async def test_a_passkey_is_made_signs_in_alone_and_as_a_second_step(pages: Pages, local: World) -> None:
    base = local.base.replace("127.0.0.1", "localhost")
    page = await (await pages.context(base)).new_page()
    await authenticator(page)
    await enter_password(page, base)
    await page.goto(f"{base}/me/second-factor")
    await page.get_by_label("Name").fill("Kim's laptop")
    await page.get_by_role("button", name="Make a passkey").click()
    await expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    assert await page.locator(".codes li").count() == 10
    await page.get_by_role("link", name="I have kept them").click()
    await expect(page.get_by_text("Kim's laptop", exact=True).first).to_be_visible()

    await page.locator("[popovertarget='account-menu']").click()
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(page).to_have_url(re.compile("/inbox"))
    factors = "SELECT factors FROM session ORDER BY created_at DESC LIMIT 1"
    assert await local.services.control.db.value(factors) == "passkey"

    await page.context.clear_cookies()
    await enter_password(page, base)
    await expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    await page.get_by_role("button", name="Use your passkey").click()
    await expect(page).to_have_url(re.compile("/inbox"))
    assert await local.services.control.db.value(factors) == "password,passkey"

    local.clock.pass_time(11 * MINUTE)
    await page.goto(f"{base}/me/security")
    await page.get_by_role("button", name="Make new codes").click()
    await expect(page.get_by_role("heading", name="Confirm that it is you")).to_be_visible()
    pages.announce(r"answer 403: POST \S+/me/recovery-codes")
    pages.announce(r"console: Failed to load resource.*403.*/me/recovery-codes")
    await page.get_by_role("button", name="Use your passkey").click()
    await expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    count = await local.services.control.db.value("SELECT sign_count FROM passkey")
    assert count >= 3


async def test_a_stranger_with_another_passkey_does_not_get_in(pages: Pages, local: World) -> None:
    base = local.base.replace("127.0.0.1", "localhost")
    page = await (await pages.context(base)).new_page()
    await authenticator(page)
    await page.goto(f"{base}/sign-in")
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(page.get_by_text("No passkey was used.")).to_be_visible()
    await expect(page).to_have_url(re.compile("/sign-in"))


async def code(page: Page, world: World) -> str:
    """What the app would show whose key stands on the page."""
    secret = "".join(await page.locator(".spelled span").all_inner_texts())
    return code_of(secret_bytes(secret), step_of(world.clock.real_now()))


@SIZES
async def test_the_pages_of_an_account(pages: Pages, world: World, size: tuple[int, int]) -> None:
    name = "mo" if size == DESKTOP else "bob"
    page = await pages.agent(world, name, "/me", size=size)
    width = size[0]
    await expect(page.get_by_role("heading", name="Your profile")).to_be_visible()
    await examine_themes(page, f"me-profile-{width}")
    await page.get_by_label("Name", exact=True).fill("")
    await page.locator("form[action='/me']").evaluate("form => { form.noValidate = true; }")
    pages.announce(r"answer 422: POST")
    pages.announce(r"console: Failed to load resource.*422")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Give a name of at most 80 characters.")).to_be_visible()
    await examine_themes(page, f"me-profile-refused-{width}")
    await page.get_by_role("link", name="Security").click()
    await expect(page.get_by_text("Nothing so far")).to_be_visible()
    await examine_themes(page, f"me-security-{width}")
    await page.get_by_role("link", name="Set up a second factor").click()
    await examine_themes(page, f"me-second-factor-{width}")
    await page.get_by_role("button", name="Set up an app").click()
    await expect(page.locator(".qr")).to_be_visible()
    await examine_themes(page, f"me-authenticator-{width}")
    await page.locator("#code").fill("000000")
    await page.get_by_role("button", name="Turn on").click()
    await expect(page.get_by_text("not the code the app shows")).to_be_visible()
    await page.locator("#code").fill(await code(page, world))
    await page.get_by_role("button", name="Turn on").click()
    await expect(page.locator(".codes li")).to_have_count(10)
    await examine_themes(page, f"me-recovery-codes-{width}")
    await page.get_by_role("link", name="I have kept them").click()
    await expect(page.get_by_text("Authenticator app", exact=True)).to_be_visible()
    await examine_themes(page, f"me-security-on-{width}")
    await page.get_by_role("link", name="Sessions").click()
    await expect(page.get_by_text("This one")).to_be_visible()
    await examine_themes(page, f"me-sessions-{width}")


@SIZES
async def test_the_pages_before_somebody_is_in(pages: Pages, world: World, size: tuple[int, int]) -> None:
    width = size[0]
    page = await (await pages.context(world.base, size=size)).new_page()
    await page.goto("/sign-in")
    await examine_themes(page, f"sign-in-{width}")
    await page.get_by_role("link", name="Forgot your password?").click()
    await expect(page.get_by_text("This server sends no mail.")).to_be_visible()
    await examine_themes(page, f"forgot-password-{width}")
    # Has an app since the test before.
    await enter_password(page, world.base, "mo" if size == DESKTOP else "bob")
    await expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    await examine_themes(page, f"second-step-{width}")
    await page.get_by_role("link", name="Use a recovery code").click()
    await expect(page.get_by_label("Recovery code")).to_be_visible()
    await examine_themes(page, f"second-step-recovery-{width}")


@SIZES
async def test_the_question_before_a_marked_action_and_a_colleagues_account(
    pages: Pages, world: World, size: tuple[int, int],
) -> None:
    width = size[0]
    page = await pages.agent(world, "vera" if size == DESKTOP else "kim", "/me/confirm?next=/me/security", size=size)
    await expect(page.get_by_role("heading", name="Confirm that it is you")).to_be_visible()
    await examine_themes(page, f"confirm-me-{width}")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Confirm").click()
    await expect(page.get_by_role("heading", name="Your security")).to_be_visible()
    kim = await id_of(world, "kim")
    page = await pages.agent(world, "alice", f"/w/acme/settings/members/{kim}/account", size=size)
    await expect(page.get_by_role("heading", name="Sessions")).to_be_visible()
    await examine_themes(page, f"member-account-{width}")
