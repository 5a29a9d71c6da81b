"""What a monitor should know of sign-ins: how many failed. Ten times as many as usual is worth an alarm."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chime.web.services import Services


async def gauges(services: Services) -> dict[str, int]:
    """Since this process began; and in the minute of the last failure."""
    return {"chime_sign_in_failures_total": services.throttle.unusual.total,
            "chime_sign_in_failures_this_minute": services.throttle.unusual.this_minute}
