"""What Meta would refuse is refused before, with every field's name and all problems at once."""

from __future__ import annotations

import copy
import json
import random
from collections import Counter
from typing import Any

import msgspec
import pytest

from chime.errors import Invalid
from chime.whatsapp import InvalidMessage, Recipient, graph_body, parse_message, preview
from tests.unit.whatsapp.mutations import mutate
from tests.unit.whatsapp.outgoing import (
    CARD,
    GOOD,
    asking,
    body_of,
    button,
    flow,
    link_card,
    listing,
    products,
    replies,
    reply_card,
    template,
    text_value,
)


def problems(data: Any) -> dict[str, str]:
    with pytest.raises(InvalidMessage) as refused:
        parse_message(data)
    return {error.field: error.message for error in refused.value.errors}


LIMITS: list[tuple[dict[str, Any], str, str]] = [
    # Text and files
    ({"type": "text", "text": {"body": "x" * 4097}}, "text.body", "4,096"),
    ({"type": "text", "text": {"body": " \n"}}, "text.body", "empty"),
    ({"type": "text", "text": {}}, "text.body", "missing"),
    ({"type": "text"}, "text", "missing"),
    ({"type": "text", "text": {"body": "a\x00b"}}, "text.body", "character"),
    ({"type": "text", "text": {"body": "half \ud83d"}}, "text.body", "character"),
    ({"type": "text", "text": {"body": 7}}, "text.body", "text"),
    ({"type": "text", "text": {"body": "x", "preview_url": "yes"}}, "text.preview_url", "true or false"),
    ({"type": "text", "text": {"body": "x"}, "image": {"id": "1"}}, "image", "not known"),
    ({"type": "text", "text": {"body": "x"}, "context": {}}, "context.message_id", "missing"),
    ({"type": "text", "text": {"body": "x"}, "to": "1"}, "to", "not known"),
    ({"type": "image", "image": {}}, "image.id", "either id or link"),
    ({"type": "image", "image": {"id": "1", "link": "https://chime.test"}}, "image.link", "together"),
    ({"type": "image", "image": {"link": "ftp://chime.test/a"}}, "image.link", "https://"),
    ({"type": "image", "image": {"link": "https://[x"}}, "image.link", "https://"),
    ({"type": "image", "image": {"id": "1", "caption": "x" * 1025}}, "image.caption", "1,024"),
    ({"type": "audio", "audio": {"id": "1", "caption": "x"}}, "audio.caption", "not known"),
    ({"type": "sticker", "sticker": {"id": "1", "caption": "x"}}, "sticker.caption", "not known"),
    ({"type": "document", "document": {"id": "1", "filename": ""}}, "document.filename", "empty"),
    # Places, cards, reactions
    ({"type": "location", "location": {"latitude": 91, "longitude": 0}}, "location.latitude", "90"),
    ({"type": "location", "location": {"latitude": 1, "longitude": "east"}}, "location.longitude", "180"),
    ({"type": "location", "location": {"latitude": True, "longitude": 0}}, "location.latitude", "number"),
    ({"type": "location", "location": {"latitude": "nan", "longitude": 0}}, "location.latitude", "90"),
    ({"type": "contacts", "contacts": []}, "contacts", "at least one"),
    ({"type": "contacts", "contacts": [CARD] * 258}, "contacts", "257"),
    ({"type": "contacts", "contacts": [{"name": {"formatted_name": "Ana"}}]}, "contacts.0.name.first_name", "part"),
    ({"type": "contacts", "contacts": [{**CARD, "birthday": "28.2.1990"}]}, "contacts.0.birthday", "form"),
    ({"type": "reaction", "reaction": {"message_id": "wamid.X", "emoji": "ok"}}, "reaction.emoji", "one emoji"),
    ({"type": "reaction", "reaction": {"message_id": "wamid.X", "emoji": "👍 👍"}}, "reaction.emoji", "one emoji"),
    ({**GOOD["reaction"], "context": {"message_id": "wamid.X"}}, "context", "not known"),
    # Buttons and lists
    (asking("button", replies()), "interactive.action.buttons", "at least one"),
    (asking("button", replies("1", "2", "3", "4")), "interactive.action.buttons", "at most 3"),
    (asking("button", replies("Yes", "Yes")), "interactive.action.buttons.1.reply.title", "same"),
    (asking("button", replies("x" * 21)), "interactive.action.buttons.0.reply.title", "20"),
    (asking("button", {"buttons": [{"type": "reply", "reply": {"id": "x" * 257, "title": "a"}}]}),
     "interactive.action.buttons.0.reply.id", "256"),
    (asking("button", {"buttons": replies("a")["buttons"] + replies("b")["buttons"]}),
     "interactive.action.buttons.1.reply.id", "another"),
    (asking("button", replies("a"), body={"text": "x" * 1025}), "interactive.body.text", "1,024"),
    (asking("button", replies("a"), footer={"text": "x" * 61}), "interactive.footer.text", "60"),
    (asking("button", replies("a"), header={"type": "text", "text": "x" * 61}), "interactive.header.text", "60"),
    (asking("button", replies("a"), header={"type": "sticker"}), "interactive.header.type", "document, image"),
    (asking("button", replies("a"), header={"type": "image", "image": {}}), "interactive.header.image.id", "missing"),
    (asking("list", listing(6, 5)), "interactive.action.sections", "10 rows"),
    (asking("list", listing(*[1] * 11)), "interactive.action.sections", "at most 10"),
    (asking("list", listing(1, 1, titled=False)), "interactive.action.sections.1.title", "missing"),
    (asking("list", listing(0)), "interactive.action.sections.0.rows", "at least one"),
    (asking("list", {**listing(1), "button": "x" * 21}), "interactive.action.button", "20"),
    (asking("list", {"button": "a", "sections": listing(1)["sections"] * 2}),
     "interactive.action.sections.1.rows.0.id", "another"),
    (asking("list", {"button": "a", "sections": [{"title": "x" * 25, "rows": [
        {"id": "x" * 201, "title": "x" * 25, "description": "x" * 73}]}]}),
     "interactive.action.sections.0.rows.0.description", "72"),
    (asking("list", listing(1), body={"text": "x" * 4097}), "interactive.body.text", "4,096"),
    (asking("list", listing(1), header={"type": "image", "image": {"id": "1"}}), "interactive.header.type", "“text”"),
    # Links, forms, products
    (asking("cta_url", {"name": "cta_url", "parameters": {"display_text": "x" * 21, "url": "https://chime.test"}}),
     "interactive.action.parameters.display_text", "20"),
    (asking("cta_url", {"name": "cta_url", "parameters": {"display_text": "x", "url": "javascript:alert(1)"}}),
     "interactive.action.parameters.url", "https://"),
    (asking("cta_url", {"name": "flow", "parameters": {"display_text": "x", "url": "https://chime.test"}}),
     "interactive.action.name", "“cta_url”"),
    (asking("location_request_message", {"name": "send_location"}, footer={"text": "x"}), "interactive.footer",
     "not known"),
    (asking("address_message", {"name": "address_message", "parameters": {"country": "India"}}),
     "interactive.action.parameters.country", "form"),
    (asking("product", {"catalog_id": "801"}), "interactive.action.product_retailer_id", "missing"),
    (asking("product", {"catalog_id": "801", "product_retailer_id": "S"}, header={"type": "text", "text": "x"}),
     "interactive.header", "not known"),
    (asking("product_list", products(1)), "interactive.header", "missing"),
    (asking("product_list", products(16, 15), header={"type": "text", "text": "x"}), "interactive.action.sections",
     "30 products"),
    (asking("flow", flow()), "interactive.action.parameters.flow_id", "either"),
    (asking("flow", flow(flow_id="1", flow_name="n")), "interactive.action.parameters.flow_id", "together"),
    (asking("flow", flow(flow_id="1", flow_cta="x" * 31)), "interactive.action.parameters.flow_cta", "30"),
    (asking("flow", flow(flow_id="1", mode="test")), "interactive.action.parameters.mode", "“published”"),
    (asking("flow", flow(flow_id="1", flow_action_payload={"data": {}})),
     "interactive.action.parameters.flow_action_payload.data", "empty"),
    (asking("flow", flow(flow_id="1", flow_action="data_exchange", flow_action_payload={"screen": "S"})),
     "interactive.action.parameters.flow_action_payload", "navigate"),
    (asking("flow", flow(flow_id="1", flow_action_payload={"data": {"a": {"b": "\x00"}}})),
     "interactive.action.parameters.flow_action_payload.data.a.b", "character"),
    (asking("voice_call", {"name": "voice_call", "parameters": {"ttl_minutes": 43_201}}),
     "interactive.action.parameters.ttl_minutes", "43200"),
    (asking("carousel", {"cards": [link_card(0)]}), "interactive.action.cards", "at least 2"),
    (asking("carousel", {"cards": [link_card(at % 10) for at in range(11)]}), "interactive.action.cards", "at most 10"),
    (asking("carousel", {"cards": [link_card(0), reply_card(1)]}), "interactive.action.cards.1.action", "same kind"),
    (asking("carousel", {"cards": [reply_card(0, 1), reply_card(1, 2)]}), "interactive.action.cards.1.action",
     "as many buttons"),
    (asking("carousel", {"cards": [link_card(0), link_card(5)]}), "interactive.action.cards.1.card_index", "1"),
    (asking("carousel", {"cards": [link_card(0), link_card(1, body={"text": "a\nb\nc\nd"})]}),
     "interactive.action.cards.1.body.text", "line breaks"),
    (asking("carousel", {"cards": [link_card(0), link_card(1, body={"text": "x" * 161})]}),
     "interactive.action.cards.1.body.text", "160"),
    (asking("carousel", {"cards": [link_card(0), link_card(1, header={"type": "image", "image": {"id": "1"}})]}),
     "interactive.action.cards.1.header.image.link", "missing"),
    (asking("carousel", {"cards": [link_card(0), link_card(1)]}, footer={"text": "x"}), "interactive.footer",
     "not known"),
    (asking("poll", {}), "interactive.type", "button, call_permission_request"),
    # Templates
    (template(name="Order Ready"), "template.name", "form"),
    (template(language={"code": "english"}), "template.language.code", "form"),
    (template({"type": "footer"}), "template.components.0.type", "body, button"),
    (template(body_of(text_value("a\nb"))), "template.components.0.parameters.0.text", "line breaks"),
    (template(body_of(text_value("a     b"))), "template.components.0.parameters.0.text", "spaces"),
    (template(body_of(text_value(""))), "template.components.0.parameters.0.text", "empty"),
    (template(body_of(), body_of()), "template.components.1.type", "earlier"),
    (template(body_of(text_value("a", parameter_name="a"), text_value("b"))),
     "template.components.0.parameters.1.parameter_name", "none"),
    (template(body_of(text_value("a", parameter_name="a"), text_value("b", parameter_name="a"))),
     "template.components.0.parameters.1.parameter_name", "another"),
    (template(button("url", "10", text_value("a"))), "template.components.0.index", "0 to 9"),
    (template(button("url", 0, text_value("a")), button("url", "0", text_value("a"))),
     "template.components.1.index", "earlier"),
    (template(button("copy_code", "0", {"type": "coupon_code", "coupon_code": "x" * 16})),
     "template.components.0.parameters.0.coupon_code", "15"),
    (template({"type": "limited_time_offer", "parameters": [{"type": "limited_time_offer", "limited_time_offer": {
        "expiration_time_ms": 1782864000}}]}),
     "template.components.0.parameters.0.limited_time_offer.expiration_time_ms", "between"),
    # No message at all
    ({}, "type", "missing"),
    ({"type": "smoke"}, "type", "must be one of"),
    ({"type": ["text"]}, "type", "must be one of"),
    ([], "message", "object"),
    (None, "message", "object"),
]


