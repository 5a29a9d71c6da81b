"""Whole bodies: everything in them is read, in order, and nothing in them can stop the rest."""

from __future__ import annotations

import copy
import random
from typing import Any

import msgspec
import pytest

from chime.whatsapp import Event, NotJson, event_key, parse, scan
from chime.whatsapp import events as known
from tests.unit.whatsapp.mutations import mutate
from tests.unit.whatsapp.payloads import (
    MESSAGES,
    NUMBER,
    VALUES,
    WABA,
    carrying,
    change,
    encoded,
    envelope,
    message,
    received,
    status,
)

MUTATIONS = 2000


def test_three_entries_of_three_changes_of_three_messages() -> None:
    body = {"object": "whatsapp_business_account", "entry": [
        {"id": f"waba-{i}", "changes": [
            change("messages", carrying(
                metadata={"phone_number_id": f"number-{i}-{j}"}, messages=[
                    message(id=f"wamid.{i}{j}{k}") for k in range(3)]))
            for j in range(3)]}
        for i in range(3)]}
    found: Any = parse(encoded(body))
    places = [(i, j, k) for i in range(3) for j in range(3) for k in range(3)]
    assert [one.wamid for one in found] == [f"wamid.{i}{j}{k}" for i, j, k in places]
    assert [one.path for one in found] == [f"entry.{i}.changes.{j}.messages.{k}" for i, j, k in places]
    assert [one.phone_number_id for one in found] == [f"number-{i}-{j}" for i, j, _ in places]
    assert [one.waba_id for one in found] == [f"waba-{i}" for i, _, _ in places]
    assert len({event_key(one) for one in found}) == 27


def test_a_change_may_carry_several_arrays() -> None:
    all_of_them = carrying(
        messages=[message()], statuses=[status()], errors=[{"code": 1}], user_actions=[{"action_type": "a"}])
    assert [type(one) for one in parse(encoded(envelope(change("messages", all_of_them))))] == [
        known.MessageReceived, known.StatusReceived, known.LinkClicked, known.AccountErrors]


def test_everything_at_once_comes_in_order() -> None:
    found = parse(encoded(envelope(*VALUES.values())))
    assert [one.path.split(".")[3] for one in found] == [str(index) for index in range(len(VALUES))]
    assert not any(isinstance(one, known.Unreadable) for one in found)


@pytest.mark.parametrize("poison", [
    None, 7, "text", [], {}, {"id": {}}, {"id": "wamid.P"}, {**message("reaction", {}), "id": "wamid.P"},
    {**message("edit", {"message": {}}), "id": "wamid.P"}, {**message("revoke"), "id": "wamid.P"},
], ids=repr)
def test_a_poison_item_stops_neither_its_neighbours_nor_the_next_change(poison: Any) -> None:
    found = parse(encoded(envelope(
        received(message(id="wamid.A"), poison, message(id="wamid.B")), received(message(id="wamid.C")))))
    assert [getattr(one, "wamid", None) for one in found] == ["wamid.A", None, "wamid.B", "wamid.C"]
    bad = found[1]
    assert isinstance(bad, known.Unreadable)
    assert (bad.path, bad.phone_number_id, bad.waba_id) == ("entry.0.changes.0.messages.1", NUMBER, WABA)
    assert bad.reason and event_key(bad)


def test_a_reason_quotes_nothing() -> None:
    secret = "14155550123"
    for item in ({"id": secret, "text": {"body": secret}, "type": "text"}, {"from": secret, "type": "text"}, secret):
        (bad,) = parse(encoded(envelope(received(item, contacts=[]))))  # type: ignore[arg-type]
        assert isinstance(bad, known.Unreadable) and secret not in bad.reason


@pytest.mark.parametrize("poison", [None, 5, "x", [], {}, {"field": "messages"}, {"field": 5, "value": "x"},
                                    {"field": "messages", "value": []}])
def test_a_poison_change_stops_no_other(poison: Any) -> None:
    found = parse(encoded(envelope(poison, received(message()))))
    assert [type(one) for one in found] == [known.Unreadable, known.MessageReceived]


