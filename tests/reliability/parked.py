"""What arrives for a number that nobody has connected: Chime answers 200, so control.db must hold it, once.

A body may be for several numbers, and each gets its share of it. Shares are compared by the changes in them, read here
with the standard library: how Chime cuts a body is its own affair.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from chime.security.crypto import context
from chime.workspaces import KeyRing
from tests.reliability.appliance import Number
from tests.reliability.senders import Delivery

STRANGER = Number(workspace_id="", workspace="", slug="", channel_id="", phone_number_id="988777666555444",
                  waba_id="977666555444333", display_phone_number="+1 555-010-9999", api_key="")


@functools.lru_cache(1 << 12)
def share(body: bytes, phone_number_id: str) -> bytes:
    """A hash of a number's changes in a body; empty when it has none."""
    own = [change for entry in json.loads(body)["entry"] for change in entry["changes"]
           if change["value"]["metadata"]["phone_number_id"] == phone_number_id]
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).digest() if own else b""


class Parked:
    """What control.db holds for the stranger now."""

    def __init__(self, control: Any, keys: KeyRing) -> None:
        self._shares = Counter[bytes]()
        self._astray = 0
        for parked_id, phone_number_id, waba_id, sealed in control.execute(
                "SELECT id, phone_number_id, waba_id, body_sealed FROM parked_delivery WHERE released_at IS NULL"):
            body = keys.parked.unseal(sealed, context("parked_delivery", parked_id))
            self._shares[share(body, STRANGER.phone_number_id)] += 1
            self._astray += (phone_number_id, waba_id) != (STRANGER.phone_number_id, STRANGER.waba_id)

    @property
    def count(self) -> int:
        return self._shares.total()

    def lost(self, acknowledged: Iterable[Delivery]) -> list[str]:
        """The acknowledged shares that are not there."""
        told = {one for delivery in acknowledged if (one := share(delivery.body, STRANGER.phone_number_id))}
        gone = told - self._shares.keys()
        return [f"{len(gone)} of {len(told)} acknowledged bodies for a number nobody connected are not parked"
                ] if gone else []

    def wrong(self, posted: Iterable[Delivery]) -> list[str]:
        """The same body twice, what nobody posted, and what would not be found when the number is connected. A share
        that came alone and again in company came as two different bodies."""
        forms: dict[bytes, set[bool]] = defaultdict(set)
        for delivery in posted:
            forms[share(delivery.body, STRANGER.phone_number_id)].add(
                len({fact.number for fact in delivery.tells}) == 1)
        forms.pop(b"", None)
        found = {"twice": sum(1 for one, count in self._shares.items() if one in forms and count > len(forms[one])),
                 "and nobody posted them": len(self._shares.keys() - forms.keys()),
                 "under another number": self._astray}
        return [f"{count} bodies are parked {how}" for how, count in found.items() if count]
