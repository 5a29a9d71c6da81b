"""How a message looks on the phone: one shape for all kinds, so that the page in the browser stays simple.

A button that answers carries the whole body the phone has to post when it is tapped.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from chime.simulator.model import Conversation, Customer, Message

_MEDIA = ("image", "video", "audio", "document", "sticker")


class Button(msgspec.Struct, kw_only=True):
    """Something to tap: it answers (`reply`), opens an address (`url`), or is only shown."""

    title: str
    description: str = ""
    section: str = ""
    reply: dict[str, Any] | None = None
    url: str | None = None


class Bubble(msgspec.Struct, kw_only=True):
    """One message as the phone draws it."""

    wamid: str
    sender: str
    type: str
    at: int
    status: str
    text: str = ""
    header: str = ""
    footer: str = ""
    media_id: str | None = None
    media_kind: str | None = None
    link: str | None = None
    filename: str | None = None
    list_title: str = ""
    quoted_text: str = ""
    forwarded: bool = False
    referral: str = ""
    edited: bool = False
    revoked: bool = False
    reactions: list[str] = msgspec.field(default_factory=list)
    buttons: list[Button] = msgspec.field(default_factory=list)


def chat(conversation: Conversation, customer: Customer, limit: int = 200) -> list[Bubble]:
    """The end of a chat, oldest first."""
    known = {message.wamid: message for message in conversation.messages}
    return [bubble(message, customer, known) for message in conversation.messages[-limit:]]


def bubble(message: Message, customer: Customer, known: dict[str, Message]) -> Bubble:
    """A message with its quote, its buttons and its text."""
    shown = Bubble(
        wamid=message.wamid, sender=message.sender, type=message.type, at=message.at, status=message.status,
        forwarded=message.forwarded, edited=message.edited, revoked=message.revoked,
        reactions=list(message.reactions.values()),
        referral=str((message.referral or {}).get("headline") or (message.referral or {}).get("source_url") or ""),
    )
    if message.revoked:
        return shown
    if message.quoted and message.quoted in known:
        shown.quoted_text = summary(known[message.quoted])
    content = message.content
    if message.type in _MEDIA and isinstance(content, dict):
        _fill_media(shown, message.type, content)
    elif message.type == "template":
        _fill_template(shown, message)
    elif message.type == "interactive" and not message.from_customer:
        _fill_interactive(shown, message, customer)
    else:
        shown.text = summary(message)
    return shown


def summary(message: Message) -> str:
    """A message in one line of text."""
    if message.revoked:
        return ""
    content = message.content
    if message.template_text is not None:
        return str(message.template_text.get("body", ""))
    if message.type == "contacts" and isinstance(content, list):
        return "\n".join(_contact_line(contact) for contact in content if isinstance(contact, dict))
    if not isinstance(content, dict):
        return message.type
    if message.type == "location":
        name = ", ".join(str(content[key]) for key in ("name", "address") if content.get(key))
        return f"📍 {name}" if name else f"📍 {content.get('latitude')}, {content.get('longitude')}"
    if message.type == "order":
        return _order_lines(content)
    if message.type == "interactive":
        return _interactive_line(content)
    return str(content.get("body") or content.get("text") or content.get("caption") or message.type)


def _fill_media(shown: Bubble, kind: str, content: dict[str, Any]) -> None:
    shown.media_kind = kind
    shown.media_id = str(content["id"]) if content.get("id") else None
    shown.link = content.get("link")
    shown.filename = content.get("filename")
    shown.text = str(content.get("caption") or "")


def _fill_template(shown: Bubble, message: Message) -> None:
    text = message.template_text or {}
    shown.header, shown.text = str(text.get("header", "")), str(text.get("body", ""))
    shown.footer = str(text.get("footer", ""))
    media = text.get("header_media")
    if media and media["kind"] in _MEDIA:
        _fill_media(shown, media["kind"], {**media, "caption": ""})
        shown.text = str(text.get("body", ""))
    for button in text.get("buttons", []):
        if button["type"] == "QUICK_REPLY":
            answer = {"type": "button", "button": {"payload": button["payload"], "text": button["text"]}}
            shown.buttons.append(Button(title=button["text"], reply=_reply(message, answer)))
        else:
            title = button["text"] or button.get("code", "")
            shown.buttons.append(Button(title=title, url=button.get("url")))


def _fill_interactive(shown: Bubble, message: Message, customer: Customer) -> None:
    content: dict[str, Any] = message.content
    shown.text = _part(content, "body")
    shown.footer = _part(content, "footer")
    header = content.get("header") or {}
    kind = header.get("type")
    if kind == "text":
        shown.header = str(header.get("text", ""))
    elif kind in _MEDIA:
        _fill_media(shown, kind, {**header[kind], "caption": shown.text})
    shown.list_title = str(content["action"].get("button", ""))
    shown.buttons = _buttons(message, content, customer)


def _buttons(message: Message, content: dict[str, Any], customer: Customer) -> list[Button]:
    kind, action = content["type"], content["action"]
    parameters = action.get("parameters") or {}
    if kind == "button":
        return [_answer_button(message, "button_reply", one["reply"]) for one in action["buttons"]]
    if kind == "list":
        return [
            _answer_button(message, "list_reply", row, section.get("title", ""))
            for section in action["sections"]
            for row in section["rows"]
        ]
    if kind == "cta_url":
        return [Button(title=parameters["display_text"], url=parameters["url"])]
    if kind == "location_request_message":
        place = {"latitude": 37.7793, "longitude": -122.4193, "name": "City Hall", "address": "1 Example Plaza"}
        return [Button(title="📍", reply=_reply(message, {"type": "location", "location": place}))]
    if kind == "request_contact_info":
        return [Button(title="👤", reply=_reply(message, {"type": "contacts", "contacts": [_own_card(customer)]}))]
    if kind in ("flow", "address_message"):
        return [Button(title=str(parameters.get("flow_cta") or "📋"), reply=_reply(message, _form(kind, parameters)))]
    if kind in ("product", "product_list", "catalog_message"):
        return [Button(title="🛒", reply=_reply(message, _order(action)))]
    return [
        Button(title=str(card.get("body", {}).get("text", "")), url=_card_link(card)) for card in action["cards"]
    ]


def _answer_button(message: Message, kind: str, item: dict[str, Any], section: str = "") -> Button:
    chosen = {key: item[key] for key in ("id", "title", "description") if item.get(key)}
    answer = {"type": "interactive", "interactive": {"type": kind, kind: chosen}}
    return Button(
        title=item["title"], description=item.get("description") or "", section=section, reply=_reply(message, answer)
    )


def _reply(message: Message, body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "context": {"id": message.wamid}}


def _form(kind: str, parameters: dict[str, Any]) -> dict[str, Any]:
    if kind == "flow":
        filled = {"flow_token": parameters.get("flow_token", "unused"), "answer": "yes"}
        reply = {"name": "flow", "body": "Sent", "response_json": json.dumps(filled)}
    else:
        filled = {"values": {"name": "Sample Person", "in_pin_code": "400063", "address": "1 Example Road"}}
        reply = {"name": "address_message", "body": "1 Example Road", "response_json": json.dumps(filled)}
    return {"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": reply}}


def _order(action: dict[str, Any]) -> dict[str, Any]:
    sections = action.get("sections") or [{"product_items": [action]}]
    wanted = [item.get("product_retailer_id", "SKU-1") for section in sections for item in section["product_items"]]
    items = [
        {"product_retailer_id": name, "quantity": 1, "item_price": 12.5, "currency": "USD"} for name in wanted[:2]
    ]
    return {"type": "order", "order": {"catalog_id": str(action.get("catalog_id", "801")), "product_items": items}}


def _own_card(customer: Customer) -> dict[str, Any]:
    first = customer.name.split(" ")[0]
    number = customer.phone or "15550199999"
    return {
        "name": {"formatted_name": customer.name, "first_name": first},
        "phones": [{"phone": f"+{number}", "wa_id": number, "type": "CELL"}],
        "origin": "contact_request",
    }


def _card_link(card: dict[str, Any]) -> str | None:
    address = (card.get("action") or {}).get("parameters", {}).get("url")
    return str(address) if address else None


def _part(content: dict[str, Any], name: str) -> str:
    part = content.get(name)
    return str(part.get("text", "")) if isinstance(part, dict) else ""


def _contact_line(contact: dict[str, Any]) -> str:
    name = (contact.get("name") or {}).get("formatted_name", "")
    phones = [str(phone.get("phone", "")) for phone in contact.get("phones") or []]
    return f"👤 {name} {' '.join(phones)}".strip()


def _order_lines(order: dict[str, Any]) -> str:
    items = order.get("product_items") or []
    lines = [f"🛒 {item.get('quantity', 1)} × {item.get('product_retailer_id', '')}" for item in items]
    return "\n".join([*lines, *([str(order["text"])] if order.get("text") else [])])


def _interactive_line(content: dict[str, Any]) -> str:
    kind = content.get("type", "")
    answer = content.get(kind) if isinstance(kind, str) else None
    if isinstance(answer, dict):
        return str(answer.get("title") or answer.get("body") or answer.get("response") or kind)
    return _part(content, "body") or str(kind)
