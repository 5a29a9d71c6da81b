"""What we send: every kind of message, the addressing, the preview line."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
import pytest

from chime.whatsapp import (
    InvalidMessage,
    Recipient,
    graph_body,
    parse_message,
    preview,
    read_body,
    text_of,
)
from tests.unit.whatsapp.outgoing import (
    GOOD,
    TEXT,
    button,
    template,
    text_value,
)

ANA = Recipient(phone="5511955500100")


@pytest.mark.parametrize("name", GOOD)
def test_every_kind_goes_out_as_it_came_in_and_can_be_read_again_from_storage(name: str) -> None:
    given = GOOD[name]
    message = parse_message(given)
    assert message.type == given["type"]
    stored = json.loads(msgspec.json.encode(msgspec.to_builtins(message)))
    assert stored == _without_empty_components(given)
    assert parse_message(stored) == parse_message(msgspec.to_builtins(message)) == message
    body = graph_body(message, ANA, "token")
    assert body == {"messaging_product": "whatsapp", "recipient_type": "individual", "to": "+5511955500100", **stored,
                    "biz_opaque_callback_data": "token"}


def _without_empty_components(given: dict[str, Any]) -> dict[str, Any]:
    kept = copy.deepcopy(given)
    if not kept.get("template", {}).get("components", True):
        del kept["template"]["components"]
    return kept


@pytest.mark.parametrize("name", GOOD)
def test_a_preview_is_one_line_of_words(name: str) -> None:
    line = preview(parse_message(GOOD[name]))
    assert line and "\n" not in line and len(line) <= 161


def test_a_preview_is_flattened_and_cut_between_words_and_never_inside_an_emoji() -> None:
    assert preview(parse_message({"type": "text", "text": {"body": " one\n\ttwo  "}})) == "one two"
    words = preview(parse_message({"type": "text", "text": {"body": "word " * 400}}))
    assert words == " ".join(["word"] * 32) + "…"
    faces = preview(parse_message({"type": "text", "text": {"body": "x" + "👩🏽‍🚀" * 100}}))
    assert faces == "x" + "👩🏽‍🚀" * ((len(faces) - 2) // 4) + "…"


@pytest.mark.parametrize(("name", "words"), [
    ("answer", "See https://chime.test"), ("image", "Front"), ("image by link", "Photo"), ("audio", "Voice note"),
    ("document", "March"), ("location", "Shop"), ("contacts", "Ana Lima"), ("button", "Well? Chime"),
    ("list", "Slots Well?"), ("product", "Product"), ("template without values", "order_ready"),
    ("template by position", "order_ready: A-1042, ₹499, 12 Nov"),
])
def test_previews(name: str, words: str) -> None:
    assert preview(parse_message(GOOD[name])) == words


def test_the_whole_text_keeps_its_lines() -> None:
    assert text_of(parse_message({"type": "text", "text": {"body": "a\nb" + "c" * 300}})) == "a\nb" + "c" * 300
    assert text_of(parse_message(GOOD["list"])) == "Slots\nWell?"


# Who gets it

def test_a_number_goes_into_to_with_its_plus_and_wins_over_a_user_id() -> None:
    for recipient in (Recipient(phone="14155550123", user_id="US.7Hq2mZ90"), Recipient(phone="+14155550123")):
        body = graph_body(parse_message(TEXT), recipient, "t")
        assert body["to"] == "+14155550123" and "recipient" not in body


@pytest.mark.parametrize("user_id", ["US.7Hq2mZ90", "IN.ENT.4815162342"])
def test_a_user_id_goes_into_recipient_only(user_id: str) -> None:
    body = graph_body(parse_message(TEXT), Recipient(user_id=user_id), "t")
    assert body["recipient"] == user_id and "to" not in body


@pytest.mark.parametrize(("phone", "user_id", "field"), [
    (None, None, "to"), ("", "", "to"), ("US.13491208655302741918", None, "to"), ("0049123456", None, "to"),
    ("+1 415 555", None, "to"), ("12", None, "to"), ("١٤١٥٥٥٥", None, "to"), (None, "14155550123", "recipient"),
    (None, "US.", "recipient"), (None, "US.a b", "recipient"),
])
def test_nobody_and_mistaken_identities_are_refused(phone: str | None, user_id: str | None, field: str) -> None:
    with pytest.raises(InvalidMessage) as refused:
        Recipient(phone=phone, user_id=user_id)
    assert [error.field for error in refused.value.errors] == [field]


def test_an_answer_quotes_but_a_reaction_does_not() -> None:
    assert graph_body(parse_message(TEXT), ANA, "t", "wamid.Q")["context"] == {"message_id": "wamid.Q"}
    assert graph_body(parse_message(GOOD["answer"]), ANA, "t", "wamid.Q")["context"] == {"message_id": "wamid.Q"}
    assert graph_body(parse_message(GOOD["answer"]), ANA, "t")["context"] == {"message_id": "wamid.IN1"}
    assert "context" not in graph_body(parse_message(GOOD["reaction"]), ANA, "t", "wamid.Q")


@pytest.mark.parametrize("callback_data", ["", "x" * 513])
def test_a_send_without_its_token_cannot_be_made(callback_data: str) -> None:
    with pytest.raises(ValueError, match="callback data"):
        graph_body(parse_message(TEXT), ANA, callback_data)


def test_reading_and_typing() -> None:
    read = {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.IN1"}
    assert read_body("wamid.IN1", typing=False) == read
    assert read_body("wamid.IN1", typing=True) == {**read, "typing_indicator": {"type": "text"}}


def test_a_button_s_index_goes_out_as_text() -> None:
    inside = {"type": "carousel", "cards": [{"card_index": 0, "components": [button("url", 1, text_value("a"))]}]}
    body = graph_body(parse_message(template(button("url", 0, text_value("a")), inside)), ANA, "t")
    outer, carousel = body["template"]["components"]
    assert outer["index"] == "0" and carousel["cards"][0]["components"][0]["index"] == "1"
