"""Two agents and their customer at the same time: Alice at a desk, Mo with a phone in his hand, in light and in dark.
What one does the other sees within a moment, on either size of screen.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from playwright.async_api import Page, expect

from chime.security.permissions import MODULES
from chime.simulator import write
from tests.browser.test_axe import examine
from tests.http.inbox_setup import Talk
from tests.http.people_setup import id_of
from tests.support.browser import HAND, Pages, expect_tick, message, new_talk, open_talk, pick, row, type_and_send
from tests.support.world import ACME_NUMBER, World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

HEAD = "#thread-header"
MOMENT = 2_000


@dataclass
class Two:
    """Somebody at a desk and somebody with a phone, before the same conversation."""

    found: Talk
    customer: str
    desk: Page
    phone: Page
    desk_name: str
    phone_name: str

    @property
    def pages(self) -> tuple[Page, Page]:
        return self.desk, self.phone

    async def look(self, what: str, theme: str) -> None:
        """Everybody can use what each of them has on the screen."""
        for page, place in ((self.desk, "desk"), (self.phone, "hand")):
            await examine(page, f"two-{what}-{self.phone_name.lower()}-{theme}-{place}")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("hand", ["mo", "alice"], ids=["manager-in-hand", "owner-in-hand"])
async def test_two_agents_and_a_customer_at_once(pages: Pages, world: World, hand: str, dark: bool) -> None:
    pages.announce(r"answer 409: POST \S+/messages$")
    pages.announce(r"console: Failed to load resource: .* 409")
    theme, at_desk = "dark" if dark else "light", "alice" if hand == "mo" else "mo"
    customer = f"Gus Ohm {hand} {theme}"
    found = await new_talk(world, customer, "Hello, is my table ready?")
    desk = await open_talk(pages, found, at_desk, dark=dark)
    phone = await open_talk(pages, found, hand, size=HAND, dark=dark)
    two = Two(found, customer, desk, phone, at_desk.capitalize(), hand.capitalize())
    await each_sees_the_other(two, theme)
    await the_slower_one_is_asked(two, theme)
    await what_one_does_the_other_sees(two)
    await a_note_calls(two, theme)
    await resolved_and_written_again(two)


async def each_sees_the_other(two: Two, theme: str) -> None:
    """There, then writing; the customer writes in between, and the half-written words stay."""
    for page, other in zip(two.pages, (two.phone_name, two.desk_name), strict=True):
        await expect(page.locator("#people-here .avatar")).to_have_attribute("aria-label", f"{other} is here")
    await two.phone.locator("#text").press_sequentially("I look int", delay=20)
    await expect(two.desk.locator("#writing-now")).to_have_text(f"{two.phone_name} is writing an answer",
                                                                timeout=MOMENT)
    await two.look("writing", theme)
    await two.found.says("It should be green")
    for page in two.pages:
        await expect(message(page, "It should be green")).to_be_visible(timeout=MOMENT)
    await expect(two.phone.locator("#text")).to_have_value("I look int")


async def the_slower_one_is_asked(two: Two, theme: str) -> None:
    """The desk was faster: the phone is asked before its answer leaves."""
    phone = two.phone
    await expect_tick(await type_and_send(two.desk, "Green it is, and it is ready."), "read")
    await expect(message(phone, "Green it is")).to_be_visible(timeout=MOMENT)
    await phone.locator("#text").press("End")
    await phone.locator("#writing .tool-primary").tap()
    asked = phone.locator("#send-error")
    await expect(asked).to_contain_text(f"{two.desk_name} has answered meanwhile")
    await two.look("asked", theme)
    await asked.get_by_role("button", name="Discard").tap()
    await expect(phone.locator("#text")).to_have_value("")


async def what_one_does_the_other_sees(two: Two) -> None:
    """Whose it is, what was answered, how far it came, and the customer's thumb."""
    desk, phone = two.pages
    await pick(phone, "[popovertarget='assign-menu']", "#assign-menu [data-me]")
    await expect(desk.locator(f"{HEAD} .assign .avatar")).to_have_text(two.phone_name[0], timeout=MOMENT)
    await expect(desk.locator(f"{HEAD} .assign")).to_contain_text(two.phone_name)
    name = desk.locator(f"{HEAD} h2")
    assert await name.evaluate("name => name.scrollWidth <= name.clientWidth"), "the whole name, beside all there is"
    answer = await type_and_send(phone, "Come by any day until six.")
    for page in two.pages:
        await expect_tick(message(page, "Come by any day"), "read")
    reaction = {"message_id": (await two.found.sent())[-1].wamid, "emoji": "👍"}
    write(two.found.world.simulator, two.found.customer, {"type": "reaction", "reaction": reaction},
          number=ACME_NUMBER)
    for page in two.pages:
        await expect(message(page, "Come by any day").locator(".reactions")).to_contain_text("👍", timeout=MOMENT)
    await expect(answer).to_be_in_viewport()


