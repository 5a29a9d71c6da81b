"""What arrives, read: every kind of event and every quirk of the people in it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from chime.whatsapp import Person, event_key, parse
from chime.whatsapp import events as known
from tests.unit.whatsapp.payloads import (
    AT,
    CONTACT,
    DANA,
    DANA_ID,
    DANA_PARENT,
    DANA_WHOLE,
    MESSAGES,
    NUMBER,
    OURS,
    WABA,
    encoded,
    envelope,
    event,
    events,
    interactive,
    message,
    received,
    system,
)

# Messages

CONTENTS: list[tuple[str, str, str | None, dict[str, Any]]] = [
    ("text", "text", "Is it in stock?", {"body": "Is it in stock?"}),
    ("image", "image", "Front", {"caption": "Front"}),
    ("video", "video", None, {}),
    ("audio", "audio", None, {}),
    ("document", "document", "PO", {"caption": "PO", "filename": "po.pdf"}),
    ("sticker", "sticker", None, {}),
    ("location", "location", "Shop 4", {"name": "Shop 4", "address": "Rua A", "latitude": -23.55, "longitude": -46.63}),
    ("contacts", "contacts", "Ana Lima", {"contacts": [
        {"birthday": "1990-01-31", "origin": "contact_request", "org": {"company": "X"},
         "name": {"formatted_name": "Ana Lima", "first_name": "Ana"},
         "phones": [{"phone": "+55 11 5550-0100", "wa_id": "551155500100", "type": "CELL"}],
         "emails": [{"email": "a@x.test", "type": "WORK"}]},
        {"phones": [{"phone": "1"}]}]}),
    ("button", "button", "Confirm", {"payload": "CONFIRM:77", "text": "Confirm"}),
    ("button_reply", "interactive", "Yes", {"kind": "button_reply", "id": "yes", "title": "Yes"}),
    ("list_reply", "interactive", "09:00", {
        "kind": "list_reply", "id": "slot-9", "title": "09:00", "description": "Mon"}),
    ("flow", "interactive", "Sent", {"kind": "nfm_reply", "name": "flow", "body": "Sent", "flow_token": "t1",
                                     "response": {"flow_token": "t1", "qty": "2"}}),
    ("address", "interactive", "…", {"kind": "nfm_reply", "name": "address_message", "body": "…", "response": {
        "saved_address_id": "a1", "values": {"in_pin_code": "400063"}}}),
    ("call permission", "interactive", None, {
        "kind": "call_permission_reply", "response": "accept", "is_permanent": False, "expires_at": 1795737600000,
        "source": "user_action"}),
    ("product", "interactive", None, {"kind": "product", "raw": {"type": "product", "product": {"catalog_id": "801"}}}),
    ("order", "order", "pls today", {"catalog_id": "801", "text": "pls today", "items": [
        {"product_retailer_id": "SKU1", "currency": "USD", "quantity": 2, "item_price": "7.99"}]}),
    ("request_welcome", "request_welcome", None, {}),
    ("unsupported", "unsupported", None, {"type": "poll_creation"}),
    ("hologram", "unsupported", None, {"type": "hologram", "raw": MESSAGES["hologram"]}),
]


@pytest.mark.parametrize(("name", "kind", "text", "content"), CONTENTS, ids=[row[0] for row in CONTENTS])
def test_a_message_of_every_type(name: str, kind: str, text: str | None, content: dict[str, Any]) -> None:
    found = event(received(MESSAGES[name]))
    assert isinstance(found, known.MessageReceived)
    assert (found.type, found.text, found.content) == (kind, text, content)
    assert (found.wamid, found.at, found.phone_number_id, found.waba_id, found.path, found.origin) == (
        "wamid.IN1", AT * 1000, NUMBER, WABA, "entry.0.changes.0.messages.0", "customer")
    assert found.sender == DANA_WHOLE and found.opens_window
    assert event_key(found) == f"message:{NUMBER}:wamid.IN1"


def test_a_file_s_reference_has_its_hash_in_hex_and_its_marks() -> None:
    image, audio = (event(received(MESSAGES[kind])).media for kind in ("image", "audio"))
    assert image.id == "901" and image.mime_type == "image/jpeg" and image.url.startswith("https://lookaside")
    assert image.sha256 == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert (image.voice, audio.voice) == (False, True)
    assert event(received(MESSAGES["sticker"])).media.animated
    assert event(received(MESSAGES["document"])).media.filename == "po.pdf"


@pytest.mark.parametrize(("written", "read"), [
    ("2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824",
     "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"),
    ("LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ",
     "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"),
    ("", None), ("b64…=", None), (None, None), ("AAAA", None),
])
def test_a_hash_comes_in_hex_or_base64_or_not_at_all(written: str | None, read: str | None) -> None:
    found = event(received(message("image", {"id": 901, "mime_type": "image/png", "sha256": written})))
    assert (found.media.id, found.media.sha256) == ("901", read)


def test_a_file_without_an_id_is_still_a_message() -> None:
    found = event(received(message("image", {"caption": "gone"}, errors=[{"code": 131052}])))
    assert (found.type, found.text, found.media, found.errors[0].code) == ("image", "gone", None, 131052)


def test_what_a_message_refers_to_and_came_from() -> None:
    found = event(received(MESSAGES["text"]))
    assert (found.context.wamid, found.context.sender_phone, found.context.forwarded) == ("wamid.OUT1", OURS, True)
    assert not found.context.frequently_forwarded and found.context.referred_product is None
    assert found.referral["ctwa_clid"] == "Aff-1" and found.referral["welcome_message"] == "Hi!"
    product = {"catalog_id": "1", "product_retailer_id": "2"}
    asked = event(received(message(context={
        "from": OURS, "id": "M", "frequently_forwarded": "true", "referred_product": product}))).context
    assert asked.frequently_forwarded and asked.referred_product == product
    assert event(received(message(context={}))).context is None


def test_a_group_message_names_its_group() -> None:
    assert event(received(MESSAGES["group"])).group_id == "Y2Fw"


@pytest.mark.parametrize(("written", "content"), [
    ("{oops", {"response": {}, "response_json": "{oops"}), ("[1]", {"response": {}, "response_json": "[1]"}),
    ({"flow_token": 7}, {"response": {"flow_token": 7}, "flow_token": "7"}), (None, {"response": {}}),
    ('{"a":"\\u0000b"}', {"response": {"a": "b"}}),
])
def test_a_form_s_answer_may_be_broken(written: Any, content: dict[str, Any]) -> None:
    found = event(received(interactive("nfm_reply", {"response_json": written})))
    assert found.content == {"kind": "nfm_reply", **content}


def test_an_interactive_answer_may_hold_nothing_but_an_error() -> None:
    found = event(received(message("interactive", {"type": ""}, errors=[{"code": 131000, "title": "Oops"}])))
    assert (found.type, found.content["kind"], found.errors[0].code) == ("interactive", "", 131000)


@pytest.mark.parametrize(("price", "read"), [(7.99, "7.99"), ("12.50", "12.50"), (12, "12"), (None, "0"), ("x", "0")])
def test_prices_stay_decimal(price: Any, read: str) -> None:
    found = event(received(message("order", {"product_items": [{"item_price": price, "quantity": "3"}]})))
    assert found.content["items"] == [{"quantity": 3, "item_price": read}]


def test_a_missing_type_is_told_by_the_part() -> None:
    untyped = message()
    del untyped["type"]
    assert event(received(untyped)).text == "Is it in stock?"
    changed = system("user_changed_user_id", user_id="US.NEW1", previous_user_id=DANA_ID)
    del changed["type"]
    assert isinstance(event(received(changed)), known.IdentityChanged)


# Reactions, edits, revokes

@pytest.mark.parametrize(("part", "emoji"), [({"emoji": "👍"}, "👍"), ({"emoji": ""}, None), ({}, None)])
def test_a_reaction_and_its_removal(part: dict[str, Any], emoji: str | None) -> None:
    found = event(received(message("reaction", {"message_id": "wamid.OUT1", **part})))
    assert isinstance(found, known.MessageReacted)
    assert (found.target_wamid, found.emoji, found.wamid) == ("wamid.OUT1", emoji, "wamid.IN1")
    assert found.opens_window


def test_an_edit_has_the_new_content_and_both_ids() -> None:
    found = event(received(MESSAGES["edit"]))
    assert isinstance(found, known.MessageEdited)
    assert (found.target_wamid, found.type, found.text) == ("wamid.IN0", "text", "fixed")
    assert found.content == {"body": "fixed"}
    assert event_key(found) == f"edit:{NUMBER}:wamid.IN1:wamid.IN0"
    assert not hasattr(found, "opens_window")


def test_an_edit_into_something_unknown_is_unsupported() -> None:
    inner = {"type": "hologram", "hologram": {}}
    found = event(received(message("edit", {"original_message_id": "wamid.IN0", "message": inner})))
    assert (found.type, found.content) == ("unsupported", {"raw": inner})
    assert event(received(message("edit", {"original_message_id": "wamid.IN0"}))).type == "unsupported"


def test_a_revoke_names_its_message() -> None:
    found = event(received(MESSAGES["revoke"]))
    assert isinstance(found, known.MessageRevoked) and found.target_wamid == "wamid.IN0"
    assert event_key(found) == f"revoke:{NUMBER}:wamid.IN1:wamid.IN0"


# Who it is

@pytest.mark.parametrize(("given", "contacts", "sender"), [
    ({}, [CONTACT], DANA_WHOLE),
    # Since 2026 the phone may be missing: omitted, empty, or with the user id in its place.
    ({"from": None}, [{"user_id": DANA_ID}], Person(user_id=DANA_ID)),
    ({"from": ""}, [{"wa_id": "", "user_id": DANA_ID, "profile": {"name": "", "username": "@"}}],
     Person(user_id=DANA_ID)),
    ({"from": DANA_ID, "from_user_id": None}, [], Person(user_id=DANA_ID)),
    ({"from": "US.13491208655302741918", "from_user_id": None}, [{"wa_id": "US.13491208655302741918"}],
     Person(user_id="US.13491208655302741918")),
    ({"from": DANA_PARENT, "from_user_id": None}, [], Person(parent_user_id=DANA_PARENT)),
    # Old fixtures, history and echoes know no user ids.
    ({"from_user_id": None}, [{"wa_id": DANA, "profile": {"name": "D"}}], Person(phone=DANA, name="D")),
    ({"from": f"+{DANA}", "from_user_id": None}, [], Person(phone=DANA)),
    ({"from": int(DANA), "from_user_id": None}, [{"wa_id": int(DANA), "profile": None}], Person(phone=DANA)),
    # One message and one contact belong together even when they share no key.
    ({"from_user_id": None}, [{"user_id": DANA_ID}], Person(phone=DANA, user_id=DANA_ID)),
    ({"from": None, "from_user_id": None}, [CONTACT], DANA_WHOLE),
    # … but never against what they say.
    ({"from_user_id": None}, [{"wa_id": "33612345678", "profile": {"name": "Eve"}}], Person(phone=DANA)),
    ({}, [{"wa_id": DANA, "user_id": "US.OTHER", "profile": {"name": "Eve"}}], Person(phone=DANA, user_id=DANA_ID)),
])
def test_the_sender(given: dict[str, Any], contacts: list[Any], sender: Person) -> None:
    item = {key: value for key, value in {**message(), **given}.items() if value is not None}
    assert event(received(item, contacts=contacts)).sender == sender


def test_contacts_are_matched_by_identity_and_never_by_place() -> None:
    one, other = {"wa_id": "331", "profile": {"name": "One"}}, {"user_id": "FR.two", "profile": {"name": "Two"}}
    found: Any = events(received(
        message(id="a", **{"from": "000", "from_user_id": "FR.two"}),
        message(id="b", **{"from": "331", "from_user_id": "FR.one"}),
        message(id="c", **{"from": "777", "from_user_id": "FR.three"}), contacts=[one, other, "nonsense"]))
    assert [item.sender.name for item in found] == ["Two", "One", None]


def test_nobody_at_all_is_unreadable() -> None:
    item = {key: value for key, value in message().items() if not key.startswith("from")}
    found = event(received(item, contacts=[]))
    assert isinstance(found, known.Unreadable) and found.reason == "the message names no sender"
    assert (found.phone_number_id, found.waba_id, found.path) == (NUMBER, WABA, "entry.0.changes.0.messages.0")


def test_a_new_number() -> None:
    found = event(received(MESSAGES["changed number"], contacts=[]))
    assert isinstance(found, known.IdentityChanged)
    assert (found.kind, found.previous_phone, found.previous_user_id, found.previous_parent_user_id) == (
        "number", DANA, DANA_ID, DANA_PARENT)
    assert found.new == Person(phone="14155550999", user_id="US.NEW1") and found.body == "Dana changed…"
    assert event_key(found) == f"identity:{NUMBER}:wamid.IN1"


def test_a_new_user_id_whose_only_link_is_the_previous_one() -> None:
    item = system("user_changed_user_id", user_id="US.NEW1", previous_user_id=DANA_ID)
    for key in ("from", "from_user_id", "id"):
        del item[key]
    found = event(received(item, contacts=[]))
    assert (found.kind, found.sender, found.previous_phone, found.previous_user_id, found.new) == (
        "user_id", Person(), None, DANA_ID, Person(user_id="US.NEW1"))
    assert event_key(found).startswith("IdentityChanged:")


def test_the_older_forms_of_changes() -> None:
    number = event(received(system("customer_changed_number", new_wa_id="14155550999"), contacts=[]))
    assert (number.kind, number.previous_phone, number.new.phone) == ("number", DANA, "14155550999")
    keys = event(received(MESSAGES["changed identity"], contacts=[]))
    assert (keys.kind, keys.new.phone, keys.new.identity_key_hash) == ("identity", DANA, "k2")


def test_an_unknown_system_message_is_recorded_and_opens_no_window() -> None:
    found = event(received(system("user_changed_hairstyle"), contacts=[]))
    assert isinstance(found, known.FieldReceived) and found.field == "messages.system"


# Moments

@pytest.mark.parametrize(("stamp", "at"), [
    (str(AT), AT * 1000), (AT, AT * 1000), (str(AT * 1000 + 5), AT * 1000 + 5), (AT * 1000, AT * 1000),
    (None, 1_700_000_000_000), ("", 1_700_000_000_000), ("soon", 1_700_000_000_000), (0, 1_700_000_000_000),
    (-5, 1_700_000_000_000), (10**30, 1_700_000_000_000), (True, 1_700_000_000_000),
])
def test_moments_come_as_seconds_or_milliseconds_text_or_number(stamp: Any, at: int) -> None:
    assert event(received(message(timestamp=stamp)), time=1_700_000_000).at == at


def test_without_any_time_it_is_zero() -> None:
    assert event(received(message(timestamp=None))).at == 0


# Odd characters

def test_nul_and_half_characters_do_not_survive() -> None:
    body = encoded(envelope(received(message(part={"body": "a\x00b NUL HALF"}, id="wamid.\x00X"))))
    found: Any = parse(body.replace(b"HALF", b"\\ud83d!"))[0]
    assert (found.text, found.wamid) == ("ab NUL �!", "wamid.X")
    assert msgspec.json.encode(found)


# Errors

def test_error_codes_come_as_text_or_number_and_titles_may_be_missing() -> None:
    found = event(received(message(errors=[
        {"code": "131051", "title": "T", "message": "M", "error_data": {"details": "D"}, "href": "https://x.test"},
        {"code": 1, "message": "M"}, {"code": "x"}, "oops", {}])))
    assert [(error.code, error.title, error.details, error.href) for error in found.errors] == [
        (131051, "T", "D", "https://x.test"), (1, "M", "", None), (0, "", "", None), (0, "", "", None)]


def test_an_error_about_our_message_that_looks_like_a_message_opens_nothing() -> None:
    dressed = message(errors=[{"code": 1026, "title": "Receiver Incapable"}])
    assert not event(received(dressed)).opens_window
    assert event(received(MESSAGES["unsupported"])).opens_window


def test_errors_beside_messages_are_told_too() -> None:
    found = events(received(message(), errors=[{"code": "130429", "title": "Rate limit hit"}]))
    assert [type(one) for one in found] == [known.MessageReceived, known.AccountErrors]
    assert event_key(found[1]) == ""
