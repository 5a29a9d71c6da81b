"""What a customer can do on the phone: write, answer a button, react, edit, delete, change the number.

The body has the shape of an inbound message of Meta's (`{"type": "text", "text": {"body": "…"}}`); a medium without an
`id` gets a sample file. Each call changes the chat and publishes the webhook. Types nobody has heard of go out as they
are given: Chime has to live with those too.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from chime.clock import MINUTE
from chime.errors import Invalid, Refused
from chime.simulator import identifiers, payloads, sample_media
from chime.simulator.model import Customer, Media, Message, Number
from chime.simulator.simulator import Simulator

EDIT_LIFE = 15 * MINUTE
_MEDIA = ("image", "video", "audio", "document", "sticker")
_BESIDE = ("context", "referral", "errors", "group_id")
# These say something about a message or a person; they are no message of their own in the chat.
_NOT_IN_CHAT = ("reaction", "edit", "revoke", "system")


class Written(msgspec.Struct, kw_only=True):
    """What became of it."""

    wamid: str
    at: int
    type: str


def write(
    simulator: Simulator, customer: Customer, body: dict[str, Any], *, number: Number | None = None,
    at: int | None = None, wamid: str | None = None,
) -> Written:
    """The customer does something. `at` (unix milliseconds) may lie in the past, for sample data."""
    number = number or simulator.world.number(None)
    at = simulator.clock.now() if at is None else at
    kind = body.get("type")
    if not isinstance(kind, str) or not kind:
        raise Invalid.field("type", "say what it is: text, image, location, reaction …")
    wamid = wamid or identifiers.wamid(simulator.ids, customer.address, outgoing=False)
    done = Written(wamid=wamid, at=at, type=kind)
    if kind == "errors":
        simulator.courier.publish(
            number.waba_id, "messages", payloads.value(number, errors=_list(body, "errors"))
        )
    elif kind == "system":
        _change_identity(simulator, customer, number, done, _object(body, "system"))
    else:
        _write_message(simulator, customer, number, done, body)
    simulator.nudge(customer.customer_id)
    return done


def _write_message(
    simulator: Simulator, customer: Customer, number: Number, done: Written, body: dict[str, Any],
) -> None:
    kind = done.type
    part = _prepare(simulator, customer, number, body)
    told = {"type": kind, **({kind: part} if part is not None else {}), **_beside(simulator, customer, number, body)}
    if kind not in _NOT_IN_CHAT:
        simulator.world.remember(customer, number.phone_number_id, _message(done, told))
    if simulator.world.conversation(customer, number.phone_number_id).blocked:
        return  # one tick on their phone, and nothing arrives
    if kind not in ("edit", "revoke"):
        simulator.world.open_window(customer, number.phone_number_id, done.at, referred="referral" in told)
    value = payloads.inbound(customer, number, done.wamid, done.at, **told)
    simulator.courier.publish(number.waba_id, "messages", value)


def _message(done: Written, told: dict[str, Any]) -> Message:
    context = told.get("context", {})
    return Message(
        wamid=done.wamid, sender="customer", type=done.type, content=told.get(done.type), at=done.at, status="sent",
        quoted=context.get("id"), forwarded=bool(context.get("forwarded")), referral=told.get("referral"),
    )


def _beside(simulator: Simulator, customer: Customer, number: Number, body: dict[str, Any]) -> dict[str, Any]:
    """The keys that stand beside the type's own part; a bare quote is completed with whose message it is."""
    beside = {key: body[key] for key in _BESIDE if key in body}
    context = beside.get("context")
    if isinstance(context, dict) and set(context) == {"id"}:
        found = simulator.world.find_message(str(context["id"]))
        if found is not None:
            beside["context"] = payloads.context(number, customer, found[2])
    return beside


def _prepare(simulator: Simulator, customer: Customer, number: Number, body: dict[str, Any]) -> Any:
    """The type's part, checked and completed. None for a type that has no part."""
    kind = body["type"]
    if kind in _MEDIA:
        return _media(simulator, number, kind, body.get(kind) or {})
    if kind == "text":
        _text(_object(body, "text"), "text.body")
    elif kind == "location":
        _numbers(_object(body, "location"), "location", ("latitude", "longitude"))
    elif kind == "contacts":
        return _list(body, "contacts")
    elif kind in ("button", "interactive", "order"):
        _object(body, kind)
    elif kind == "reaction":
        _react_to(simulator, customer, _object(body, "reaction"))
    elif kind == "edit":
        _edit(simulator, customer, _object(body, "edit"))
    elif kind == "revoke":
        _revoke(simulator, customer, _object(body, "revoke"))
    return body.get(kind)


def _media(simulator: Simulator, number: Number, kind: str, given: object) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise Invalid.field(kind, "give an object")
    media = _stored(simulator, number, kind, given)
    part: dict[str, Any] = {
        "id": media.media_id,
        "mime_type": media.mime_type,
        "sha256": base64.b64encode(bytes.fromhex(media.sha256)).decode(),
    }
    if kind == "document":
        part["filename"] = given.get("filename") or media.filename or "document"
    if kind == "audio":
        part["voice"] = bool(given.get("voice", True))
    if kind == "sticker":
        part["animated"] = bool(given.get("animated", False))
    if given.get("caption") and kind in ("image", "video", "document"):
        part["caption"] = given["caption"]
    return part


