"""The practice workspace: a simulated number in a real installation. It works, is marked, meets nothing real, and goes
as a whole."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import msgspec

from chime import practice
from chime.practice.model import APP_ID, PHONE_NUMBER_ID, WABA_ID
from chime.simulator import Number
from tests.http.inbox_setup import until
from tests.support.world import ACCESS_TOKEN, World

PAGE = "/installation/practice"
THIRD = Number(phone_number_id="611222333444555", waba_id="677001122334455", display_phone_number="+1 555-010-0400",
               verified_name="Acme two")


async def without_real_numbers(world: World) -> None:
    async with world.services.control.ingest("test") as tx:
        await tx.execute("DELETE FROM channel_route")


async def begun(world: World) -> tuple[httpx.AsyncClient, str]:
    """Alice, who operates, and the address of the practice workspace, in which customers have written."""
    await without_real_numbers(world)
    alice = await world.session("alice")
    answer = await alice.post(PAGE)
    assert answer.status_code == 303, answer.text
    base = answer.headers["location"].removesuffix("/inbox")
    await until(lambda: _has_written(alice, base, "Elena Rossi"))
    return alice, base


async def _has_written(client: httpx.AsyncClient, base: str, name: str) -> bool:
    return name in (await client.get(f"{base}/inbox")).text


async def _words_of(client: httpx.AsyncClient, customer: str) -> list[str]:
    answer = await client.get(f"/simulator/customers/{customer}/messages")
    return [one["text"] for one in answer.json()["items"]]


async def test_customers_write_and_are_answered_and_nothing_reaches_meta(world: World) -> None:
    alice, base = await begun(world)
    page = (await alice.get(f"{base}/inbox")).text
    assert "This WhatsApp is simulated." in page and "/simulator/phone/fragment" in page
    assert "Simulated" in (await alice.get(f"{base}/settings/channels")).text
    sent = await alice.post("/simulator/customers/elena/messages",
                            json={"type": "text", "text": {"body": "A word from the phone"}})
    assert sent.status_code < 300, sent.text
    await until(lambda: _has_written(alice, base, "A word from the phone"))
    workspace_id = await practice.workspace_id(world.services.control.db)
    assert workspace_id is not None
    async with world.services.registry.use(workspace_id) as workspace:
        conversation_id = await workspace.db.value(
            "SELECT conversation.id FROM conversation JOIN contact ON contact.id = contact_id "
            "WHERE ? IN (name, profile_name)", "Elena Rossi")
    answer = await alice.post(f"{base}/inbox/{conversation_id}/messages", data={"text": "An answer from the inbox"})
    assert answer.status_code < 400, answer.text

    async def answered() -> bool:
        return "An answer from the inbox" in await _words_of(alice, "elena")

    await until(answered)
    assert not world.simulator.world.ledger, "what CHIME_GRAPH_URL names was never asked"


async def test_it_goes_as_a_whole(world: World) -> None:
    alice, base = await begun(world)
    assert (await alice.post(f"{PAGE}/removal")).status_code == 303
    assert (await alice.get(f"{base}/inbox")).status_code == 404
    await until(lambda: _is_off(world))
    assert (await alice.get("/simulator/customers")).status_code == 404
    assert await practice.workspace_id(world.services.control.db) is None
    assert "Make a practice workspace" in (await alice.get(PAGE)).text


async def _is_off(world: World) -> bool:
    return world.services.graph.simulator is None


async def test_its_phones_are_shown_to_operators_alone(world: World) -> None:
    alice, _ = await begun(world)
    for path in ("/simulator/phone", "/simulator/customers", "/simulator/events"):
        bob = await world.session("bob")
        assert (await bob.get(path)).status_code == 403
        async with httpx.AsyncClient(base_url=world.base) as stranger:
            assert (await stranger.get(path)).status_code == 303
    forged = {"X-CSRF-Token": "no token of this session"}
    assert (await alice.post("/simulator/customers", json={"name": "Eve", "phone": "14155550198"},
                             headers=forged)).status_code == 403
    for path in (f"/simulator/graph/v1/{PHONE_NUMBER_ID}", "/simulator/media/none"):
        assert (await alice.get(path)).status_code == 404, "the Graph API has no address here"
    assert (await alice.post("/simulator/clock", json={"hours": 1})).status_code == 409
    bob = await world.session("bob")
    assert (await bob.post(PAGE)).status_code == 403 and (await bob.post(f"{PAGE}/removal")).status_code == 403


async def test_it_never_stands_beside_a_real_number(world: World) -> None:
    alice = await world.session("alice")
    refused = await alice.post(PAGE)
    assert refused.status_code == 409 and await practice.workspace_id(world.services.control.db) is None
    alice, _ = await begun(world)
    assert (await alice.post(PAGE)).status_code == 409, "one is enough"
    world.simulator.world.add_number(msgspec.structs.replace(THIRD), subscribed_app="200300400500600")
    form = {"phone_number_id": THIRD.phone_number_id, "waba_id": THIRD.waba_id, "display_phone": "+1 555 010 0400",
            "app_id": "200300400500600", "access_token": ACCESS_TOKEN}
    beside = await alice.post("/w/acme/settings/channels", data=form)
    assert beside.status_code == 409 and "practice workspace" in beside.text
    # What comes by another way, as with an import, ends it.
    async with world.services.control.ingest("test") as tx:
        await tx.execute("INSERT INTO channel_route (phone_number_id, waba_id, workspace_id, channel_id, meta_app_id, "
                         "created_at) SELECT ?, ?, ?, 'channel1', id, 0 FROM meta_app LIMIT 1",
                         THIRD.phone_number_id, THIRD.waba_id, world.acme.workspace_id)
    await until(lambda: _is_off(world), seconds=20)


async def test_nobody_connects_a_simulated_number_by_hand(world: World) -> None:
    alice = await world.session("alice")
    form: dict[str, Any] = {"phone_number_id": PHONE_NUMBER_ID, "waba_id": WABA_ID, "app_id": APP_ID,
                            "display_phone": "+1 555 010 0400", "access_token": "0-simulated-by-hand",
                            "app_secret": "a secret", "verify_token": "a token"}
    refused = await alice.post("/w/acme/settings/channels", data=form)
    assert refused.status_code == 422
    assert all(f'id="{field}-error"' in refused.text for field in ("phone_number_id", "waba_id", "app_id",
                                                                  "access_token"))


async def test_after_a_restart_the_phones_are_there_again_and_nobody_writes_twice(world: World) -> None:
    alice, base = await begun(world)
    workspace_id = await practice.workspace_id(world.services.control.db) or ""
    await world.settle()

    async def messages() -> int:
        async with world.services.registry.use(workspace_id) as workspace:
            return int(await workspace.db.value("SELECT count(*) FROM message"))

    before = await messages()
    again = practice.Practice(world.services.control, world.services.registry, world.services.graph,
                              world.services.runner, lambda: world.app.asgi_handler)
    running = asyncio.create_task(again.run())
    try:
        await until(lambda: again.phones is not None)
        assert again.is_in(workspace_id) and not again.is_in(world.acme.workspace_id)
        await asyncio.sleep(0.5)
        await world.settle()
        assert await messages() == before
    finally:
        running.cancel()
    assert base and alice