@pytest.mark.parametrize(("data", "field", "words"), LIMITS, ids=lambda value: value if isinstance(value, str) else "")
def test_what_meta_would_refuse_is_refused_with_the_field_s_name(data: Any, field: str, words: str) -> None:
    found = problems(data)
    assert words in found.get(field, ""), found


def test_all_problems_are_told_at_once() -> None:
    found = problems(asking(
        "button", {"buttons": [
            {"type": "reply", "reply": {"id": "a", "title": "Yes"}},
            {"type": "reply", "reply": {"id": "a", "title": "y" * 21}},
            {"type": "reply", "reply": {"id": "b", "title": "Yes"}}]},
        body={"text": ""}, footer={"text": "f" * 61}, colour="red"))
    assert set(found) == {
        "interactive.colour", "interactive.body.text", "interactive.footer.text",
        "interactive.action.buttons.1.reply.title", "interactive.action.buttons.1.reply.id",
        "interactive.action.buttons.2.reply.title"}


def test_limits_count_characters_and_not_utf16_units() -> None:
    twenty = "🙂" * 20
    assert parse_message(asking("button", replies(twenty)))
    assert "20" in problems(asking("button", replies(twenty + "🙂")))["interactive.action.buttons.0.reply.title"]


def test_every_limit_allows_its_last_value() -> None:
    assert parse_message({"type": "text", "text": {"body": "x" * 4096}})
    assert parse_message({"type": "contacts", "contacts": [CARD] * 257})
    assert parse_message(asking("list", {"button": "x" * 20, "sections": [{"title": "x" * 24, "rows": [
        {"id": "x" * 200, "title": "x" * 24, "description": "x" * 72}]}]}, body={"text": "x" * 4096}))
    assert parse_message(asking("button", replies("x" * 20), body={"text": "x" * 1024}, footer={"text": "x" * 60}))


