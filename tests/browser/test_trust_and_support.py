"""The trust page and support access as people see them: readable by everybody, in light, in dark and on a phone."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.test_axe import examine, examine_themes
from tests.http.support_setup import ask, let_in, operator
from tests.support.browser import DESKTOP, HAND, Pages
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize("size", [DESKTOP, HAND], ids=["desktop", "hand"])
async def test_the_trust_page(pages: Pages, world: World, size: tuple[int, int]) -> None:
    """Without a session, before anything was looked at, when all is well as far as it can be, and red."""
    page = await (await pages.context(world.base, size=size)).new_page()
    await page.goto("/security")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Security of this installation")
    await examine_themes(page, f"trust-{size[0]}")
    await world.app.state.trust.look()
    await page.goto("/security")
    await page.locator("summary").first.click()
    await examine_themes(page, f"trust-looked-{size[0]}")
    (world.data_dir / "control.db").chmod(0o644)
    await world.app.state.trust.look()
    await page.reload()
    await expect(page.locator("[data-check='storage.modes']").first).to_contain_text("Broken here since")
    await examine_themes(page, f"trust-red-{size[0]}")
    (world.data_dir / "control.db").chmod(0o600)
    await page.goto("/security/asvs")
    await expect(page.get_by_role("cell", name="met", exact=True).first).to_be_visible()
    await examine_themes(page, f"asvs-{size[0]}")


async def test_support_comes_and_goes(pages: Pages, world: World) -> None:
    olga = await operator(world)
    cookies = {name: value for name, value in olga.cookies.items()}
    hers = await (await pages.context(world.base, cookies)).new_page()
    await hers.goto("/installation/support")
    await examine_themes(hers, "support-ask")
    await hers.get_by_label("Workspace").select_option(label="Acme")
    await hers.get_by_label("Why").fill("The customer says that messages do not arrive")
    for box in ("Inbox", "Contacts", "I also need to change things"):
        await hers.get_by_label(box, exact=True).check()
    alices = await pages.agent(world, name="alice")
    await hers.get_by_role("button", name="Ask").click()
    await expect(hers.get_by_role("status")).to_contain_text("Asked.")
    await examine_themes(hers, "support-asked")
    await expect(alices.locator("#support")).to_contain_text("Support asks for access")
    await examine_themes(alices, "support-card")
    await alices.get_by_role("link", name="Look at the request").click()
    await examine_themes(alices, "support-request")
    await alices.get_by_role("button", name="Let them in").click()
    await expect(alices.get_by_role("heading", name="Olga is inside")).to_be_visible()
    await examine_themes(alices, "support-inside")
    await hers.reload()
    await hers.get_by_role("link", name="Enter").click()
    await expect(hers.locator("#support")).to_contain_text("Support: Olga has access to this workspace.")
    veras = await pages.agent(world, name="vera", size=HAND)
    await expect(veras.locator("#support")).to_contain_text("Support: Olga has access to this workspace.")
    await examine(veras, "support-banner-hand")
    pages.announce("404")
    await alices.locator("#support").get_by_role("button", name="End now").click()
    await expect(alices.locator(".banner-info")).to_contain_text("It is over")
    await examine(alices, "support-over")
    await expect(veras.locator("#support")).not_to_contain_text("Olga")
    await hers.reload()
    await expect(hers.get_by_role("heading", level=1)).to_be_visible()
    assert (await ask(world, olga, world.globex)).status_code == 303
    await let_in(world, await world.session("charlie"), world.globex)
