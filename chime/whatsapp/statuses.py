"""Statuses of what we sent, of payments asked for, and calls: three kinds that share one array or one shape."""

from __future__ import annotations

from typing import Any

import msgspec

from chime.whatsapp import lenient
from chime.whatsapp.events import CallReceived, Event, PaymentStatusReceived, StatusReceived
from chime.whatsapp.lenient import mapping, text
from chime.whatsapp.parts import Person, Pricing
from chime.whatsapp.source import People, Source, Unclear, errors, person


def status(source: Source, item: dict[str, Any], people: People, *, alone: bool) -> Event:
    """One element of `statuses[]`. `type` is looked at first: payments and calls ride in the same array."""
    kind = text(item.get("type"))
    wamid, word = text(item.get("id")), text(item.get("status"))
    if wamid is None or word is None:
        raise Unclear("the status lacks its id or its word")
    if kind == "call":
        return _call_status(source, item, people, alone=alone)
    if kind == "payment":
        return _payment(source, item, people, alone=alone)
    in_group = text(item.get("recipient_type")) == "group"
    member = _participant(item)
    return StatusReceived(
        **source.common(item.get("timestamp")), wamid=wamid, status=word.lower(),
        recipient=Person() if in_group else _recipient(item, people, alone=alone),
        callback_data=text(item.get("biz_opaque_callback_data")), pricing=_pricing(item),
        conversation=_conversation(item), errors=errors(item.get("errors")),
        group_id=text(item.get("recipient_id")) if in_group else None,
        group_participant=people.complete(member) if member.is_known else None,
    )


def _recipient(item: dict[str, Any], people: People, *, alone: bool) -> Person:
    # Meta renamed the parent's key on 5 May 2026 and both spellings are about, plus the one of contacts[].
    parents = ("recipient_parent_user_id", "parent_recipient_user_id", "parent_user_id")
    parent = next(filter(None, (text(item.get(key)) for key in parents)), None)
    named = people.complete(person(item.get("recipient_id"), item.get("recipient_user_id"), parent), alone=alone)
    key_hash = text(item.get("recipient_identity_key_hash"))
    return msgspec.structs.replace(named, identity_key_hash=key_hash) if key_hash else named


def _participant(item: dict[str, Any]) -> Person:
    # Three of Meta's examples have the two words of the key the other way round.
    return person(
        item.get("recipient_participant_id") or item.get("participant_recipient_id"),
        item.get("recipient_participant_user_id") or item.get("participant_recipient_user_id"),
        item.get("recipient_participant_parent_user_id") or item.get("participant_recipient_parent_user_id"),
    )


def _pricing(item: dict[str, Any]) -> Pricing | None:
    found = mapping(item.get("pricing")) or mapping(mapping(item.get("conversation")).get("pricing"))
    if not found:
        return None
    return Pricing(
        billable=lenient.truth(found.get("billable")), model=text(found.get("pricing_model")),
        type=text(found.get("type")) or text(found.get("pricing_type")), category=text(found.get("category")),
    )


def _conversation(item: dict[str, Any]) -> dict[str, Any] | None:
    found = mapping(item.get("conversation"))
    kept: dict[str, Any] = dict(lenient.texts(found, "id"))
    expires_at = lenient.moment(found.get("expiration_timestamp"))
    origin = text(mapping(found.get("origin")).get("type"))
    if expires_at:
        kept["expires_at"] = expires_at
    if origin:
        kept["origin"] = origin
    return kept or None


def _payment(source: Source, item: dict[str, Any], people: People, *, alone: bool) -> PaymentStatusReceived:
    payment = mapping(item.get("payment"))
    amount, transaction = mapping(payment.get("amount")), mapping(payment.get("transaction"))
    return PaymentStatusReceived(
        **source.common(item.get("timestamp")), fingerprint=source.fingerprint(item), wamid=str(text(item.get("id"))),
        status=str(text(item.get("status"))).lower(), recipient=_recipient(item, people, alone=alone),
        reference_id=text(payment.get("reference_id")), currency=text(payment.get("currency")),
        amount_value=lenient.number(amount.get("value")), amount_offset=lenient.number(amount.get("offset")),
        transaction_id=text(transaction.get("id")), transaction_status=text(transaction.get("status")), payment=payment,
    )


def _call_status(source: Source, item: dict[str, Any], people: People, *, alone: bool) -> CallReceived:
    return CallReceived(
        **source.common(item.get("timestamp")), call_id=str(text(item.get("id"))), event="status",
        person=_recipient(item, people, alone=alone), status=str(text(item.get("status"))).upper(),
        user_initiated=False, callback_data=text(item.get("biz_opaque_callback_data")),
        errors=errors(item.get("errors")),
    )


def call(source: Source, item: dict[str, Any], people: People, *, alone: bool) -> CallReceived:
    """One element of `calls[]`. The direction may be missing; then the number that was called tells it."""
    call_id, event = text(item.get("id")), text(item.get("event"))
    if call_id is None or event is None:
        raise Unclear("the call lacks its id or its event")
    caller = person(item.get("from"), item.get("from_user_id"), item.get("from_parent_user_id"))
    called = person(item.get("to"), item.get("to_user_id"), item.get("to_parent_user_id"))
    by_user = _by_user(source, item, caller, called)
    word = text(item.get("status"))
    return CallReceived(
        **source.common(item.get("timestamp")), call_id=call_id, event=event.lower(),
        person=people.complete(_other_side(source, caller, called, by_user), alone=alone),
        status=word.upper() if word else None, user_initiated=by_user,
        started_at=lenient.moment(item.get("start_time")), ended_at=lenient.moment(item.get("end_time")),
        duration_seconds=lenient.number(item.get("duration")),
        callback_data=text(item.get("biz_opaque_callback_data")), errors=errors(item.get("errors")), details=item,
    )


def _other_side(source: Source, caller: Person, called: Person, by_user: bool | None) -> Person:
    """Who is not us. Either number may be missing, and at times the wrong one is."""
    sides = (called, caller) if by_user is False else (caller, called)
    ours = source.display_phone
    return next((side for side in sides if side.is_known and not (ours and side.phone == ours)), Person())


def _by_user(source: Source, item: dict[str, Any], caller: Person, called: Person) -> bool | None:
    direction = (text(item.get("direction")) or "").upper()
    if direction in ("USER_INITIATED", "BUSINESS_INITIATED"):
        return direction == "USER_INITIATED"
    if source.display_phone and source.display_phone in (caller.phone, called.phone):
        return called.phone == source.display_phone
    return None
