"""Meta promises no order and repeats itself: whatever the order of one story, the same is left of it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from tests.support.webhook_bodies import (
    DANA,
    Customer,
    body,
    change,
    inbound,
    message,
    rows,
    seconds,
    statuses,
    system,
    take,
    text,
)
from tests.support.world import ACME_NUMBER, World, running_world


def story(at: int) -> list[dict[str, Any]]:
    """What happens to Dana in half a minute, as changes of one number. Each is told by itself."""
    after = Customer("Dana R", "14155550999", "US.NEW1")
    about = {"type": "reaction", "reaction": {"message_id": "wamid.m3", "emoji": "👍"}}
    outgoing = {"to": DANA.phone, "to_user_id": DANA.user_id, "type": "text"}
    price = {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "service"}

    def status(wamid: str, word: str, moment: int, **more: Any) -> dict[str, Any]:
        return statuses(ACME_NUMBER, {"id": wamid, "status": word, "timestamp": str(moment), **more})

    return [
        *(inbound(ACME_NUMBER, DANA, item) for item in (
            text(DANA, "wamid.m1", at + 1, "first"), text(DANA, "wamid.m2", at + 2, "second"),
            {**text(DANA, "wamid.m3", at + 3, "third"), "context": {"id": "wamid.m1"}},
            message(DANA, "wamid.e1", at + 5, type="edit", edit={"original_message_id": "wamid.m1", "message": {
                "type": "text", "text": {"body": "first, mended"}}}),
            message(DANA, "wamid.v1", at + 6, type="revoke", revoke={"original_message_id": "wamid.m2"}),
            message(DANA, "wamid.r1", at + 7, **about),
            message(DANA, "wamid.r2", at + 9, type="reaction", reaction={"message_id": "wamid.m3", "emoji": "🎉"}))),
        change(ACME_NUMBER, "calls", calls=[{"id": "wacid.1", "from": DANA.phone, "event": "connect",
                                             "direction": "USER_INITIATED", "timestamp": str(at + 4)}]),
        change(ACME_NUMBER, "smb_message_echoes", message_echoes=[
            {**outgoing, "id": "wamid.o1", "timestamp": str(at + 11), "text": {"body": "answer"}}]),
        status("wamid.o1", "delivered", at + 12, pricing=price), status("wamid.o1", "read", at + 13),
        change(ACME_NUMBER, "smb_message_echoes", message_echoes=[
            {**outgoing, "id": "wamid.o2", "timestamp": str(at + 14), "text": {"body": "answer again"}}]),
        status("wamid.o2", "failed", at + 15, errors=[{"code": 131026, "title": "Undeliverable"}]),
        status("wamid.o2", "delivered", at + 16),
        system(ACME_NUMBER, "wamid.s1", at + 20, DANA.phone, type="user_changed_number", wa_id=after.phone,
               user_id=after.user_id, previous_user_id=DANA.user_id),
        inbound(ACME_NUMBER, after, text(after, "wamid.m4", at + 21, "new phone")),
        change(ACME_NUMBER, "user_preferences", user_preferences=[
            {"user_id": after.user_id, "value": "resume", "category": "marketing_messages", "timestamp": at + 30}]),
        inbound(ACME_NUMBER, after, text(after, "wamid.m5", at + 31, "STOP")),
    ]


async def test_any_order_with_any_repetition_leaves_the_same(installation: Path, tmp_path: Path) -> None:
    dice = random.Random(20261121)
    at = None
    seen: list[dict[str, Any]] = []
    for number in range(6):
        async with running_world(installation, tmp_path / str(number)) as world:
            at = at or seconds(world, 500)
            await take(world, body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, text(DANA, "wamid.m0", at, "hello"))))
            events = story(at)
            if number:
                dice.shuffle(events)
            for place, event in enumerate(events):
                # Now and then what was told already is told again, in another body.
                repeated = dice.sample(events[:place], 4) if place % 5 == 4 else []
                assert (await world.webhook(body(ACME_NUMBER, event, *repeated))).status_code == 200
            await world.settle()
            seen.append(await what_is_left(world))
    assert seen[0]["rejected"] == [] and len(seen[0]["message"]) == 8
    assert seen[0]["contact"] == [("Dana R", "dana.r", "14155550999", "US.NEW1", "opted_out", (at + 31) * 1000)]
    for number, other in enumerate(seen):
        for part in other:
            assert other[part] == seen[0][part], f"{part} of order {number}"


async def what_is_left(world: World) -> dict[str, Any]:
    """Everything of Acme that has a meaning: no ids of ours, no moments of ours."""
    questions = {
        "contact": "SELECT profile_name, username, phone, user_id, marketing_consent, consent_at FROM contact "
                   "WHERE deleted_at IS NULL",
        "identity": "SELECT kind, value FROM contact_identity ORDER BY 1, 2",
        "consent": "SELECT marketing, source, at FROM consent_event ORDER BY at",
        "conversation": "SELECT state, unread_count, window_expires_at, conversation.last_message_at, wamid FROM "
                        "conversation LEFT JOIN message ON message.id = last_message_id",
        "message": "SELECT wamid, direction, origin, type, status, text, content_json, quoted_wamid, author_name, at, "
                   "edited_at, revoked_at, sent_at, delivered_at, read_at, pricing_json, error_code, error_title "
                   "FROM message ORDER BY wamid",
        "reaction": "SELECT wamid, side, emoji, reaction.at FROM reaction JOIN message ON message.id = message_id",
        "line": "SELECT kind, at FROM conversation_event ORDER BY at",
        "status": "SELECT key, status, at, details_json, message_id IS NULL FROM message_status ORDER BY key",
        "change": "SELECT target_wamid, kind, at, content_json FROM early_change ORDER BY 1, 2",
        "rejected": "SELECT path, reason FROM rejected_event",
    }
    return {part: await rows(world, world.acme, question) for part, question in questions.items()}
