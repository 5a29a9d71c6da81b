"""The JSON of Meta's webhooks: one function per kind of `value`. Pure; nothing is posted here.

Key rule of 2026: what a business may not see is left out, never sent empty. A customer who hides the phone number
behind a username comes without `wa_id`, `from` and `recipient_id`.
"""

from __future__ import annotations

from typing import Any

from chime.simulator.model import Conversation, Customer, Draft, Message, Number, Template


def seconds(at: int) -> str:
    """A moment as `messages` and `statuses` carry it: unix seconds, as text."""
    return str(at // 1000)


def metadata(number: Number) -> dict[str, Any]:
    return {"display_phone_number": number.display_phone_number, "phone_number_id": number.phone_number_id}


def value(number: Number, **parts: Any) -> dict[str, Any]:
    """The envelope of everything that belongs to one number."""
    return {"messaging_product": "whatsapp", "metadata": metadata(number), **parts}


def contact(customer: Customer) -> dict[str, Any]:
    """An item of `contacts`."""
    profile = {"name": customer.name}
    if customer.username:
        profile["username"] = customer.username
    shown: dict[str, Any] = {"profile": profile}
    if customer.phone:
        shown["wa_id"] = customer.phone
    return {**shown, "user_id": customer.user_id}


def sender(customer: Customer) -> dict[str, Any]:
    """The keys of a message that say whom it is from."""
    keys = {"from": customer.phone} if customer.phone else {}
    return {**keys, "from_user_id": customer.user_id}


def inbound(customer: Customer, number: Number, wamid: str, at: int, **part: Any) -> dict[str, Any]:
    """The `value` of a message from a customer; `part` is the message without its base."""
    message = {**sender(customer), "id": wamid, "timestamp": seconds(at), **part}
    return value(number, contacts=[contact(customer)], messages=[message])


def system(customer: Customer, number: Number, wamid: str, at: int, part: dict[str, Any]) -> dict[str, Any]:
    """The `value` of a system message: no contacts, and no `from` when no phone number may be shown."""
    keys = {"from": part["from"]} if part.get("from") else {}
    body = {key: item for key, item in part.items() if key != "from"}
    message = {**keys, "id": wamid, "timestamp": seconds(at), "type": "system", "system": body}
    return value(number, messages=[message])


def context(number: Number, customer: Customer, quoted: Message) -> dict[str, Any]:
    """What a reply says about the message it replies to."""
    if quoted.from_customer:
        whom: dict[str, Any] = sender(customer)
    else:
        whom = {"from": number.display_phone_number}
    return {**whom, "id": quoted.wamid}


def status(
    number: Number, draft: Draft, message: Message, name: str, at: int, conversation: Conversation | None,
) -> dict[str, Any]:
    """The `value` of one status of a message sent by the business."""
    item: dict[str, Any] = {"id": message.wamid, "status": name, "timestamp": seconds(at)}
    customer = draft.customer
    if customer is None:
        if not draft.by_user_id:
            item["recipient_id"] = draft.address
    else:
        if customer.phone:
            item["recipient_id"] = customer.phone
        if name != "failed" or draft.by_user_id:
            item["recipient_user_id"] = customer.user_id
    if message.callback_data is not None:
        item["biz_opaque_callback_data"] = message.callback_data
    if name in ("sent", "delivered") and message.pricing and message.type != "reaction":
        item["pricing"] = message.pricing
        if message.pricing["type"] == "free_entry_point" and conversation is not None:
            item["conversation"] = _conversation(message, name, conversation)
    if name == "failed":
        item["errors"] = [message.error]
        return value(number, statuses=[item])
    contacts = [contact(customer)] if customer is not None else []
    return value(number, contacts=contacts, statuses=[item])


def _conversation(message: Message, name: str, conversation: Conversation) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": message.wamid[-24:-4].lower(), "origin": {"type": "referral_conversion"}}
    if name == "sent":
        shown["expiration_timestamp"] = seconds(conversation.free_until)
    return shown


def history_message(number: Number, customer: Customer, message: Message) -> dict[str, Any]:
    """One message of a coexistence history, either direction."""
    ends = {"from": number.display_phone_number, "to": customer.address}
    if message.from_customer:
        ends = {"from": customer.address}
    return {
        **ends,
        "id": message.wamid,
        "timestamp": seconds(message.at),
        "type": message.type,
        message.type: message.content,
        "history_context": {"status": "READ"},
    }


def history(number: Number, threads: list[tuple[Customer, list[Message]]]) -> dict[str, Any]:
    """The `value` of field `history`: one finished chunk with these threads."""
    return value(
        number,
        history=[
            {
                "metadata": {"phase": 0, "chunk_order": 1, "progress": 100},
                "threads": [
                    {
                        "id": customer.address,
                        "context": _thread_context(customer),
                        "messages": [history_message(number, customer, message) for message in messages],
                    }
                    for customer, messages in threads
                ],
            }
        ],
    )


def _thread_context(customer: Customer) -> dict[str, Any]:
    known = {"wa_id": customer.phone, "user_id": customer.user_id, "username": customer.username}
    return {key: item for key, item in known.items() if item}


def state_sync(number: Number, customers: list[Customer], at: int) -> dict[str, Any]:
    """The `value` of field `smb_app_state_sync`: the business app's address book."""
    return value(
        number,
        state_sync=[
            {
                "type": "contact",
                "contact": {
                    "full_name": customer.name,
                    "first_name": customer.name.split(" ")[0],
                    "phone_number": customer.phone,
                    "user_id": customer.user_id,
                },
                "action": "add",
                "metadata": {"timestamp": seconds(at)},
            }
            for customer in customers
            if customer.phone
        ],
    )


def echo(number: Number, customer: Customer, message: Message) -> dict[str, Any]:
    """The `value` of field `smb_message_echoes`: the owner answered from the phone."""
    ends: dict[str, Any] = {"from": number.display_phone_number}
    if customer.phone:
        ends["to"] = customer.phone
    item = {
        **ends,
        "to_user_id": customer.user_id,
        "id": message.wamid,
        "timestamp": seconds(message.at),
        "type": message.type,
        message.type: message.content,
    }
    return value(number, contacts=[contact(customer)], message_echoes=[item])


def preference(number: Number, customer: Customer, choice: str, at: int) -> dict[str, Any]:
    """The `value` of field `user_preferences`. Its timestamp is an integer, unlike everywhere else."""
    verb = "stop" if choice == "stop" else "resume"
    item: dict[str, Any] = {"wa_id": customer.phone} if customer.phone else {}
    item |= {
        "user_id": customer.user_id,
        "category": "marketing_messages",
        "value": choice,
        "detail": f"User requested to {verb} marketing messages",
        "timestamp": at // 1000,
    }
    return value(number, contacts=[contact(customer)], user_preferences=[item])


def template_status(template: Template, event: str, reason: str) -> dict[str, Any]:
    """The `value` of field `message_template_status_update`. The id is an integer here and text in the REST API."""
    changed: dict[str, Any] = {
        "event": event,
        "message_template_id": int(template.template_id),
        "message_template_name": template.name,
        "message_template_language": template.language,
        "message_template_category": template.category,
        "reason": reason,
    }
    if event == "PAUSED":
        changed["other_info"] = {"title": "FIRST_PAUSE", "description": "Paused for low quality."}
    return changed