async def a_note_calls(two: Two, theme: str) -> None:
    """The phone's owner is elsewhere when the desk calls; the notification leads back, and who looks has seen it."""
    desk, phone = two.pages
    await phone.locator("[data-back]").tap()
    await expect(phone.locator("#rows .row").first).to_be_visible()
    await expect(desk.locator("#people-here .avatar")).to_have_count(0, timeout=MOMENT)
    before = await told(phone)
    await desk.locator("#note-box > summary").click()
    await desk.locator("#note-text").press_sequentially(f"Did they pay, @{two.phone_name[:2]}")
    await expect(desk.locator("#note-names [role=option]:visible")).to_have_count(1)
    await desk.keyboard.press("Enter")
    await desk.keyboard.press("Enter")
    await expect(desk.locator("#messages .note")).to_contain_text(f"@{two.phone_name}")
    await expect(phone.locator("[data-bell-badge]")).to_have_text(str(before + 1))
    await expect(phone.locator("#view-more .badge")).to_contain_text("@1")
    await two.look("called", theme)
    await phone.locator("[data-bell-badge]").tap()
    notice = phone.locator(".notice-link").first
    await expect(notice).to_contain_text(f"{two.desk_name} mentioned you")
    await examine(phone, f"two-notices-{two.phone_name.lower()}-{theme}")
    await notice.tap()
    await expect(phone.locator("#messages .note")).to_contain_text("Did they pay")
    await expect(desk.locator("#people-here .avatar")).to_have_count(1)


async def resolved_and_written_again(two: Two) -> None:
    """Resolved on the phone it leaves the desk's list at once; the customer's thanks bring it back."""
    desk, phone = two.pages
    await phone.locator("[data-key='e']").tap()
    await expect(desk.locator(HEAD)).to_have_attribute("data-state", "closed", timeout=MOMENT)
    await expect(row(desk, two.customer)).to_have_count(0)
    await two.found.says("Thank you!")
    for page in two.pages:
        await expect(message(page, "Thank you!")).to_be_visible(timeout=MOMENT)
        await expect(page.locator(HEAD)).to_have_attribute("data-state", "open")
    await expect(row(desk, two.customer)).to_be_visible()


async def told(page: Page) -> int:
    """What the bell says."""
    badge = page.locator("[data-bell-badge]")
    return int(await badge.inner_text()) if await badge.is_visible() else 0


async def test_what_somebody_may_not_see_any_more_leaves_their_screen(pages: Pages, world: World) -> None:
    """First the number is taken from them, then the membership: within two seconds nothing of the customer is left."""
    pages.announce(r"answer 40[34]: GET")
    pages.announce(r"console: Failed to load resource: .* 40[34]")
    found = await new_talk(world, "Hedda Lost", "My secret order")
    page = await open_talk(pages, found, "kim")
    await expect(row(page, "Hedda Lost")).to_be_visible()
    await row(page, "Hedda Lost").focus()
    await page.wait_for_timeout(1500)
    alice, kim = await world.session("alice"), await id_of(world, "kim")
    there = f"/w/acme/settings/members/{kim}"
    assert (await alice.post(f"{there}/limits", data={"module": list(MODULES), "numbers": "some"})).status_code == 303
    await expect(page.locator("#messages")).to_have_count(0, timeout=MOMENT)
    await expect(row(page, "Hedda Lost")).to_have_count(0, timeout=MOMENT)
    assert (await alice.post(f"{there}/limits", data={"module": list(MODULES), "numbers": "all"})).status_code == 303
    await expect(row(page, "Hedda Lost")).to_be_visible()  # only going away is a matter of two seconds
    assert (await alice.post(f"{there}/removal")).status_code == 303
    await expect(row(page, "Hedda Lost")).to_have_count(0, timeout=MOMENT)
    await expect(page.locator("h1")).to_be_visible()
    assert "Hedda" not in await page.content()
