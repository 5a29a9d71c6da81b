"""Meta's checks of a template send, and the text the customer reads in the end.

Counting follows the components the template was approved with: a component with variables or a media header needs its
component in the send, a static one must not have one.
"""

from __future__ import annotations

import re
from typing import Any

from chime.simulator.graph_errors import GraphError, bad, invalid, missing
from chime.simulator.model import Draft, Number, Template, World

_VARIABLE = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")
_MEDIA_HEADERS = ("IMAGE", "VIDEO", "DOCUMENT", "LOCATION", "PRODUCT")
_LIMITS = {"header": 60, "body": 1024}


def check_template(world: World, number: Number, draft: Draft) -> None:
    """Fill the draft with the template and its rendered text, or raise."""
    content = draft.content
    name, language = content.get("name"), content.get("language")
    if not isinstance(name, str) or not name:
        raise missing("template['name']")
    code = language.get("code") if isinstance(language, dict) else None
    if not isinstance(code, str) or not code:
        raise missing("template['language']['code']")
    template = world.find_template(number.waba_id, name, code)
    if template is None:
        raise GraphError(132001, f"template name ({name}) does not exist in {code}")
    _check_status(template)
    given = _given_components(content.get("components"))
    draft.template = template
    draft.template_text = _render(template, given)
    _check_header_media(world, number, draft.template_text)
    if template.category == "AUTHENTICATION" and draft.by_user_id:
        raise GraphError(131062, "Authentication templates need a phone number.")
    stopped = draft.customer is not None and draft.customer.stopped_marketing
    if template.category == "MARKETING" and stopped and draft.later is None:
        draft.later = GraphError(131050, "The user has stopped marketing messages from this business.")


def _check_status(template: Template) -> None:
    if template.status == "PAUSED":
        raise GraphError(132015, f"Template ({template.name}) is paused.")
    if template.status == "DISABLED":
        raise GraphError(132016, f"Template ({template.name}) is disabled.")
    if template.status not in ("APPROVED", "FLAGGED", "REINSTATED"):
        raise GraphError(132001, f"template name ({template.name}) is not approved in {template.language}")


def _given_components(components: object) -> dict[str, list[dict[str, Any]]]:
    """The components of the send by what they are for: `header`, `body`, `button 0` …"""
    if components is None:
        return {}
    if not isinstance(components, list) or not all(isinstance(item, dict) for item in components):
        raise bad("Param template['components'] must be a list of JSON objects.")
    given: dict[str, list[dict[str, Any]]] = {}
    for component in components:
        key = str(component.get("type", "")).lower()
        if key == "button":
            key = f"button {component.get('index')}"
        parameters = component.get("parameters") or []
        if not isinstance(parameters, list) or not all(isinstance(item, dict) for item in parameters):
            raise bad("Param parameters of a template component must be a list of JSON objects.")
        given[key] = parameters
    return given


