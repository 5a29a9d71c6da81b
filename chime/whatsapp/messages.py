"""Messages of every direction: received, edited, revoked, echoed from the phone, remembered by it, or overheard."""

from __future__ import annotations

from typing import Any

import msgspec

from chime.whatsapp import lenient
from chime.whatsapp.content import Said, context, describe, kind_of, referral
from chime.whatsapp.events import (
    Event,
    FieldReceived,
    HistoryMessage,
    IdentityChanged,
    MessageEchoed,
    MessageEdited,
    MessageReacted,
    MessageReceived,
    MessageRevoked,
    StandbyReceived,
)
from chime.whatsapp.lenient import mapping, text
from chime.whatsapp.parts import Person
from chime.whatsapp.source import People, Source, Unclear, errors, person, username

_IDENTITY_KINDS = {
    "user_changed_number": "number",
    "customer_changed_number": "number",
    "user_changed_user_id": "user_id",
    "customer_identity_changed": "identity",
    "user_identity_changed": "identity",
}
_OVERHEARD = (MessageReceived, MessageReacted, MessageEdited, MessageRevoked, IdentityChanged)


def received(source: Source, item: dict[str, Any], people: People, *, alone: bool) -> Event:
    """One element of `messages[]`. `alone`: it is the only one of its payload."""
    named = person(item.get("from"), item.get("from_user_id"), item.get("from_parent_user_id"))
    if kind_of(item) == "system":
        return _system(source, item, named)
    sender = people.complete(named, alone=alone)
    if not sender.is_known:
        raise Unclear("the message names no sender")
    wamid, said = _wamid(item), describe(item)
    common = {**source.common(item.get("timestamp")), "wamid": wamid, "sender": sender}
    if said.type in ("reaction", "edit", "revoke"):
        return _about_another(said, item, common)
    return MessageReceived(
        **common, type=said.type, text=said.text, content=said.content, media=said.media, context=context(item),
        referral=referral(item), errors=errors(item.get("errors")), group_id=text(item.get("group_id")),
    )


def _about_another(said: Said, item: dict[str, Any], common: dict[str, Any]) -> Event:
    if said.target_wamid is None:
        raise Unclear(f"the {said.type} names no message")
    if said.type == "reaction":
        group_id = text(item.get("group_id"))
        return MessageReacted(**common, target_wamid=said.target_wamid, emoji=said.text, group_id=group_id)
    if said.type == "revoke":
        return MessageRevoked(**common, target_wamid=said.target_wamid)
    content = {key: value for key, value in said.content.items() if key not in ("message_id", "type")}
    return MessageEdited(
        **common, target_wamid=said.target_wamid, type=said.content["type"], text=said.text, content=content,
        media=said.media,
    )


def _wamid(item: dict[str, Any]) -> str:
    wamid = text(item.get("id"))
    if wamid is None:
        raise Unclear("the message has no id")
    return wamid


def _system(source: Source, item: dict[str, Any], sender: Person) -> Event:
    """A change of number, user id or keys. Comes without `contacts[]`, and without `from` when no phone may be told."""
    part = mapping(item.get("system"))
    common, fingerprint = source.common(item.get("timestamp")), source.fingerprint(item)
    kind = _IDENTITY_KINDS.get(text(part.get("type")) or "")
    if kind is None:
        return FieldReceived(**common, fingerprint=fingerprint, field="messages.system", value=item)
    new = person(part.get("wa_id") or part.get("new_wa_id"), part.get("user_id"), part.get("parent_user_id"))
    if kind == "identity":
        key_hash = text(mapping(item.get("identity")).get("hash")) or text(mapping(part.get("identity")).get("hash"))
        new = msgspec.structs.replace(sender, identity_key_hash=key_hash)
    before = person(None, part.get("previous_user_id"), part.get("previous_parent_user_id"))
    named_before = sender.user_id if sender.user_id != new.user_id else None
    parent_before = sender.parent_user_id if sender.parent_user_id != new.parent_user_id else None
    change = IdentityChanged(
        **common, fingerprint=fingerprint, kind=kind, wamid=text(item.get("id")), sender=sender,
        previous_phone=sender.phone, previous_user_id=before.user_id or named_before,
        previous_parent_user_id=before.parent_user_id or parent_before, new=new, body=text(part.get("body")),
    )
    if not (sender.is_known or before.is_known):
        raise Unclear("the change names nobody")
    return change


def echoed(source: Source, item: dict[str, Any], people: People, *, alone: bool) -> MessageEchoed:
    """One element of `message_echoes[]`; standby echoes keep the message one level down."""
    message = {**item, **mapping(item.get("message"))}
    if not text(message.get("type")) and mapping(item.get("template")):
        message["type"] = "template"
    named = person(message.get("to"), message.get("to_user_id"), message.get("to_parent_user_id"))
    recipient = people.complete(named, alone=alone)
    if not recipient.is_known:
        raise Unclear("the echo names no recipient")
    said = describe(message)
    echo_kind = said.type if said.type in ("reaction", "edit", "revoke") else "message"
    if echo_kind != "message" and said.target_wamid is None:
        raise Unclear(f"the {said.type} names no message")
    return MessageEchoed(
        **source.common(item.get("timestamp")), wamid=_wamid(item), recipient=recipient, type=said.type,
        echo_kind=echo_kind, target_wamid=said.target_wamid, text=said.text, content=said.content, media=said.media,
        context=context(message),
    )


def overheard(source: Source, event: Event) -> Event:
    """What another owner of the thread handles, marked as such."""
    if not isinstance(event, (*_OVERHEARD, MessageEchoed)):
        return event
    return StandbyReceived(
        path=source.path, at=event.at, phone_number_id=source.phone_number_id, waba_id=source.waba_id, event=event
    )


def remembered(source: Source, item: dict[str, Any], thread: dict[str, Any]) -> HistoryMessage:
    """One message of a history thread. The thread names the other person; the message tells the direction."""
    about = mapping(thread.get("context"))
    other = person(about.get("wa_id") or thread.get("id"), about.get("user_id"), about.get("parent_user_id"))
    writer = person(item.get("from"), item.get("from_user_id"), item.get("from_parent_user_id"))
    target = person(item.get("to"), item.get("to_user_id"), item.get("to_parent_user_id"))
    outgoing = _is_outgoing(source, writer, target, other)
    if not other.is_known:
        other = target if outgoing else writer
    if not other.is_known:
        raise Unclear("the old message names nobody")
    said = describe(item)
    status = text(mapping(item.get("history_context")).get("status"))
    return HistoryMessage(
        wamid=_wamid(item), person=msgspec.structs.replace(other, username=username(about.get("username"))),
        outgoing=outgoing, at=lenient.moment(item.get("timestamp")) or source.at, type=said.type, text=said.text,
        content=said.content, media=said.media, context=context(item), errors=errors(item.get("errors")),
        status=status.upper() if status else None,
    )


def _is_outgoing(source: Source, writer: Person, target: Person, other: Person) -> bool:
    if writer.user_id and other.user_id:
        return writer.user_id != other.user_id
    if writer.phone and writer.phone == source.display_phone:
        return True
    if writer.phone and other.phone:
        return writer.phone != other.phone
    return target.is_known
