"""The fields beside `messages`: preferences, the phone's address book, templates, numbers, accounts, handovers."""

from __future__ import annotations

from typing import Any

from chime.whatsapp import lenient
from chime.whatsapp.events import (
    AccountChanged,
    ContactSynced,
    Event,
    FieldReceived,
    HandoverChanged,
    LinkClicked,
    NumberChanged,
    PreferenceChanged,
    TemplateChanged,
)
from chime.whatsapp.lenient import mapping, text
from chime.whatsapp.source import People, Source, Unclear, person

_TEMPLATE_FIELDS = {
    "message_template_status_update": "status",
    "template_category_update": "category",
    "message_template_quality_update": "quality",
    "message_template_components_update": "components",
    "template_correct_category_detection": "category_detection",
}
_NUMBER_FIELDS = {
    "phone_number_quality_update": "quality",
    "phone_number_name_update": "name",
    "business_username_updates": "username",
    "security": "security",
    "account_settings_update": "settings",
}
_ACCOUNT_FIELDS = {
    "account_update": "update",
    "account_review_update": "review",
    "account_alerts": "alert",
    "business_capability_update": "capability",
    "business_status_update": "business_status",
    "partner_solutions": "partner_solution",
}


def change(source: Source, value: dict[str, Any]) -> Event:
    """A field whose whole value is one event. What is not known by name is kept as it came."""
    if source.field in _TEMPLATE_FIELDS:
        return _template(source, value, _TEMPLATE_FIELDS[source.field])
    common = {**source.common(value.get("timestamp")), "fingerprint": source.fingerprint(value)}
    if source.field in _NUMBER_FIELDS:
        word = next(filter(None, (text(value.get(key)) for key in ("event", "decision", "status", "type"))), None)
        display = lenient.phone(value.get("display_phone_number"))  # sometimes formatted
        kind = _NUMBER_FIELDS[source.field]
        return NumberChanged(**common, kind=kind, display_phone_number=display, event=word, details=value)
    if source.field in _ACCOUNT_FIELDS:
        # The dashboard's test button sends alerts flat, real ones have `alert_info`.
        alert = text({**value, **mapping(value.get("alert_info"))}.get("alert_type"))
        word = text(value.get("event")) or text(value.get("decision")) or alert
        return AccountChanged(**common, kind=_ACCOUNT_FIELDS[source.field], event=word, details=value)
    if source.field == "messaging_handovers":
        return _handover(source, value)
    return recorded(source, value)


def recorded(source: Source, value: dict[str, Any]) -> FieldReceived:
    """A value kept as it came."""
    return FieldReceived(
        **source.common(value.get("timestamp")), fingerprint=source.fingerprint(value), field=source.field, value=value
    )


def _template(source: Source, value: dict[str, Any], kind: str) -> TemplateChanged:
    template_id = text(value.get("message_template_id"))
    if template_id is None:
        raise Unclear("the template has no id")
    if kind == "status":
        event = (text(value.get("event")) or "").upper()
    elif kind == "quality":
        event = (text(value.get("new_quality_score")) or "UNKNOWN").upper()
    elif kind == "category":
        # With `correct_category` it announces a change to come, and `new_category` still is the present one.
        event = "warning" if text(value.get("correct_category")) else "changed"
    else:
        event = kind
    reason = text(value.get("reason"))
    return TemplateChanged(
        **source.common(value.get("timestamp")), fingerprint=source.fingerprint(value), kind=kind,
        template_id=template_id, name=text(value.get("message_template_name")),
        language=text(value.get("message_template_language")), event=event, reason=None if reason == "NONE" else reason,
        details=value,
    )


def _handover(source: Source, value: dict[str, Any]) -> HandoverChanged:
    kind, user = text(value.get("type")), mapping(value.get("sender"))
    if kind is None:
        raise Unclear("the handover has no type")
    part = mapping(value.get(kind))
    summary = mapping(mapping(part.get("conversation_context")).get("summary"))
    return HandoverChanged(
        **source.common(value.get("timestamp")), fingerprint=source.fingerprint(value), kind=kind,
        person=person(user.get("phone_number") or user.get("wa_id"), user.get("user_id"), user.get("parent_user_id")),
        previous_owner_role=text(part.get("previous_owner_role")), new_owner_role=text(part.get("new_owner_role")),
        note=text(part.get("metadata")), summary=text(summary.get("text")),
    )


def preference(source: Source, item: dict[str, Any], people: People, *, alone: bool) -> PreferenceChanged:
    """One element of `user_preferences[]`."""
    named = person(item.get("wa_id"), item.get("user_id"), item.get("parent_user_id"))
    who, word = people.complete(named, alone=alone), text(item.get("value"))
    if not who.is_known or word is None:
        raise Unclear("the preference names no person or no wish")
    return PreferenceChanged(
        **source.common(item.get("timestamp")), fingerprint=source.fingerprint(item), person=who, value=word.lower(),
        category=text(item.get("category")), detail=text(item.get("detail")), signup_id=text(item.get("signup_id")),
    )


def click(source: Source, item: dict[str, Any], people: People, *, alone: bool) -> LinkClicked:
    """One element of `user_actions[]`; the data stands at a key named after the action."""
    kind = text(item.get("action_type"))
    if kind is None:
        raise Unclear("the action has no type")
    part = mapping(item.get(f"{kind}_data"))
    return LinkClicked(
        **source.common(item.get("timestamp")), fingerprint=source.fingerprint(item), action_type=kind,
        click_id=text(part.get("click_id")), component=text(part.get("click_component")),
        tracking_token=text(part.get("tracking_token")), product_id=text(part.get("product_id")),
    )


def synced(source: Source, item: dict[str, Any], people: People, *, alone: bool) -> Event:
    """One element of `state_sync[]`."""
    stamp = mapping(item.get("metadata")).get("timestamp")
    common = {**source.common(stamp), "fingerprint": source.fingerprint(item)}
    if text(item.get("type")) not in (None, "contact"):
        return FieldReceived(**common, field="smb_app_state_sync", value=item)
    card = mapping(item.get("contact"))
    named = person(card.get("phone_number"), card.get("user_id"), card.get("parent_user_id"))
    if not named.is_known:
        raise Unclear("the address book entry names nobody")
    return ContactSynced(
        **common, person=people.complete(named, alone=alone), full_name=text(card.get("full_name")),
        first_name=text(card.get("first_name")), action=(text(item.get("action")) or "add").lower(),
    )
