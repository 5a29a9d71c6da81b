"""The way back: from a stored message to the fields of the form it can be changed in."""

from __future__ import annotations

from typing import Any

from chime.whatsapp import MEDIA_RULES

Fields = dict[str, str]
# Meta's name of what is asked for, and the form that asks.
_ASKS = {"location_request_message": "ask_location", "request_contact_info": "ask_phone",
         "address_message": "ask_address"}


def form_of(kind: str, content: dict[str, Any], text: str) -> tuple[str, Fields] | None:
    """Which of the inbox's forms makes such a message, and what stands in it; None when none does (a script's)."""
    inner = content.get(kind)
    if kind == "text":
        return "text", {"text": text}
    if kind in MEDIA_RULES:
        return "file", {"caption": text}
    if kind == "contacts":
        return _contact(inner)
    if not isinstance(inner, dict):
        return None
    if kind == "location":
        return "location", {name: str(inner[name]) for name in ("latitude", "longitude", "name", "address")
                            if inner.get(name) is not None}
    if kind == "template":
        return "template", template_values(inner)
    return _interactive(inner) if kind == "interactive" else None


def _contact(cards: Any) -> tuple[str, Fields] | None:
    if not isinstance(cards, list) or len(cards) != 1:
        return None
    phones = cards[0].get("phones") or [{}]
    return "contact", {"name": (cards[0].get("name") or {}).get("formatted_name", ""),
                       "phone": phones[0].get("phone") or ""}


def _interactive(inner: dict[str, Any]) -> tuple[str, Fields] | None:
    action = inner.get("action") or {}
    fields = {"body": (inner.get("body") or {}).get("text", ""), "footer": (inner.get("footer") or {}).get("text", "")}
    if inner.get("type") == "button":
        buttons = action.get("buttons") or []
        return "buttons", fields | {f"button_{number}": button["reply"]["title"]
                                    for number, button in enumerate(buttons, 1)}
    if inner.get("type") == "list":
        rows = [row for section in action.get("sections") or [] for row in section.get("rows") or []]
        for number, row in enumerate(rows, 1):
            fields |= {f"row_{number}": row.get("title", ""), f"description_{number}": row.get("description") or ""}
        return "list", fields | {"button": action.get("button", "")}
    if inner.get("type") == "cta_url":
        return "link", fields | {name: str((action.get("parameters") or {}).get(name, ""))
                                 for name in ("display_text", "url")}
    asked = _ASKS.get(str(inner.get("type")))
    return (asked, {"body": fields["body"]}) if asked else None


def template_values(inner: dict[str, Any]) -> Fields:
    """The blanks of a template as they were filled in, with its name and language."""
    fields = {"template_name": str(inner.get("name", "")),
              "template_language": str((inner.get("language") or {}).get("code", ""))}
    for component in inner.get("components") or []:
        place = str(component.get("type", "")).lower()
        for number, parameter in enumerate(component.get("parameters") or [], 1):
            if place == "button":
                fields[f"button.{component.get('index', 0)}"] = str(parameter.get("text") or parameter.get(
                    "coupon_code") or "")
            else:
                fields |= _blank(place, number, parameter)
    return fields


def _blank(place: str, number: int, parameter: dict[str, Any]) -> Fields:
    kind = parameter.get("type")
    if kind == "text":
        return {f"{place}.{parameter.get('parameter_name') or number}": str(parameter.get("text", ""))}
    if kind == "location":
        return {f"{place}.{name}": str(value) for name, value in (parameter.get("location") or {}).items()}
    media = parameter.get(str(kind)) or {}
    return {f"{place}.media": str(media.get("link") or media.get("id") or "")}
