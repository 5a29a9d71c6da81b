"""Keyset pages: an opaque cursor says where a list went on, and stays right while rows come and go."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from litestar import Request

from chime.errors import Invalid

T = TypeVar("T")
R = TypeVar("R")
# What SQLite takes as a number; a cursor somebody made up may hold more.
_Place = tuple[Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)], str]


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A page of a list, as scripts get it. `next_cursor` is null on the last one."""

    items: tuple[T, ...]
    next_cursor: str | None


def encode_cursor(at: int, row_id: str) -> str:
    """The cursor after a row."""
    return base64.urlsafe_b64encode(msgspec.json.encode((at, row_id))).rstrip(b"=").decode()


def decode_cursor(text: str | None) -> tuple[int, str] | None:
    """The place of a cursor, None for none. Raises Invalid naming `cursor`."""
    if not text:
        return None
    try:
        padded = text + "=" * (-len(text) % 4)
        place: tuple[int, str] = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=_Place)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise Invalid.field("cursor", "This is no cursor of ours; start again without one.") from error
    return place


def page_size(text: str | None, *, default: int = 50, most: int = 200) -> int:
    """`?limit=`. Raises Invalid naming `limit`."""
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10) or not 1 <= int(text) <= most:
        raise Invalid.field("limit", f"A whole number from 1 to {most}.")
    return int(text)


def query_of(request: Request[Any, Any, Any], *names: str) -> dict[str, str]:
    """The query's parameters: `limit`, `cursor` and `names`. Raises Invalid naming every other one, and those given
    twice: a misspelt filter must not answer with the whole list."""
    found: dict[str, str] = {}
    problems = []
    for name, value in request.query_params.multi_items():
        if name not in ("limit", "cursor", *names):
            problems.append((name[:100], "There is no such parameter here."))
        elif name in found:
            problems.append((name, "Give this once."))
        found[name] = value
    if problems:
        raise Invalid(problems)
    return found


def page_of(rows: Sequence[R], limit: int, *, place: Callable[[R], tuple[int, str]], told: Callable[[R], T]
            ) -> Page[T]:
    """The page that `rows` make: those of the query, which asked for one more than `limit` to see whether it goes on.

    `place` is where a row stands in the list's order, `told` what scripts get of it."""
    shown = rows[:limit]
    cursor = encode_cursor(*place(shown[-1])) if len(rows) > limit else None
    return Page(tuple(told(row) for row in shown), cursor)
