"""The audit log in a browser: readable in both themes and in the hand, live while it is verified, red when changed."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from chime import audit
from chime.security.permissions import OPERATOR
from tests.browser.test_axe import examine_themes
from tests.http.inbox_setup import talk
from tests.support.browser import DESKTOP, HAND, Pages
from tests.support.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def open_log(pages: Pages, world: World, size: tuple[int, int] = DESKTOP) -> Page:
    page = await pages.agent(world, "alice", f"/w/{world.acme.slug}/settings/audit", size=size)
    await expect(page.get_by_role("heading", name="Audit log", exact=True)).to_be_visible()
    return page


async def a_day(world: World) -> None:
    """What people do, with changes and a refusal among it."""
    maya, alice, bob = await talk(world), await world.session("alice"), await world.session("bob")
    await alice.get(f"/w/{world.acme.slug}/inbox/{maya.id}")
    await alice.post(f"/w/{world.acme.slug}/contacts/{maya.contact_id}/tags", data={"name": "vip"})
    await bob.get(f"/w/{world.acme.slug}/settings/audit")
    async with world.workspace(world.acme) as workspace:
        async with workspace.write(OPERATOR) as tx:
            await tx.audit("member.role_changed", "member", "01kafx2v9m3q8r5t7w1y4z6b0m", before={"role": "agent"},
                           after={"role": "manager"})
        await audit.sign(audit.trail_of(workspace, world.services.control))


async def test_a_day_is_read_and_verified(pages: Pages, world: World) -> None:
    await a_day(world)
    for size in (DESKTOP, HAND):
        page = await open_log(pages, world, size)
        await page.get_by_role("button", name="Verify now").click()
        await expect(page.get_by_text("Nothing was changed")).to_be_visible()
        await page.locator("summary", has_text="Proof").first.click()
        await examine_themes(page, f"audit-{size[0]}")
        await page.evaluate("document.getElementById('main').scrollTo(0, 1e6)")
        await examine_themes(page, f"audit-below-{size[0]}")
    await page.get_by_label("Result").select_option("denied")
    await page.get_by_role("button", name="Filter").click()
    await expect(page.locator(".audit-row")).to_have_count(1)
    await expect(page.get_by_text("Was refused something").last).to_be_visible()


async def test_a_changed_log(pages: Pages, world: World) -> None:
    async with world.workspace(world.globex) as workspace:
        async with workspace.db.transaction() as tx:
            await tx.execute("DROP TRIGGER audit_event_is_never_changed")
            await tx.execute("UPDATE audit_event SET hash = zeroblob(32) WHERE sequence = 1")
        with pytest.raises(audit.TrailChanged):
            await audit.sign(audit.trail_of(workspace, world.services.control))
    page = await pages.agent(world, "charlie", f"/w/{world.globex.slug}/settings/audit")
    await expect(page.get_by_text("This log was changed from outside.")).to_be_visible()
    await page.get_by_role("button", name="Verify now").click()
    await expect(page.get_by_text("Something was changed.")).to_be_visible()
    await expect(page.get_by_text("First bad row: 1.").first).to_be_visible()
    await examine_themes(page, "audit-changed-1280")