def _stored(simulator: Simulator, number: Number, kind: str, given: dict[str, Any]) -> Media:
    media_id = given.get("id")
    if media_id is None:
        sample = sample_media.sample(kind)
        return simulator.world.add_media(
            number.phone_number_id, sample.content, sample.mime_type, filename=sample.filename
        )
    media = simulator.world.find_media(str(media_id))
    if media is None or media.phone_number_id != number.phone_number_id:
        raise Invalid.field(f"{kind}.id", "there is no such file")
    return media


def _own_message(simulator: Simulator, customer: Customer, wamid: object, field: str) -> Message:
    found = simulator.world.find_message(wamid) if isinstance(wamid, str) else None
    if found is None or found[0] is not customer or not found[2].from_customer:
        raise Invalid.field(field, "this customer wrote no such message")
    return found[2]


def _react_to(simulator: Simulator, customer: Customer, reaction: dict[str, Any]) -> None:
    wamid = reaction.get("message_id")
    found = simulator.world.find_message(wamid) if isinstance(wamid, str) else None
    if found is None or found[0] is not customer:
        raise Invalid.field("reaction.message_id", "there is no such message in this chat")
    # A removed reaction comes without the key or with an empty text; both are passed on as given.
    found[2].react("customer", str(reaction.get("emoji") or ""))


def _edit(simulator: Simulator, customer: Customer, edit: dict[str, Any]) -> None:
    message = _own_message(simulator, customer, edit.get("original_message_id"), "edit.original_message_id")
    new = edit.get("message")
    if not isinstance(new, dict) or not isinstance(new.get("type"), str):
        raise Invalid.field("edit.message", "give the message as it shall be")
    if message.revoked:
        raise Refused("The message was deleted.", code="deleted")
    if simulator.clock.now() - message.at > EDIT_LIFE:
        raise Refused("WhatsApp lets a message be edited for 15 minutes.", code="too_late")
    changed = new.get(new["type"])
    if new["type"] == "text":
        _text(changed if isinstance(changed, dict) else {}, "edit.message.text.body")
        message.content = changed
    elif isinstance(changed, dict) and isinstance(message.content, dict):
        message.content = {**message.content, **changed}
    message.edited = True


def _revoke(simulator: Simulator, customer: Customer, revoke: dict[str, Any]) -> None:
    message = _own_message(simulator, customer, revoke.get("original_message_id"), "revoke.original_message_id")
    message.revoked = True


def _change_identity(
    simulator: Simulator, customer: Customer, number: Number, done: Written, system: dict[str, Any],
) -> None:
    """The customer has another phone number or user id. Only `previous_user_id` links the two when both are hidden."""
    kind = system.get("type")
    former_phone, former_user_id = customer.phone, customer.user_id
    part: dict[str, Any] = {"type": kind}
    if kind == "user_changed_number":
        phone = identifiers.digits(str(system.get("wa_id") or ""))
        if not 7 <= len(phone) <= 15:
            raise Invalid.field("system.wa_id", "give the new number, 7 to 15 digits")
        owner = simulator.world.customer_at(phone)
        if owner is not None and owner is not customer:
            raise Invalid.field("system.wa_id", "another customer has this number")
        customer.phone = phone
        part |= {"from": former_phone, "body": f"{customer.name} changed to a new number", "wa_id": phone}
    elif kind == "user_changed_user_id":
        part |= {"body": f"{customer.name} changed"}
    else:
        raise Invalid.field("system.type", "it is user_changed_number or user_changed_user_id")
    customer.user_id = identifiers.user_id(simulator.ids, customer.phone)
    simulator.world.index(customer)
    part |= {"user_id": customer.user_id, "previous_user_id": former_user_id}
    value = payloads.system(customer, number, done.wamid, done.at, part)
    simulator.courier.publish(number.waba_id, "messages", value)


def _object(body: dict[str, Any], key: str) -> dict[str, Any]:
    part = body.get(key)
    if not isinstance(part, dict):
        raise Invalid.field(key, "give an object")
    return part


def _list(body: dict[str, Any], key: str) -> list[Any]:
    part = body.get(key)
    if not isinstance(part, list) or not part:
        raise Invalid.field(key, "give a list with at least one element")
    return part


def _text(part: dict[str, Any], field: str) -> None:
    text = part.get("body")
    if not isinstance(text, str) or not text:
        raise Invalid.field(field, "write something")
    if len(text) > 65_536:
        raise Invalid.field(field, "WhatsApp takes at most 65,536 characters")


def _numbers(part: dict[str, Any], field: str, names: tuple[str, ...]) -> None:
    wrong = [name for name in names if isinstance(part.get(name), bool) or not isinstance(part.get(name), int | float)]
    if wrong:
        raise Invalid((f"{field}.{name}", "give a number") for name in wrong)
