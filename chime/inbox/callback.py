"""The token that goes out with every send and comes back in its statuses (`biz_opaque_callback_data`).

Meta has no idempotency key on sends; this is the only way to learn that a send whose answer got lost was taken. It is
signed, so that only Chime's own can settle a message.
"""

from __future__ import annotations

from chime.ids import is_id
from chime.security.crypto import mac, same

_FORM = "c1"


def make(key: bytes, message_id: str, attempt: int) -> str:
    """The callback data of one attempt."""
    plain = f"{_FORM}.{message_id}.{attempt}"
    return f"{plain}.{_signature(key, plain)}"


def read(key: bytes, text: str) -> tuple[str, int] | None:
    """The message id and the attempt, or None when the token is not ours."""
    plain, _, signature = text.rpartition(".")
    parts = plain.split(".")
    if len(parts) != 3 or parts[0] != _FORM or not is_id(parts[1]) or not same(_signature(key, plain), signature):
        return None
    return parts[1], int(parts[2])


def _signature(key: bytes, plain: str) -> str:
    return mac(key, plain.encode()).hex()[:16]
