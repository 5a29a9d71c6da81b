"""Webhook bodies of our own making, in the shapes Meta sends; ids and numbers are invented.

`VALUES` has one change of every kind; the mutation test breaks each of them in every way.
"""

from __future__ import annotations

import json
from typing import Any

from chime.whatsapp import Event, Person, parse

WABA = "377001122334455"
NUMBER = "411222333444555"
OURS = "15550100200"
DANA = "14155550123"
DANA_ID = "US.7Hq2mZ90"
DANA_PARENT = "US.ENT.99aa"
AT = 1_795_132_799  # seconds
METADATA = {"display_phone_number": OURS, "phone_number_id": NUMBER}
CONTACT = {"profile": {"name": "Dana R", "username": "@dana.r"}, "wa_id": DANA, "user_id": DANA_ID,
           "parent_user_id": DANA_PARENT, "identity_key_hash": "k1"}
DANA_WHOLE = Person(phone=DANA, user_id=DANA_ID, parent_user_id=DANA_PARENT, name="Dana R", username="dana.r",
                    identity_key_hash="k1")


def change(field: str, value: Any) -> dict[str, Any]:
    return {"field": field, "value": value}


def envelope(*changes: dict[str, Any], waba: str = WABA, **entry: Any) -> dict[str, Any]:
    return {"object": "whatsapp_business_account", "entry": [{"id": waba, "changes": list(changes), **entry}]}


def encoded(body: Any) -> bytes:
    """As Meta writes it: escapes for all that is not ASCII, and for slashes."""
    return json.dumps(body, separators=(",", ":")).replace("/", "\\/").encode()


def carrying(**arrays: Any) -> dict[str, Any]:
    """The value of a `messages` change."""
    return {"messaging_product": "whatsapp", "metadata": METADATA, **arrays}


def message(kind: str = "text", part: Any = None, **more: Any) -> dict[str, Any]:
    """One element of `messages[]` with its own part, by default some text."""
    own = {kind: {"body": "Is it in stock?"} if kind == "text" and part is None else part}
    if own[kind] is None:
        own = {}
    return {"from": DANA, "from_user_id": DANA_ID, "id": "wamid.IN1", "timestamp": str(AT), "type": kind, **own, **more}


def status(word: str = "sent", **more: Any) -> dict[str, Any]:
    return {"id": "wamid.OUT1", "status": word, "timestamp": str(AT), "recipient_id": DANA,
            "recipient_user_id": DANA_ID, "biz_opaque_callback_data": "chime:42:7", **more}


def received(*messages: dict[str, Any], contacts: Any = (CONTACT,), **arrays: Any) -> dict[str, Any]:
    return change("messages", carrying(contacts=list(contacts), messages=list(messages), **arrays))


def reported(*statuses: dict[str, Any], **arrays: Any) -> dict[str, Any]:
    return change("messages", carrying(statuses=list(statuses), **arrays))


def echoed(*echoes: dict[str, Any]) -> dict[str, Any]:
    return change("smb_message_echoes", carrying(contacts=[{"user_id": DANA_ID, "wa_id": DANA}],
                                                 message_echoes=list(echoes)))


def echo(kind: str = "text", part: Any = None, **more: Any) -> dict[str, Any]:
    return {"from": OURS, "to": DANA, "to_user_id": DANA_ID, "id": "wamid.APP1", "timestamp": str(AT), "type": kind,
            kind: part or {"body": "from the phone"}, **more}


def template(**value: Any) -> dict[str, Any]:
    return {"message_template_id": 1689556908129832, "message_template_name": "order_ready",
            "message_template_language": "en_US", **value}


QUOTE = {"from": OURS, "id": "wamid.OUT1"}
FILE = {"id": "901", "mime_type": "image/jpeg", "sha256": "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=",
        "url": "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=901"}
UNKNOWN_TYPE = {"code": 131051, "title": "Message type unknown", "message": "Message type unknown",
                "error_data": {"details": "Message type is currently not supported."}}
CARD = {"name": {"formatted_name": "Ana Lima", "first_name": "Ana"}, "birthday": "1990-01-31",
        "phones": [{"phone": "+55 11 5550-0100", "wa_id": "551155500100", "type": "CELL"}],
        "emails": [{"email": "a@x.test", "type": "WORK"}], "org": {"company": "X"}, "addresses": [], "urls": [],
        "origin": "contact_request"}
REFERRAL = {"source_url": "https://fb.me/x", "source_id": "120x", "source_type": "ad", "headline": "Sale",
            "body": "20% off", "media_type": "image", "image_url": "https://x.test/i", "ctwa_clid": "Aff-1",
            "welcome_message": {"text": "Hi!"}}
PAYMENT = {"reference_id": "ord-1", "amount": {"value": 21000, "offset": 100}, "currency": "INR",
           "transaction": {"id": "pg1", "type": "razorpay", "status": "success", "method": {"type": "upi"}},
           "refunds": [{"id": "r1", "amount": {"value": 100, "offset": 100}, "status": "success"}]}


