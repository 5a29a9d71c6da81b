"""The pass before the 200: what is in a body and whose, and bodies with a part of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chime.whatsapp import NotJson, event_key, parse, scan
from tests.unit.whatsapp.payloads import (
    METADATA,
    NUMBER,
    VALUES,
    WABA,
    carrying,
    change,
    encoded,
    envelope,
    message,
    received,
)


def body_of_two_wabas() -> bytes:
    first = envelope(received(message()), change("flows", {"event": "X"}), waba="1", time=7)
    second = envelope(change("messages", carrying(metadata={"phone_number_id": "99"}, messages=[
        message(id="wamid.Ü/🙂")])), waba="2")
    return encoded({**first, "entry": first["entry"] + second["entry"], "later": {"kept": True}})


def test_every_change_is_found_with_its_owner() -> None:
    found = scan(body_of_two_wabas())
    assert found.recognised
    assert [(one.entry, one.change, one.field, one.phone_number_id, one.waba_id) for one in found.changes] == [
        (0, 0, "messages", NUMBER, "1"), (0, 1, "flows", None, "1"), (1, 0, "messages", "99", "2")]


@pytest.mark.parametrize("name", VALUES)
def test_scan_and_parse_agree_on_the_owner(name: str) -> None:
    body = encoded(envelope(VALUES[name]))
    (found,) = scan(body).changes
    for event in parse(body):
        assert (event.phone_number_id, event.waba_id) == (found.phone_number_id, found.waba_id)
    assert found.field == VALUES[name]["field"]


@pytest.mark.parametrize(("value", "number"), [
    (carrying(), NUMBER), ({"metadata": {"phone_number_id": 42}}, "42"), ({"recipient": METADATA}, NUMBER),
    ({"phone_number_settings": {"phone_number_id": "7"}}, "7"), ({"metadata": {"phone_number_id": ""}}, None),
    ({"metadata": None}, None), ({"metadata": "oops"}, None), ({"metadata": {"phone_number_id": [1]}}, None),
    ({}, None),
])
def test_a_number_is_found_in_its_places_whatever_its_type(value: dict[str, Any], number: str | None) -> None:
    (found,) = scan(encoded(envelope(change("messages", value)))).changes
    assert (found.phone_number_id, found.waba_id) == (number, WABA)


@pytest.mark.parametrize(("field", "value", "waba"), [
    ("account_update", {"event": "PARTNER_ADDED", "waba_info": {"waba_id": 990}}, "990"),
    ("account_update", {"event": "PARTNER_APP_UNINSTALLED"}, None),
    ("partner_solutions", {"event": "SOLUTION_CREATED"}, None),
    ("account_update", {"event": "VERIFIED_ACCOUNT"}, WABA),
    ("account_update", {"event": 5}, WABA),
])
def test_a_portfolio_s_id_is_never_taken_for_a_waba(field: str, value: dict[str, Any], waba: str | None) -> None:
    body = encoded(envelope(change(field, value)))
    assert [found.waba_id for found in scan(body).changes] == [waba]
    assert [event.waba_id for event in parse(body)] == [waba]


def test_all_chosen_gives_the_very_bytes() -> None:
    body = body_of_two_wabas()
    assert scan(body).select([0, 1, 2]) is body
    assert scan(body).select((2, 0, 1, 1)) is body


@pytest.mark.parametrize("indexes", [[0], [1], [2], [0, 2], [2, 1]])
def test_a_part_holds_the_chosen_changes_and_nothing_of_the_others(indexes: list[int]) -> None:
    body = body_of_two_wabas()
    whole, part = scan(body), scan(body).select(indexes)
    kept = scan(part).changes
    assert [(one.field, one.phone_number_id, one.waba_id) for one in kept] == [
        (one.field, one.phone_number_id, one.waba_id) for index, one in enumerate(whole.changes) if index in indexes]
    read = json.loads(part)
    assert read["later"] == {"kept": True}
    assert [entry.get("time") for entry in read["entry"]] == [7] * any(i < 2 for i in indexes) + [None] * (2 in indexes)
    if indexes == [2]:
        assert b"\\u00dc\\/\\ud83d\\ude42" in part  # each change byte for byte as it came
        assert "Is it" in json.dumps(read) and NUMBER not in json.dumps(read)


def test_events_of_a_part_have_the_keys_they_had_in_the_whole() -> None:
    body = body_of_two_wabas()
    parts = [event for index in range(3) for event in parse(scan(body).select([index]))]
    assert [event_key(event) for event in parts] == [event_key(event) for event in parse(body)]


def test_entries_that_cannot_be_told_apart_can_be_chosen_whole() -> None:
    body = encoded({"object": "whatsapp_business_account", "entry": [
        {"id": "1", "changes": []}, {"id": "2"}, 5, {"id": "4", "changes": "x"}, {"id": "5", "changes": [8]}]})
    found = scan(body)
    assert [(one.entry, one.change, one.waba_id) for one in found.changes] == [
        (0, -1, "1"), (1, -1, "2"), (2, -1, None), (3, -1, "4"), (4, 0, "5")]
    assert json.loads(found.select([1, 2]))["entry"] == [{"id": "2"}, 5]
    assert json.loads(found.select([4]))["entry"] == [{"id": "5", "changes": [8]}]


@pytest.mark.parametrize("body", [
    b"null", b"[]", b"7", b'"x"', b"{}", b'{"object":"page","entry":[]}', b'{"object":null,"entry":[]}',
    b'{"object":"whatsapp_business_account"}', b'{"object":"whatsapp_business_account","entry":{}}',
    b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 5000 + b"1" + b"}" * 5000, b'{"a":"\xff"}',
])
def test_json_of_another_shape_is_not_recognised_and_not_refused(body: bytes) -> None:
    assert scan(body).recognised is False
    assert scan(body).changes == ()


@pytest.mark.parametrize("body", [b"", b"{", b"hello", b"{'a':1}", b'{"a":1}x', b"\xff\xfe"])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(NotJson) as refused:
        scan(body)
    assert refused.value.status == 400


def test_a_byte_that_is_no_text_does_not_keep_a_body_from_being_divided() -> None:
    body = encoded(envelope(received(message()), change("flows", {"odd": 1}))).replace(b'"object"', b'"obj\xffct"')
    assert json.loads(scan(body).select([1]))["entry"][0]["changes"] == [{"field": "flows", "value": {"odd": 1}}]


@pytest.mark.parametrize("odd", ['"half \\ud83d"', "9" * 5000, "1e999", "NaN", '"\\u0000"', "[" * 600 + "]" * 600,
                                 "[" * 5000 + "]" * 5000, '{"[":' * 900 + "1" + "}" * 900])
def test_an_oddity_in_one_place_hides_no_change(odd: str) -> None:
    body = encoded(envelope(received(message()), change("flows", {"odd": "ODD"}))).replace(b'"ODD"', odd.encode())
    found = scan(body)
    assert [one.field for one in found.changes] == ["messages", "flows"]
    assert [type(event).__name__ for event in parse(body)] == ["MessageReceived", "FieldReceived"]
    assert [type(event).__name__ for event in parse(found.select([0]))] == ["MessageReceived"]


@pytest.mark.parametrize("key", [b"ch\\u0000anges", b"cha\\u0000nges", b"changes\\u0000"])
def test_a_key_with_a_nul_in_it_is_the_key_when_a_body_is_divided(key: bytes) -> None:
    """Found by 10^6 mutated bodies: the scan read such a key and the division did not."""
    body = encoded(envelope(received(message()), change("flows", {"odd": 1}))).replace(b"changes", key, 1)
    found = scan(body)
    assert [one.field for one in found.changes] == ["messages", "flows"]
    assert [type(event).__name__ for event in parse(found.select([0]))] == ["MessageReceived"]


def test_a_byte_that_is_no_text_in_a_key_nobody_reads_divides_all_the_same() -> None:
    body = encoded(envelope(received(message()), change("flows", {"odd": 1}))).replace(b'"id"', b'"\xf4d"', 1)
    found = scan(body)
    assert len(found.changes) == 2
    assert [type(event).__name__ for event in parse(found.select([0]))] == ["MessageReceived"]
