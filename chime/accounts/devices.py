"""Devices a person signed in with before: a signed cookie, so that a stranger's guesses never lock its owner out.

The cookie says nothing of who its people are: each entry is a random device id with a signature that only fits one of
them. It opens nothing; it only has failures counted apart, and tells a new device from a known one.
"""

from __future__ import annotations

from chime.clock import DAY
from chime.ids import Ids
from chime.security.crypto import mac, same

LASTS = 180 * DAY
_MOST_PEOPLE = 4


class Devices:
    """`key` signs."""

    def __init__(self, key: bytes, ids: Ids) -> None:
        self._key = key
        self._ids = ids

    def known(self, cookie: str, user_id: str, now: int) -> str:
        """The device's id for this person; empty when the person never signed in with it, or long ago."""
        for entry in cookie.split("~")[:_MOST_PEOPLE]:
            device, _, rest = entry.partition(".")
            since, _, signature = rest.partition(".")
            if (device and since.isascii() and since.isdigit() and len(since) < 15
                    and same(self._signed(user_id, device, since), signature) and 0 <= now - int(since) < LASTS):
                return device
        return ""

    def remember(self, cookie: str, user_id: str, now: int) -> str:
        """The cookie after this person signed in: theirs first, with the day renewed."""
        device = self.known(cookie, user_id, now) or self._ids.code(16)
        others = [entry for entry in cookie.split("~") if entry and not entry.startswith(f"{device}.")]
        return "~".join([f"{device}.{now}.{self._signed(user_id, device, str(now))}", *others[:_MOST_PEOPLE - 1]])

    def _signed(self, user_id: str, device: str, since: str) -> str:
        return mac(self._key, f"{user_id}/{device}/{since}".encode()).hex()[:40]
