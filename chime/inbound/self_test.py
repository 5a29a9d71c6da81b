"""A webhook that Chime posts to itself, by the way Meta's come: does the public address lead here, does what stands in
between leave the bytes as they were signed, and whom does it say that they come from.

It is signed with the app's own secret, so nobody else can make one; it takes effect nowhere and is stored nowhere. The
answer is made with the same secret, so another server at that address cannot give it.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable

import msgspec

# Meta's bodies begin with the object they are about. The letters beyond ASCII are what a proxy that means well and
# writes JSON anew would change.
_BEGINNING = '{"chime_self_test": "äöü '
_MARK = _BEGINNING.encode()
LONGEST_HOP = 64


class Answer(msgspec.Struct, frozen=True):
    """`proof` is over the request; `caller` is the address it counted as, `last_hop` the last that X-Forwarded-For
    named when it arrived."""

    proof: str
    caller: str
    last_hop: str


def body(nonce: str) -> bytes:
    return f'{_BEGINNING}{nonce}"}}'.encode()


def is_one(request: bytes) -> bool:
    return request.startswith(_MARK)


def answer(secret: bytes, request: bytes, caller: str, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    forwarded = b",".join(value for name, value in headers if name == b"x-forwarded-for")
    last_hop = forwarded.rpartition(b",")[2].strip().decode("latin-1")[:LONGEST_HOP]
    return msgspec.json.encode(Answer(_proof(secret, request), caller, last_hop))


def read(secret: bytes, request: bytes, given: bytes) -> Answer | None:
    """The answer, if it is one of ours to this very request."""
    try:
        found = msgspec.json.decode(given, type=Answer)
    except msgspec.DecodeError:
        return None
    return found if hmac.compare_digest(found.proof, _proof(secret, request)) else None


def _proof(secret: bytes, request: bytes) -> str:
    return hmac.digest(secret, b"self-test answered " + request, "sha256").hex()