def _render(template: Template, given: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    shown: dict[str, Any] = {"category": template.category, "buttons": []}
    for component in template.components:
        kind = component["type"].upper()
        if kind == "HEADER" and component.get("format") in _MEDIA_HEADERS:
            shown["header_media"] = _header_media(component["format"], given.pop("header", []))
        elif kind in ("HEADER", "BODY"):
            part = kind.lower()
            shown[part] = _fill(template, part, component.get("text", ""), given.pop(part, []))
        elif kind == "FOOTER":
            shown["footer"] = component.get("text", "")
        elif kind == "BUTTONS":
            shown["buttons"] = [
                _button(index, button, given.pop(f"button {index}", []))
                for index, button in enumerate(component.get("buttons", []))
            ]
    left = [key for key, parameters in given.items() if parameters]
    if left:
        raise GraphError(132000, f"{left[0]}: number of localizable_params does not match the expected number (0)")
    return shown


def _check_header_media(world: World, number: Number, shown: dict[str, Any]) -> None:
    media_id = shown.get("header_media", {}).get("id")
    media = world.find_media(str(media_id)) if media_id is not None else None
    if media_id is not None and (media is None or media.phone_number_id != number.phone_number_id):
        raise invalid("template header id", "there is no such media id for this phone number")


def _header_media(form: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    kind = form.lower()
    if not parameters or parameters[0].get("type") != kind or not isinstance(parameters[0].get(kind), dict):
        got = parameters[0].get("type") if parameters else "UNKNOWN"
        raise GraphError(132012, f"header: Format mismatch, expected {form}, received {str(got).upper()}")
    return {"kind": kind, **parameters[0][kind]}


def _fill(template: Template, part: str, text: str, parameters: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(_VARIABLE.findall(text)))
    if len(parameters) != len(names):
        raise GraphError(
            132000,
            f"{part}: number of localizable_params ({len(parameters)}) does not match the expected number of params"
            f" ({len(names)})",
        )
    values = _values(template, part, names, parameters)
    shown = _VARIABLE.sub(lambda match: values[match.group(1)], text)
    if len(shown) > _LIMITS[part]:
        raise GraphError(132005, f"{part}: the text has more than {_LIMITS[part]} characters after filling in")
    return shown


def _values(
    template: Template, part: str, names: list[str], parameters: list[dict[str, Any]],
) -> dict[str, str]:
    values: dict[str, str] = {}
    named = template.parameter_format.upper() == "NAMED"
    for position, parameter in enumerate(parameters):
        name = parameter.get("parameter_name") if named else names[position]
        if not isinstance(name, str) or not name:
            raise bad("Parameter name is missing or empty")
        values[name] = _value(part, parameter)
    absent = [name for name in names if name not in values]
    if absent:
        raise bad(f"{part}: parameter {absent[0]} is missing")
    return values


def _value(part: str, parameter: dict[str, Any]) -> str:
    kind = parameter.get("type")
    if kind in ("currency", "date_time"):
        holder = parameter.get(kind)
        value = holder.get("fallback_value") if isinstance(holder, dict) else None
    else:
        value = parameter.get("text")
    if kind not in ("text", "currency", "date_time"):
        raise GraphError(132012, f"{part}: Format mismatch, expected TEXT, received {str(kind).upper()}")
    if not isinstance(value, str) or not value:
        raise bad(f"{part}: the text of a parameter is missing or empty")
    if "\n" in value or "\t" in value or " " * 5 in value:
        raise GraphError(
            132018, f"{part}: Param text cannot have new-line/tab characters or more than 4 consecutive spaces"
        )
    return value


def _button(index: int, button: dict[str, Any], parameters: list[dict[str, Any]]) -> dict[str, Any]:
    kind = button["type"].upper()
    shown = {"type": kind, "text": button.get("text", "")}
    if kind == "URL":
        address = button.get("url", "")
        wanted = 1 if _VARIABLE.search(address) else 0
        if len(parameters) != wanted:
            raise GraphError(
                132000, f"buttons[{index}]: number of params ({len(parameters)}) does not match the expected {wanted}"
            )
        shown["url"] = _hydrate(address, parameters) if wanted else address
    elif kind == "QUICK_REPLY":
        payload = parameters[0].get("payload") if parameters else None
        if parameters and not isinstance(payload, str):
            raise invalid(f"buttons[{index}]", "a quick reply takes a parameter of type payload")
        shown["payload"] = payload or shown["text"]
    elif kind == "COPY_CODE":
        code = parameters[0].get("coupon_code") if parameters else None
        if not isinstance(code, str):
            raise missing(f"buttons[{index}] coupon_code")
        shown["code"] = code
    elif kind == "PHONE_NUMBER":
        shown["phone_number"] = button.get("phone_number", "")
    return shown


def _hydrate(address: str, parameters: list[dict[str, Any]]) -> str:
    value = _value("buttons", parameters[0])
    return _VARIABLE.sub(lambda _: value, address)