@pytest.mark.parametrize("entry", [None, 5, "x", {}, {"id": "1"}, {"changes": None}, {"changes": []}, {"changes": "x"}])
def test_a_poison_entry_stops_no_other(entry: Any) -> None:
    body = envelope(received(message()))
    body["entry"].insert(0, entry)
    assert [type(one) for one in parse(encoded(body))] == [known.Unreadable, known.MessageReceived]


@pytest.mark.parametrize("listed", [{}, "x", 5, True])
def test_an_array_that_is_none_is_told(listed: Any) -> None:
    (bad,) = parse(encoded(envelope(change("messages", carrying(messages=listed)))))
    assert isinstance(bad, known.Unreadable) and bad.reason == "messages is no list"


@pytest.mark.parametrize("value", [{}, carrying(), carrying(messages=[]), carrying(messages=None, contacts=[{}])])
def test_an_empty_value_is_recorded(value: dict[str, Any]) -> None:
    (found,) = parse(encoded(envelope(change("messages", value))))
    assert isinstance(found, known.FieldReceived) and found.field == "messages"


@pytest.mark.parametrize("body", [
    b"", b"{", b"\xff", b"null", b"[]", b"{}", b'{"object":"page","entry":[]}', b'{"entry":{}}', b"[" * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
])
def test_what_is_no_envelope_is_one_unreadable_event(body: bytes) -> None:
    (bad,) = parse(body)
    assert isinstance(bad, known.Unreadable) and bad.reason.startswith("the body is")


def test_edits_within_edits_end_somewhere() -> None:
    item: dict[str, Any] = message()
    for _ in range(300):
        item = message("edit", {"original_message_id": "wamid.X", "message": item})
    found = parse(encoded(envelope(received(item, message(id="wamid.B")))))
    assert len(found) == 2 and getattr(found[1], "wamid", None) == "wamid.B"


def _mutated(chance: random.Random) -> dict[str, Any]:
    names = chance.sample(sorted(VALUES), 3)
    body = copy.deepcopy(envelope(*(VALUES[name] for name in names), time=chance.choice([1, "1", None, {}])))
    mutate(body, chance)
    return body


def _assert_sound(found: list[Event]) -> None:
    for one in found:
        written = msgspec.json.encode(one)
        assert b"\\u0000" not in written and b"\x00" not in written
        # Every part has the type it is declared with, so that nothing breaks further in.
        plain = {key: value for key, value in msgspec.to_builtins(one).items() if key != "event"}
        declared = {field.name: field.type for field in msgspec.structs.fields(type(one)) if field.name != "event"}
        for name, value in plain.items():
            msgspec.convert(value, declared[name])
        if isinstance(one, known.StandbyReceived):
            _assert_sound([one.event])


def test_whatever_is_missing_or_mistaken_nothing_raises_and_nothing_is_lost() -> None:
    chance = random.Random(20_261_121)
    for _ in range(MUTATIONS):
        body = encoded(_mutated(chance))
        found, scanned = parse(body), scan(body)
        _assert_sound(found)
        assert [event_key(one) for one in parse(body)] == [event_key(one) for one in found]
        if not scanned.recognised:
            assert [type(one) for one in found] == [known.Unreadable]
            continue
        assert {".".join(one.path.split(".")[:4]) for one in found} == {
            f"entry.{one.entry}.changes.{one.change}" if one.change >= 0 else f"entry.{one.entry}"
            for one in scanned.changes}
        for index, one in enumerate(scanned.changes):
            (alone,) = scan(scanned.select([index])).changes
            assert (alone.field, alone.phone_number_id, alone.waba_id) == (
                one.field, one.phone_number_id, one.waba_id)


def test_broken_bytes_never_raise_but_for_not_being_json() -> None:
    chance, whole = random.Random(7), encoded(envelope(*map(received, MESSAGES.values())))
    for _ in range(300):
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        assert parse(bytes(broken))
        try:
            scan(bytes(broken))
        except NotJson:
            continue
