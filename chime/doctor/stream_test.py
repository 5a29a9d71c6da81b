"""A stream that the doctor opens through the public address to see whether it comes piece by piece: two comments, some
time apart.

It stands at an address like those of live updates, so that a proxy treats it as one, and under a name that no workspace
has. Only who holds the installation's key can open it, for a minute: a stranger gets nothing that would stay open.
"""

from __future__ import annotations

from chime.clock import MINUTE
from chime.ids import Ids
from chime.security.crypto import derive, mac, same

ADDRESS = "/w/-/events"
PAUSE = 1.5
_LASTS = MINUTE


def address(links: bytes, ids: Ids, now: int) -> str:
    """Good for a minute. `links` is the installation's key of links."""
    told = f"{now + _LASTS}.{ids.code(20)}"
    return f"{ADDRESS}?code={told}.{_proof(links, told)}"


def is_ours(links: bytes, code: str, now: int) -> bool:
    told, _, proof = code.rpartition(".")
    until = told.partition(".")[0]
    return same(_proof(links, told).encode(), proof.encode()) and until.isdigit() and now <= int(until) <= now + _LASTS


def _proof(links: bytes, told: str) -> str:
    return mac(derive(links, "stream-test"), told.encode()).hex()
