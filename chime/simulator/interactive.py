"""Meta's limits for interactive messages: buttons, lists, links, requests, products, flows, carousels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from chime.simulator.graph_errors import bad, invalid, missing, too_long

_HEADERS = ("text", "image", "video", "document")
_PARTS = {"type", "header", "body", "footer", "action"}


def check_interactive(interactive: dict[str, Any]) -> None:
    """Raise the `GraphError` Meta would answer with, or return."""
    for key in interactive:
        if key not in _PARTS:
            raise bad(f'Unexpected key "{key}" on param "interactive".')
    kind = interactive.get("type")
    if kind not in _CHECKS:
        raise invalid("interactive['type']", f"it is one of {', '.join(_CHECKS)}")
    action = interactive.get("action")
    if not isinstance(action, dict):
        raise missing("interactive['action']")
    _check_header(kind, interactive.get("header"))
    body_limit = 4096 if kind == "list" else 1024
    _text(interactive.get("body"), "interactive['body']['text']", body_limit, required=kind != "product")
    _text(interactive.get("footer"), "interactive['footer']['text']", 60, required=False)
    _CHECKS[kind](action)


def _check_header(kind: str, header: object) -> None:
    if header is None:
        if kind == "product_list":
            raise missing("interactive['header']")
        return
    if kind in ("product", "carousel", "location_request_message"):
        raise invalid("interactive['header']", f"a message of type {kind} has none")
    shape = header.get("type") if isinstance(header, dict) else None
    if shape not in _HEADERS or (kind in ("list", "product_list") and shape != "text"):
        raise invalid("interactive['header']['type']", f"{shape} is not possible with {kind}")
    if shape == "text":
        _text(header, "interactive['header']['text']", 60, required=True)
    elif not isinstance(header, dict) or not isinstance(header.get(shape), dict):
        raise missing(f"interactive['header']['{shape}']")


def _check_buttons(action: dict[str, Any]) -> None:
    buttons = _items(action, "buttons", 1, 3)
    replies = [button.get("reply") for button in buttons]
    for index, (button, reply) in enumerate(zip(buttons, replies, strict=True)):
        place = f"interactive['action']['buttons'][{index}]['reply']"
        if button.get("type") != "reply" or not isinstance(reply, dict):
            raise missing(place)
        _name(reply.get("id"), f"{place}['id']", 256)
        _name(reply.get("title"), f"{place}['title']", 20)
    for part in ("id", "title"):
        given = [reply[part] for reply in replies if isinstance(reply, dict)]
        _unique(given, f"interactive['action']['buttons'] {part}")


def _check_list(action: dict[str, Any]) -> None:
    _name(action.get("button"), "interactive['action']['button']", 20)
    sections = _items(action, "sections", 1, 10)
    rows: list[dict[str, Any]] = []
    for index, section in enumerate(sections):
        place = f"interactive['action']['sections'][{index}]"
        if len(sections) > 1 or section.get("title"):
            _name(section.get("title"), f"{place}['title']", 24)
        for row in _items(section, "rows", 1, 10, place):
            _name(row.get("id"), f"{place}['rows'] id", 200)
            _name(row.get("title"), f"{place}['rows'] title", 24)
            if len(row.get("description") or "") > 72:
                raise invalid(f"{place}['rows'] description", "it has more than 72 characters")
            rows.append(row)
    if len(rows) > 10:
        raise invalid("interactive['action']['sections']", "the total row count exceeds the maximum of 10")
    _unique((row["id"] for row in rows), "interactive['action']['sections'] row id")


def _check_link(action: dict[str, Any]) -> None:
    parameters = _named(action, "cta_url").get("parameters")
    if not isinstance(parameters, dict):
        raise missing("interactive['action']['parameters']")
    _name(parameters.get("display_text"), "interactive['action']['parameters']['display_text']", 20)
    address = parameters.get("url")
    if not isinstance(address, str) or not address.startswith(("https://", "http://")):
        raise invalid("interactive['action']['parameters']['url']", "it is no http or https address")


def _check_flow(action: dict[str, Any]) -> None:
    parameters = _named(action, "flow").get("parameters")
    if not isinstance(parameters, dict):
        raise missing("interactive['action']['parameters']")
    if ("flow_id" in parameters) == ("flow_name" in parameters):
        raise invalid("interactive['action']['parameters']", "give exactly one of flow_id and flow_name")
    _name(parameters.get("flow_cta"), "interactive['action']['parameters']['flow_cta']", 30)


def _check_product(action: dict[str, Any]) -> None:
    _name(action.get("catalog_id"), "interactive['action']['catalog_id']", 200)
    _name(action.get("product_retailer_id"), "interactive['action']['product_retailer_id']", 200)


def _check_product_list(action: dict[str, Any]) -> None:
    _name(action.get("catalog_id"), "interactive['action']['catalog_id']", 200)
    count = 0
    for section in _items(action, "sections", 1, 10):
        count += len(_items(section, "product_items", 1, 30, "interactive['action']['sections']"))
    if count > 30:
        raise invalid("interactive['action']['sections']", "there are more than 30 products")


def _check_carousel(action: dict[str, Any]) -> None:
    cards = _items(action, "cards", 2, 10)
    kinds = {(card.get("type"), len(_button_list(card))) for card in cards}
    if len(kinds) != 1:
        raise invalid("interactive['action']['cards']", "all cards must be of one kind with as many buttons")
    for index, card in enumerate(cards):
        place = f"interactive['action']['cards'][{index}]"
        if card.get("card_index") != index:
            raise invalid(f"{place}['card_index']", "the cards are counted from 0")
        if not isinstance(card.get("action"), dict):
            raise missing(f"{place}['action']")
        _text(card.get("body"), f"{place}['body']['text']", 160, required=False)


def _button_list(card: dict[str, Any]) -> list[Any]:
    action = card.get("action")
    buttons = action.get("buttons") if isinstance(action, dict) else None
    return buttons if isinstance(buttons, list) else []


def _only_named(name: str) -> Callable[[dict[str, Any]], None]:
    def check(action: dict[str, Any]) -> None:
        _named(action, name)

    return check


_CHECKS: dict[str, Callable[[dict[str, Any]], None]] = {
    "button": _check_buttons,
    "list": _check_list,
    "cta_url": _check_link,
    "location_request_message": _only_named("send_location"),
    "request_contact_info": _only_named("request_contact_info"),
    "address_message": _only_named("address_message"),
    "product": _check_product,
    "product_list": _check_product_list,
    "catalog_message": _only_named("catalog_message"),
    "flow": _check_flow,
    "carousel": _check_carousel,
}


def _named(action: dict[str, Any], name: str) -> dict[str, Any]:
    if action.get("name") != name:
        raise invalid("interactive['action']['name']", f'it must be "{name}"')
    return action


def _items(holder: dict[str, Any], key: str, least: int, most: int, place: str = "interactive['action']") -> list[Any]:
    items = holder.get(key)
    if not isinstance(items, list):
        raise missing(f"{place}['{key}']")
    if not least <= len(items) <= most:
        raise invalid(f"{place}['{key}']", f"it must have {least} to {most} elements")
    if not all(isinstance(item, dict) for item in items):
        raise bad(f"Param {place}['{key}'] must be a list of JSON objects.")
    return items


def _name(value: object, place: str, limit: int) -> None:
    if not isinstance(value, str) or not value:
        raise missing(place)
    if len(value) > limit:
        raise invalid(place, f"it has more than {limit} characters")


def _text(part: object, place: str, limit: int, *, required: bool) -> None:
    text = part.get("text") if isinstance(part, dict) else None
    if not isinstance(text, str) or not text:
        if required or part is not None:
            raise missing(place)
        return
    if len(text) > limit:
        raise too_long(place, limit)


def _unique(values: Iterable[object], place: str) -> None:
    known = list(values)
    if len(set(map(str, known))) != len(known):
        raise invalid(place, "it must be unique")
