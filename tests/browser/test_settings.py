"""The settings in a browser: readable in both themes and in the hand, usable from the keyboard and without a script."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from chime.security.permissions import Role
from tests.browser.test_axe import examine, examine_themes
from tests.http.people_setup import id_of, invited, person
from tests.support.browser import DESKTOP, HAND, Pages, tab_to
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
SETTINGS = "/w/acme/settings"
SIZES = pytest.mark.parametrize("size", [DESKTOP, HAND], ids=["desktop", "hand"])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def office(world: World) -> AsyncIterator[World]:
    """A workspace with teams, a role of its own, an invitation, somebody suspended and an owner in waiting."""
    alice = await world.session("alice")
    await person(world, "ana", Role.ANALYST)
    gone = await person(world, "sue", Role.MEMBER)
    await alice.post(f"{SETTINGS}/members/{gone}/suspension")
    for name in ("North shop", "Returns and complaints"):
        await alice.post(f"{SETTINGS}/teams", data={"name": name})
    teams = [row[0] for row in await world.services.control.db.rows("SELECT id FROM team")]
    people = [await id_of(world, name) for name in ("mo", "bob")]
    await alice.post(f"{SETTINGS}/teams/{teams[0]}", data={"name": "North shop", "member": people})
    await alice.post(f"{SETTINGS}/roles", data={"name": "Front desk", "may-inbox:read": "team", "masked": "yes",
                                                "may-inbox:reply": "team"})
    await invited(world, "dana", "agent", team=teams[0])
    yield world


async def opened(pages: Pages, world: World, path: str, heading: str, *, who: str = "alice",
                 size: tuple[int, int] = DESKTOP) -> Page:
    page = await pages.agent(world, who, SETTINGS + path, size=size)
    await expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible()
    return page


@SIZES
async def test_every_page_of_the_settings(pages: Pages, office: World, size: tuple[int, int]) -> None:
    bob = await id_of(office, "bob")
    role = await office.services.control.db.value("SELECT id FROM custom_role")
    for path, heading, name in (
            ("", "Settings", "front"), ("/general", "General", "general"), ("/members", "Members", "members"),
            (f"/members/{bob}", "Bob", "member"), ("/invitations/new", "Invite somebody", "invite"),
            ("/teams", "Teams", "teams"), ("/roles", "Roles", "roles"), (f"/roles/{role}", "Front desk", "role"),
            ("/security", "Security policy", "security")):
        page = await opened(pages, office, path, heading, size=size)
        for details in await page.locator("main details > summary").all():
            await details.click()
        await examine_themes(page, f"settings-{name}-{size[0]}")
        await page.context.close()


@SIZES
async def test_the_first_page_of_who_has_no_inbox(pages: Pages, office: World, size: tuple[int, int]) -> None:
    page = await pages.agent(office, "ana", "/", size=size)
    await expect(page.get_by_text("You are Analyst here.")).to_be_visible()
    await examine_themes(page, f"home-{size[0]}")


@SIZES
async def test_invited_by_hand_from_one_browser_to_another(pages: Pages, office: World, size: tuple[int, int]) -> None:
    """Two people: one invites, hands the link over, the other makes an account and is in."""
    page = await opened(pages, office, "/members", "Members", size=size)
    if size == DESKTOP:
        await tab_to(page, page.get_by_role("link", name="Invite"), 60)
        await page.keyboard.press("Enter")
    else:
        await page.get_by_role("link", name="Invite").click()
    email = f"new{size[0]}@example.com"
    await page.get_by_label("Email address").fill(email)
    await page.get_by_role("radio", name="Agent").check()
    await page.get_by_role("button", name="Invite").click()
    await expect(page.get_by_role("heading", name="Hand over this link")).to_be_visible()
    await examine(page, f"settings-invited-{size[0]}")
    link = await page.get_by_label("Link of the invitation").input_value()
    other = await (await pages.context(office.base, size=size)).new_page()
    await other.goto(link)
    await expect(other.get_by_role("heading", name="Join Acme")).to_be_visible()
    await examine_themes(other, f"invitation-{size[0]}")
    pages.announce("422")
    await other.get_by_label("Your name").fill("Nia")
    await other.get_by_label("Choose a password").fill("too short")
    await other.get_by_role("button", name="Make my account and join").click()
    await expect(other.locator("[aria-invalid]")).to_be_visible()
    assert await other.get_by_label("Your name").input_value() == "Nia"
    await other.get_by_label("Choose a password").fill("a long walk by the river")
    await other.get_by_role("button", name="Make my account and join").click()
    await other.wait_for_url("**/w/acme/inbox")


async def test_what_is_refused_keeps_what_was_typed(pages: Pages, office: World) -> None:
    pages.announce("409|422")
    page = await opened(pages, office, "/invitations/new", "Invite somebody")
    await page.get_by_label("Email address").fill("bob@example.com")
    await page.get_by_role("radio", name="Viewer").check()
    await page.get_by_role("button", name="Invite").click()
    await expect(page.locator(".banner-danger")).to_contain_text("There is a member with this email address already.")
    assert await page.get_by_label("Email address").input_value() == "bob@example.com"
    await expect(page.get_by_role("radio", name="Viewer")).to_be_checked()
    await examine(page, "settings-invite-refused-1280")
    page = await opened(pages, office, "/security", "Security policy")
    await page.get_by_label("Allowed addresses").fill("203.0.113.0/24")
    await page.get_by_role("button", name="Save policy").click()
    await expect(page.locator("[aria-invalid]")).to_be_visible()
    await examine(page, "settings-security-refused-1280")
