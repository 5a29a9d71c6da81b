"""What a message says, whatever its type: one human text, a normalised content, a file.

`describe` serves received messages, edits, echoes and history alike; the shapes are written down in `events`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from chime.whatsapp import lenient
from chime.whatsapp.lenient import mapping, mappings, text, texts
from chime.whatsapp.parts import Context, MediaReference

_FILES = frozenset({"image", "video", "audio", "document", "sticker"})
_NAME_PARTS = ("formatted_name", "first_name", "middle_name", "last_name", "prefix", "suffix")
_ADDRESS_PARTS = ("street", "city", "state", "zip", "country", "country_code", "type")


class Said(Struct, frozen=True, kw_only=True):
    """The type-specific part of a message. `target_wamid` is set for reactions, edits and revokes."""

    type: str
    text: str | None = None
    content: dict[str, Any] = {}
    media: MediaReference | None = None
    target_wamid: str | None = None


def describe(message: dict[str, Any]) -> Said:
    """Read a message's own part. A type Chime does not know becomes `unsupported` with the message kept raw."""
    kind = kind_of(message)
    if kind in _FILES:
        return _file(kind, mapping(message.get(kind)))
    reader = _READERS.get(kind or "")
    if reader is None:
        return Said(type="unsupported", content={"type": kind, "raw": message})
    return reader(message)


def kind_of(message: dict[str, Any]) -> str | None:
    """A message's type, or the first part it has where Meta left the type out."""
    return text(message.get("type")) or next((key for key in message if key in _READERS or key in _FILES), None)


def context(message: dict[str, Any]) -> Context | None:
    """What the message quotes, forwards or asks about."""
    found = mapping(message.get("context"))
    if not found:
        return None
    return Context(
        wamid=text(found.get("id")) or text(found.get("message_id")), sender_phone=lenient.phone(found.get("from")),
        forwarded=bool(lenient.truth(found.get("forwarded"))),
        frequently_forwarded=bool(lenient.truth(found.get("frequently_forwarded"))),
        referred_product=mapping(found.get("referred_product")) or None,
    )


def referral(message: dict[str, Any]) -> dict[str, Any] | None:
    """The advertisement or post a person came from: Meta's keys, texts only, `welcome_message` as its text."""
    found = mapping(message.get("referral"))
    kept = {key: said for key, said in ((key, text(value)) for key, value in found.items()) if said is not None}
    welcome = text(mapping(found.get("welcome_message")).get("text"))
    if welcome:
        kept["welcome_message"] = welcome
    return kept or None


def _file(kind: str, part: dict[str, Any]) -> Said:
    caption, filename = text(part.get("caption")), text(part.get("filename"))
    url = text(part.get("url"))
    media_id = text(part.get("id"))
    media = None
    if media_id:
        media = MediaReference(
            id=media_id, mime_type=text(part.get("mime_type")) or "application/octet-stream",
            sha256=lenient.digest(part.get("sha256")), filename=filename, voice=bool(lenient.truth(part.get("voice"))),
            animated=bool(lenient.truth(part.get("animated"))), url=url if url and url.startswith("https://") else None,
        )
    return Said(type=kind, text=caption, content=texts(part, "caption", "filename"), media=media)


def _text(message: dict[str, Any]) -> Said:
    content = texts(message.get("text"), "body")
    return Said(type="text", text=content.get("body"), content=dict(content))


def _location(message: dict[str, Any]) -> Said:
    part = mapping(message.get("location"))
    content: dict[str, Any] = dict(texts(part, "name", "address", "url"))
    for key in ("latitude", "longitude"):
        degrees = lenient.real(part.get(key))
        if degrees is not None:
            content[key] = degrees
    return Said(type="location", text=content.get("name") or content.get("address"), content=content)


def _contacts(message: dict[str, Any]) -> Said:
    cards = [_card(card, text(message.get("origin"))) for card in mappings(message.get("contacts"))]
    names = [card["name"].get("formatted_name") or card["name"].get("first_name") for card in cards if "name" in card]
    return Said(type="contacts", text=", ".join(filter(None, names)) or None, content={"contacts": cards})


def _card(card: dict[str, Any], origin: str | None) -> dict[str, Any]:
    lists = {
        "phones": ("phone", "wa_id", "user_id", "type"),
        "emails": ("email", "type"),
        "addresses": _ADDRESS_PARTS,
        "urls": ("url", "type"),
    }
    kept: dict[str, Any] = dict(texts(card, "birthday", "origin", "vcard"))
    if origin:  # an earlier revision of Meta's page put it on the message
        kept.setdefault("origin", origin)
    kept["name"] = texts(card.get("name"), *_NAME_PARTS)
    kept["org"] = texts(card.get("org"), "company", "department", "title")
    for key, parts in lists.items():
        kept[key] = [found for found in (texts(item, *parts) for item in mappings(card.get(key))) if found]
    return {key: value for key, value in kept.items() if value}


