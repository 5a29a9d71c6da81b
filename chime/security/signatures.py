"""Meta's webhook signature: HMAC-SHA256 of the raw body with the app's secret (whatsapp-messaging.md 1.2)."""

from __future__ import annotations

import hmac


def is_signed(secret: bytes, body: bytes, header: bytes) -> bool:
    """Whether `header` (`sha256=<64 lower-case hex>`) signs exactly these bytes. Re-encoded JSON never does."""
    if not header.startswith(b"sha256=") or len(header) != 71:
        return False
    return hmac.compare_digest(b"sha256=" + hmac.digest(secret, body, "sha256").hex().encode(), header)


def signature(secret: bytes, body: bytes) -> str:
    """The header for a body: what the simulator sends, as Meta does."""
    return "sha256=" + hmac.digest(secret, body, "sha256").hex()
