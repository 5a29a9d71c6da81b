"""The doctor's pages: who sees them, looking again, being left alone for a day, subscribing; what a monitor sees."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from chime.clock import MINUTE
from tests.http.doctor_setup import doctor, look
from tests.support.world import ACCESS_TOKEN, ACME_NUMBER, World

PAGE, INSTALLATION = "/w/acme/settings/connection", "/installation/doctor"


async def _looked(world: World, client: httpx.AsyncClient, page: str, workspace_id: str) -> str:
    """The page when the look that was asked for is over."""
    async with asyncio.timeout(20):
        while doctor(world).is_looking(workspace_id):
            await asyncio.sleep(0.02)
    return (await client.get(page)).text


async def test_owners_see_each_number_and_look_again(world: World) -> None:
    alice = await world.session("alice")
    page = await alice.get(PAGE)
    assert page.status_code == 200 and "Not looked at yet" in page.text and "Acme" in page.text
    asked = await alice.post(f"{PAGE}/looks")
    assert asked.status_code == 303
    running = (await alice.get(PAGE)).text
    assert 'hx-get="/w/acme/settings/connection/progress"' in running or "Signature round trip" in running
    text = await _looked(world, alice, PAGE, world.acme.workspace_id)
    for words in ("Access token", "Signature round trip", "our Meta app is among the 1 apps subscribed", "In order",
                  "The last days"):
        assert words in text
    assert ACCESS_TOKEN not in text and "globex" not in text.lower()
    again = await alice.post(f"{PAGE}/looks")
    assert again.status_code == 429 and "looked at just now" in again.text
    world.clock.pass_time(MINUTE)
    assert (await alice.post(f"{PAGE}/looks")).status_code == 303
    await _looked(world, alice, PAGE, world.acme.workspace_id)


async def test_nobody_else_does(world: World) -> None:
    for name in ("mo", "kim", "bob", "vera"):
        client = await world.session(name)
        for path in (PAGE, f"{PAGE}/progress", INSTALLATION):
            assert (await client.get(path)).status_code == 403, (name, path)
        for path in (f"{PAGE}/looks", f"{INSTALLATION}/looks", f"{PAGE}/{world.acme.channel_id}/reminders",
                     f"{PAGE}/{world.acme.channel_id}/subscription", f"{INSTALLATION}/reminders"):
            assert (await client.post(path)).status_code == 403, (name, path)
    charlie = await world.session("charlie")
    assert (await charlie.get(PAGE)).status_code == 404
    assert (await charlie.post(f"/w/globex/settings/connection/{world.acme.channel_id}/reminders",
                               data={"name": "quality"})).status_code == 404
    assert (await charlie.get(INSTALLATION)).status_code == 403


async def test_what_is_red_says_what_to_do_and_can_be_left_alone_for_a_day(world: World) -> None:
    alice, number = await world.session("alice"), world.simulator.world.numbers[ACME_NUMBER.phone_number_id]
    number.quality_rating = "RED"
    await look(world)
    text = (await alice.get(PAGE)).text
    assert "Meta rates the quality of this number low" in text and "Pause campaigns" in text
    assert "1 check fails" in text and "settings-count" in text and "Open at Meta" in text
    there = f"{PAGE}/{world.acme.channel_id}/reminders"
    assert (await alice.post(there, data={"name": "number"})).status_code == 404, "that one is in order"
    silenced = await alice.post(there, data={"name": "quality"}, follow_redirects=True)
    assert "Nobody is told of it again before tomorrow." in silenced.text and "Alice knows" in silenced.text
    rows = await world.services.control.db.rows(
        "SELECT object_id FROM audit_event WHERE action = 'doctor.reminder_chosen'")
    assert rows == [("quality",)]
    number.quality_rating = "GREEN"
    await look(world)
    assert "settings-count" not in (await alice.get(PAGE)).text


async def test_a_missing_subscription_is_made_from_the_page(world: World) -> None:
    alice, subscriptions = await world.session("alice"), world.simulator.world.subscriptions[ACME_NUMBER.waba_id]
    subscriptions.clear()
    await look(world)
    assert "Subscribe</button>" in (await alice.get(PAGE)).text
    made = await alice.post(f"{PAGE}/{world.acme.channel_id}/subscription", follow_redirects=True)
    assert made.status_code == 200 and "Our app is subscribed" in made.text and subscriptions
    assert "Subscribe</button>" not in made.text
    subscriptions.clear()
    world.simulator.set_switches({"token_expired": True})
    refused = await alice.post(f"{PAGE}/{world.acme.channel_id}/subscription")
    assert refused.status_code in (409, 422) and "banner-danger" in refused.text
    world.simulator.set_switches({"token_expired": False})
    await alice.post(f"{PAGE}/{world.acme.channel_id}/subscription")


async def test_operators_see_the_installation(world: World) -> None:
    alice = await world.session("alice")
    assert "Not looked at yet" in (await alice.get(INSTALLATION)).text
    assert (await alice.post(f"{INSTALLATION}/looks")).status_code == 303
    text = await _looked(world, alice, INSTALLATION, "")
    for words in ("Data folder", "Disk", "Queue", "Meta posts to https only", "Clock"):
        assert words in text
    assert text.index("Public address") < text.index("Data folder"), "what is red stands first"
    assert (await alice.post(f"{INSTALLATION}/reminders", data={"name": "public address"})).status_code == 303
    assert "Alice knows" in (await alice.get(INSTALLATION)).text
    assert (await alice.post(f"{INSTALLATION}/reminders", data={"name": "nothing"})).status_code == 404
    assert (await alice.post(f"{INSTALLATION}/looks")).status_code == 429


async def test_a_monitor_sees_how_many(world: World) -> None:
    await look(world, "")
    await look(world)
    metrics = (await (await world.session("mo")).get("/metrics")).text
    assert 'chime_checks{state="fail"} 1\n' in metrics and 'chime_checks{state="warn"} 0\n' in metrics


async def test_a_number_that_is_gone_is_forgotten(world: World) -> None:
    await look(world)
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE channel SET removed_at = 1 WHERE id = ?", world.acme.channel_id)
    assert not await look(world)
    assert "No number is connected" in (await (await world.session("alice")).get(PAGE)).text


@pytest.mark.parametrize("page", [PAGE, INSTALLATION])
async def test_without_script_the_page_works(world: World, page: str) -> None:
    """Forms and links are plain ones; the progress is asked for again by loading the page."""
    alice = await world.session("alice")
    text = (await alice.get(page)).text
    assert f'method="post" action="{page}/looks"' in text
