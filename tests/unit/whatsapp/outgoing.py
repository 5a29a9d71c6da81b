"""Messages we may send, one of every kind, in the API's JSON."""

from __future__ import annotations

from typing import Any


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
