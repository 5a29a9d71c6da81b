"""What we send: every kind of message, every limit of Meta's, the addressing, the preview line."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
import pytest

from chime.errors import Invalid
from chime.whatsapp import (
    InvalidMessage,
    Recipient,
    check_media,
    graph_body,
    kind_for_mime,
    parse_message,
    preview,
    read_body,
    text_of,
)

ANA = Recipient(phone="5511955500100")


def asking(kind: str, action: dict[str, Any], **parts: Any) -> dict[str, Any]:
    body = {} if kind == "product" else {"body": {"text": "Well?"}}
    return {"type": "interactive", "interactive": {"type": kind, **body, "action": action, **parts}}


def replies(*titles: str) -> dict[str, Any]:
    return {"buttons": [{"type": "reply", "reply": {"id": f"id-{at}", "title": title}}
                        for at, title in enumerate(titles)]}


def listing(*sizes: int, titled: bool = True) -> dict[str, Any]:
    return {"button": "Choose", "sections": [
        {**({"title": f"Part {at}"} if titled else {}),
         "rows": [{"id": f"row-{at}-{row}", "title": f"Row {row}"} for row in range(size)]}
        for at, size in enumerate(sizes)]}


def products(*sizes: int) -> dict[str, Any]:
    return {"catalog_id": "801", "sections": [
        {"title": f"Part {at}", "product_items": [{"product_retailer_id": f"SKU-{at}-{item}"} for item in range(size)]}
        for at, size in enumerate(sizes)]}


def flow(**parameters: Any) -> dict[str, Any]:
    return {"name": "flow", "parameters": {"flow_message_version": "3", "flow_cta": "Open", **parameters}}


def link_card(at: int, **parts: Any) -> dict[str, Any]:
    return {"card_index": at, "type": "cta_url", "body": {"text": "A"},
            "header": {"type": "image", "image": {"link": "https://chime.test/a"}},
            "action": {"name": "cta_url", "parameters": {"display_text": "Buy", "url": "https://chime.test/b"}},
            **parts}


def reply_card(at: int, buttons: int = 1) -> dict[str, Any]:
    return {"card_index": at, "header": {"type": "video", "video": {"link": "https://chime.test/v"}},
            "action": {"buttons": [{"type": "quick_reply", "quick_reply": {"id": f"{at}-{button}", "title": "More"}}
                                   for button in range(buttons)]}}


def product_card(at: int) -> dict[str, Any]:
    return {"card_index": at, "type": "product", "action": {"catalog_id": "801", "product_retailer_id": "SKU1"}}


def template(*components: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {"type": "template", "template": {
        "name": "order_ready", "language": {"code": "en_US"}, "components": list(components), **parts}}


def button(sub_type: str, index: Any, parameter: dict[str, Any]) -> dict[str, Any]:
    return {"type": "button", "sub_type": sub_type, "index": index, "parameters": [parameter]}


def text_value(words: str, **named: str) -> dict[str, Any]:
    return {"type": "text", "text": words, **named}


def body_of(*values: dict[str, Any]) -> dict[str, Any]:
    return {"type": "body", "parameters": list(values)}


TEXT = {"type": "text", "text": {"body": "See https://chime.test", "preview_url": True}}
CARD = {"name": {"formatted_name": "Ana Lima", "first_name": "Ana"},
        "phones": [{"phone": "+551155500100", "type": "WORK", "wa_id": "551155500100"}],
        "emails": [{"email": "ana@chime.test", "type": "HOME"}], "urls": [{"url": "https://chime.test"}],
        "addresses": [{"city": "São Paulo", "country_code": "br"}], "org": {"company": "Chime"},
        "birthday": "1990-02-28"}
GOOD: dict[str, dict[str, Any]] = {
    "text": TEXT,
    "answer": {**TEXT, "context": {"message_id": "wamid.IN1"}},
    "image": {"type": "image", "image": {"id": "901", "caption": "Front"}},
    "image by link": {"type": "image", "image": {"link": "https://chime.test/a.jpg"}},
    "video": {"type": "video", "video": {"link": "https://chime.test/a.mp4", "caption": "Tour"}},
    "audio": {"type": "audio", "audio": {"id": "903", "voice": True}},
    "document": {"type": "document", "document": {"id": "904", "filename": "invoice.pdf", "caption": "March"}},
    "sticker": {"type": "sticker", "sticker": {"id": "905"}},
    "location": {"type": "location", "location": {"latitude": "-23.55", "longitude": -46.63, "name": "Shop"}},
    "contacts": {"type": "contacts", "contacts": [CARD]},
    "reaction": {"type": "reaction", "reaction": {"message_id": "wamid.IN1", "emoji": "👩🏽‍🚀"}},
    "reaction taken back": {"type": "reaction", "reaction": {"message_id": "wamid.IN1", "emoji": ""}},
    "button": asking("button", replies("Yes", "No"), header={"type": "image", "image": {"id": "901"}},
                     footer={"text": "Chime"}),
    "list": asking("list", listing(6, 4), header={"type": "text", "text": "Slots"}),
    "list of one untitled section": asking("list", listing(10, titled=False)),
    "cta_url": asking("cta_url", {"name": "cta_url", "parameters": {
        "display_text": "Track", "url": "https://chime.test"}},
        header={"type": "document", "document": {"link": "https://chime.test/a.pdf", "filename": "a.pdf"}}),
    "location request": asking("location_request_message", {"name": "send_location"}),
    "contact request": asking("request_contact_info", {"name": "request_contact_info"}),
    "address": asking("address_message", {"name": "address_message", "parameters": {
        "country": "IN", "values": {"name": "Dana"}, "saved_addresses": [{"id": "a1", "value": {"in_pin_code": "4"}}],
        "validation_errors": {"in_pin_code": "not served"}}}),
    "product": asking("product", {"catalog_id": "801", "product_retailer_id": "SKU1"}),
    "product_list": asking("product_list", products(15, 15), header={"type": "text", "text": "Spring"}),
    "catalog": asking("catalog_message", {"name": "catalog_message",
                                          "parameters": {"thumbnail_product_retailer_id": "SKU1"}}),
    "flow": asking("flow", flow(flow_id="6627", flow_token="t", mode="published", flow_action="navigate",
                                flow_action_payload={"screen": "START", "data": {"k": ["v", 1, None, True]}})),
    "flow by name": asking("flow", flow(flow_name="booking", flow_action="data_exchange")),
    "carousel of links": asking("carousel", {"cards": [link_card(0), link_card(1)]}),
    "carousel of replies": asking("carousel", {"cards": [reply_card(0, 2), reply_card(1, 2)]}),
    "carousel of products": asking("carousel", {"cards": [product_card(at) for at in range(10)]}),
    "voice call": asking("voice_call", {
        "name": "voice_call", "parameters": {"display_text": "Call", "ttl_minutes": 9}}),
    "call permission": asking("call_permission_request", {"name": "call_permission_request"}),
    "template without values": template(),
    "template by position": template(
        {"type": "header", "parameters": [{"type": "document", "document": {"id": "7", "filename": "i.pdf"}}]},
        body_of(text_value("A-1042"), {"type": "currency", "currency": {
            "fallback_value": "₹499", "code": "INR", "amount_1000": 499000}},
            {"type": "date_time", "date_time": {"fallback_value": "12 Nov"}}),
        button("quick_reply", "0", {"type": "payload", "payload": "talk:1042"}),
        button("url", "1", text_value("A-1042")),
        button("copy_code", "2", {"type": "coupon_code", "coupon_code": "DIWALI20"}),
        button("flow", "3", {"type": "action", "action": {"flow_token": "t", "flow_action_data": {"name": "A"}}})),
    "template by name": template(body_of(text_value("Asha", parameter_name="first_name"),
                                         text_value("A-1", parameter_name="order_no"))),
    "template with a place": template({"type": "header", "parameters": [
        {"type": "location", "location": {"latitude": "12.9", "longitude": "77.5"}}]}),
    "template with an offer": template({"type": "limited_time_offer", "parameters": [
        {"type": "limited_time_offer", "limited_time_offer": {"expiration_time_ms": 1782864000000}}]}),
    "template with cards": template({"type": "carousel", "cards": [
        {"card_index": at, "components": [
            {"type": "header", "parameters": [{"type": "image", "image": {"id": "7788"}}]},
            body_of(text_value("₹1,299")), button("url", "1", text_value(f"p{at}"))]} for at in range(2)]}),
    "template with products": template(button("mpm", "0", {"type": "action", "action": {
        "thumbnail_product_retailer_id": "SKU-1", "sections": products(2)["sections"]}})),
    "template with an order": template(button("order_details", "0", {"type": "action", "action": {
        "order_details": {"reference_id": "ORD.1", "total_amount": {"value": 119900, "offset": 100}}}})),
    "template with an order's status": template({"type": "order_status", "parameters": [
        {"type": "order_status", "order_status": {"reference_id": "ORD.1", "order": {"status": "shipped"}}}]}),
    "template with a tap target": template({"type": "tap_target_configuration", "parameters": [
        {"type": "tap_target_configuration", "tap_target_configuration": [
            {"url": "https://chime.test/", "title": "Open shop"}]}]}),
}


def problems(data: Any) -> dict[str, str]:
    with pytest.raises(InvalidMessage) as refused:
        parse_message(data)
    return {error.field: error.message for error in refused.value.errors}


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


LIMITS: list[tuple[dict[str, Any], str, str]] = [
    # Text and files
    ({"type": "text", "text": {"body": "x" * 4097}}, "text.body", "4096"),
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
    ({"type": "image", "image": {"id": "1", "caption": "x" * 1025}}, "image.caption", "1024"),
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
    (asking("button", replies("a"), body={"text": "x" * 1025}), "interactive.body.text", "1024"),
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
    (asking("list", listing(1), body={"text": "x" * 4097}), "interactive.body.text", "4096"),
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


def test_a_button_s_index_goes_out_as_text() -> None:
    inside = {"type": "carousel", "cards": [{"card_index": 0, "components": [button("url", 1, text_value("a"))]}]}
    body = graph_body(parse_message(template(button("url", 0, text_value("a")), inside)), ANA, "t")
    outer, carousel = body["template"]["components"]
    assert outer["index"] == "0" and carousel["cards"][0]["components"][0]["index"] == "1"


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


# Files

@pytest.mark.parametrize(("kind", "mime_type", "size"), [
    ("image", "image/jpeg", 5 * 2**20), ("image", "IMAGE/PNG", 1), ("video", "video/mp4", 16 * 2**20),
    ("audio", "audio/ogg; codecs=opus", 16 * 2**20), ("document", "application/pdf", 100 * 2**20),
    ("document", "application/x-whatever", 1), ("sticker", "image/webp", 500 * 1024),
])
def test_files_within_the_rules(kind: str, mime_type: str, size: int) -> None:
    assert check_media(kind, mime_type, size) is None


@pytest.mark.parametrize(("kind", "mime_type", "size", "words"), [
    ("image", "image/webp", 1, "JPEG or PNG"), ("image", "image/gif", 1, "JPEG or PNG"),
    ("image", "image/jpeg", 5 * 2**20 + 1, "5.1 MB; WhatsApp's limit is 5 MB"), ("image", "image/jpeg", 0, "empty"),
    ("video", "video/mp4", 23 * 2**20, "23 MB; WhatsApp's limit is 16 MB"), ("video", "video/webm", 1, "MP4"),
    ("audio", "audio/opus", 1, "Opus codec"), ("audio", "audio/webm", 1, "OGG"),
    ("document", "application/pdf", 100 * 2**20 + 1, "100 MB"), ("document", "", 1, "type is missing"),
    ("sticker", "image/webp", 500 * 1024 + 1, "501 KB"), ("hologram", "image/png", 1, "not a kind"),
])
def test_files_against_the_rules_are_named_with_the_cure(kind: str, mime_type: str, size: int, words: str) -> None:
    assert words in (check_media(kind, mime_type, size) or "")


@pytest.mark.parametrize(("mime_type", "kind"), [
    ("image/jpeg", "image"), ("image/webp", "document"), ("video/3gpp", "video"), ("video/webm", "document"),
    ("audio/ogg;codecs=opus", "audio"), ("application/pdf", "document"), ("", "document"),
])
def test_the_kind_of_a_file(mime_type: str, kind: str) -> None:
    assert kind_for_mime(mime_type) == kind
