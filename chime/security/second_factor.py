"""Codes of an authenticator app (TOTP, RFC 6238) and recovery codes.

SHA-1, thirty seconds and six digits, because that is what every authenticator app can do. This module only computes;
that a code is good once is decided where the last accepted step is stored.
"""

from __future__ import annotations

import base64
import hmac
import struct
from urllib.parse import quote, urlencode

from chime.ids import Ids
from chime.security.crypto import same

STEP = 30_000
DIGITS = 6
# A phone's clock may be half a minute off, either way.
_DRIFT = 1
SECRET_BYTES = 20
RECOVERY_CODES = 10
_RECOVERY_BYTES = 10


def step_of(now: int) -> int:
    """Which step of thirty seconds a moment (unix milliseconds) is in."""
    return now // STEP


def code_of(secret: bytes, step: int) -> str:
    """The six digits of a step."""
    hashed = hmac.digest(secret, struct.pack(">Q", step), "sha1")
    offset = hashed[-1] & 15
    number = int.from_bytes(hashed[offset:offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10 ** DIGITS:0{DIGITS}d}"


def accepted_step(secret: bytes, code: str, now: int, last_step: int) -> int | None:
    """The step that `code` belongs to, if it is one of now or its neighbours and newer than the last one accepted.
    Every candidate is compared, so that the time taken tells nothing."""
    code = code.replace(" ", "")
    found = None
    for step in range(step_of(now) - _DRIFT, step_of(now) + _DRIFT + 1):
        if same(code_of(secret, step).encode(), code.encode()) and step > last_step:
            found = step
    return found


def new_secret(ids: Ids) -> str:
    """A secret for a new app, in the letters that people may have to type."""
    return base64.b32encode(ids.random(SECRET_BYTES)).decode()


def secret_bytes(text: str) -> bytes:
    return base64.b32decode(text)


def app_link(secret: str, account: str) -> str:
    """The `otpauth:` address that an app reads from the QR code."""
    label = quote(f"Chime:{account}")
    return f"otpauth://totp/{label}?{urlencode({'secret': secret, 'issuer': 'Chime'})}"


def new_recovery_codes(ids: Ids) -> list[str]:
    """Ten codes of 80 bits, as they are shown: four groups of four letters."""
    codes = (base64.b32encode(ids.random(_RECOVERY_BYTES)).decode() for _ in range(RECOVERY_CODES))
    return ["-".join(code[start:start + 4] for start in range(0, 16, 4)) for code in codes]


def plain_recovery_code(text: str) -> str:
    """As it was made, however it was typed: letters a person may take for digits are what base 32 has."""
    kept = "".join(character for character in text.upper() if character.isascii() and character.isalnum())
    return kept.replace("0", "O").replace("1", "I").replace("8", "B")
