"""The sample shop's approved templates: text, media headers, buttons, positional and named parameters."""

from __future__ import annotations

import hashlib
from typing import Any

from chime.simulator.model import Template

_FOOTER = "Reply STOP to leave our list"


def sample_templates() -> list[Template]:
    """Fresh ones each time: their status may be changed by the phone page."""
    return [
        _template("order_confirmation", "UTILITY", [
            _body("Thank you, {{1}}! Your order {{2}} is in. We will write again when it leaves.", ["Maya", "1042"]),
            {"type": "FOOTER", "text": "Chime Demo Shop"},
            _buttons({
                "type": "URL", "text": "See the order", "url": "https://shop.example/orders/{{1}}",
                "example": ["https://shop.example/orders/1042"],
            }),
        ]),
        _named("delivery_update", "UTILITY", [
            _named_header("A parcel for {{first_name}}", {"first_name": "Maya"}),
            _named_body(
                "Your order {{order_number}} arrives on {{day}}. Will somebody be at home?",
                {"order_number": "1042", "day": "Friday"},
            ),
            _buttons(_quick("Yes"), _quick("Another day")),
        ]),
        _template("welcome_offer", "MARKETING", [
            _media_header("IMAGE"),
            _body("Hello {{1}}, this week every mug of the harbour series is a fifth cheaper for you.", ["Maya"]),
            {"type": "FOOTER", "text": _FOOTER},
            _buttons(_quick("Show me"), _quick("Not now")),
        ]),
        _template("back_in_stock", "MARKETING", [
            _media_header("IMAGE"),
            _body("The {{1}} you asked for is back. We keep one for you until {{2}}, then it goes.", ["mug", "Friday"]),
            _buttons({"type": "URL", "text": "Open the shop", "url": "https://shop.example/"}),
        ]),
        _named("appointment_reminder", "UTILITY", [
            _named_body(
                "See you on {{day}} at {{time}} in our workshop, {{first_name}}. Can you make it?",
                {"day": "Saturday", "time": "10:00", "first_name": "Maya"},
            ),
            _buttons(_quick("I will be there"), _quick("Move it"), _quick("Cancel")),
        ]),
        _template("payment_receipt", "UTILITY", [
            _media_header("DOCUMENT"),
            _body("Here is the receipt for order {{1}}. Thank you for paying so quickly!", ["1042"]),
        ]),
        _template("feedback_request", "UTILITY", [
            {"type": "BODY", "text": "How did we do? One tap helps us to get better."},
            _buttons(_quick("Very well"), _quick("All right"), _quick("Not well")),
        ]),
        _template("conversation_reopen", "UTILITY", [
            _body("Hello {{1}}, we have an answer to your question. Reply here and we will tell you more.", ["Maya"]),
            _buttons(_quick("Tell me")),
        ]),
        _template("conversation_reopen", "UTILITY", [
            _body("Hallo {{1}}, wir haben eine Antwort für Sie. Schreiben Sie uns kurz zurück.", ["Jonas"]),
            _buttons(_quick("Gern")),
        ], language="de"),
    ]


def _template(name: str, category: str, components: list[dict[str, Any]], *, language: str = "en") -> Template:
    number = int(hashlib.sha256(f"{name}:{language}".encode()).hexdigest()[:12], 16)
    return Template(
        template_id=str(10**15 + number), name=name, language=language, category=category, components=components,
        quality="GREEN",
    )


def _named(name: str, category: str, components: list[dict[str, Any]]) -> Template:
    template = _template(name, category, components)
    template.parameter_format = "NAMED"
    return template


def _body(text: str, example: list[str]) -> dict[str, Any]:
    return {"type": "BODY", "text": text, "example": {"body_text": [example]}}


def _named_body(text: str, example: dict[str, str]) -> dict[str, Any]:
    return {"type": "BODY", "text": text, "example": {"body_text_named_params": _named_examples(example)}}


def _named_header(text: str, example: dict[str, str]) -> dict[str, Any]:
    shown = {"header_text_named_params": _named_examples(example)}
    return {"type": "HEADER", "format": "TEXT", "text": text, "example": shown}


def _named_examples(example: dict[str, str]) -> list[dict[str, str]]:
    return [{"param_name": name, "example": value} for name, value in example.items()]


def _media_header(form: str) -> dict[str, Any]:
    return {"type": "HEADER", "format": form, "example": {"header_handle": ["https://shop.example/sample"]}}


def _buttons(*buttons: dict[str, Any]) -> dict[str, Any]:
    return {"type": "BUTTONS", "buttons": list(buttons)}


def _quick(text: str) -> dict[str, Any]:
    return {"type": "QUICK_REPLY", "text": text}
