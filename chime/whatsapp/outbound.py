"""From what somebody wants to say to the body of Meta's `POST /{phone number id}/messages`.

`parse_message` takes the API's JSON (and what is stored of a message) and finds everything that is wrong with it;
`graph_body` addresses a message that passed. Promise: what `msgspec.to_builtins` makes of a message, `parse_message`
takes again; a phone number stands only in `to` and a business-scoped user id only in `recipient`, where Meta would
otherwise strip it to digits and may reach a stranger.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from chime.errors import Invalid
from chime.whatsapp import interactive as asks
from chime.whatsapp import message_kinds as kinds
from chime.whatsapp import wording
from chime.whatsapp.carousel import CarouselInteractive
from chime.whatsapp.shape import read
from chime.whatsapp.template_message import TemplateMessage

_PHONE = re.compile(r"[1-9][0-9]{5,16}")
_USER_ID = re.compile(r"[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}")
_LONGEST_CALLBACK_DATA = 512

Interactive = (
    asks.ButtonInteractive | asks.ListInteractive | asks.LinkInteractive | asks.LocationRequest | asks.ContactRequest
    | asks.AddressInteractive | asks.ProductInteractive | asks.ProductListInteractive | asks.CatalogInteractive
    | asks.FlowInteractive | CarouselInteractive | asks.CallInteractive | asks.CallPermissionRequest
)


class InteractiveMessage(kinds.Answer, frozen=True, kw_only=True, tag="interactive"):
    """Something to tap; `interactive.type` says what."""

    interactive: Interactive


OutboundMessage = (
    kinds.TextMessage | kinds.ImageMessage | kinds.VideoMessage | kinds.AudioMessage | kinds.DocumentMessage
    | kinds.StickerMessage | kinds.LocationMessage | kinds.ContactsMessage | kinds.ReactionMessage
    | InteractiveMessage | TemplateMessage
)


class InvalidMessage(Invalid):
    """A message Meta would refuse; every field with what is wrong about it."""

    title = "This message cannot be sent"


class Recipient(Struct, frozen=True, kw_only=True):
    """Who gets it: by number where there is one, else by business-scoped user id. One that exists can be written to."""

    phone: str | None = None
    user_id: str | None = None

    def __post_init__(self) -> None:
        if self.phone and not _PHONE.fullmatch(self.phone.removeprefix("+")):
            raise InvalidMessage([("to", "must be a phone number with its country code, digits only")])
        if not self.phone and self.user_id and not _USER_ID.fullmatch(self.user_id):
            raise InvalidMessage([("recipient", "must be a business-scoped user id, such as US.7Hq2mZ90")])
        if not self.phone and not self.user_id:
            raise InvalidMessage([("to", "is missing: neither a phone number nor a user id is known")])

    def address(self) -> dict[str, str]:
        """Meta's fields. Without the plus sign Meta would put the business's own country code in front."""
        if self.phone:
            return {"to": "+" + self.phone.removeprefix("+")}
        return {"recipient": self.user_id or ""}


def parse_message(data: Mapping[str, Any]) -> OutboundMessage:
    """The message `data` describes. Raises InvalidMessage with every problem."""
    message, problems = read(OutboundMessage, _with_language_object(data))
    if problems:
        raise InvalidMessage((field or "message", words) for field, words in problems)
    checked: OutboundMessage = message
    return checked


def _with_language_object(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """A template's language may be given as the bare code, as people write it."""
    template = data.get("template") if isinstance(data, Mapping) else None
    language = template.get("language") if isinstance(template, Mapping) else None
    if not isinstance(template, Mapping) or not isinstance(language, str):
        return data
    return {**data, "template": {**template, "language": {"code": language}}}


def graph_body(
    message: OutboundMessage, recipient: Recipient, callback_data: str, reply_to_wamid: str | None = None
) -> dict[str, Any]:
    """The request's body. `callback_data` comes back in every status and is the only proof of what became of a send
    whose answer was lost. `reply_to_wamid` goes before the message's own `context`; a reaction takes neither."""
    if not callback_data or len(callback_data) > _LONGEST_CALLBACK_DATA:
        raise ValueError(f"callback data must have 1 to {_LONGEST_CALLBACK_DATA} characters")
    body: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        **recipient.address(),
        **msgspec.json.decode(msgspec.json.encode(message)),  # lists instead of tuples, as on the wire
        "biz_opaque_callback_data": callback_data,
    }
    if reply_to_wamid and not isinstance(message, kinds.ReactionMessage):
        body["context"] = {"message_id": reply_to_wamid}
    for component in _button_values(body):
        component["index"] = str(component["index"])  # Meta takes both and documents text
    return body


def _button_values(body: dict[str, Any]) -> list[dict[str, Any]]:
    components = list(body.get("template", {}).get("components", ()))
    components += [inner for outer in components for card in outer.get("cards", ()) for inner in card["components"]]
    return [component for component in components if component["type"] == "button"]


def preview(message: OutboundMessage) -> str:
    """One line of plain text for lists and notifications."""
    return wording.line(msgspec.to_builtins(message))


def text_of(message: OutboundMessage) -> str:
    """All the words the customer reads, with their line breaks; what the thread shows and the search finds."""
    return wording.text_of(msgspec.to_builtins(message))


def read_body(wamid: str, typing: bool = False) -> dict[str, Any]:
    """Marks this message and all before it as read; `typing` shows "typing…" for up to 25 s or until we answer."""
    body: dict[str, Any] = {"messaging_product": "whatsapp", "status": "read", "message_id": wamid}
    if typing:
        body["typing_indicator"] = {"type": "text"}
    return body
