"""What arrives beside messages: statuses, calls, echoes, history, news of templates, numbers, accounts, people."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from chime.whatsapp import Person, event_key
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
    VALUES,
    WABA,
    carrying,
    change,
    event,
    events,
    reported,
    status,
    template,
)

# Every field

KINDS: dict[str, type] = {
    "status": known.StatusReceived, "failed": known.StatusReceived, "group status": known.StatusReceived,
    "payment": known.PaymentStatusReceived, "errors": known.AccountErrors, "click": known.LinkClicked,
    "echo": known.MessageEchoed, "echoed edit": known.MessageEchoed, "echoed revoke": known.MessageEchoed,
    "history": known.HistoryReceived, "history declined": known.HistoryReceived, "address book": known.ContactSynced,
    "call": known.CallReceived, "call status": known.CallReceived, "standby": known.StandbyReceived,
    "standby echo": known.StandbyReceived, "handover": known.HandoverChanged, "preference": known.PreferenceChanged,
    **{name: known.TemplateChanged for name in VALUES if name.startswith("template ")},
    **{name: known.NumberChanged for name in ("number quality", "number name", "username", "security", "settings")},
    **{name: known.AccountChanged
       for name in ("account", "partner", "review", "alert", "flat alert", "capability")},
    **{name: known.FieldReceived for name in ("flows", "groups", "automatic", "unheard of")},
    "message reaction": known.MessageReacted, "message edit": known.MessageEdited,
    "message revoke": known.MessageRevoked, "message changed number": known.IdentityChanged,
    "message changed identity": known.IdentityChanged,
}


@pytest.mark.parametrize("name", VALUES)
def test_every_change_becomes_its_kind_of_event_with_a_stable_key(name: str) -> None:
    (first,), (again,) = events(VALUES[name], time=7), events(VALUES[name], time=7)
    assert type(first) is KINDS.get(name, known.MessageReceived)
    assert first.waba_id == (WABA if name != "partner" else "990")
    assert event_key(first) == event_key(again)
    assert bool(event_key(first)) == (name != "errors")
    assert json.loads(msgspec.json.encode(first))


def test_different_things_have_different_keys() -> None:
    # Those of one message id are one message; the others must not swallow each other.
    told: dict[str, set[str]] = {}
    for name in VALUES:
        told.setdefault(event_key(event(VALUES[name])), set()).add(name)
    one_id = {name for name in VALUES if name.startswith("message ")} - {
        "message edit", "message revoke", "message changed number", "message changed identity"}
    assert [names for names in told.values() if len(names) > 1] == [
        one_id, {"message changed number", "message changed identity"}, {"echoed edit", "echoed revoke"}]


def test_things_without_an_id_are_told_apart_by_what_they_say() -> None:
    score = change("message_template_quality_update", template(new_quality_score="GREEN"))
    other = change("message_template_quality_update", template(new_quality_score="RED"))
    keys = {event_key(event(one, time=at)) for one in (score, other) for at in (1, 2)}
    assert len(keys) == 4


# Statuses

def test_a_status_with_everything() -> None:
    found = event(VALUES["status"])
    assert (found.wamid, found.status, found.callback_data, found.at) == ("wamid.OUT1", "sent", "chime:42:7", AT * 1000)
    assert found.recipient == Person(phone=DANA, user_id=DANA_ID)
    assert (found.pricing.billable, found.pricing.model, found.pricing.type, found.pricing.category) == (
        True, "PMP", "regular", "utility")
    assert found.conversation == {"id": "c1", "expires_at": (AT + 86_400) * 1000, "origin": "service"}
    assert event_key(found) == f"status:{NUMBER}:wamid.OUT1:sent:"
    assert event_key(event(reported(status(timestamp=str(AT + 9))))) == event_key(found)


def test_a_failure_says_why() -> None:
    (error,) = event(VALUES["failed"]).errors
    assert (error.code, error.details) == (131049, "In order to maintain a healthy ecosystem…")


@pytest.mark.parametrize("keys", [
    {"recipient_participant_id": DANA}, {"participant_recipient_id": DANA},
    {"recipient_participant_id": DANA, "recipient_participant_user_id": DANA_ID},
])
def test_each_member_of_a_group_has_a_status_of_their_own(keys: dict[str, str]) -> None:
    other = status(recipient_id="Y2Fw", recipient_type="group", recipient_participant_id="33612345678")
    one, two = events(reported(status(recipient_id="Y2Fw", recipient_type="group", **keys), other))
    assert isinstance(one, known.StatusReceived) and one.group_participant is not None
    assert (one.group_id, one.group_participant.phone, one.recipient) == ("Y2Fw", DANA, Person())
    assert event_key(one) != event_key(two)


@pytest.mark.parametrize("key", ["recipient_parent_user_id", "parent_recipient_user_id", "parent_user_id"])
def test_the_parent_s_id_has_three_spellings(key: str) -> None:
    item = {**status(), key: DANA_PARENT}
    del item["recipient_id"]
    assert event(reported(item)).recipient == Person(user_id=DANA_ID, parent_user_id=DANA_PARENT)


def test_a_price_may_be_nested_or_spelled_the_old_way() -> None:
    nested = event(reported(status(conversation={"pricing": {"pricing_type": "free_entry_point"}}))).pricing
    assert (nested.type, nested.billable) == ("free_entry_point", None)
    assert event(reported(status(pricing={"billable": "false"}))).pricing.billable is False
    assert event(reported(status())).pricing is None


@pytest.mark.parametrize("word", ["deleted", "PLAYED", "teleported"])
def test_any_word_is_a_status(word: str) -> None:
    assert event(reported(status(word))).status == word.lower()


def test_a_status_may_name_nobody_but_not_nothing() -> None:
    bare = {"id": "wamid.OUT1", "status": "failed"}
    assert event(reported(bare)).recipient == Person()
    assert isinstance(event(reported({"status": "sent"})), known.Unreadable)


def test_contacts_of_statuses_are_optional_in_every_part() -> None:
    named = {"user_id": DANA_ID, "profile": {"name": "D"}}
    for contacts in ([{}], [{"wa_id": DANA}], [{"profile": {}}], None, {}, [named]):
        assert event(reported(status(), contacts=contacts)).recipient.phone == DANA


def test_a_payment() -> None:
    found = event(VALUES["payment"])
    assert (found.status, found.reference_id, found.amount_value, found.amount_offset, found.currency) == (
        "captured", "ord-1", 21000, 100, "INR")
    assert (found.transaction_id, found.transaction_status) == ("pg1", "success")
    assert found.payment["refunds"][0]["id"] == "r1"


# Calls and the window

@pytest.mark.parametrize(("item", "by_user", "opens"), [
    ({"event": "connect", "direction": "USER_INITIATED"}, True, True),
    ({"event": "terminate", "direction": "USER_INITIATED", "status": "FAILED"}, True, True),
    ({"event": "connect", "direction": "BUSINESS_INITIATED"}, False, False),
    ({"event": "terminate", "direction": "BUSINESS_INITIATED"}, False, False),
    ({"event": "terminate", "direction": "BUSINESS_INITIATED", "start_time": str(AT)}, False, True),
    ({"event": "connect", "to": OURS}, True, True),
    ({"event": "connect", "from": OURS, "to": DANA}, False, False),
    ({"event": "connect"}, None, False),
    ({"event": "connect", "from": None, "to": DANA, "direction": "USER_INITIATED"}, True, True),
    ({"event": "connect", "from": OURS, "to": DANA, "direction": "USER_INITIATED"}, True, True),
    ({"event": "call_recording_available", "direction": "USER_INITIATED"}, True, False),
])
def test_which_calls_open_the_window(item: dict[str, Any], by_user: bool | None, opens: bool) -> None:
    found = event(change("calls", carrying(calls=[{"id": "wacid.C1", "from": DANA, "timestamp": str(AT), **item}])))
    assert (found.user_initiated, found.opens_window, found.person.phone) == (by_user, opens, DANA)


@pytest.mark.parametrize(("word", "opens"), [("RINGING", False), ("ACCEPTED", True), ("rejected", False)])
def test_statuses_of_our_calls(word: str, opens: bool) -> None:
    found = event(change("calls", carrying(statuses=[status(word, type="call", id="wacid.C2")])))
    assert (found.event, found.status, found.opens_window, found.person.phone) == ("status", word.upper(), opens, DANA)
    assert event_key(found) == f"call:{NUMBER}:wacid.C2:status:{word.upper()}"


# Echoes, history, the address book

def test_an_echo_is_ours_and_knows_its_kind() -> None:
    plain, edit, revoke = (event(VALUES[name]) for name in ("echo", "echoed edit", "echoed revoke"))
    assert (plain.echo_kind, plain.text, plain.recipient) == (
        "message", "from the phone", Person(phone=DANA, user_id=DANA_ID))
    assert (edit.echo_kind, edit.target_wamid, edit.text) == ("edit", "wamid.APP0", "better")
    assert edit.content["type"] == "text"
    assert (revoke.echo_kind, revoke.target_wamid) == ("revoke", "wamid.APP0")
    assert not hasattr(plain, "opens_window")


def test_history_knows_directions_and_survives_a_bad_message() -> None:
    found = event(VALUES["history"])
    assert (found.phase, found.chunk, found.progress, found.errors) == (0, 1, 55, ())
    ours, theirs = found.messages
    assert (ours.outgoing, ours.status, ours.at, ours.person) == (
        True, "READ", 1790000000000, Person(phone=DANA, user_id=DANA_ID, username="dana.r"))
    assert (theirs.outgoing, theirs.type) == (False, "media_placeholder")
    broken = json.loads(json.dumps(VALUES["history"]))
    del broken["value"]["history"][0]["threads"][0]["messages"][0]["id"]
    bad, rest = events(broken)
    assert isinstance(bad, known.Unreadable) and bad.path.endswith("history.0.threads.0.messages.0")
    assert isinstance(rest, known.HistoryReceived) and [one.wamid for one in rest.messages] == ["wamid.H2"]


def test_history_may_be_declined() -> None:
    found = event(VALUES["history declined"])
    assert (found.messages, [error.code for error in found.errors]) == ((), [2593109])


def test_late_media_of_the_history_are_history_too() -> None:
    late = change("history", carrying(contacts=[CONTACT], messages=[MESSAGES["image"]]))
    found = event(late)
    assert isinstance(found, known.HistoryReceived)
    (one,) = found.messages
    assert (one.type, one.outgoing, one.person.phone) == ("image", False, DANA)


def test_the_address_book() -> None:
    found = event(VALUES["address book"])
    assert (found.full_name, found.action, found.at, found.person.user_id) == ("Dana R", "add", AT * 1000, DANA_ID)


# Shared numbers

def test_standby_wraps_what_others_handle() -> None:
    found, copy = event(VALUES["standby"]), event(VALUES["standby echo"])
    assert isinstance(found.event, known.MessageReceived) and found.event.sender == DANA_WHOLE
    assert event_key(found) == f"standby:message:{NUMBER}:wamid.IN1"
    assert isinstance(copy.event, known.MessageEchoed) and copy.event.text == "AI reply"


def test_a_handover() -> None:
    found = event(VALUES["handover"])
    assert (found.kind, found.person.phone, found.previous_owner_role, found.new_owner_role, found.note) == (
        "control_passed", DANA, "ai_agent", "escalation", "wants a human")
    assert found.phone_number_id == NUMBER


# Templates, numbers, accounts, people

@pytest.mark.parametrize(("name", "event_word"), [
    ("template status", "APPROVED"), ("template category", "changed"), ("template quality", "YELLOW"),
    ("template components", "components"), ("template detection", "category_detection"),
])
def test_news_of_a_template(name: str, event_word: str) -> None:
    found = event(VALUES[name])
    kind = name.removeprefix("template ").replace("detection", "category_detection")
    assert (found.kind, found.event) == (kind, event_word)
    assert (found.template_id, found.name, found.language, found.reason) == (
        "1689556908129832", "order_ready", "en_US", None)


def test_a_category_is_first_announced() -> None:
    announced = template(new_category="UTILITY", correct_category="MARKETING")
    assert event(change("template_category_update", announced)).event == "warning"


def test_a_rejected_template_says_why_and_a_template_without_id_is_unreadable() -> None:
    rejected = change("message_template_status_update", template(event="REJECTED", reason="INVALID_FORMAT"))
    assert event(rejected).reason == "INVALID_FORMAT"
    assert isinstance(event(change("message_template_status_update", {"event": "APPROVED"})), known.Unreadable)


@pytest.mark.parametrize(("name", "kind", "word", "shown"), [
    ("number quality", "quality", "THROUGHPUT_UPGRADE", OURS), ("number name", "name", "REJECTED", OURS),
    ("username", "username", "approved", OURS), ("security", "security", "PIN_CHANGED", OURS),
    ("settings", "settings", "phone_number_settings", None),
])
def test_news_of_a_number(name: str, kind: str, word: str, shown: str | None) -> None:
    found = event(VALUES[name])
    assert (found.kind, found.event, found.display_phone_number) == (kind, word, shown)
    assert found.details == VALUES[name]["value"]


@pytest.mark.parametrize(("name", "kind", "word"), [
    ("account", "update", "ACCOUNT_RESTRICTION"), ("partner", "update", "PARTNER_REMOVED"),
    ("review", "review", "APPROVED"), ("alert", "alert", "OBA_APPROVED"), ("flat alert", "alert", "OBA_REJECTED"),
    ("capability", "capability", None),
])
def test_news_of_an_account(name: str, kind: str, word: str | None) -> None:
    found = event(VALUES[name], time=1_795_000_000)
    assert (found.kind, found.event, found.at) == (kind, word, 1_795_000_000_000)


def test_a_preference_with_its_moment_as_a_number() -> None:
    found = event(VALUES["preference"])
    assert (found.value, found.category, found.at) == ("stop", "marketing_messages", AT * 1000)
    assert found.person == DANA_WHOLE
    alone = change("user_preferences", carrying(user_preferences=[{"user_id": DANA_ID, "value": "RESUME"}]))
    assert (event(alone).value, event(alone).person) == ("resume", Person(user_id=DANA_ID))


def test_a_click_names_no_person() -> None:
    found = event(VALUES["click"])
    assert (found.action_type, found.click_id, found.component, found.tracking_token, found.product_id) == (
        "marketing_messages_link_click", "c1", "cta", "t", "p")


def test_fields_nobody_knows_are_kept_as_they_came() -> None:
    found = event(VALUES["unheard of"])
    assert (found.field, found.value) == ("telepathy_update", {"strength": 9})
