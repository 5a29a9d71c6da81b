"""Examples of the API's document, to be sent as they are."""

from __future__ import annotations

from typing import Any

from chime.clock import DAY, Clock, rfc3339

MOMENTS = ("until", "send_at", "due_at")


def yet_to_come(example: Any) -> Any:
    """The example; a moment in it was to come when it was written, and here it is tomorrow."""
    if not isinstance(example, dict):
        return example
    tomorrow = rfc3339(Clock().now() + DAY)
    return example | {name: tomorrow for name in MOMENTS if name in example}
