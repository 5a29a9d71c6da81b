"""Reading JSON whose shape nobody keeps: Meta's examples and Meta's traffic disagree about strings and numbers.

Every function takes whatever stood at a key and gives the wanted kind or None. Promise: none of them raises, and what
they return can be stored (no U+0000, no lone surrogates, no number beyond 64 bits) and encoded as JSON again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

_LARGEST = 2**63 - 1
_MILLISECONDS_SINCE = 100_000_000_000  # as seconds this is the year 5138, so a larger number counts milliseconds
_LATEST = 253_370_764_799_000  # the end of the year 9998: has a date in every zone, and so has the day after
_HEX_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_BUSINESS_SCOPED = re.compile(r"[A-Za-z]{2}\.\S{1,200}")
_PARENT = re.compile(r"[A-Za-z]{2}\.ENT\.\S{1,200}")
_PHONE = re.compile(r"\+?[0-9 ()./-]{3,40}")
_NOT_DIGIT = re.compile(r"[^0-9]")
_NUL = "\x00"
# Meta's own go a dozen levels down.
_DEEPEST = 60
# Strings are found to be passed over, the brackets in them with them.
_BRACKET = re.compile(rb'"(?:[^"\\\\]|\\\\.)*"|[\[\]{}]', re.S)


class TooDeep(ValueError):
    """JSON, but nested beyond what can be read."""


def decode(body: bytes) -> Any:
    """The JSON in `body`. Raises ValueError when it is none, and of these TooDeep when it is one after all.

    A lone surrogate (half an emoji cut off by some client) makes the fast decoder refuse the whole batch, and Meta
    would repeat the batch for days; the standard library reads it and the half character becomes U+FFFD. So does a byte
    that is no UTF-8: `scan` would not even see it, and must not be contradicted. What is nested too deeply in one place
    becomes null there: its neighbours are sound.
    """
    try:
        return _decoded(body)
    except RecursionError:
        pass
    try:
        return _decoded(_shallow(body))
    except RecursionError:
        raise TooDeep("nested too deeply") from None


def _decoded(body: bytes) -> Any:
    try:
        value = msgspec.json.decode(body)
    except ValueError:
        words = body.decode("utf-8", "replace")
        value = _storable(json.loads(words, parse_constant=lambda _: None, parse_int=_integer))
    return _without_nul(value) if holds_nul(body) else value


def _shallow(body: bytes) -> bytes:
    """The same JSON with null for whatever lies deeper than anything of Meta's."""
    kept: list[bytes] = []
    depth, begun = 0, 0
    for found in _BRACKET.finditer(body):
        sign = found[0]
        if sign in (b"{", b"["):
            if depth == _DEEPEST:
                kept += [body[begun:found.start()], b"null"]
            depth += 1
        elif sign in (b"}", b"]"):
            depth -= 1
            if depth == _DEEPEST:
                begun = found.end()
    # With brackets left open it is no JSON, and stays none.
    return b"".join([*kept, body[begun:]]) if depth <= _DEEPEST else body[:1]


def holds_nul(body: bytes) -> bool:
    """Whether a text of this JSON may hold U+0000, which neither SQLite's functions nor its search take well."""
    return b"\\u0000" in body


def _integer(digits: str) -> int | None:
    """Python reads no number of thousands of digits; no field of Meta's holds one."""
    return int(digits) if len(digits) <= 40 else None


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(_NUL, "")
    if isinstance(value, dict):
        return {key.replace(_NUL, ""): _without_nul(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    return value


def text(value: Any) -> str | None:
    """A string that says something. Numbers become digits: ids come as either."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def number(value: Any) -> int | None:
    """A whole number, also from digits in a string. None beyond 64 bits, where a database could not keep it."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        value = int(value) if math.isfinite(value) else None
    elif isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            return None
    return value if isinstance(value, int) and abs(value) <= _LARGEST else None


def real(value: Any) -> float | None:
    """A number with a fraction, also from a string: coordinates come as either."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        result = float(value)
    except (ValueError, OverflowError):
        return None
    return result if math.isfinite(result) else None


def amount(value: Any) -> str | None:
    """A price as decimal digits. Meta types it as an integer and sends 7.99; binary fractions have no place in it."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        result = Decimal(str(value))
    except InvalidOperation:
        return None
    return format(result, "f") if result.is_finite() and abs(result.adjusted()) <= 18 else None


def truth(value: Any) -> bool | None:
    """True or false, also when spelled as a string."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return None


def mapping(value: Any) -> dict[str, Any]:
    """The object, or an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """The array, or an empty one."""
    return value if isinstance(value, list) else []


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    """The objects of an array; whatever else it holds is passed over."""
    return (item for item in items(value) if isinstance(item, dict))


def texts(value: Any, *keys: str) -> dict[str, str]:
    """Those of `keys` that hold a text: the usual way to copy an object of labels."""
    found = ((key, text(mapping(value).get(key))) for key in keys)
    return {key: item for key, item in found if item is not None}


def moment(value: Any) -> int | None:
    """Unix milliseconds from seconds or milliseconds, number or string (nyaruka/courier has met milliseconds)."""
    at = number(value)
    if at is None or at <= 0:
        return None
    if at < _MILLISECONDS_SINCE:
        at *= 1000
    return at if at <= _LATEST else None


def digest(value: Any) -> str | None:
    """A SHA-256 as lower-case hex. Webhooks write it in base64, `GET /{media}` in hex."""
    written = text(value)
    if written is None:
        return None
    if _HEX_SHA256.fullmatch(written):
        return written.lower()
    try:
        raw = base64.b64decode(written.replace("-", "+").replace("_", "/") + "=" * (-len(written) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw.hex() if len(raw) == 32 else None


def phone(value: Any) -> str | None:
    """A phone number as digits. A business-scoped user id is none, whatever digits it holds."""
    written = text(value)
    if written is None or not _PHONE.fullmatch(written.strip()):
        return None
    digits = _NOT_DIGIT.sub("", written)
    return digits if 3 <= len(digits) <= 20 else None


def user_id(value: Any) -> str | None:
    """A business-scoped user id, also when it stands where a phone number belongs (courier: `hello_bsuid_in_from`)."""
    written = (text(value) or "").strip()
    return written if _BUSINESS_SCOPED.fullmatch(written) else None


def is_parent_user_id(written: str) -> bool:
    """Whether the id is one shared by linked portfolios (`US.ENT.…`)."""
    return _PARENT.fullmatch(written) is not None


def fingerprint(*parts: Any) -> str:
    """SHA-256 in hex over a canonical encoding: the same event sent again has the same one."""
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()
