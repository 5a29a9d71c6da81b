"""Webhooks as Meta posts them, as whole HTTP requests."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from chime.security.signatures import signature
from tests.support.world import ACME_NUMBER, APP_SECRET

CUSTOMERS = 500


def request(path: str, body: bytes) -> bytes:
    """A signed POST."""
    head = (f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
            f"x-hub-signature-256: {signature(APP_SECRET.encode(), body)}\r\ncontent-length: {len(body)}\r\n\r\n")
    return head.encode() + body


def envelope(value: dict[str, Any], phone_number_id: str = ACME_NUMBER.phone_number_id,
             waba_id: str = ACME_NUMBER.waba_id) -> bytes:
    """One change of the field `messages`."""
    value = {"messaging_product": "whatsapp",
             "metadata": {"display_phone_number": "15550100200", "phone_number_id": phone_number_id}, **value}
    return json.dumps({"object": "whatsapp_business_account", "entry": [
        {"id": waba_id, "changes": [{"field": "messages", "value": value}]}]}).encode()


def message(run: str, index: int) -> bytes:
    """A text of about 1.1 kB of one of 500 customers."""
    phone, user_id = f"1555{index % CUSTOMERS:07d}", f"US.bench{index % CUSTOMERS}"
    return envelope({
        "contacts": [{"profile": {"name": f"Customer {index % CUSTOMERS}"}, "wa_id": phone, "user_id": user_id}],
        "messages": [{"from": phone, "from_user_id": user_id, "id": f"wamid.{run}.{index}",
                      "timestamp": str(int(time.time())), "type": "text",
                      "text": {"body": f"Is the blue one in stock? {index} " + "x" * 500}}]})


def messages(path: str, count: int, run: str) -> list[bytes]:
    """So many requests, each with another message."""
    return [request(path, message(run, index)) for index in range(count)]


def status(wamid: str, word: str, recipient: str) -> dict[str, Any]:
    return {"id": wamid, "status": word, "timestamp": str(int(time.time())), "recipient_id": recipient,
            "pricing": {"billable": True, "pricing_model": "PMP", "category": "utility", "type": "regular"}}


def statuses(path: str, items: Sequence[dict[str, Any]]) -> bytes:
    """One request with all these statuses."""
    return request(path, envelope({"statuses": list(items)}))
