"""What a template is, which parameters it asks for, and how filled-in values become the components of a send."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from chime.errors import Invalid

_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")
_MEDIA = ("IMAGE", "VIDEO", "DOCUMENT")


class MessageTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A template in one language. `components` are Meta's own objects."""

    id: str
    meta_template_id: str
    waba_id: str
    name: str
    language: str
    category: str
    status: str
    quality: str
    parameter_format: str
    components: list[dict[str, Any]]

    def component(self, kind: str) -> dict[str, Any] | None:
        return next((part for part in self.components if str(part.get("type", "")).upper() == kind), None)

    @property
    def body(self) -> str:
        return str((self.component("BODY") or {}).get("text", ""))

    @property
    def buttons(self) -> list[dict[str, Any]]:
        return list((self.component("BUTTONS") or {}).get("buttons", []))


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """A value to fill in. `name` is the form's field: `header.1`, `header.media`, `body.first_name`, `button.0`."""

    name: str
    label: str
    example: str = ""


def parameters(template: MessageTemplate) -> list[Parameter]:
    """Everything this template needs, in the order it is read."""
    found: list[Parameter] = []
    header = template.component("HEADER")
    if header is not None:
        found += _header_parameters(header)
    body = template.component("BODY") or {}
    examples = _examples(body.get("example"), "body_text")
    found += [Parameter(name=f"body.{name}", label=name, example=examples.get(name, ""))
              for name in _names(str(body.get("text", "")))]
    for index, button in enumerate(template.buttons):
        kind = str(button.get("type", "")).upper()
        if (kind == "URL" and "{{" in str(button.get("url", ""))) or kind == "COPY_CODE":
            example = button.get("example", "")
            found.append(Parameter(name=f"button.{index}", label=str(button.get("text", "")),
                                   example=str(example[0] if isinstance(example, list) and example else example)))
    return found


def _header_parameters(header: dict[str, Any]) -> list[Parameter]:
    form = str(header.get("format", "TEXT")).upper()
    if form in _MEDIA:
        return [Parameter(name="header.media", label=form.lower(), example="https://…")]
    if form == "LOCATION":
        return [Parameter(name=f"header.{name}", label=name)
                for name in ("latitude", "longitude", "name", "address")]
    examples = _examples(header.get("example"), "header_text")
    return [Parameter(name=f"header.{name}", label=name, example=examples.get(name, ""))
            for name in _names(str(header.get("text", "")))]


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(_PLACEHOLDER.findall(text)))


def _examples(example: Any, key: str) -> dict[str, str]:
    """Meta gives examples as a list (of lists) for positional and as objects for named parameters."""
    if not isinstance(example, dict):
        return {}
    named = example.get(f"{key}_named_params")
    if isinstance(named, list):
        return {str(item.get("param_name")): str(item.get("example", "")) for item in named if isinstance(item, dict)}
    values = example.get(key)
    if isinstance(values, list) and values and isinstance(values[0], list):
        values = values[0]
    return {str(index): str(value) for index, value in enumerate(values or [], 1)} if isinstance(values, list) else {}


def components_from(template: MessageTemplate, values: dict[str, str]) -> list[dict[str, Any]]:
    """The `components` of a send. Raises Invalid naming every parameter that is missing."""
    needed = parameters(template)
    optional = ("header.name", "header.address")
    missing = [(f"parameters.{parameter.name}", "Fill this in.") for parameter in needed
               if not values.get(parameter.name, "").strip() and parameter.name not in optional]
    if missing:
        raise Invalid(missing)
    named = template.parameter_format.upper() == "NAMED"
    built: list[dict[str, Any]] = []
    header = _header_values(template, values, named)
    if header:
        built.append({"type": "header", "parameters": header})
    body = [_text(name, values[f"body.{name}"], named) for name in _names(template.body)]
    if body:
        built.append({"type": "body", "parameters": body})
    return built + _button_values(template, values)


def _text(name: str, value: str, named: bool) -> dict[str, Any]:
    text: dict[str, Any] = {"type": "text", "text": value.strip()}
    return text | {"parameter_name": name} if named else text


def _header_values(template: MessageTemplate, values: dict[str, str], named: bool) -> list[dict[str, Any]]:
    header = template.component("HEADER")
    if header is None:
        return []
    form = str(header.get("format", "TEXT")).upper()
    if form in _MEDIA:
        media = values["header.media"].strip()
        reference = {"link": media} if media.startswith(("http://", "https://")) else {"id": media}
        return [{"type": form.lower(), form.lower(): reference}]
    if form == "LOCATION":
        place = {name: values.get(f"header.{name}", "").strip()
                 for name in ("latitude", "longitude", "name", "address") if values.get(f"header.{name}", "").strip()}
        return [{"type": "location", "location": place}]
    return [_text(name, values[f"header.{name}"], named) for name in _names(str(header.get("text", "")))]


def _button_values(template: MessageTemplate, values: dict[str, str]) -> list[dict[str, Any]]:
    built: list[dict[str, Any]] = []
    for index, button in enumerate(template.buttons):
        value = values.get(f"button.{index}", "").strip()
        if not value:
            continue
        kind = str(button.get("type", "")).lower()
        parameter = {"type": "coupon_code", "coupon_code": value} if kind == "copy_code" else {
            "type": "text", "text": value}
        built.append({"type": "button", "sub_type": kind, "index": str(index), "parameters": [parameter]})
    return built


def filled_text(template: MessageTemplate, components: list[dict[str, Any]]) -> str:
    """The body as the customer reads it, for the thread and the list."""
    body: dict[str, Any] = next((part for part in components if part.get("type") == "body"), {})
    given = body.get("parameters", [])
    values = {str(parameter.get("parameter_name", index)): str(parameter.get("text", ""))
              for index, parameter in enumerate(given, 1)}
    return _PLACEHOLDER.sub(lambda match: values.get(match.group(1), match.group(0)), template.body)