def interactive(kind: str, reply: Any, **more: Any) -> dict[str, Any]:
    return message("interactive", {"type": kind, kind: reply}, context=QUOTE, **more)


def system(kind: str, **part: Any) -> dict[str, Any]:
    return message("system", {"type": kind, "body": "Dana changed…", **part})


MESSAGES: dict[str, dict[str, Any]] = {
    "text": message(context={**QUOTE, "forwarded": True}, referral=REFERRAL),
    "image": message("image", {**FILE, "caption": "Front"}),
    "video": message("video", {**FILE, "mime_type": "video/mp4"}),
    "audio": message("audio", {**FILE, "mime_type": "audio/ogg; codecs=opus", "voice": True}),
    "document": message("document", {**FILE, "mime_type": "application/pdf", "filename": "po.pdf", "caption": "PO"}),
    "sticker": message("sticker", {**FILE, "mime_type": "image/webp", "animated": True}),
    "location": message("location", {"latitude": -23.55, "longitude": "-46.63", "name": "Shop 4", "address": "Rua A"}),
    "contacts": {**message(), "type": "contacts", "contacts": [CARD, {"phones": [{"phone": "1"}]}]},
    "button": message("button", {"payload": "CONFIRM:77", "text": "Confirm"}, context=QUOTE),
    "button_reply": interactive("button_reply", {"id": "yes", "title": "Yes"}),
    "list_reply": interactive("list_reply", {"id": "slot-9", "title": "09:00", "description": "Mon"}),
    "flow": interactive("nfm_reply", {"name": "flow", "body": "Sent", "response_json": json.dumps(
        {"flow_token": "t1", "qty": "2"})}),
    "address": interactive("nfm_reply", {"name": "address_message", "body": "…", "response_json": json.dumps(
        {"saved_address_id": "a1", "values": {"in_pin_code": "400063"}})}),
    "call permission": interactive("call_permission_reply", {
        "response": "accept", "is_permanent": False, "expiration_timestamp": 1795737600,
        "response_source": "user_action"}),
    "product": interactive("product", {"catalog_id": "801"}),
    "order": message("order", {"catalog_id": "801", "text": "pls today", "product_items": [
        {"product_retailer_id": "SKU1", "quantity": 2, "item_price": 7.99, "currency": "USD"}]}),
    "reaction": message("reaction", {"message_id": "wamid.OUT1", "emoji": "👍"}),
    "edit": message("edit", {"original_message_id": "wamid.IN0", "message": {
        "context": {"id": "M0"}, "type": "text", "text": {"body": "fixed"}}}),
    "revoke": message("revoke", {"original_message_id": "wamid.IN0"}),
    "request_welcome": message("request_welcome"),
    "unsupported": message("unsupported", {"type": "poll_creation"}, errors=[UNKNOWN_TYPE]),
    "hologram": message("hologram", {"depth": 3}),
    "group": message(group_id="Y2Fw"),
    "changed number": system("user_changed_number", wa_id="14155550999", user_id="US.NEW1",
                             previous_user_id=DANA_ID, previous_parent_user_id=DANA_PARENT),
    "changed identity": system("customer_identity_changed", identity={"hash": "k2"}),
}
VALUES: dict[str, dict[str, Any]] = {
    **{f"message {name}": received(item) for name, item in MESSAGES.items()},
    "status": reported(status(
        pricing={"billable": True, "pricing_model": "PMP", "type": "regular", "category": "utility"},
        conversation={"id": "c1", "expiration_timestamp": str(AT + 86_400), "origin": {"type": "service"}})),
    "failed": reported(status("failed", errors=[{
        "code": 131049, "title": "Not delivered", "message": "Not delivered", "href": "https://x.test",
        "error_data": {"details": "In order to maintain a healthy ecosystem…"}}]), contacts=[{"wa_id": DANA}]),
    "group status": reported(status(recipient_id="Y2Fw", recipient_type="group", recipient_participant_id=DANA)),
    "payment": reported(status("captured", type="payment", payment=PAYMENT)),
    "errors": change("messages", carrying(errors=[{"code": "130429", "title": "Rate limit hit"}])),
    "click": change("messages", carrying(user_actions=[{
        "action_type": "marketing_messages_link_click", "timestamp": AT, "marketing_messages_link_click_data": {
            "click_component": "cta", "click_id": "c1", "tracking_token": "t", "product_id": "p"}}])),
    "echo": echoed(echo()),
    "echoed edit": echoed(echo("edit", {"original_message_id": "wamid.APP0", "message": {
        "type": "text", "text": {"body": "better"}}})),
    "echoed revoke": echoed(echo("revoke", {"original_message_id": "wamid.APP0"})),
    "history": change("history", carrying(history=[{
        "metadata": {"phase": 0, "chunk_order": 1, "progress": 55},
        "threads": [{"id": DANA, "context": {"wa_id": DANA, "user_id": DANA_ID, "username": "dana.r"}, "messages": [
            {"from": OURS, "to": DANA, "id": "wamid.H1", "timestamp": "1790000000", "type": "text",
             "text": {"body": "old"}, "history_context": {"status": "READ"}},
            {"from": DANA, "id": "wamid.H2", "timestamp": "1790000001", "type": "media_placeholder"}]}]}])),
    "history declined": change("history", {"history": [{"errors": [{"code": 2593109, "title": "Off"}]}]}),
    "address book": change("smb_app_state_sync", carrying(state_sync=[{
        "type": "contact", "action": "add", "metadata": {"timestamp": str(AT)},
        "contact": {"full_name": "Dana R", "first_name": "Dana", "phone_number": DANA, "user_id": DANA_ID}}])),
    "call": change("calls", carrying(calls=[{
        "id": "wacid.C1", "from": DANA, "from_user_id": DANA_ID, "to": OURS, "event": "connect",
        "direction": "USER_INITIATED", "timestamp": str(AT), "session": {"sdp_type": "offer", "sdp": "v=0"}}])),
    "call status": change("calls", carrying(statuses=[status("ACCEPTED", type="call", id="wacid.C2")])),
    "standby": change("standby", carrying(standby={"contacts": [CONTACT], "messages": [message()]})),
    "standby echo": change("standby", carrying(standby={"message_echoes": [{
        "id": "wamid.S1", "timestamp": str(AT), "template": {}, "flow": {},
        "message": {"messaging_product": "whatsapp", "to": DANA, "type": "text", "text": {"body": "AI reply"}}}]})),
    "handover": change("messaging_handovers", {
        "messaging_product": "whatsapp", "sender": {"phone_number": DANA}, "recipient": METADATA,
        "type": "control_passed", "timestamp": str(AT), "control_passed": {
            "previous_owner_role": "ai_agent", "new_owner_role": "escalation", "metadata": "wants a human",
            "conversation_context": {"type": "summary", "summary": {"text": "…"}}}}),
    "preference": change("user_preferences", carrying(contacts=[CONTACT], user_preferences=[{
        "wa_id": DANA, "user_id": DANA_ID, "category": "marketing_messages", "value": "stop", "detail": "User asked",
        "timestamp": AT}])),
    "template status": change("message_template_status_update", template(event="APPROVED", reason="NONE")),
    "template category": change("template_category_update", template(
        previous_category="UTILITY", new_category="MARKETING")),
    "template quality": change("message_template_quality_update", template(
        previous_quality_score="GREEN", new_quality_score="yellow")),
    "template components": change("message_template_components_update", template(message_template_element="body…")),
    "template detection": change("template_correct_category_detection", template(
        category="UTILITY", correct_category="MARKETING")),
    "number quality": change("phone_number_quality_update", {
        "display_phone_number": "+1 555-010-0200", "event": "THROUGHPUT_UPGRADE"}),
    "number name": change("phone_number_name_update", {"display_phone_number": OURS, "decision": "REJECTED"}),
    "username": change("business_username_updates", {"display_phone_number": OURS, "status": "approved"}),
    "security": change("security", {"display_phone_number": OURS, "event": "PIN_CHANGED", "requester": "61555"}),
    "settings": change("account_settings_update", {
        "timestamp": str(AT), "type": "phone_number_settings",
        "phone_number_settings": {"phone_number_id": NUMBER, "calling": {"status": "ENABLED"}}}),
    "account": change("account_update", {"event": "ACCOUNT_RESTRICTION", "restriction_info": [
        {"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING"}]}),
    "partner": change("account_update", {"event": "PARTNER_REMOVED", "waba_info": {
        "waba_id": "990", "owner_business_id": "88"}}),
    "review": change("account_review_update", {"decision": "APPROVED"}),
    "alert": change("account_alerts", {"entity_type": "BUSINESS", "alert_info": {"alert_type": "OBA_APPROVED"}}),
    "flat alert": change("account_alerts", {"entity_type": "BUSINESS", "alert_type": "OBA_REJECTED"}),
    "capability": change("business_capability_update", {"max_daily_conversations_per_business": -1}),
    "flows": change("flows", {"event": "FLOW_STATUS_CHANGE", "flow_id": "6627", "new_status": "PUBLISHED"}),
    "groups": change("group_status_update", carrying(groups=[{"type": "group_suspend", "group_id": "Y2Fw"}])),
    "automatic": change("automatic_events", carrying(automatic_events=[{"id": "wamid.IN1", "event_name": "Purchase"}])),
    "unheard of": change("telepathy_update", {"strength": 9}),
}


def events(*changes: dict[str, Any], **entry: Any) -> list[Event]:
    return parse(encoded(envelope(*changes, **entry)))


def event(one: dict[str, Any], **entry: Any) -> Any:
    (found,) = events(one, **entry)
    return found
