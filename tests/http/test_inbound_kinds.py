"""Everything a customer can send arrives: stored, typed, shown to the team of that workspace and to nobody else."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from chime.clock import HOUR
from tests.support.webhook_bodies import (
    DANA,
    Customer,
    body,
    bubble,
    change,
    contact,
    inbound,
    message,
    rows,
    seconds,
    system,
    take,
    text,
    thread_page,
)
from tests.support.world import ACME_NUMBER, World

FILE = b"\xff\xd8\xff\xe0 a small picture " * 9
SHA = base64.b64encode(hashlib.sha256(FILE).digest()).decode()
SOMEBODY = Customer("Noor", None, "US.Noor01", "@noor.makes")
FLOW = '{"flow_token":"t1","size":"large","extras":["olives","ham"]}'


def file(media_id: str, mime_type: str, **more: Any) -> dict[str, Any]:
    return {"id": media_id, "mime_type": mime_type, "sha256": SHA, **more}


def interactive(kind: str, **reply: Any) -> dict[str, Any]:
    return {"type": "interactive", "context": {"from": "15550100200", "id": "wamid.OUT2"},
            "interactive": {"type": kind, kind: reply}}


# name -> the message's own part, the type it is stored as, what its bubble shows
KINDS: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "words": ({"type": "text", "text": {"body": "Is it <b>in</b> stock? Grüße \U0001f44d\x00 *now*"}}, "text",
              ("Is it &lt;b&gt;in&lt;/b&gt; stock? Grüße \U0001f44d <strong>now</strong>",)),
    "picture": ({"type": "image", "image": file("901", "image/jpeg", caption="the broken one")}, "image",
                ('<img src="/w/acme/media/', "the broken one")),
    "film": ({"type": "video", "video": file("902", "video/mp4", caption="see 0:12")}, "video",
             ('<video class="picture" src="/w/acme/media/', "see 0:12")),
    "voice note": ({"type": "audio", "audio": file("903", "audio/ogg; codecs=opus", voice=True)}, "audio",
                   ('<audio src="/w/acme/media/', 'aria-label="Voice note"')),
    "sound": ({"type": "audio", "audio": file("904", "audio/mpeg", voice=False)}, "audio", ('aria-label="Audio"',)),
    "document": ({"type": "document", "document": file("905", "application/pdf", filename="po.pdf", caption="order")},
                 "document", ("po.pdf", "?download=1", "order")),
    "sticker": ({"type": "sticker", "sticker": file("906", "image/webp", animated=False)}, "sticker",
                ('class="sticker" src="/w/acme/media/',)),
    "place": ({"type": "location", "location": {"latitude": -23.55, "longitude": -46.63, "name": "Shop 4",
                                               "address": "Rua A 1"}}, "location", ("Shop 4", "Rua A 1", "-23.55")),
    "bare pin": ({"type": "location", "location": {"latitude": "-23.5", "longitude": "-46.6"}}, "location",
                 ("-23.5, -46.6",)),
    "cards": ({"type": "contacts", "contacts": [
        {"name": {"formatted_name": "Ana Lima"}, "phones": [{"phone": "+55 11 5550-0100", "wa_id": "551155500100"}],
         "emails": [{"email": "a@x.test"}], "org": {"company": "X Ltd"}, "origin": "contact_request"}, {}]}, "contacts",
        ("Ana Lima", "+55 11 5550-0100", "a@x.test", "X Ltd", "Unnamed contact")),
    "template button": ({"type": "button", "context": {"from": "15550100200", "id": "wamid.OUT1"},
                         "button": {"payload": "CONFIRM:77", "text": "Confirm"}}, "button", ("Confirm",)),
    "button without context": ({"type": "button", "button": {"payload": "LATER", "text": "Later"}}, "button",
                               ("Later",)),
    "reply button": (interactive("button_reply", id="yes", title="Yes please"), "interactive", ("Yes please",)),
    "list row": (interactive("list_reply", id="slot-9", title="09:00", description="Monday"), "interactive",
                 ("09:00", "Monday")),
    "form": (interactive("nfm_reply", name="flow", body="Sent", response_json=FLOW), "interactive",
             ("Form answer", "size", "large", "olives, ham")),
    "broken form": (interactive("nfm_reply", name="flow", body="Sent", response_json="{no"), "interactive",
                    ("The answers could not be read",)),
    "address": (interactive("nfm_reply", name="address_message", response_json='{"values":{"in_pin_code":"400063"}}'),
                "interactive", ("Address", "400063")),
    "call permission": (interactive("call_permission_reply", response="accept", is_permanent=False), "interactive",
                        ("Allowed calls",)),
    "product of the catalogue": (interactive("product", anything=1), "interactive", ("cannot be shown",)),
    "interactive with an error only": ({"type": "interactive", "interactive": {},
                                        "errors": [{"code": "131000", "title": "Something went wrong"}]},
                                       "interactive", ("Something went wrong",)),
    "order": ({"type": "order", "order": {"catalog_id": "801", "text": "today pls", "product_items": [
        {"product_retailer_id": "SKU1", "quantity": 2, "item_price": 7.99, "currency": "USD"}]}}, "order",
        ("2 × SKU1", "$15.98", "Total", "today pls")),
    "order in a currency without small coins": ({"type": "order", "order": {"catalog_id": "801", "product_items": [
        {"product_retailer_id": "SKU1", "quantity": 3, "item_price": 1200, "currency": "JPY"},
        {"product_retailer_id": "SKU2", "quantity": 1, "item_price": 0.1, "currency": "JPY"}]}}, "order",
        ("3 × SKU1", "¥3,600<", "¥0.1<", "¥3,600.1<")),
    "order in one with thousandths": ({"type": "order", "order": {"catalog_id": "801", "product_items": [
        {"product_retailer_id": "SKU1", "quantity": 3, "item_price": "0.125", "currency": "KWD"}]}}, "order",
        ("KWD0.375<",)),
    "order without a known currency": ({"type": "order", "order": {"catalog_id": "801", "product_items": [
        {"product_retailer_id": "SKU1", "quantity": 3, "item_price": 5, "currency": "<b>"},
        {"product_retailer_id": "SKU2", "quantity": 2, "item_price": 7}]}}, "order", ("15 &lt;b&gt;", ">14<")),
    "chat opened": ({"type": "request_welcome"}, "request_welcome", ("Opened the chat",)),
    "poll": ({"type": "unsupported", "unsupported": {"type": "poll_creation"}, "errors": [
        {"code": 131051, "title": "Unknown", "error_data": {"details": "Message type is not supported."}}]},
        "unsupported", ("a poll", "Message type is not supported.")),
    "first message from an ad": ({"type": "unsupported", "errors": [{"code": 131060, "title": "unavailable"}]},
                                 "unsupported", ("WhatsApp does not pass on", "unavailable")),
    "type of the future": ({"type": "hologram", "hologram": {"id": 1}}, "unsupported", ("does not pass on",)),
    "from an ad": ({"type": "text", "text": {"body": "Is it on?"}, "referral": {
        "source_url": "https://fb.me/x", "source_type": "ad", "headline": "Sale", "body": "20% off",
        "ctwa_clid": "Aff-1"}}, "text", ("From an ad: Sale", "20% off", 'href="https://fb.me/x"', "Is it on?")),
    "reply to a known message": ({"type": "text", "text": {"body": "that one"},
                                  "context": {"from": "14155550123", "id": "wamid.document"}}, "text",
                                 ("data-jump", "order", "that one")),
    "reply to an unknown message": ({"type": "text", "text": {"body": "which?"}, "context": {"id": "wamid.never"}},
                                    "text", ("An earlier message", "which?")),
    "forwarded": ({"type": "text", "text": {"body": "look"}, "context": {"frequently_forwarded": True}}, "text",
                  ("look",)),
}


async def test_every_kind_of_message_is_stored_typed_and_shown(world: World) -> None:
    for part, _, _ in KINDS.values():
        for sent in (part.get(kind) for kind in ("image", "video", "audio", "document", "sticker")):
            if sent:
                world.simulator.world.add_media(ACME_NUMBER.phone_number_id, FILE, sent["mime_type"],
                                                media_id=sent["id"])
    at = seconds(world, 600)
    items = [message(DANA, f"wamid.{name}", at + place, **KINDS[name][0]) for place, name in enumerate(KINDS)]
    await take(world, body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, *items)))
    assert await rows(world, world.acme, "SELECT path FROM rejected_event") == []
    found = {row[0].removeprefix("wamid."): row[1:] for row in await rows(
        world, world.acme, "SELECT wamid, id, type, direction, status, at / 1000, conversation_id FROM message")}
    conversation_id = found["words"][-1]
    page = await thread_page(world, conversation_id)
    for place, (name, (_, kind, shown)) in enumerate(KINDS.items()):
        message_id, *stored = found[name]
        assert stored == [kind, "in", "received", at + place, conversation_id], name
        drawn = bubble(page, message_id)
        for words in shown:
            assert words in drawn, f"{name}: {words!r} is not in {drawn}"
    assert await rows(world, world.acme, "SELECT unread_count FROM conversation") == [(len(KINDS),)]

    alice, charlie = await world.session("alice"), await world.session("charlie")
    for media_id, mime_type in await rows(world, world.acme, "SELECT id, mime_type FROM media"):
        served = await alice.get(f"/w/acme/media/{media_id}")
        assert (served.status_code, served.content) == (200, FILE), mime_type
        assert (await charlie.get(f"/w/acme/media/{media_id}")).status_code == 404
        assert (await charlie.get(f"/w/globex/media/{media_id}")).status_code == 404
    assert await rows(world, world.globex, "SELECT 1 FROM message UNION ALL SELECT 1 FROM contact") == []
    for path in (f"/w/acme/inbox/{conversation_id}", f"/w/globex/inbox/{conversation_id}"):
        assert (await charlie.get(path)).status_code == 404
    assert "Dana R" not in (await charlie.get("/w/globex/inbox")).text


async def test_a_customer_known_by_username_only_is_a_customer_like_any_other(world: World) -> None:
    """No `from`, no `wa_id`; variants seen in traffic: empty strings, the user id in the place of the number."""
    at = seconds(world, 60)
    plain = text(SOMEBODY, "wamid.n1", at, "first")
    empty = {**text(SOMEBODY, "wamid.n2", at + 1, "second"), "from": ""}
    misplaced = {"from": "US.Noor01", "id": "wamid.n3", "timestamp": str(at + 2), "type": "text",
                 "text": {"body": "third"}}
    for item in (plain, empty, misplaced):
        await take(world, body(ACME_NUMBER, inbound(ACME_NUMBER, SOMEBODY, item)))
    found = await rows(world, world.acme, "SELECT phone, user_id, username, profile_name FROM contact")
    assert found == [(None, "US.Noor01", "noor.makes", "Noor")]
    [(conversation_id, unread)] = await rows(world, world.acme, "SELECT id, unread_count FROM conversation")
    assert unread == 3
    page = await thread_page(world, conversation_id)
    assert all(words in page for words in ("first", "second", "third", "@noor.makes", "known by username"))
    # The reply goes to the user id, never to digits read out of it.
    alice = await world.session("alice")
    noor = world.simulator.world.add_customer(name="Noor", phone=None, user_id="US.Noor01", username="noor.makes")
    written = world.simulator.world.conversation(noor, ACME_NUMBER.phone_number_id)
    written.window_until = world.clock.now() + HOUR
    answer = await alice.post(f"/w/acme/inbox/{conversation_id}/messages", data={"type": "text", "text": "Hello Noor"})
    assert answer.status_code == 200, answer.text
    await world.settle()
    [sent] = world.simulator.world.ledger
    assert (sent.to, sent.recipient) == (None, "US.Noor01")


async def test_reactions_edits_and_deletions_also_before_their_message(world: World) -> None:
    at = seconds(world, 100)
    about = [
        message(DANA, "wamid.r1", at + 5, type="reaction", reaction={"message_id": "wamid.m1", "emoji": "👍"}),
        message(DANA, "wamid.r2", at + 6, type="reaction", reaction={"message_id": "wamid.m2", "emoji": "🎉"}),
        message(DANA, "wamid.r3", at + 8, type="reaction", reaction={"message_id": "wamid.m2"}),
        message(DANA, "wamid.e1", at + 7, type="edit", edit={"original_message_id": "wamid.m1", "message": {
            "type": "text", "text": {"body": "the mended words"}}}),
        message(DANA, "wamid.e2", at + 7, type="edit", edit={"original_message_id": "wamid.m3", "message": {
            "type": "text", "text": {"body": "worse words"}}}),
        message(DANA, "wamid.v1", at + 9, type="revoke", revoke={"original_message_id": "wamid.m3"}),
    ]
    messages = [text(DANA, f"wamid.m{n}", at + n, f"the words of {n}") for n in (1, 2, 3)]
    for item in (*about, *messages, *reversed(about)):
        await take(world, body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, item)))
    found = dict(await rows(world, world.acme, "SELECT wamid, id FROM message"))
    assert set(found) == {"wamid.m1", "wamid.m2", "wamid.m3"}
    [(conversation_id, last, last_at, unread)] = await rows(
        world, world.acme, "SELECT id, last_message_id, last_message_at / 1000, unread_count FROM conversation")
    assert (last, last_at, unread) == (found["wamid.m3"], at + 3, 3)
    page = await thread_page(world, conversation_id)
    assert all(words in bubble(page, found["wamid.m1"]) for words in ("the mended words", "edited", "👍"))
    assert "the words of 1" not in page
    assert "🎉" not in bubble(page, found["wamid.m2"]) and "the words of 2" in bubble(page, found["wamid.m2"])
    assert "This message was deleted" in bubble(page, found["wamid.m3"])
    kept = await rows(world, world.acme, "SELECT text || content_json FROM message UNION ALL "
                      "SELECT content_json FROM early_change")
    assert not any("of 3" in row[0] or "worse words" in row[0] for row in kept), "what was taken back is not kept"


async def test_a_customer_who_changes_number_or_id_stays_one_customer(world: World) -> None:
    at = seconds(world, 100)
    after = Customer("Dana R", "14155550999", "US.NEW1")
    hidden = Customer("Dana R", None, "US.NEW2")
    number = system(ACME_NUMBER, "wamid.s1", at + 10, "14155550123", type="user_changed_number", body="Dana changed…",
                   wa_id="14155550999", user_id="US.NEW1", previous_user_id="US.7Hq2mZ90")
    user_id = system(ACME_NUMBER, "wamid.s2", at + 30, None, type="user_changed_user_id", user_id="US.NEW2",
                    previous_user_id="US.NEW1")
    for sent in (inbound(ACME_NUMBER, DANA, text(DANA, "wamid.i1", at, "old number")), number,
                 inbound(ACME_NUMBER, after, text(after, "wamid.i2", at + 20, "new number")),
                 # What was written before the change and comes after it must not bring the old number back.
                 inbound(ACME_NUMBER, DANA, text(DANA, "wamid.i0", at - 50, "delayed"))):
        await take(world, body(ACME_NUMBER, sent))
    identity = "SELECT phone, user_id FROM contact WHERE deleted_at IS NULL"
    assert await rows(world, world.acme, identity) == [("14155550999", "US.NEW1")]
    for sent in (user_id, inbound(ACME_NUMBER, hidden, text(hidden, "wamid.i3", at + 40, "hidden"))):
        await take(world, body(ACME_NUMBER, sent))
    assert await rows(world, world.acme, identity) == [(None, "US.NEW2")]
    [(conversation_id, window)] = await rows(world, world.acme, "SELECT id, window_expires_at FROM conversation")
    assert window == (at + 40) * 1000 + 24 * HOUR, "a system message opens no window"
    page = await thread_page(world, conversation_id)
    assert all(words in page for words in ("delayed", "old number", "new number", "hidden",
                                           "The customer has a new phone number",
                                           "WhatsApp gave this customer a new id"))
    keys = {"from": "14155550999", "id": "wamid.s3", "timestamp": str(at + 50), "type": "system",
            "system": {"type": "customer_identity_changed", "body": "…"},
            "identity": {"acknowledged": False, "created_timestamp": str(at), "hash": "k2"}}
    await take(world, body(ACME_NUMBER, change(ACME_NUMBER, messages=[keys])))
    assert await rows(world, world.acme, identity) == [(None, "US.NEW2")]
    assert "security code changed" in await thread_page(world, conversation_id)


@pytest.mark.parametrize("how", ["message", "preference", "address book"])
async def test_two_contacts_that_turn_out_to_be_one_person_become_one_thread(world: World, how: str) -> None:
    at = seconds(world, 100)
    by_phone, by_id = Customer("Dana R", "14155550123"), Customer("Dana", None, "US.7Hq2mZ90")
    await take(world, body(ACME_NUMBER, inbound(ACME_NUMBER, by_phone, text(by_phone, "wamid.p1", at, "by phone"))))
    await take(world, body(ACME_NUMBER, inbound(ACME_NUMBER, by_id, text(by_id, "wamid.p2", at + 1, "by name"))))
    found = await rows(world, world.acme, "SELECT conversation.id, user_id FROM conversation JOIN contact "
                       "ON contact.id = contact_id ORDER BY user_id")
    assert len(found) == 2
    alice = await world.session("alice")
    assert (await alice.post(f"/w/acme/inbox/{found[0][0]}/closure")).status_code == 303
    both = {
        "message": inbound(ACME_NUMBER, DANA, text(DANA, "wamid.p3", at + 2, "both")),
        "preference": change(ACME_NUMBER, "user_preferences", contacts=[contact(DANA)], user_preferences=[
            {"wa_id": DANA.phone, "user_id": DANA.user_id, "category": "marketing_messages", "value": "stop",
             "detail": "User requested to stop", "timestamp": at + 2}]),
        "address book": change(ACME_NUMBER, "smb_app_state_sync", state_sync=[
            {"type": "contact", "action": "add", "metadata": {"timestamp": str(at)}, "contact": {
                "full_name": "Dana Rivers", "phone_number": DANA.phone, "user_id": DANA.user_id}}]),
    }[how]
    await take(world, body(ACME_NUMBER, both))
    assert await rows(world, world.acme, "SELECT phone, user_id FROM contact WHERE deleted_at IS NULL") == [
        (DANA.phone, DANA.user_id)]
    [(conversation_id, state, unread)] = await rows(
        world, world.acme, "SELECT id, state, unread_count FROM conversation")
    assert (state, unread) == ("open", 3 if how == "message" else 2), "what nobody read must not end up resolved"
    page = await thread_page(world, conversation_id)
    assert "by phone" in page and "by name" in page
    assert "User requested" not in page and ("Refused" in page) == (how == "preference")


async def test_what_the_phone_sent_and_remembers_raises_nothing(world: World) -> None:
    """Echoes and history are shown; they open no window, count as unread for nobody and reopen nothing."""
    at = seconds(world, 1000)
    ends = {"from": "15550100200", "to": DANA.phone, "to_user_id": DANA.user_id}
    echoes = [{**ends, "id": "wamid.o1", "timestamp": str(at), "type": "text", "text": {"body": "from the counter"}},
              {**ends, "id": "wamid.o2", "timestamp": str(at + 1), "type": "text", "text": {"body": "oops"}},
              {**ends, "id": "wamid.o3", "timestamp": str(at + 2), "type": "revoke",
               "revoke": {"original_message_id": "wamid.o2"}}]
    old = [{"from": "15550100200", "to": DANA.phone, "id": "wamid.h1", "timestamp": str(at - 9000), "type": "text",
            "text": {"body": "an old answer"}, "history_context": {"status": "READ"}},
           {"from": DANA.phone, "id": "wamid.h2", "timestamp": str(at - 9001), "type": "text",
            "text": {"body": "an old question"}, "history_context": {"status": "READ"}},
           {"from": DANA.phone, "id": "wamid.h3", "timestamp": str(at - 9002), "type": "media_placeholder"}]
    chunk = {"metadata": {"phase": 0, "chunk_order": 1, "progress": 55}, "threads": [
        {"id": DANA.phone, "context": {"wa_id": DANA.phone, "user_id": DANA.user_id}, "messages": old}]}
    declined = {"errors": [{"code": 2593109, "title": "History sharing is turned off"}]}
    past = change(ACME_NUMBER, "history", history=[chunk, declined])
    sent = change(ACME_NUMBER, "smb_message_echoes", contacts=[contact(DANA)], message_echoes=echoes)
    await take(world, body(ACME_NUMBER, sent, past))
    [(conversation_id,)] = await rows(world, world.acme, "SELECT id FROM conversation")
    alice = await world.session("alice")
    assert (await alice.post(f"/w/acme/inbox/{conversation_id}/closure")).status_code == 303
    await take(world, body(ACME_NUMBER, change(ACME_NUMBER, "smb_message_echoes", message_echoes=[
        {**echoes[0], "id": "wamid.o4"}]), past, sent))
    assert await rows(world, world.acme, "SELECT state, unread_count, window_expires_at FROM conversation") == [
        ("closed", 0, None)]
    found = {row[0]: row[1:] for row in await rows(
        world, world.acme, "SELECT wamid, id, direction, status FROM message")}
    assert {wamid: row[1:] for wamid, row in found.items()} == {
        "wamid.o1": ("out", "sent"), "wamid.o2": ("out", "sent"), "wamid.o4": ("out", "sent"),
        "wamid.h1": ("out", "read"), "wamid.h2": ("in", "received")}
    page = await thread_page(world, conversation_id)
    assert "From the phone" in bubble(page, found["wamid.o1"][0])
    assert "This message was deleted" in bubble(page, found["wamid.o2"][0]) and "oops" not in page
    assert "an old question" in page and 'data-open="false"' in page
    assert await rows(world, world.acme, "SELECT field FROM webhook_event") == [("HistoryReceived",)], "who declined"


async def test_groups_calls_copies_and_what_belongs_to_no_message(world: World) -> None:
    at = seconds(world, 100)
    sam = Customer("Sam K", "14155550177")
    for place, member in enumerate((DANA, sam)):
        item = {**text(member, f"wamid.g{place}", at + place, f"said by {member.name}"), "group_id": "Y2FwaQ=="}
        await take(world, body(ACME_NUMBER, inbound(ACME_NUMBER, member, item)))
    [(group_id,)] = await rows(world, world.acme, "SELECT id FROM conversation")
    page = await thread_page(world, group_id)
    assert "said by Dana R" in page and '<span class="sr">Sam K:</span>' in page
    call = {"id": "wacid.C1", "from": sam.phone, "to": "15550100200", "direction": "USER_INITIATED"}
    calls = [{**call, "event": "connect", "timestamp": str(at + 5)},
             {**call, "event": "terminate", "status": "FAILED", "timestamp": str(at + 7)}]
    copy = {"contacts": [contact(sam)], "messages": [text(sam, "wamid.sb", at + 9, "to the other app")]}
    await take(world, body(
        ACME_NUMBER,
        change(ACME_NUMBER, "calls", calls=calls),
        change(ACME_NUMBER, "standby", standby=copy),
        change(ACME_NUMBER, errors=[{"code": 130429, "title": "Rate limit hit"}]),
        change(ACME_NUMBER, user_actions=[{"action_type": "marketing_messages_link_click", "timestamp": at,
                                           "marketing_messages_link_click_data": {"click_id": "c1"}}])))
    [(sam_id, window)] = await rows(world, world.acme, "SELECT id, window_expires_at FROM conversation WHERE id <> ?",
                                    group_id)
    assert window == (at + 9) * 1000 + 24 * HOUR
    page = await thread_page(world, sam_id)
    assert all(words in page for words in ("The customer called", "A call ended", "to the other app"))
    kept = await rows(world, world.acme, "SELECT field FROM webhook_event ORDER BY field")
    assert kept == [("AccountErrors",), ("LinkClicked",), ("StandbyReceived",)]
