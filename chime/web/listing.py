"""Keyset pages: an opaque cursor says where a list went on, and stays right while rows come and go."""

from __future__ import annotations

import base64
import binascii

import msgspec

from chime.errors import Invalid


def encode_cursor(at: int, row_id: str) -> str:
    """The cursor after a row."""
    return base64.urlsafe_b64encode(msgspec.json.encode((at, row_id))).rstrip(b"=").decode()


def decode_cursor(text: str | None) -> tuple[int, str] | None:
    """The place of a cursor, None for none. Raises Invalid naming `cursor`."""
    if not text:
        return None
    try:
        padded = text + "=" * (-len(text) % 4)
        return msgspec.json.decode(base64.urlsafe_b64decode(padded), type=tuple[int, str])
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise Invalid.field("cursor", "This is no cursor of ours; start again without one.") from error


def page_size(text: str | None, *, default: int = 50, most: int = 200) -> int:
    """`?limit=`. Raises Invalid naming `limit`."""
    if text is None:
        return default
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise Invalid.field("limit", f"A whole number from 1 to {most}.")
    return int(text)
