"""An outgoing message in plain words: what the thread and the search index hold, and one line for lists.

Works on the JSON form, so that what is stored reads the same as what is about to be sent.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final

_LONGEST_LINE: Final = 160
_JOINERS: Final = frozenset("\u200d\ufe0e\ufe0f\u20e3")


def text_of(content: Mapping[str, Any]) -> str:
    """The words the customer reads, with their line breaks; of a message without words, what it is."""
    return _WORDS[content["type"]](content[content["type"]])


def line(content: Mapping[str, Any]) -> str:
    """The same as one line, cut between words where it is long."""
    flat = " ".join(text_of(content).split())
    if len(flat) <= _LONGEST_LINE:
        return flat
    end = flat.rfind(" ", _LONGEST_LINE // 2, _LONGEST_LINE)
    if end < 0:
        end = _LONGEST_LINE - 1
        # Never inside an emoji or between a letter and its accent.
        while end > 1 and (_continues(flat[end]) or flat[end - 1] == "\u200d"):
            end -= 1
    return flat[:end] + "…"


def _continues(character: str) -> bool:
    return (character in _JOINERS or unicodedata.combining(character) != 0
            or "\U0001f3fb" <= character <= "\U0001f3ff")  # skin tones


def _document(part: Mapping[str, Any]) -> str:
    return str(part.get("caption") or part.get("filename") or "Document")


def _location(part: Mapping[str, Any]) -> str:
    return str(part.get("name") or part.get("address") or "Location")


def _contacts(cards: list[Mapping[str, Any]]) -> str:
    return ", ".join(str(card["name"]["formatted_name"]) for card in cards)


def _interactive(part: Mapping[str, Any]) -> str:
    lines = [part.get(piece, {}).get("text") for piece in ("header", "body", "footer")]
    return "\n".join(filter(None, lines)) or "Product"


def _template(part: Mapping[str, Any]) -> str:
    """Only the template knows its words; by itself the message has a name and values."""
    body: Mapping[str, Any] = next((item for item in part.get("components", ()) if item["type"] == "body"), {})
    values = [_value(parameter) for parameter in body.get("parameters", ())]
    return f"{part['name']}: {', '.join(values)}" if values else str(part["name"])


def _value(parameter: Mapping[str, Any]) -> str:
    return str(parameter["text"] if parameter["type"] == "text" else parameter[parameter["type"]]["fallback_value"])


_WORDS: Final[dict[str, Callable[[Any], str]]] = {
    "text": lambda part: str(part["body"]),
    "image": lambda part: str(part.get("caption") or "Photo"),
    "video": lambda part: str(part.get("caption") or "Video"),
    "audio": lambda part: "Voice note" if part.get("voice") else "Audio",
    "document": _document,
    "sticker": lambda _: "Sticker",
    "location": _location,
    "contacts": _contacts,
    "reaction": lambda part: str(part["emoji"] or "Reaction taken back"),
    "interactive": _interactive,
    "template": _template,
}
