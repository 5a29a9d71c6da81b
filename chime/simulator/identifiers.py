"""Names as Meta makes them: message ids, business-scoped user ids, media ids, page cursors.

They are built like the real ones because Chime must survive the real ones: a wamid decodes to the other side's phone
number, a business-scoped user id is full of digits that are no phone number, ids are digits beyond 2^53.
"""

from __future__ import annotations

import base64
import hashlib
import re

from chime.ids import Ids

BSUID = re.compile(r"^[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}$")

# Only what the fictional numbers of the sample world and of tests need; anything else counts as the United States.
_COUNTRIES = {"44": "GB", "49": "DE", "55": "BR", "91": "IN", "34": "ES", "33": "FR", "61": "AU", "65": "SG", "1": "US"}


def wamid(ids: Ids, peer: str, *, outgoing: bool) -> str:
    """A new message id. `peer` is the customer's phone number, or the user id of one who hides it."""
    return wamid_of(peer, ids.random(9).hex().upper(), outgoing=outgoing)


def sample_wamid(peer: str, name: str, *, outgoing: bool) -> str:
    """The same message id each time for the same name, so that sample data sent twice is recognised as known."""
    return wamid_of(peer, hashlib.sha256(name.encode()).hexdigest()[:18].upper(), outgoing=outgoing)


def wamid_of(peer: str, unique: str, *, outgoing: bool) -> str:
    """The id of a message to or from `peer`: tagged, length-prefixed fields in base64, as Meta's are."""
    direction = 0x11 if outgoing else 0x12
    address, name = peer.encode(), unique.encode()
    raw = b"\x1c\x18" + bytes([len(address)]) + address
    raw += b"\x15\x02\x00" + bytes([direction, 0x18, len(name)]) + name + b"\x00"
    return "wamid." + base64.b64encode(raw).decode()


def user_id(ids: Ids, phone: str | None) -> str:
    """A new business-scoped user id: the country's two letters and digits that mean nothing."""
    return f"{country(phone)}.{_digits(ids, 20)}"


def object_id(ids: Ids, length: int = 16) -> str:
    """A new id of Graph's for a medium, a template or an account: decimal digits, never starting with 0."""
    return _digits(ids, length)


def country(phone: str | None) -> str:
    """The two letters that a user id of this number's owner begins with."""
    for prefix in sorted(_COUNTRIES, key=len, reverse=True):
        if phone and phone.startswith(prefix):
            return _COUNTRIES[prefix]
    return "US"


def digits(text: str) -> str:
    """What Meta keeps of anything given as a phone number, a user id given by mistake included."""
    return re.sub(r"[^0-9]", "", text)


def cursor(position: int) -> str:
    """An opaque page cursor."""
    return base64.urlsafe_b64encode(f"page:{position}".encode()).decode()


def cursor_position(text: str) -> int | None:
    """The position a cursor stands for, or None when it is none of ours."""
    try:
        name, _, number = base64.urlsafe_b64decode(text.encode()).decode().partition(":")
    except ValueError:
        return None
    return int(number) if name == "page" and number.isdigit() else None


def _digits(ids: Ids, length: int) -> str:
    number = int.from_bytes(ids.random(16), "big")
    return str(10 ** (length - 1) + number % (9 * 10 ** (length - 1)))
