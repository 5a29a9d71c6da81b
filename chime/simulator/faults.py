"""The switches: everything that goes wrong with the real thing, on demand.

They are changed over HTTP by the phone page and by tests and take effect at once. Counters (`answer_429`,
`answer_500`, `error_next`, `fail_next`, `accept_then_drop`) count down with every send they spoil and stop at 0.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from chime.errors import Invalid

Count = Annotated[int, msgspec.Meta(ge=0, le=100_000)]
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=60_000)]
Code = Annotated[int, msgspec.Meta(ge=0, le=9_999_999)]


class Switches(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is switched on. A new one has everything off: Meta on a good day."""

    deliver_twice: bool = False
    """Every webhook POST is posted a second time, byte for byte."""
    out_of_order: bool = False
    """What is gathered within a moment is posted in reverse: `read` before `delivered` before `sent`."""
    batch: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 1
    """So many updates are packed into one POST, over several entries, changes and items."""
    delay_ms: Milliseconds = 0
    """Each webhook POST waits so long."""
    answer_delay_ms: Milliseconds = 0
    """Each answer of the Graph API waits so long."""
    answer_429: Count = 0
    """The next n sends are refused with HTTP 429 and code 130429; nothing is accepted."""
    answer_500: Count = 0
    """The next n sends are answered HTTP 500 with code 1; nothing is accepted, but the caller cannot know."""
    error_code: Code = 131000
    """The code for `error_next`."""
    error_next: Count = 0
    """The next n sends are refused with `error_code`."""
    fail_code: Code = 131049
    """The code for `fail_next`."""
    fail_next: Count = 0
    """The next n sends are accepted and then reported as failed with `fail_code`."""
    accept_then_drop: Count = 0
    """The next n sends are accepted and delivered, but the connection closes without an answer."""
    token_expired: bool = False
    """Every access token counts as expired."""
    no_read_receipts: bool = False
    """Customers have switched their read receipts off."""
    hold_statuses: bool = False
    """No status leaves until this is switched off again; then all of them do."""
    pair_limit: bool = False
    """The limit of messages to one customer (one per 6 s, 45 ahead) is enforced."""

    def spend(self, counter: str) -> bool:
        """Whether this switch spoils the present send; if so it is counted down."""
        left: int = getattr(self, counter)
        if left > 0:
            setattr(self, counter, left - 1)
        return left > 0


COUNTERS = ("answer_429", "answer_500", "error_next", "fail_next", "accept_then_drop")


def changed(current: Switches, change: object) -> Switches:
    """`current` with the named switches set. Raises `Invalid` that names the switch."""
    if not isinstance(change, dict):
        raise Invalid.field("switches", "give an object of switches")
    merged: dict[str, Any] = {**msgspec.to_builtins(current), **change}
    unknown = set(change) - set(Switches.__struct_fields__)
    if unknown:
        raise Invalid((name, "there is no such switch") for name in sorted(unknown))
    try:
        return msgspec.convert(merged, Switches)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$.")
        raise Invalid.field(place.rstrip("`") or "switches", message) from error
