"""Taking a person out of webhook bodies of every kind: what is theirs goes, what is others' stays, and as many events
are counted as before."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chime.contacts import Identity, mark
from chime.erasure.cutting import cut, may_concern
from chime.erasure.model import Meant
from chime.whatsapp import parse

PHONE, USER_ID = "14155550123", "US.7Hq2mZ90abc"
OTHER = "447700900142"
KEY = b"k" * 32


def body(field: str, **value: Any) -> bytes:
    metadata = {"display_phone_number": "15550100200", "phone_number_id": "411222333444555"}
    change = {"field": field, "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}
    return json.dumps({"object": "whatsapp_business_account", "entry": [
        {"id": "1", "time": 1763719200, "changes": [change]}]}).encode()


def said(by: str, wamid: str, words: str = "hello") -> dict[str, Any]:
    return {"from": by, "id": wamid, "timestamp": "1763719200", "type": "text", "text": {"body": words}}


def names(*phones: str) -> list[dict[str, Any]]:
    return [{"wa_id": phone, "profile": {"name": f"name of {phone}"}} for phone in phones]


BODIES: dict[str, tuple[bytes, bool]] = {
    "messages of two": (body("messages", contacts=names(PHONE, OTHER),
                             messages=[said(PHONE, "wamid.mine", "SECRET"), said(OTHER, "wamid.other", "KEPT")]), True),
    "by user id": (body("messages", contacts=[{"user_id": USER_ID, "profile": {"name": "SECRET"}}], messages=[
        {"from_user_id": USER_ID, "id": "wamid.x", "timestamp": "1", "type": "text", "text": {"body": "SECRET"}}]),
        False),
    "statuses": (body("messages", statuses=[
        {"id": "wamid.ours", "status": "read", "timestamp": "1", "recipient_id": PHONE},
        {"id": "wamid.known", "status": "read", "timestamp": "1"},
        {"id": "wamid.KEPT", "status": "read", "timestamp": "1", "recipient_id": OTHER}]), True),
    "a number that changed": (body("messages", messages=[
        {"from": PHONE, "id": "wamid.s", "timestamp": "1", "type": "system",
         "system": {"type": "user_changed_number", "wa_id": "19995550123", "body": "SECRET changed"}}]), False),
    "an echo": (body("smb_message_echoes", message_echoes=[
        {"from": "15550100200", "to": PHONE, "id": "wamid.e", "timestamp": "1", "type": "text",
         "text": {"body": "SECRET"}}]), False),
    "history": (body("history", history=[{"metadata": {"phase": 0, "chunk_order": 1, "progress": 10}, "threads": [
        {"id": PHONE, "messages": [said(PHONE, "wamid.h1", "SECRET")]},
        {"id": OTHER, "messages": [said(OTHER, "wamid.h2", "KEPT")]}]}]), True),
    "late files": (body("history", messages=[said(PHONE, "wamid.l", "SECRET")], contacts=names(PHONE)), False),
    "address book": (body("smb_app_state_sync", state_sync=[
        {"type": "contact", "action": "add", "contact": {"phone_number": PHONE, "full_name": "SECRET Name"},
         "metadata": {"timestamp": "1"}},
        {"type": "contact", "action": "add", "contact": {"phone_number": OTHER, "full_name": "KEPT"},
         "metadata": {"timestamp": "1"}}]), True),
    "preference": (body("user_preferences", contacts=names(PHONE), user_preferences=[
        {"wa_id": PHONE, "category": "marketing_messages", "value": "stop", "timestamp": "1"}]), False),
    "a call": (body("calls", calls=[{"id": "c1", "from": PHONE, "to": "15550100200", "event": "connect",
                                     "timestamp": "1"}]), False),
    "overheard": (body("standby", standby={"contacts": names(PHONE), "messages": [said(PHONE, "wamid.o", "SECRET")]}),
                  False),
    "a field nobody knows": (body("flows", secret="SECRET", who=PHONE), False),
    "an item nobody can read": (body("messages", messages=[{"type": "text", "wa": PHONE, "text": "SECRET"}]), False),
    "a list that is none": (body("messages", messages={"from": PHONE, "text": "SECRET"}), False),
    "no envelope": (json.dumps({"who": PHONE, "said": "SECRET"}).encode(), False),
}
MEANT = Meant([Identity("phone", PHONE), Identity("user_id", USER_ID)], ["wamid.known"])


@pytest.mark.parametrize("name", BODIES)
def test_the_person_goes_others_stay_and_events_are_counted_as_before(name: str) -> None:
    before, has_others = BODIES[name]
    assert may_concern(MEANT, before)
    found = cut(MEANT, before)
    assert found is not None
    for word in (b"SECRET", PHONE.encode(), USER_ID.encode(), b"name of 1415", b"wamid.known"):
        assert word not in found.body, word
    assert (b"KEPT" in found.body) is has_others
    assert len(parse(found.body)) == len(parse(before))
    paths = {event.path for event in parse(found.body)}
    assert {*found.whole, *found.partial} <= paths and not found.remains
    assert [event.path for event in parse(found.body)] == [event.path for event in parse(before)]
    assert cut(MEANT, found.body) is None, "the second time nothing is left to do"


@pytest.mark.parametrize("name", BODIES)
def test_nobody_elses_body_is_touched(name: str) -> None:
    stranger = Meant([Identity("phone", "33612345678"), Identity("user_id", "US.other1234")])
    assert cut(stranger, BODIES[name][0]) is None


def test_hashes_alone_find_a_person_too() -> None:
    identities = [Identity("phone", PHONE), Identity("user_id", USER_ID)]
    meant = Meant((), marks=[mark(KEY, one) for one in identities], key=KEY)
    for name in ("messages of two", "by user id", "an echo", "history", "preference", "a call", "overheard"):
        found = cut(meant, BODIES[name][0])
        assert found is not None and b"SECRET" not in found.body and PHONE.encode() not in found.body, name


def test_what_they_once_changed_is_named_to_be_forgotten_as_well() -> None:
    """Old edits, reactions and deletions wait for the message they are about, perhaps for ever."""
    edit = {"type": "edit", "edit": {"original_message_id": "wamid.never", "message": said(PHONE, "x", "SECRET")}}
    threads = [{"id": phone, "messages": [{**said(phone, f"wamid.{phone}"), **part}]} for phone, part in (
        (PHONE, edit), (OTHER, {"type": "revoke", "revoke": {"original_message_id": "wamid.kept"}}))]
    found = cut(Meant([Identity("phone", PHONE)]), body("history", history=[{"threads": threads}]))
    assert found is not None and found.targets == ("wamid.never",)


def test_slashes_as_meta_escapes_them_hide_no_id() -> None:
    meant = Meant((), ["wamid.a/b=="])
    plain = body("messages", statuses=[{"id": "wamid.a/b==", "status": "sent", "timestamp": "1"}])
    escaped = plain.replace(b"/", b"\\/")
    assert may_concern(meant, escaped)
    found = cut(meant, escaped)
    assert found is not None and found.keys == ("status:411222333444555:wamid.a/b==:sent:",)


def test_what_others_say_about_the_person_is_theirs_and_is_told() -> None:
    mentions = body("messages", contacts=names(PHONE, OTHER), messages=[
        said(PHONE, "wamid.a", "SECRET"), said(OTHER, "wamid.b", f"her number is {PHONE}")])
    found = cut(MEANT, mentions)
    assert found is not None and found.remains and b"SECRET" not in found.body