def _button(message: dict[str, Any]) -> Said:
    content = texts(message.get("button"), "payload", "text")
    return Said(type="button", text=content.get("text") or content.get("payload"), content=dict(content))


def _interactive(message: dict[str, Any]) -> Said:
    part = mapping(message.get("interactive"))
    kind = text(part.get("type")) or next((key for key in part if key.endswith("_reply")), "")
    reply = mapping(part.get(kind))
    if kind in ("button_reply", "list_reply"):
        content = {"kind": kind, **texts(reply, "id", "title", "description")}
        return Said(type="interactive", text=content.get("title"), content=dict(content))
    if kind == "nfm_reply":
        return Said(type="interactive", text=text(reply.get("body")), content=_form_reply(reply))
    if kind == "call_permission_reply":
        return Said(type="interactive", content=_call_permission(reply))
    return Said(type="interactive", content={"kind": kind, "raw": part})


def _form_reply(reply: dict[str, Any]) -> dict[str, Any]:
    """`response_json` is JSON inside a string, made on the user's phone: it may be broken or no object at all."""
    content: dict[str, Any] = {"kind": "nfm_reply", **texts(reply, "name", "body")}
    written = reply.get("response_json")
    try:
        answer = lenient.decode(written.encode()) if isinstance(written, str) else written
    except ValueError:
        answer = None
    if isinstance(answer, dict):
        token = text(answer.get("flow_token"))
        return {**content, "response": answer, **({"flow_token": token} if token else {})}
    unread = text(written)
    return {**content, "response": {}, **({"response_json": unread} if unread else {})}


def _call_permission(reply: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {"kind": "call_permission_reply", **texts(reply, "response")}
    content["is_permanent"] = bool(lenient.truth(reply.get("is_permanent")))
    expires_at, source = lenient.moment(reply.get("expiration_timestamp")), text(reply.get("response_source"))
    if expires_at:
        content["expires_at"] = expires_at
    if source:
        content["source"] = source
    return content


def _order(message: dict[str, Any]) -> Said:
    part = mapping(message.get("order"))
    content: dict[str, Any] = dict(texts(part, "catalog_id", "text"))
    content["items"] = [
        {
            **texts(item, "product_retailer_id", "currency"),
            "quantity": lenient.number(item.get("quantity")) or 0,
            "item_price": lenient.amount(item.get("item_price")) or "0",
        }
        for item in mappings(part.get("product_items"))
    ]
    return Said(type="order", text=content.get("text"), content=content)


def _reaction(message: dict[str, Any]) -> Said:
    part = mapping(message.get("reaction"))
    content = texts(part, "message_id", "emoji")
    return Said(
        type="reaction", text=content.get("emoji"), content=dict(content), target_wamid=content.get("message_id")
    )


def _edit(message: dict[str, Any]) -> Said:
    part = mapping(message.get("edit"))
    target = text(part.get("original_message_id"))
    said = describe(mapping(part.get("message")))
    content = {**said.content, "message_id": target, "type": said.type}  # unsupported content has a `type` of its own
    return Said(type="edit", text=said.text, content=content, media=said.media, target_wamid=target)


def _revoke(message: dict[str, Any]) -> Said:
    target = text(mapping(message.get("revoke")).get("original_message_id"))
    return Said(type="revoke", content={"message_id": target}, target_wamid=target)


def _system(message: dict[str, Any]) -> Said:
    content = texts(message.get("system"), "type", "body")
    return Said(type="system", text=content.get("body"), content=dict(content))


def _template(message: dict[str, Any]) -> Said:
    return Said(type="template", content={"template": mapping(message.get("template"))})


def _unsupported(message: dict[str, Any]) -> Said:
    return Said(type="unsupported", content={"type": text(mapping(message.get("unsupported")).get("type"))})


_READERS: dict[str, Callable[[dict[str, Any]], Said]] = {
    "text": _text,
    "location": _location,
    "contacts": _contacts,
    "button": _button,
    "interactive": _interactive,
    "order": _order,
    "reaction": _reaction,
    "edit": _edit,
    "revoke": _revoke,
    "system": _system,
    "template": _template,
    "unsupported": _unsupported,
    "request_welcome": lambda _: Said(type="request_welcome"),
    "media_placeholder": lambda _: Said(type="media_placeholder"),
}