def test_an_invalid_message_is_an_invalid_input_and_its_words_can_be_shown() -> None:
    with pytest.raises(Invalid) as refused:
        parse_message({"type": "text", "text": {"body": "secret \x00"}, "half\ud83d": 1, "x" * 5000: 1})
    assert refused.value.status == 422
    said = str(refused.value)
    assert "secret" not in said and len(said) < 1000
    assert said.encode()


def test_nonsense_of_any_depth_is_refused_and_never_breaks() -> None:
    nested: Any = {}
    for _ in range(10_000):
        nested = {"a": nested}
    assert any("nested" in words for words in problems(asking("flow", flow(
        flow_id="1", flow_action_payload={"data": nested}))).values())


def test_a_language_may_be_the_bare_code() -> None:
    assert parse_message(template(language="pt_BR")) == parse_message(template(language={"code": "pt_BR"}))


def test_whatever_is_missing_or_mistaken_is_refused_by_name_or_can_be_sent() -> None:
    chance, recipient = random.Random(20_261_121), Recipient(phone="5511955500100")
    outcomes: Counter[bool] = Counter()
    for _ in range(2000):
        data = copy.deepcopy(GOOD[chance.choice(sorted(GOOD))])
        mutate(data, chance)
        try:
            message = parse_message(data)
        except InvalidMessage as refusal:
            assert refusal.errors and all(error.field and error.message for error in refusal.errors)
            assert str(refusal).encode()
            outcomes[False] += 1
            continue
        assert preview(message)
        # What passes fits its own declaration, survives storage, and can be encoded.
        assert msgspec.convert(json.loads(msgspec.json.encode(message)), type(message)) == message
        assert msgspec.json.encode(graph_body(message, recipient, "token"))
        outcomes[True] += 1
    assert min(outcomes[True], outcomes[False]) > 100
