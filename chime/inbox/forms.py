"""The inbox's forms: from typed fields to an outbound message, with each problem at the field that has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chime import message_templates
from chime.checked import words
from chime.errors import Invalid, Sentence
from chime.message_templates import MessageTemplate
from chime.whatsapp import OutboundMessage, parse_message

Fields = dict[str, str]
LONGEST_TEXT = 4_096  # WhatsApp's own; `text.body`


def outbound(kind: str, fields: Fields) -> OutboundMessage:
    """The message a form describes. Raises Invalid with the form's own field names."""
    build = _BUILDERS.get(kind)
    if build is None:
        raise Invalid.field("type", "There is no such kind of message.")
    return parsed(*build(fields))


def parsed(data: dict[str, Any], names: dict[str, str]) -> OutboundMessage:
    """The message; `names` are the form's for the message's fields. Raises Invalid with whole sentences."""
    try:
        return parse_message(data)
    except Invalid as error:
        raise Invalid((names.get(problem.field, problem.field), _sentence(problem.message))
                      for problem in error.errors) from error


# What a form can meet, as people are told it.
_SENTENCES = {
    "must not be empty": words("This must not be empty."),
    "may have at most %(most)s characters, not %(given)s": words("At most %(most)s characters; these are %(given)s."),
    "may have at most %(most)s entries, not %(given)s": words("At most %(most)s of them; these are %(given)s."),
    "holds a character that cannot be sent": words("This holds a character that cannot be sent."),
    "does not have the right form": words("This does not have the right form."),
    "must be a number": words("Give a number."),
    "must not contain line breaks or tabs": words("Line breaks and tabs are not possible here."),
    "must not contain more than four spaces in a row": words("At most four spaces in a row."),
    "is used by another row": words("Another row has this already."),
}


def _sentence(complaint: str) -> str:
    """The wire formats complain in half sentences after a field's name; under a field of a form stands a whole one."""
    if isinstance(complaint, Sentence):
        return Sentence(_SENTENCES.get(complaint.template, _whole(complaint.template)), **complaint.values)
    return _SENTENCES.get(complaint, _whole(complaint))


def _whole(complaint: str) -> str:
    return f"{complaint[:1].upper()}{complaint[1:]}{'' if complaint.endswith('.') else '.'}"


Built = tuple[dict[str, Any], dict[str, str]]


def _text(fields: Fields) -> Built:
    text = fields.get("text", "")
    if len(text) > LONGEST_TEXT:
        raise Invalid.field("text", Sentence("One message has at most %(most)s characters. Shorten it, or send it in "
                                             "parts.", most=LONGEST_TEXT))
    return ({"type": "text", "text": {"body": text, "preview_url": True}}, {"text.body": "text"})


def _location(fields: Fields) -> Built:
    place: dict[str, Any] = {name: fields[name].strip() for name in ("name", "address") if fields.get(name, "").strip()}
    problems = []
    for name in ("latitude", "longitude"):
        try:
            place[name] = float(fields.get(name, "").strip().replace(",", "."))
        except ValueError:
            problems.append((name, "A number, as in 12.9716."))
    if problems:
        raise Invalid(problems)
    return ({"type": "location", "location": place},
            {f"location.{name}": name for name in ("latitude", "longitude", "name", "address")})


def _contact(fields: Fields) -> Built:
    name = fields.get("name", "").strip()
    problems = [(field, "Fill this in.") for field in ("name", "phone") if not fields.get(field, "").strip()]
    if problems:
        raise Invalid(problems)
    first, _, _ = name.partition(" ")
    card = {"name": {"formatted_name": name, "first_name": first}, "phones": [{"phone": fields["phone"].strip()}]}
    return ({"type": "contacts", "contacts": [card]},
            {"contacts.0.name.formatted_name": "name", "contacts.0.phones.0.phone": "phone"})


def _buttons(fields: Fields) -> Built:
    titles = [fields.get(f"button_{index}", "").strip() for index in (1, 2, 3)]
    given = [(index, title) for index, title in enumerate(titles, 1) if title]
    buttons = [{"type": "reply", "reply": {"id": f"button_{index}", "title": title}} for index, title in given]
    names = {f"interactive.action.buttons.{position}.reply.title": f"button_{index}"
             for position, (index, _) in enumerate(given)}
    names |= {"interactive.body.text": "body", "interactive.footer.text": "footer",
              "interactive.action.buttons": "button_1"}
    return ({"type": "interactive", "interactive": _interactive("button", fields, {"buttons": buttons})}, names)


def _list(fields: Fields) -> Built:
    titles = [fields.get(f"row_{index}", "").strip() for index in range(1, 11)]
    given = [(index, title) for index, title in enumerate(titles, 1) if title]
    rows: list[dict[str, Any]] = []
    names = {"interactive.body.text": "body", "interactive.action.button": "button",
             "interactive.action.sections": "row_1", "interactive.action.sections.0.rows": "row_1"}
    for position, (index, title) in enumerate(given):
        row = {"id": f"row_{index}", "title": title}
        if fields.get(f"description_{index}", "").strip():
            row["description"] = fields[f"description_{index}"].strip()
        rows.append(row)
        names[f"interactive.action.sections.0.rows.{position}.title"] = f"row_{index}"
        names[f"interactive.action.sections.0.rows.{position}.description"] = f"description_{index}"
    action = {"button": fields.get("button", "").strip(), "sections": [{"rows": rows}]}
    return ({"type": "interactive", "interactive": _interactive("list", fields, action)}, names)


def _link(fields: Fields) -> Built:
    action = {"name": "cta_url", "parameters": {"display_text": fields.get("display_text", "").strip(),
                                                "url": fields.get("url", "").strip()}}
    return ({"type": "interactive", "interactive": _interactive("cta_url", fields, action)},
            {"interactive.body.text": "body", "interactive.action.parameters.display_text": "display_text",
             "interactive.action.parameters.url": "url"})


def _asking(kind: str, action: dict[str, Any]) -> Callable[[Fields], Built]:
    """A question whose answer the customer's phone fills in."""

    def build(fields: Fields) -> Built:
        asked = {"type": kind, "body": {"text": fields.get("body", "").strip()}, "action": action}
        return {"type": "interactive", "interactive": asked}, {"interactive.body.text": "body"}

    return build


def _interactive(kind: str, fields: Fields, action: dict[str, Any]) -> dict[str, Any]:
    built: dict[str, Any] = {"type": kind, "body": {"text": fields.get("body", "").strip()}, "action": action}
    if fields.get("footer", "").strip():
        built["footer"] = {"text": fields["footer"].strip()}
    return built


_BUILDERS: dict[str, Callable[[Fields], Built]] = {
    "text": _text, "location": _location, "contact": _contact, "buttons": _buttons, "list": _list, "link": _link,
    "ask_location": _asking("location_request_message", {"name": "send_location"}),
    "ask_phone": _asking("request_contact_info", {"name": "request_contact_info"}),
    "ask_address": _asking("address_message", {"name": "address_message", "parameters": {"country": "IN"}}),
}


def template_message(template: MessageTemplate | None, fields: Fields) -> OutboundMessage:
    """A template with its blanks filled. Raises Invalid naming each blank that is left."""
    if template is None:
        raise Invalid.field("template_name", "Choose a template.")
    try:
        components = message_templates.components_from(template, fields)
    except Invalid as error:
        raise Invalid((problem.field.removeprefix("parameters."), problem.message)
                      for problem in error.errors) from error
    content: dict[str, Any] = {"name": template.name, "language": {"code": template.language}}
    if components:
        content["components"] = components
    return parse_message({"type": "template", "template": content})
