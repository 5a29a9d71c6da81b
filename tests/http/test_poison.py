"""One event that cannot be taken in does not cost the 199 beside it, nor anything that comes after."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.webhook_bodies import (
    DANA,
    Customer,
    bodies,
    body,
    change,
    contact,
    inbound,
    journalled,
    message,
    rows,
    seconds,
    statuses,
    take,
    text,
    thread_page,
)
from tests.support.world import ACME_NUMBER, GLOBEX_NUMBER, World

STRANGER = Customer("Mallory", "447700900123", "GB.mallory")
REJECTED = "SELECT path, reason, settled_at FROM rejected_event ORDER BY path"


def unreadable(at: int) -> dict[str, Any]:
    """The parser sets it aside: nobody is named."""
    return {"id": "wamid.poison", "timestamp": str(at), "type": "text", "text": {"body": "the poisoned words"}}


def unappliable(at: int) -> dict[str, Any]:
    """Fails in the middle of its effects: the message and its sender are written, then the STOP in it cannot be
    recorded, because its evidence, this id, is longer than any."""
    return text(STRANGER, "wamid.poison" + "x" * 2100, at, "STOP")


@pytest.mark.parametrize("poison", [unreadable, unappliable])
async def test_a_poison_item_in_a_batch_of_two_hundred_is_set_aside_alone(world: World, poison: Any) -> None:
    at = seconds(world, 400)
    items = [text(DANA, f"wamid.a{n}", at + n, f"for Acme {n}") for n in range(100)]
    items[41] = poison(at)
    people = [contact(DANA), contact(STRANGER)]
    for_globex = [text(DANA, f"wamid.g{n}", at + n, f"for Globex {n}") for n in range(100)]
    batch = bodies((ACME_NUMBER, [change(ACME_NUMBER, contacts=people, messages=items[:60]),
                                  change(ACME_NUMBER, contacts=people, messages=items[60:])]),
                   (GLOBEX_NUMBER, [inbound(GLOBEX_NUMBER, DANA, *for_globex)]))
    for _ in range(2):
        await take(world, batch)
    kept = await rows(world, world.acme, "SELECT wamid FROM message ORDER BY at, wamid")
    assert kept == [(f"wamid.a{n}",) for n in range(100) if n != 41]
    assert await rows(world, world.globex, "SELECT count(*) FROM message") == [(100,)]
    [(path, reason, settled_at)] = await rows(world, world.acme, REJECTED)
    assert (path, settled_at) == ("entry.0.changes.0.messages.41", None)
    assert reason and not any(word in reason for word in ("poisoned", "STOP", "Mallory", "447700900123", "wamid"))
    assert await rows(world, world.globex, REJECTED) == []
    # Undone to the last row: nobody was made a contact by a message that is not there.
    assert await rows(world, world.acme, "SELECT profile_name FROM contact") == [("Dana R",)]
    assert await rows(world, world.acme, "SELECT 1 FROM consent_event") == []
    # Not lost either: its words wait in the journal for a Chime that can read them.
    assert b"wamid.poison" in await journalled(world, world.acme)

    await take(world, body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, text(DANA, "wamid.next", at + 200, "life goes on"))))
    failed_before = dict(world.services.runner.failed)
    await world.services.runner.sweep([world.acme.workspace_id, world.globex.workspace_id])
    await world.settle()
    assert dict(world.services.runner.failed) == failed_before, "and is not tried again for ever"
    [(conversation_id, unread)] = await rows(world, world.acme, "SELECT id, unread_count FROM conversation")
    assert unread == 100 and "life goes on" in await thread_page(world, conversation_id)


async def test_hardly_believable_items_hurt_nobody(world: World) -> None:
    """Every shape a payload can have where another is expected; whatever can be shown must be shown."""
    at = seconds(world, 300)
    odd: list[Any] = [
        None, 7, "text", [], {}, {"id": None}, {"id": "wamid.o1"},
        {"from": DANA.phone, "id": "wamid.o2", "type": "text"},
        {"from": DANA.phone, "id": ["x"], "type": "text", "text": {"body": "?"}},
        message(DANA, "wamid.o3", at, type="text", text="no object"),
        message(DANA, "wamid.o4", at, type="text", text={"body": {"nested": True}}),
        message(DANA, "wamid.o5", at, type="image", image={"id": 12345678901234567890, "mime_type": None}),
        message(DANA, "wamid.o6", at, type="location", location={"latitude": "north", "longitude": 1e400}),
        message(DANA, "wamid.o7", at, type="contacts", contacts={"name": "no list"}),
        message(DANA, "wamid.o8", at, type="order", order={"product_items": [None, {"quantity": "many"}]}),
        message(DANA, "wamid.o9", at, type="interactive", interactive={"type": "nfm_reply", "nfm_reply": {
            "response_json": "[" * 5000}}),
        {**text(DANA, "wamid.p1", 0, "at no time"), "timestamp": "soon"},
        {**text(DANA, "wamid.p2", 0, "in the last year"), "timestamp": "253402300799000"},
        {**text(DANA, "wamid.p3", 0, "before time"), "timestamp": "-1"},
        {**text(DANA, "wamid.p4", at, "whole \ud83d half"), "context": "no object", "referral": [1], "errors": "none"},
        text(DANA, "wamid.p5", at, "x" * 70_000),
        message(DANA, "wamid.p6", at, type={"not": "text"}),
        text(Customer("N" * 5000, DANA.phone, "US." + "9" * 150), "wamid.p7", at, "long names"),
    ]
    told: list[Any] = [None, {"id": "wamid.s"}, {"id": "wamid.s", "status": 4},
                       {"id": 1, "status": "sent", "errors": [None]},
                       {"id": "wamid.s", "status": "failed", "timestamp": "x", "errors": [{"code": "many"}]}]
    await take(world, bodies((ACME_NUMBER, [
        change(ACME_NUMBER, contacts=[None, {"profile": 3}, contact(DANA)], messages=odd), statuses(ACME_NUMBER, *told),
        change(ACME_NUMBER, messages="no list"),
        change(ACME_NUMBER, "history", history=[{"threads": [{"messages": [7]}]}]),
        inbound(ACME_NUMBER, DANA, text(DANA, "wamid.last", at + 9, "still here"))])))
    found = [row[0] for row in await rows(world, world.acme, "SELECT wamid FROM message ORDER BY wamid")]
    assert {f"wamid.p{n}" for n in range(1, 8)} <= set(found) and "wamid.last" in found
    # What was not taken in is written down, each at its place.
    places = {path for path, _, _ in await rows(world, world.acme, REJECTED)}
    assert {f"entry.0.changes.0.messages.{n}" for n in range(7)} <= places
    alice = await world.session("alice")
    for zone in ("UTC", "Pacific/Kiritimati", "Etc/GMT+12"):
        alice.cookies.set("zone", zone)
        for (conversation_id,) in await rows(world, world.acme, "SELECT id FROM conversation"):
            assert "still here" in await thread_page(world, conversation_id)
        assert (await alice.get("/w/acme/inbox")).status_code == 200
