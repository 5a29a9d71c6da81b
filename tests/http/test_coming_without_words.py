"""Who reacts or calls comes back without a word; a call of ours, or somebody blocked, brings nothing back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.inbox_setup import PHONE, Talk, talk
from tests.http.service_setup import events, targets
from tests.support.webhook_bodies import Customer, body, change, inbound, message, rows, seconds, take
from tests.support.world import ACME_NUMBER, World

HTMX = {"HX-Request": "true"}
MAYA = Customer("Maya Chen", PHONE)


def called(at: int, **part: Any) -> dict[str, Any]:
    return change(ACME_NUMBER, "calls", calls=[{"id": "wacid.1", "from": PHONE, "event": "connect",
                                                "timestamp": str(at), **part}])


async def reacted(said: Talk, at: int) -> dict[str, Any]:
    first = (await said.messages())[0]
    return inbound(ACME_NUMBER, MAYA, message(MAYA, "wamid.r", at, type="reaction", reaction={
        "message_id": first.wamid, "emoji": "👍"}))


@pytest.mark.parametrize("how", ["reaction", "call"])
async def test_woken_by_it_what_rested_goes_on_and_the_thread_says_so(world: World, how: str) -> None:
    await targets(await world.session("alice"), resolution_minutes="4h")
    said = await talk(world)
    alice = await world.session("alice")
    await alice.post(f"{said.base}/snooze", data={"until": "monday"})
    at = seconds(world)
    came = await reacted(said, at) if how == "reaction" else called(at, direction="USER_INITIATED")
    await take(world, body(ACME_NUMBER, came))
    assert await rows(world, world.acme, "SELECT state, due_kind FROM conversation") == [("open", "resolution")]
    assert await events(world, said.id, "woken") == [{}]


@pytest.mark.parametrize("call", ["ours", "of somebody blocked"])
async def test_resolved_it_stays_so(world: World, call: str) -> None:
    said = await talk(world)
    alice = await world.session("alice")
    if call != "ours":
        answer = await alice.post(f"/w/acme/contacts/{said.contact_id}/block", headers=HTMX)
        assert answer.status_code == 200, answer.text
    await alice.post(f"{said.base}/closure")
    at = seconds(world)
    told = called(at, direction="USER_INITIATED") if call != "ours" else change(
        ACME_NUMBER, "calls", calls=[{"id": "wacid.2", "to": PHONE, "event": "terminate", "timestamp": str(at),
                                      "direction": "BUSINESS_INITIATED"}],
        statuses=[{"id": "wacid.2", "type": "call", "status": "RINGING", "timestamp": str(at), "recipient_id": PHONE}])
    await take(world, body(ACME_NUMBER, told))
    assert await rows(world, world.acme, "SELECT reason FROM rejected_event") == []
    assert await rows(world, world.acme, "SELECT state FROM conversation") == [("closed",)]
    assert await events(world, said.id, "reopened") == []
